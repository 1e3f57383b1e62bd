package harness

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cgogrind/cgogrind/harness/internal/build"
	"github.com/cgogrind/cgogrind/harness/internal/goruntime"
	"github.com/cgogrind/cgogrind/harness/internal/judge"
	"github.com/cgogrind/cgogrind/harness/result"
)

func TestTestArgs(t *testing.T) {
	r := &run{cfg: Config{Run: "A|B/c", Skip: "X", Timeout: time.Minute, TestFlags: []string{"-test.short", "-ginkgo.v"}}}
	base := []string{"-test.v=test2json", "-test.paniconexit0", "-test.timeout=11m0s", "-test.run=A|B/c"}
	want := slices.Concat(base, []string{"-test.skip=X", "-test.short", "-ginkgo.v"})
	if diff := cmp.Diff(want, r.testArgs(build.Package{})); diff != "" {
		t.Error(diff)
	}
	r.cfg.Timeout = -1
	if args := strings.Join(r.testArgs(build.Package{}), " "); strings.Contains(args, "timeout") {
		t.Errorf("a timeout without a limit: %s", args)
	}
}

// TestSelection: however many tests and specs there are to leave out, no argument of the process names them.
func TestSelection(t *testing.T) {
	s := selection{only: []string{"TestB"}, skip: []string{"TestA", "ExampleC"}, specs: []string{"S two\n(\"2\")"},
		skipSpecs: []string{"S one"}}
	file := filepath.Join(t.TempDir(), "select")
	if err := s.write(file); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := "only TestB\nskip TestA\nskip ExampleC\nspec \"S two\\n(\\\"2\\\")\"\nskipspec \"S one\"\n"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	long := "-test.run=" + strings.Repeat("TestLong|", 20000)
	args := s.takeLong([]string{"-test.short", long})
	if want := []string{strings.TrimPrefix(long, "-")}; !slices.Equal(args, []string{"-test.short"}) || !slices.Equal(s.flags, want) {
		t.Errorf("%d arguments, %d flags", len(args), len(s.flags))
	}
	r := &run{cfg: Config{TestFlags: []string{"-ginkgo.focus=S", "-test.short"}, Timeout: -1}}
	args = r.selectionArgs(build.Package{}, judge.Selection{Tests: []string{"TestS"}, Specs: []string{"S two"}})
	if diff := cmp.Diff([]string{"-test.v=test2json", "-test.paniconexit0", "-test.short"}, args); diff != "" {
		t.Error(diff)
	}
}

