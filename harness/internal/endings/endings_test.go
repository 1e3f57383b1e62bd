// Package endings ends test processes in every way that there is, in every place of a test binary, and expects of each run
// that it ends, that every planned test has a verdict, and that nothing passes without a complete report.
//
// The binary, a module of its own in testdata/endings, is built once; its environment says how and where it is to end.
package endings

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cgogrind/cgogrind/harness"
	"github.com/cgogrind/cgogrind/harness/result"
)

// A way to end. deadly ones never return to the test, and leave no pass to it.
type way struct {
	name   string
	deadly bool
}

var ways = []way{
	{"exit-0", true}, {"exit-1", true}, {"exit-3", true}, {"syscall-exit-0", true}, {"goexit", false}, {"log-fatal", true},
	{"panic", true}, {"panic-elsewhere", true}, {"nil", true}, {"stack", true}, {"throw", true}, {"exec", true},
	{"hang", true}, {"spin", true}, {"temp-gone", false},

	{"signal-hup", true}, {"signal-int", true}, {"signal-quit", true}, {"signal-ill", true}, {"signal-trap", true},
	{"signal-abrt", true}, {"signal-bus", true}, {"signal-fpe", true}, {"signal-kill", true}, {"signal-usr1", false},
	{"signal-segv", true}, {"signal-usr2", false}, {"signal-pipe", false}, {"signal-alrm", false}, {"signal-term", true},
	{"signal-stkflt", true}, {"signal-stop", true}, {"signal-xcpu", false}, {"signal-sys", true},

	{"c-exit-0", true}, {"c-exit-1", true}, {"c-_exit-0", true}, {"c-_exit-1", true}, {"c-quick_exit-0", true},
	{"c-exit_group-0", true}, {"c-thread-exit", false}, {"c-pthread_exit", false}, {"c-abort", true}, {"c-read-null", true},
	{"c-write-null", true}, {"c-jump-null", true}, {"c-divide", true}, {"c-illegal", true}, {"c-trap", true}, {"c-stack", true},
	{"c-fork", false}, {"c-fork-orphan", false}, {"c-fork-crash", false}, {"c-daemon", true}, {"c-close-report", false},
	{"c-close-output", false}, {"c-no-descriptors", false}, {"c-no-file-size", false}, {"c-chroot", false},
	{"c-unshare", false}, {"c-errors-off", false}, {"c-options", false}, {"c-ignore-usual-signals", true}, {"c-hang", true},
	{"c-spin", true},
}

// places in which a process ends, and the test to which each belongs.
var places = []struct{ name, test string }{
	{"init", ""}, {"before", ""}, {"test", "TestB0Ends"}, {"subtest", "TestB0Ends"}, {"goroutine", "TestB0Ends"},
	{"thread", "TestB0Ends"}, {"cleanup", "TestB0Ends"}, {"spec", "TestB1Suite"}, {"node", "TestB1Suite"}, {"after", ""},
}

// sample is what CI has time for.
var sample = []string{
	"c-_exit-0/goroutine", "syscall-exit-0/after", "c-exit-0/spec", "c-write-null/thread", "signal-kill/subtest",
	"c-errors-off/test",
}

// inevitable are the tests that lose memory, or read what they must not: whatever happens, they do not pass.
var inevitable = []string{"TestA1Lose", "TestC1Lose", "TestC2Bad"}

// limit is what a package may take, in go test's terms: ten times as long under memcheck.
const limit = 6 * time.Second

// runLimit is how long a run may take, in which processes run one after another: far more than they need.
const runLimit = 5 * time.Minute

func TestEndings(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds an instrumented runtime")
	}
	for _, program := range []string{"valgrind", "gcc"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	binary := build(t)
	t.Run("all", func(t *testing.T) {
		for _, w := range ways {
			for _, p := range places {
				name := w.name + "/" + p.name
				switch {
				case os.Getenv("CGOGRIND_FULL") == "" && !slices.Contains(sample, name):
					continue
				case p.name == "thread" && !strings.HasPrefix(w.name, "c-"):
					continue // it is C's
				}
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					check(t, binary, w, p.name, p.test)
				})
			}
		}
	})
	if left, err := filepath.Glob(filepath.Join(temp, "cgogrind-*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %q (%v)", left, err)
	}
}

func build(t *testing.T) string {
	dir, err := filepath.Abs("testdata/endings")
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "endings.test")
	var notes strings.Builder
	code, err := harness.Compile(t.Context(), harness.Config{Dir: dir, Patterns: []string{"."}, Notes: &notes}, binary)
	if err != nil {
		t.Fatalf("exit code %d: %v\n%s", code, err, &notes)
	}
	return binary
}

// run is what came of one run.
type run struct {
	mu       sync.Mutex
	planned  map[string]bool
	verdicts map[string][]result.Test
	summary  *result.Summary
}

// Handle implements result.Handler.
func (r *run) Handle(_ context.Context, m result.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case m.Plan != nil:
		for _, name := range m.Plan.Tests {
			r.planned[name] = true
		}
	case m.Test != nil:
		r.verdicts[m.Test.Name] = append(r.verdicts[m.Test.Name], *m.Test)
	case m.Summary != nil:
		r.summary = m.Summary
	}
	return nil
}

func (r *run) String() string {
	var lines []string
	for name, tests := range r.verdicts {
		for _, t := range tests {
			lines = append(lines, fmt.Sprintf("%-13s %s: %s", t.Verdict, name, t.Reason))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func check(t *testing.T, binary string, w way, place, test string) {
	r := &run{planned: make(map[string]bool), verdicts: make(map[string][]result.Test)}
	var notes, printed strings.Builder
	ctx, cancel := context.WithTimeout(t.Context(), runLimit)
	defer cancel()
	code, err := harness.RunProgram(ctx, harness.Config{
		Env:   append(os.Environ(), "ENDING_HOW="+w.name, "ENDING_WHERE="+place),
		Notes: &notes,
	}, harness.Program{
		Path: binary, Args: []string{"-test.timeout=" + limit.String()}, Stdout: io.Discard, Stderr: &printed,
	}, r)
	defer func() {
		if t.Failed() {
			t.Logf("exit code %d, %v\n%s\n%s", code, err, r, &notes)
		}
	}()
	if ctx.Err() != nil {
		t.Fatal("the run did not end")
	}
	if err != nil {
		t.Error(err)
	}
	if r.summary == nil {
		t.Error("there is no summary")
	}
	if len(r.verdicts) == 0 {
		t.Error("there is no verdict")
	}
	for name := range r.planned {
		if len(r.verdicts[name]) == 0 {
			t.Errorf("%s is planned and has no verdict", name)
		}
	}
	for name, tests := range r.verdicts {
		if len(tests) != 1 {
			t.Errorf("%s has %d verdicts", name, len(tests))
		}
		for _, v := range tests {
			switch {
			case v.Verdict != result.Pass && v.Verdict != result.Skip:
			case slices.Contains(inevitable, name):
				t.Errorf("%s: %s", name, v.Verdict)
			case w.deadly && name == test:
				t.Errorf("%s, which takes its process down: %s", name, v.Verdict)
			}
		}
	}
	if code == result.ExitPass {
		t.Error("exit code 0")
	}
}
