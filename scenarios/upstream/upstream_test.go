// Package upstream runs other projects' own tests under cgogrind, unchanged, by import path: Go's tests of cgo,
// go-sqlite3's and go-ceph's. What is found there must be known, with the reason why it is real; all else is a false error
// of ours.
package upstream

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cgogrind/cgogrind/harness"
	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/scenarios/cluster"
)

// known is a finding that is real, or that a test provokes on purpose.
type known struct {
	kind string
	// function is the one to blame; or, for what a thread of a library did on its own, the name of that library.
	function string
	// test stands for all that is found in this test and in no other, whatever its kind.
	test string
	why  string
	// sometimes is set for what depends on who comes first.
	sometimes bool
}

// is says whether f is the known finding.
func (k known) is(f result.Finding) bool {
	if k.test != "" {
		return slices.Equal(f.Tests, []string{k.test})
	}
	if f.Kind != k.kind {
		return false
	}
	if f.Blame != nil {
		return f.Blame.Function == k.function || strings.HasPrefix(f.Blame.Function, k.function+".") // a closure in it
	}
	return slices.ContainsFunc(f.Stacks[0].Frames, func(fr result.Frame) bool {
		return strings.HasPrefix(filepath.Base(fr.Object), k.function+".so")
	})
}

// run is what a run found and decided.
type run struct {
	findings []result.Finding
	tests    []result.Test
}

func (r *run) Handle(_ context.Context, m result.Message) error {
	if m.Finding != nil {
		r.findings = append(r.findings, *m.Finding)
	}
	if m.Test != nil {
		r.tests = append(r.tests, *m.Test)
	}
	return nil
}

func needFull(t *testing.T) {
	t.Helper()
	if os.Getenv("CGOGRIND_FULL") == "" {
		t.Skip("slow: ./ci/test --full runs it")
	}
}

// check runs a package's tests and compares what is found with what is known. Each known finding must be found: one that
// is not was mended upstream, or is missed. Tests in fails fail on their own, for the reason that is given.
func check(t *testing.T, cfg harness.Config, want []known, fails map[string]string) *run {
	t.Helper()
	if cfg.Dir == "" {
		dir, err := filepath.Abs("testdata/requires")
		if err != nil {
			t.Fatal(err)
		}
		cfg.Dir = dir
	}
	var r run
	code, err := harness.Run(t.Context(), cfg, &r)
	if err != nil {
		t.Fatal(err)
	}
	if code == result.ExitInconclusive {
		t.Error("the run is inconclusive")
	}
	for _, f := range r.findings {
		if !slices.ContainsFunc(want, func(k known) bool { return k.is(f) }) {
			t.Errorf("%s, by %q: %s\n%s", f.Kind, f.Tests, f.Message, stacks(f))
		}
	}
	for _, k := range want {
		if !k.sometimes && !slices.ContainsFunc(r.findings, k.is) {
			t.Errorf("%s in %s%s is no longer found: %s", k.kind, k.function, k.test, k.why)
		}
	}
	for _, test := range r.tests {
		if _, ok := fails[test.Name]; ok || test.Findings > 0 || test.Verdict == result.Pass || test.Verdict == result.Skip {
			continue
		}
		// A test fails with its subtests.
		if test.Verdict == result.Fail && slices.ContainsFunc(r.tests, func(sub result.Test) bool {
			_, ok := fails[sub.Name]
			return strings.HasPrefix(sub.Name, test.Name+"/") && (ok || sub.Findings > 0)
		}) {
			continue
		}
		t.Errorf("%s %s: %s\n%s", test.Verdict, test.Name, test.Reason, test.Output)
	}
	return &r
}

func stacks(f result.Finding) string {
	var b strings.Builder
	for _, s := range f.Stacks {
		fmt.Fprintf(&b, "\t%s\n", s.Label)
		for _, fr := range s.Frames {
			fmt.Fprintf(&b, "\t\t%s %s:%d %s\n", fr.Function, fr.File, fr.Line, fr.Object)
		}
	}
	return b.String()
}

func TestGoCgo(t *testing.T) {
	needFull(t)
	check(t, harness.Config{Patterns: []string{"cmd/cgo/internal/test"}, TestFlags: []string{"-test.short"}}, []known{
		{test: "Test9400", why: "it moves the stack pointer over memory in use, on purpose, and looks at that memory then"},
	}, nil)
}

