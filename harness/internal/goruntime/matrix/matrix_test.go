// Package matrix plants every kind of bug that the instrumented runtime must make visible, and runs them all: each bug
// in two tests that reach it through two Go callers, and beside it what does the same job right.
//
// The bugs are in testdata/matrix, a module of its own. A bug that is not found, or is found in another place, fails the
// tests here, and so does anything else that is found.
package matrix

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cgogrind/cgogrind/harness"
	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind/memcheck"
)

// bug is what a planted bug must lead to: in the tests TestNameFirst and TestNameSecond of its package, one finding of
// the kind, with the function to blame in the line that is marked with "// BUG Name".
type bug struct{ pkg, name, kind, function string }

var bugs = []bug{
	{"bounds", "OverRead", "InvalidRead", "over_read"},
	{"bounds", "OverWrite", "InvalidWrite", "over_write"},
	{"bounds", "OverString", "InvalidRead", "over_string"},
	{"bounds", "UnderRead", "InvalidRead", "under_read"},

	{"heap", "ReadAfterFree", "InvalidRead", "read_after_free"},
	{"heap", "WriteAfterFree", "InvalidWrite", "write_after_free"},
	{"heap", "GoReadAfterFree", "InvalidRead", "example.org/matrix/heap.GoReadAfterFree"},
	{"heap", "DoubleFree", "InvalidFree", "example.org/matrix/heap.DoubleFree"},
	{"heap", "DoubleFreeInC", "InvalidFree", "double_free"},
	{"heap", "FreeStack", "InvalidFree", "free_stack"},
	{"heap", "FreeStatic", "InvalidFree", "free_static"},
	{"heap", "FreeMiddle", "InvalidFree", "free_middle"},
	{"heap", "Overlap", "Overlap", "overlap"},
	{"heap", "Deep", "InvalidRead", "deep"},
	{"heap", "MismatchedNewFree", "MismatchedFree", "mismatched_new_free"},
	{"heap", "MismatchedMallocDelete", "MismatchedFree", "mismatched_malloc_delete"},
	{"heap", "MismatchedArrayDelete", "MismatchedFree", "mismatched_array_delete"},
	{"heap", "Uninitialised", "UninitCondition", "example.org/matrix/heap.Uninitialised"},
	{"heap", "WriteUninitialised", "SyscallParam", "write_uninitialised"},
	{"heap", "GoWriteUninitialised", "SyscallParam", "example.org/matrix/heap.GoWriteUninitialised"},
	{"heap", "Callback", "InvalidRead", "example.org/matrix/heap.calledBack"},
	{"heap", "ThreadCallback", "InvalidRead", "example.org/matrix/heap.calledBackOnThread"},

	{"kept", "KeptRead", "InvalidRead", "read_kept"},
	{"kept", "KeptWrite", "InvalidWrite", "write_kept"},
	{"kept", "AsyncWrite", "InvalidWrite", "complete"},

	{"leaks", "CString", "Leak_DefinitelyLost", "example.org/matrix/leaks.CString"},
	{"leaks", "LeakInC", "Leak_DefinitelyLost", "example.org/matrix/leaks.LeakInC"},
	{"leaks", "Dropped", "Leak_DefinitelyLost", "example.org/matrix/leaks.newOwner"},
	{"leaks", "DroppedChain", "Leak_DefinitelyLost", "example.org/matrix/leaks.newChain"},

	{"borrowed", "FreeErrorText", "InvalidFree", "free_error_text"},
	{"borrowed", "FreeLoaderError", "InvalidFree", "free_loader_error"},
	{"borrowed", "FreeSignalText", "InvalidFree", "free_signal_text"},
	{"borrowed", "FreeUser", "InvalidFree", "free_user"},
	{"borrowed", "OldErrorText", "InvalidRead", "old_error_text"},
	{"borrowed", "OldTime", "InvalidRead", "old_time"},
	{"borrowed", "OldAddress", "InvalidRead", "old_address"},
	{"borrowed", "EndedThread", "InvalidRead", "ended_thread"},
	{"borrowed", "GoFreeErrorText", "InvalidFree", "example.org/matrix/borrowed.GoFreeErrorText"},
	{"borrowed", "GoOldErrorText", "InvalidRead", "example.org/matrix/borrowed.GoOldErrorText"},

	{"unmapped", "Unmapped", "InvalidRead", "unmapped"},
}

