package harness

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/cgogrind/cgogrind/harness/internal/input"
)

// times are how long the tests took when they last passed under memcheck, in seconds, by package and name. They are
// kept in the user's cache.
type times struct {
	file string

	mu      sync.Mutex
	seconds map[string]map[string]float64
	changed map[string]map[string]float64
}

// readTimes reads what former runs left. A file that is missing or damaged is as good as an empty one.
func readTimes(file string) *times {
	return &times{file: file, seconds: readTimesFile(file), changed: make(map[string]map[string]float64)}
}

func readTimesFile(file string) map[string]map[string]float64 {
	var seconds map[string]map[string]float64
	data, err := input.ReadRegular(file, maxTimes)
	if err != nil || json.Unmarshal(data, &seconds) != nil || seconds == nil { // null is valid JSON
		return make(map[string]map[string]float64)
	}
	return seconds
}

// maxTimes is how large the file may be, in bytes: 100,000 tests make 10 MB.
const maxTimes = 64 << 20

func (t *times) add(pkg, test string, seconds float64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.changed[pkg] == nil {
		t.changed[pkg] = make(map[string]float64)
	}
	t.changed[pkg][test] = seconds
}

func (t *times) of(pkg string) map[string]float64 { return t.seconds[pkg] }

// total is how long a package's tests took.
func (t *times) total(pkg string) float64 {
	var sum float64
	for _, s := range t.seconds[pkg] {
		sum += s
	}
	return sum
}

// save adds the new times to what the file holds by now.
func (t *times) save() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.changed) == 0 {
		return nil
	}
	all := readTimesFile(t.file)
	for pkg, tests := range t.changed {
		if all[pkg] == nil {
			all[pkg] = make(map[string]float64)
		}
		for name, s := range tests {
			all[pkg][name] = s
		}
	}
	data, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("keeping the times of the tests: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(t.file), 0o755); err != nil {
		return fmt.Errorf("keeping the times of the tests: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(t.file), "times-*")
	if err != nil {
		return fmt.Errorf("keeping the times of the tests: %w", err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), t.file)
	}
	if err != nil {
		if rmErr := os.Remove(f.Name()); !errors.Is(rmErr, fs.ErrNotExist) {
			err = errors.Join(err, rmErr)
		}
		return fmt.Errorf("keeping the times of the tests: %w", err)
	}
	return nil
}