// A test that runs alone is not repeated, and what chose the tests before does not matter.
func TestAloneArgs(t *testing.T) {
	r := &run{cfg: Config{Run: "A|B/c", Skip: "X", TestFlags: []string{"-test.short", "-ginkgo.focus=y",
		"--ginkgo.focus", "z", "-test.count=3", "-test.run", "A", "-test.parallel=2", "--", "test.run"}}}
	got := r.aloneArgs(build.Package{}, &judge.Alone{Test: "reads", Run: "^TestSuite$", Focus: "^My suite reads$"})
	want := []string{"-test.v=test2json", "-test.paniconexit0", "-test.timeout=1h41m0s", "-test.run=^TestSuite$", "-test.skip=X",
		"-ginkgo.focus=^My suite reads$",
		"-test.short", "-test.parallel=2", "--", "test.run"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A flag behind -- that the engine sets itself does not undo the engine's: a process that goes on after a crash would run
// the same tests again, and so on.
func TestFlagsOfTheEngine(t *testing.T) {
	r, err := newRun(Config{Run: "A", Timeout: time.Hour, TestFlags: []string{"-test.short", "-test.run", "B", "--test.skip=X", "-test.v",
		"-test.timeout=30s", "-test.failfast", "-x", "test.skip"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := r.testArgs(build.Package{})
	want := []string{"-test.v=test2json", "-test.paniconexit0", "-test.failfast", "-test.timeout=6m0s", "-test.run=B",
		"-test.skip=X", "-test.short", "-x", "test.skip"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !r.cfg.FailFast {
		t.Error("the judge is not told of -test.failfast")
	}
}

func TestTestEnv(t *testing.T) {
	r := &run{
		cfg:   Config{Env: []string{"HOME=/h", "PWD=/old", "GODEBUG=madvdontneed=1", "CGOGRIND_TOKEN=forged"}, GCStress: 7},
		built: &build.Result{Env: []string{"LD_LIBRARY_PATH=/lib"}},
	}
	got := r.testEnv(build.Package{Dir: "/src/p"}, "f00d")
	want := []string{"HOME=/h", "PWD=/src/p", "CGOGRIND=1", "CGOGRIND_TOKEN=f00d", "CGOGRIND_GC_STRESS=7",
		"GODEBUG=madvdontneed=1", "LD_LIBRARY_PATH=/lib"}
	check := func() {
		t.Helper()
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	check()
	got = r.memcheckEnv(got)
	check()

	r.cfg.Runtime = result.Stock
	got = r.memcheckEnv(got)
	want = slices.DeleteFunc(want, func(kv string) bool { return strings.HasPrefix(kv, "GODEBUG=") })
	want = append(want, "GODEBUG=madvdontneed=1,"+goruntime.Debug(runtime.GOARCH, hasRDTSCP()), "CGOGRIND_GODEBUG=madvdontneed=1")
	check()
}

// A shard whose job failed and was run again goes with the others, but not with those of another run.
func TestRunKey(t *testing.T) {
	key := func(env ...string) string { return (&run{cfg: Config{Env: env}}).runKey() }
	first := key("GITHUB_RUN_ID=7", "GITHUB_RUN_ATTEMPT=1")
	if again := key("GITHUB_RUN_ID=7", "GITHUB_RUN_ATTEMPT=2"); again != first {
		t.Errorf("a job that was run again has the key %s, the others have %s", again, first)
	}
	if other := key("GITHUB_RUN_ID=8", "GITHUB_RUN_ATTEMPT=1"); other == first {
		t.Error("two runs have one key")
	}
}

func TestWorkDir(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	fill := func(w *workDir) string {
		file := filepath.Join(w.path, "bin", "p.test")
		if err := os.Mkdir(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("x"), 0o666); err != nil {
			t.Fatal(err)
		}
		return file
	}
	t.Run("removed", func(t *testing.T) {
		w, err := newWorkDir("")
		if err != nil {
			t.Fatal(err)
		}
		fill(w)
		if err := w.remove(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(w.path); !os.IsNotExist(err) {
			t.Errorf("%s is there: %v", w.path, err)
		}
	})
	t.Run("kept", func(t *testing.T) {
		w, err := newWorkDir("")
		if err != nil {
			t.Fatal(err)
		}
		file := fill(w)
		if err := w.keep(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(file); err != nil {
			t.Error(err)
		}
	})
}

// TestDamagedTimes: whatever the cache holds, a run goes on and keeps its times.
func TestDamagedTimes(t *testing.T) {
	for name, text := range map[string]string{
		"null": "null", "a list": "[]", "a number": "1e999", "null inside": `{"p":null}`, "other types": `{"p":{"TestA":"x"}}`,
		"cut": `{"p":{"TestA":1`, "empty": "",
	} {
		file := filepath.Join(t.TempDir(), "cgogrind", "times.json")
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		kept := readTimes(file)
		kept.add("p", "TestA", 2)
		if err := kept.save(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := readTimes(file).of("p")["TestA"]; got != 2 {
			t.Errorf("%s: it keeps %v", name, got)
		}
	}
	if got := readTimes(t.TempDir()).of("p"); got != nil {
		t.Errorf("a folder has times: %v", got)
	}
	if got := readTimes("/dev/zero").of("p"); got != nil {
		t.Errorf("a device has times: %v", got)
	}
}

// TestFitIsTheMachines: a release of Go whose sources a transformation does not fit is none that the tests are to blame for.
func TestFitIsTheMachines(t *testing.T) {
	err := fmt.Errorf("building: %w", &goruntime.FitError{Transformation: "x", Version: "go1.26.99"})
	if got := buildCode(t.Context(), err); got != result.ExitMachine {
		t.Errorf("exit code %d", got)
	}
}

// The instrumented runtime is built from what the cache has: nobody else may write there.
func TestCacheOfOthers(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", home)
	work := t.TempDir()
	var notes bytes.Buffer
	r := &run{cfg: Config{Notes: &notes}, work: &workDir{path: work}}
	ours := filepath.Join(home, "cgogrind")
	if got := r.cacheDir(); got != ours || notes.Len() > 0 {
		t.Errorf("%s, %q", got, &notes)
	}
	if err := os.Mkdir(ours, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(ours, 0o777); err != nil {
		t.Fatal(err)
	}
	if got := r.cacheDir(); got != filepath.Join(work, "cgogrind") || !strings.Contains(notes.String(), "everybody can write to") {
		t.Errorf("%s, %q", got, &notes)
	}
}