// stressed are the packages whose tests run with a collection after every call to C.
var stressed = []string{"kept"}

func (b bug) tests() []string { return []string{"Test" + b.name + "First", "Test" + b.name + "Second"} }

// outcome is what a run found and decided, without what differs from run to run.
type outcome struct {
	Findings []string          // sorted
	Tests    map[string]string // verdict by name

	prints  []string // fingerprints of the findings, sorted
	outputs map[string]string
	config  *result.Config
}

// describe writes a finding as one line.
func describe(kind, function, at string, tests []string) string {
	slices.Sort(tests)
	return fmt.Sprintf("%s in %s, %s, by %s", kind, function, at, strings.Join(tests, " and "))
}

// Handle implements result.Handler.
func (o *outcome) Handle(_ context.Context, m result.Message) error {
	switch {
	case m.Config != nil:
		o.config = m.Config
	case m.Finding != nil:
		f := m.Finding
		function, at := "nothing to blame", "nowhere"
		if f.Blame != nil {
			function, at = f.Blame.Function, fmt.Sprintf("%s:%d", path.Base(f.Blame.File), f.Blame.Line)
		}
		var tests []string
		for _, t := range f.Tests {
			tests = append(tests, path.Base(f.Package)+"."+t)
		}
		o.Findings = append(o.Findings, describe(f.Kind, function, at, tests))
		o.prints = append(o.prints, f.Fingerprint+" "+f.Kind)
	case m.Test != nil:
		name := path.Base(m.Test.Package) + "." + m.Test.Name
		if was, ok := o.Tests[name]; ok {
			return fmt.Errorf("%s has two verdicts: %s and %s", name, was, m.Test.Verdict)
		}
		o.Tests[name] = string(m.Test.Verdict)
		o.outputs[name] = m.Test.Output
	}
	return nil
}

// want is the outcome that every run must have.
func want(t *testing.T) *outcome {
	t.Helper()
	o := &outcome{Tests: map[string]string{}}
	for _, b := range bugs {
		var tests []string
		for _, name := range b.tests() {
			tests = append(tests, b.pkg+"."+name)
			o.Tests[b.pkg+"."+name] = string(result.Fail)
		}
		o.Findings = append(o.Findings, describe(b.kind, b.function, mark(t, b), tests))
	}
	for name := range planned(t) {
		if strings.HasSuffix(name, "Clean") {
			o.Tests[name] = string(result.Pass)
		}
	}
	slices.Sort(o.Findings)
	return o
}

// mark finds the line of a bug.
func mark(t *testing.T, b bug) string {
	t.Helper()
	var found []string
	for _, file := range sources(t, b.pkg) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			if strings.HasSuffix(line, "// BUG "+b.name) {
				found = append(found, fmt.Sprintf("%s:%d", filepath.Base(file), i+1))
			}
		}
	}
	if len(found) != 1 {
		t.Fatalf("%s: %d lines are marked with // BUG %s, want one", b.pkg, len(found), b.name)
	}
	return found[0]
}

func sources(t *testing.T, pkg string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(module, pkg, "*.*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no sources of %s (%v)", pkg, err)
	}
	return files
}

// planned are the test functions of the module.
func planned(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, pkg := range packages() {
		for _, file := range sources(t, pkg) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(text)) {
				rest, ok := strings.CutPrefix(line, "func Test")
				if name, _, _ := strings.Cut(rest, "("); ok && name != "Main" {
					names[pkg+".Test"+name] = true
				}
			}
		}
	}
	return names
}

func packages() []string {
	var out []string
	for _, b := range bugs {
		if !slices.Contains(out, b.pkg) {
			out = append(out, b.pkg)
		}
	}
	return out
}

const module = "testdata/matrix"

// variant is what a run of the matrix depends on.
type variant struct {
	toolchain string // of Go, as GOTOOLCHAIN names it
	valgrind  string // path; empty for the one in PATH
}

