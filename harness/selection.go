package harness

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cgogrind/cgogrind/harness/result"
)

// How much of the time leak checks between tests may take, in percent.
const (
	leakShare = 10
	everyTest = 100_000
)

// selection is what the instrumented testing package is told of the tests that a process is to run: see
// goruntime/files/testing/cgogrind_select.go.txt for the file that says so.
type selection struct {
	shards []result.Shard
	only   []string // names of tests; all if empty
	skip   []string // names of tests
	// Ginkgo specs, as Ginkgo's filters see them: with the suite's name before their own.
	specs, skipSpecs []string
	flags            []string // NAME=VALUE: flags of the test binary that are too long for an argument
	deadline         time.Time
	times            map[string]float64 // in seconds
	leaks            int                // how much of the time leak checks may take, in percent
}

// selection is what all processes of the package have in common.
func (p *packageRun) selection() selection {
	s := selection{deadline: p.deadline}
	if p.cfg.LeakCheck == LeakTest {
		s.leaks = leakShare
	}
	if p.cfg.Shard != nil {
		s.shards = append(s.shards, *p.cfg.Shard)
	}
	if !s.deadline.IsZero() {
		s.times = p.times.of(p.pkg.ImportPath)
	}
	return s
}

// longArg is how long an argument may be. Linux takes 128 KiB, and 2 MiB for all and the environment.
const longArg = 16 << 10

// takeLong makes instructions of flags that are too long for an argument: a list of tests that somebody chose by name.
func (s *selection) takeLong(args []string) []string {
	return slices.DeleteFunc(slices.Clone(args), func(arg string) bool {
		flag := strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-")
		if len(arg) < longArg || flag == arg || !strings.Contains(flag, "=") {
			return false
		}
		s.flags = append(slices.Clip(s.flags), flag)
		return true
	})
}

// write writes the instructions to a file.
func (s selection) write(name string) error {
	var b strings.Builder
	for _, shard := range s.shards {
		fmt.Fprintf(&b, "shard %d %d\n", shard.Index, shard.Count)
	}
	for _, name := range s.only {
		fmt.Fprintf(&b, "only %s\n", name)
	}
	for _, name := range s.skip {
		fmt.Fprintf(&b, "skip %s\n", name)
	}
	for _, name := range s.specs {
		fmt.Fprintf(&b, "spec %q\n", name)
	}
	for _, name := range s.skipSpecs {
		fmt.Fprintf(&b, "skipspec %q\n", name)
	}
	for _, flag := range s.flags {
		name, value, _ := strings.Cut(flag, "=")
		fmt.Fprintf(&b, "flag %s %q\n", name, value)
	}
	if !s.deadline.IsZero() {
		fmt.Fprintf(&b, "deadline %d\n", s.deadline.UnixNano())
	}
	for test, seconds := range s.times {
		if !strings.ContainsAny(test, " \n") { // a subtest may have any name, and is not chosen
			fmt.Fprintf(&b, "time %s %f\n", test, seconds)
		}
	}
	if s.leaks > 0 {
		fmt.Fprintf(&b, "leaks %d\n", s.leaks)
	}
	if err := os.WriteFile(name, []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("writing which tests to run: %w", err)
	}
	return nil
}

// list asks the test binary for the tests that are to run. It runs natively.
func (p *packageRun) list(ctx context.Context, s selection) ([]string, error) {
	out := filepath.Join(p.work.path, fmt.Sprintf("%03d.tests", p.index))
	instructions := out + ".select"
	if err := s.write(instructions); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(instructions, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = fmt.Fprintf(f, "list %s\n", out)
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}
	if err != nil {
		return nil, fmt.Errorf("writing which tests to run: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	cmd := exec.Command(p.pkg.Binary, p.testArgs(p.pkg)...)
	cmd.Dir, cmd.Env = p.pkg.Dir, set(p.testEnv(p.pkg, p.token), "CGOGRIND_SELECT", instructions)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	runErr := p.work.run(ctx, cmd)
	data, err := os.ReadFile(out)
	if err != nil {
		return nil, fmt.Errorf("asking the test binary for its tests: it listed none (%v): %s", runErr,
			strings.TrimSpace(output.String()))
	}
	return slices.DeleteFunc(strings.Split(string(data), "\n"), func(s string) bool { return s == "" }), nil
}

// listTimeout is how long a test binary may take to list its tests: what TestMain does before comes first.
const listTimeout = 5 * time.Minute
