// Package artifact keeps what is needed to look at a run elsewhere, in a folder:
//
//	machine.json              versions, and the C libraries of each test binary with their build ids
//	stream.jsonl              the result stream (the command line writes it)
//	PACKAGE/NAME.test         the test binary; slashes of the import path are those of the folder
//	PACKAGE/environment       what it ran with, a variable a line; values that look like secrets are left out
//	PACKAGE/N.command         of the N-th process, the command line of memcheck
//	PACKAGE/N.PID.xml         its report, and those of its children
//	PACKAGE/N.output          what it printed
//	PACKAGE/N.valgrind        what valgrind said beside the report, if anything
//
// Compare says what of a saved machine.json is another here. The package runs no tests.
package artifact

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/cgogrind/cgogrind/harness/internal/input"
	"github.com/cgogrind/cgogrind/harness/internal/shell"
	"github.com/cgogrind/cgogrind/valgrind/memcheck"
)

// The names of files in a folder.
const (
	StreamFile  = "stream.jsonl"
	machineFile = "machine.json"
)

// Machine is what machine.json holds.
type Machine struct {
	Tool     string             `json:"tool"`
	Go       string             `json:"go"`
	Valgrind string             `json:"valgrind"`
	Platform string             `json:"platform"` // "linux/amd64"
	System   string             `json:"system,omitempty"`
	Kernel   string             `json:"kernel,omitempty"`
	Packages map[string]Package `json:"packages"` // by import path
}

// Package is what was saved of a package.
type Package struct {
	Binary    string    `json:"binary"` // relative to the folder
	Libraries []Library `json:"libraries"`
}

// Folder is one that is being written. Its methods may be called from several goroutines.
type Folder struct {
	dir     string
	mu      sync.Mutex
	machine Machine
	runs    map[string]int // processes of each package
}

// Create makes a folder, or takes one that is empty. The machine has its versions set.
func Create(dir string, m Machine) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("saving the run: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("saving the run: %w", err)
	}
	for _, e := range entries {
		if e.Name() != StreamFile { // which may have been begun
			return nil, fmt.Errorf("saving the run: the folder %s is not empty: name another, or empty it", dir)
		}
	}
	m.Platform = runtime.GOOS + "/" + runtime.GOARCH
	m.System, m.Kernel = systemName(), kernel()
	m.Packages = make(map[string]Package)
	return &Folder{dir: dir, machine: m, runs: make(map[string]int)}, nil
}

// Process is one process that ran under memcheck.
type Process struct {
	Package string // import path
	Binary  string
	Command []string
	Env     []string
	Output  string // the file with all that the tests printed
	Result  *memcheck.Result
}

// Add saves a process, and with a package's first one its binary and libraries.
func (f *Folder) Add(ctx context.Context, p Process) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.add(ctx, p); err != nil {
		return fmt.Errorf("saving the run of %s: %w", p.Package, err)
	}
	return nil
}

func (f *Folder) add(ctx context.Context, p Process) error {
	rel := filepath.FromSlash(p.Package)
	if !filepath.IsLocal(rel) {
		return fmt.Errorf("the import path %q is none", p.Package)
	}
	dir := filepath.Join(f.dir, rel)
	if _, known := f.machine.Packages[p.Package]; !known {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return err
		}
		name := filepath.Base(p.Binary)
		if err := copyFile(filepath.Join(dir, name), p.Binary, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "environment"), []byte(strings.Join(WithoutSecrets(p.Env), "\n")+"\n"), 0o600); err != nil {
			return err
		}
		libraries, err := Libraries(ctx, p.Binary, p.Env)
		if err != nil {
			return err
		}
		f.machine.Packages[p.Package] = Package{Binary: filepath.Join(rel, name), Libraries: libraries}
		if err := f.writeMachine(); err != nil {
			return err
		}
	}
	n := f.runs[p.Package]
	f.runs[p.Package]++
	file := func(suffix string) string { return filepath.Join(dir, fmt.Sprintf("%d.%s", n, suffix)) }
	if err := os.WriteFile(file("command"), []byte(shell.Command{Args: p.Command}.String()+"\n"), 0o666); err != nil {
		return err
	}
	if said := p.Result.Log; len(said) > 0 {
		if err := os.WriteFile(file("valgrind"), said, 0o666); err != nil {
			return fmt.Errorf("saving what valgrind said: %w", err)
		}
	}
	if err := copyFile(file("output"), p.Output, 0o666); err != nil {
		return err
	}
	for _, r := range p.Result.Reports {
		if err := copyFile(file(fmt.Sprintf("%d.xml", r.PID)), r.Path, 0o666); err != nil {
			return err
		}
	}
	return nil
}

func (f *Folder) writeMachine() error {
	text, err := json.MarshalIndent(f.machine, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(f.dir, machineFile), append(text, '\n'), 0o666)
}

func copyFile(to, from string, mode fs.FileMode) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, in)
	return err
}

// Read reads the machine.json of a folder. Without one the error is fs.ErrNotExist.
func Read(dir string) (*Machine, error) {
	text, err := input.ReadFile(filepath.Join(dir, machineFile), input.Settings)
	if err != nil {
		return nil, fmt.Errorf("reading a saved run: %w", err)
	}
	m := new(Machine)
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("reading a saved run: %s: %w", filepath.Join(dir, machineFile), err)
	}
	return m, nil
}

// Compare says, a line each, how the system here and the libraries of a package's binary here differ from those of the
// run that was saved in a folder.
func (m *Machine) Compare(ctx context.Context, dir, pkg string, env []string) ([]string, error) {
	var differ []string
	for _, v := range []struct{ what, there, here string }{
		{"platform", m.Platform, runtime.GOOS + "/" + runtime.GOARCH}, {"system", m.System, systemName()}, {"kernel", m.Kernel, kernel()},
	} {
		if v.there != v.here {
			differ = append(differ, fmt.Sprintf("%s: %s there, %s here", v.what, cmp.Or(v.there, "unknown"), cmp.Or(v.here, "unknown")))
		}
	}
	saved, ok := m.Packages[pkg]
	if !ok {
		return differ, nil
	}
	if !filepath.IsLocal(saved.Binary) {
		return differ, fmt.Errorf("comparing libraries: %q is not a file of the folder", saved.Binary)
	}
	here, err := Libraries(ctx, filepath.Join(dir, saved.Binary), env)
	if err != nil {
		return differ, err
	}
	byName := make(map[string]Library)
	for _, l := range here {
		byName[l.Name] = l
	}
	for _, there := range saved.Libraries {
		l, ok := byName[there.Name]
		switch {
		case !ok || l.Path == "" && there.Path != "":
			differ = append(differ, fmt.Sprintf("%s: it is not here; there it was %s", there.Name, there.Path))
		case l.BuildID != there.BuildID:
			differ = append(differ, fmt.Sprintf("%s: another build: %s with build id %s there, %s with %s here",
				there.Name, there.Path, cmp.Or(there.BuildID, "none"), l.Path, cmp.Or(l.BuildID, "none")))
		}
	}
	return differ, nil
}

func systemName() string {
	text, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "PRETTY_NAME="); ok {
			return strings.Trim(strings.TrimSpace(v), `"`)
		}
	}
	return ""
}

func kernel() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}