// run runs the whole matrix.
func run(t *testing.T, v variant) *outcome {
	t.Helper()
	dir, err := filepath.Abs(module)
	if err != nil {
		t.Fatal(err)
	}
	o := &outcome{Tests: map[string]string{}, outputs: map[string]string{}}
	for _, stress := range []bool{false, true} {
		env := append(os.Environ(), "GOWORK=off", "GOTOOLCHAIN="+v.toolchain)
		var patterns []string
		for _, pkg := range packages() {
			if slices.Contains(stressed, pkg) == stress {
				patterns = append(patterns, "./"+pkg)
			}
		}
		every := 0
		if stress {
			every = 1
		}
		notes := new(strings.Builder)
		code, err := harness.Run(t.Context(), harness.Config{
			Patterns: patterns, Dir: dir, Env: env, Valgrind: v.valgrind, GCStress: every, Notes: notes,
		}, o)
		if err != nil {
			t.Fatalf("%v\n%s", err, notes)
		}
		if code != result.ExitFindings {
			t.Errorf("exit code %d, want %d", code, result.ExitFindings)
		}
	}
	slices.Sort(o.Findings)
	slices.Sort(o.prints)
	return o
}

// check compares an outcome with what it must be.
func check(t *testing.T, o *outcome) {
	t.Helper()
	w := want(t)
	if diff := cmp.Diff(w.Findings, o.Findings); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(w.Tests, o.Tests); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
	for name, output := range o.outputs {
		for line := range strings.Lines(output) {
			switch {
			case strings.Contains(line, "MISSED"):
				t.Errorf("%s: %s", name, line)
			case strings.Contains(line, "UNDERRUN"):
				t.Logf("%s: %s", name, line)
			}
		}
	}
}

// TestTable: every planted bug is in the table, and the other way round.
func TestTable(t *testing.T) {
	names := planned(t)
	for _, b := range bugs {
		mark(t, b)
		for _, name := range b.tests() {
			if !names[b.pkg+"."+name] {
				t.Errorf("there is no %s.%s", b.pkg, name)
			}
			delete(names, b.pkg+"."+name)
		}
	}
	for name := range names {
		if !strings.HasSuffix(name, "Clean") {
			t.Errorf("%s belongs to no bug of the table", name)
		}
	}
}

func TestMatrix(t *testing.T) {
	need(t)
	check(t, run(t, variant{toolchain: "local"}))
}

// need skips a test where it cannot run, but in CI.
func need(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds and runs many bugs")
	}
	lack := func(err error) {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	if _, err := memcheck.Find(t.Context(), ""); err != nil {
		lack(err)
	}
	for _, program := range []string{"gcc", "g++"} {
		if _, err := exec.LookPath(program); err != nil {
			lack(err)
		}
	}
}

// full skips a test unless the slow ones were asked for.
func full(t *testing.T) {
	t.Helper()
	need(t)
	if os.Getenv("CGOGRIND_FULL") != "1" {
		t.Skip("slow: CGOGRIND_FULL=1 (ci/test --full) runs it")
	}
}

// TestVersions: the same results on every supported Go and on every valgrind.
func TestVersions(t *testing.T) {
	full(t)
	fetch := exec.Command("../../../../ci/valgrinds")
	said := new(strings.Builder)
	fetch.Stderr = said
	out, err := fetch.Output()
	if err != nil {
		t.Fatalf("ci/valgrinds: %v\n%s", err, said)
	}
	valgrinds := append([]string{""}, strings.Fields(string(out))...)
	first := map[string][]string{} // by toolchain
	for _, toolchain := range []string{"local", "go1.25.14", "go1.27.4"} {
		for _, valgrind := range valgrinds {
			v, err := memcheck.Find(t.Context(), valgrind)
			if err != nil {
				t.Fatal(err)
			}
			t.Run(toolchain+"/"+v.Version.String(), func(t *testing.T) {
				o := run(t, variant{toolchain, valgrind})
				t.Logf("%s, valgrind %s", o.config.Go, o.config.Valgrind)
				check(t, o)
				if first[toolchain] == nil {
					first[toolchain] = o.prints
				}
				if diff := cmp.Diff(first[toolchain], o.prints); diff != "" {
					t.Errorf("fingerprints with valgrind %s and with %s:\n%s", valgrinds[0], v.Version, diff)
				}
			})
		}
	}
}

// TestRepeated: three runs in a row give the same findings.
func TestRepeated(t *testing.T) {
	full(t)
	var first *outcome
	for n := range 3 {
		o := run(t, variant{toolchain: "local"})
		check(t, o)
		if n == 0 {
			first = o
		}
		if diff := cmp.Diff(first.prints, o.prints); diff != "" {
			t.Errorf("fingerprints of run 1 and run %d:\n%s", n+1, diff)
		}
	}
}