// sqlitePatches mend what is found in go-sqlite3: file, what stands there, what is to stand there.
var sqlitePatches = [][3]string{
	{"sqlite3_context_test.go", `				defer rows.Close()
				if laterRow {
					if err := rows.Next(make([]driver.Value, 1)); err != nil {
						nextDone <- err
						return
					}
				}
				nextDone <- rows.Next(make([]driver.Value, 1))
`, `				if laterRow {
					if err := rows.Next(make([]driver.Value, 1)); err != nil {
						rows.Close()
						nextDone <- err
						return
					}
				}
				err = rows.Next(make([]driver.Value, 1))
				rows.Close() // before the connection
				nextDone <- err
`},
	{"sqlite3.go", `		rows, err := ss.query(ctx, stmtArgs)
		if err != nil && err != driver.ErrSkip {
`, `		returned := false
		defer func() {
			if !returned { // a callback panics
				ss.Close()
			}
		}()
		rows, err := ss.query(ctx, stmtArgs)
		returned = true
		if err != nil && err != driver.ErrSkip {
`},
}

var sqliteKnown = []known{
	{kind: "Leak_DefinitelyLost", function: "github.com/mattn/go-sqlite3.(*SQLiteRows).bindAndFirstStepLocked", sometimes: true,
		why: "TestRowsContextCancelDuringStep closes the connection while another goroutine may not yet have closed its rows"},
	{kind: "Leak_DefinitelyLost", function: "github.com/mattn/go-sqlite3.(*SQLiteConn).prepare",
		why: "in the same test; and (*SQLiteConn).query does not close its statement when a callback panics"},
}

func TestGoSQLite3(t *testing.T) {
	needFull(t)
	check(t, harness.Config{Patterns: []string{"github.com/mattn/go-sqlite3"}, TestFlags: []string{"-test.short"}},
		sqliteKnown, nil)
}

// TestGoSQLite3Patched: what is found in go-sqlite3 is real, since it vanishes when its cause is mended.
func TestGoSQLite3Patched(t *testing.T) {
	needFull(t)
	out, err := exec.Command("go", "-C", "testdata/requires", "list", "-m", "-f", "{{.Dir}}", "github.com/mattn/go-sqlite3").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "sqlite3"), os.DirFS(strings.TrimSpace(string(out)))); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "requires"), os.DirFS("testdata/requires")); err != nil {
		t.Fatal(err)
	}
	for _, p := range sqlitePatches {
		name := filepath.Join(dir, "sqlite3", p[0])
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), p[1]); n != 1 {
			t.Fatalf("%s has what is to be patched %d times", p[0], n)
		}
		// The module cache is read-only, and so is its copy.
		if err := os.Chmod(name, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(strings.Replace(string(text), p[1], p[2], 1)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("go", "-C", filepath.Join(dir, "requires"), "mod", "edit",
		"-replace=github.com/mattn/go-sqlite3=../sqlite3").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r := check(t, harness.Config{
		Dir: filepath.Join(dir, "requires"), Patterns: []string{"github.com/mattn/go-sqlite3"},
		Run: "^TestRowsContext", TestFlags: []string{"-test.short"},
	}, nil, nil)
	if len(r.tests) < 5 {
		t.Errorf("only %d tests ran", len(r.tests))
	}
}

func TestGoCeph(t *testing.T) {
	needFull(t)
	c, err := cluster.Start(t.Context(), cluster.Options{})
	if cluster.MaySkip(err) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	if err := c.WaitForManager(t.Context()); err != nil {
		t.Fatal(err)
	}
	const leak = "Leak_DefinitelyLost"
	check(t, harness.Config{
		Patterns: []string{"github.com/ceph/go-ceph/rados"}, Env: append(os.Environ(), "CEPH_CONF="+c.ConfigFile()),
	}, []known{
		{kind: leak, function: "github.com/ceph/go-ceph/rados.(*Conn).GetAddrs",
			why: "defer C.free(p) evaluates p while it is nil"},
		{kind: leak, function: "github.com/ceph/go-ceph/rados.(*IOContext).ListLockers", why: "nextChunk duplicates strings that nobody frees"},
		{kind: leak, function: "github.com/ceph/go-ceph/rados.(*Conn).OpenIOContext", why: "tests do not destroy their I/O contexts"},
		{kind: leak, function: "librados", why: "NotifyWithTimeout does not free the answer: scenarios/FOUND.md"},
		{kind: leak, function: "libceph-common", why: "threads of librados: messages to daemons that never answered", sometimes: true},
	}, map[string]string{
		"TestRadosTestSuite/TestMgrCommand":                "the cluster's manager runs without modules, and knows no such command",
		"TestRadosTestSuite/TestMgrCommandWithInputBuffer": "the same",
	})
}
