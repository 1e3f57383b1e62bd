// Package check runs the planted bugs under memcheck, all of them once, and compares what is found with what must be:
// for each bug one finding of its kind, in the line that is marked, by its two tests; for the twins nothing; and nothing
// else.
//
// What the run reported is kept beside the pages of cgogrind explain, which show it: -update writes it anew.
package check

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cgogrind/cgogrind/harness"
	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/scenarios/planted"
	"github.com/cgogrind/cgogrind/valgrind/client"
	"github.com/cgogrind/cgogrind/valgrind/memcheck"
)

var update = flag.Bool("update", false, "rewrite what the pages of cgogrind explain show")

const (
	root  = "../../.."
	saved = root + "/harness/internal/explain/testdata/planted.jsonl"
)

// classes are what a bug can belong to.
var classes = []string{
	"ownership", "lifetime", "bounds", "initialisation", "leaks", "concurrency", "process",
}

// callers are the ends of the names of a bug's specs.
var callers = []string{" (first caller)", " (second caller)"}

const twin = " (clean twin)"

// spec is the name of a bug's spec.
func spec(b planted.Bug, end string) string { return b.Class + " " + b.Does + end }

// mark finds the line of a bug.
func mark(t *testing.T, b planted.Bug) int {
	t.Helper()
	var found []int
	for i, line := range strings.Split(source(t, b.Class), "\n") {
		if strings.HasSuffix(line, "// BUG "+b.Name) {
			found = append(found, i+1)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%s.go: %d lines are marked with // BUG %s, want one", b.Class, len(found), b.Name)
	}
	return found[0]
}

func source(t *testing.T, class string) string {
	t.Helper()
	text, err := os.ReadFile("../" + class + ".go")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The table has every bug that is marked, and each is in the file of its class with its twin.
func TestTable(t *testing.T) {
	if len(planted.Bugs) < 30 {
		t.Errorf("%d bugs", len(planted.Bugs))
	}
	count := make(map[string]int)
	names := make(map[string]bool)
	for _, b := range planted.Bugs {
		if !slices.Contains(classes, b.Class) {
			t.Errorf("%s: there is no class %q", b.Name, b.Class)
			continue
		}
		count[b.Class]++
		mark(t, b)
		for _, name := range []string{b.Name, b.Twin, spec(b, "")} {
			if names[name] {
				t.Errorf("%q is there twice", name)
			}
			names[name] = true
		}
		for _, name := range []string{b.Name, b.Twin} {
			if !strings.Contains(source(t, b.Class), "\nfunc "+name+"(") {
				t.Errorf("%s.go has no function %s", b.Class, name)
			}
		}
		if strings.HasPrefix(b.Kind, "Leak_") != (b.Blocks > 0) {
			t.Errorf("%s: a %s of %d blocks", b.Name, b.Kind, b.Blocks)
		}
	}
	for _, class := range classes {
		if marks := strings.Count(source(t, class), "// BUG "); marks != count[class] || marks == 0 {
			t.Errorf("%s.go: %d lines are marked, and the table has %d bugs", class, marks, count[class])
		}
	}
}

// run is what a run emitted.
type run struct {
	findings []*result.Finding
	tests    map[string]*result.Test
	summary  *result.Summary
}

// Handle implements result.Handler.
func (r *run) Handle(_ context.Context, m result.Message) error {
	switch {
	case m.Finding != nil:
		r.findings = append(r.findings, m.Finding)
	case m.Test != nil:
		if r.tests[m.Test.Name] != nil {
			return fmt.Errorf("%s has two verdicts", m.Test.Name)
		}
		r.tests[m.Test.Name] = m.Test
	case m.Summary != nil:
		r.summary = m.Summary
	}
	return nil
}

// need skips a test where it cannot run, but in CI.
func need(t *testing.T) {
	t.Helper()
	if client.Running() > 0 {
		t.Skip("it runs memcheck itself")
	}
	if testing.Short() {
		t.Skip("it builds and runs the planted bugs")
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

// rootDir is the whole path of the repository.
func rootDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// runPackage runs a package's tests under memcheck and checks how that ends.
func runPackage(t *testing.T, pkg string, env []string, want result.ExitCode) *run {
	t.Helper()
	need(t)
	dir := rootDir(t)
	r := &run{tests: make(map[string]*result.Test)}
	notes := new(strings.Builder)
	code, err := harness.Run(t.Context(), harness.Config{Patterns: []string{pkg}, Dir: dir, Env: env, Notes: notes}, r)
	if err != nil {
		t.Fatalf("%v\n%s", err, notes)
	}
	if code != want {
		t.Errorf("exit code %d, want %d", code, want)
	}
	return r
}

func TestFindings(t *testing.T) {
	r := runPackage(t, "./scenarios/planted", nil, result.ExitPass)
	checkTests(t, r)
	byName := checkFindings(t, r.findings)
	if t.Failed() {
		return
	}
	checkSaved(t, rootDir(t), byName)
}

// checkTests compares the verdicts: every spec passes, a bug's since its finding was expected, a twin's without one.
func checkTests(t *testing.T, r *run) {
	t.Helper()
	want := map[string]int{"TestPlanted": 0}
	for _, b := range planted.Bugs {
		for _, c := range callers {
			want[spec(b, c)] = 1
		}
		want[spec(b, twin)] = 0
	}
	got := make(map[string]int)
	for name, test := range r.tests {
		got[name] = test.Findings
		if test.Verdict != result.Pass {
			t.Errorf("%s %s: %s\n%s", test.Verdict, name, test.Reason, test.Output)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings by test (-want +got):\n%s", diff)
	}
	if r.summary == nil || r.summary.New != 0 {
		t.Errorf("summary %+v", r.summary)
	}
}

// checkFindings compares the findings, and returns them by the name of their bug.
func checkFindings(t *testing.T, findings []*result.Finding) map[string]*result.Finding {
	t.Helper()
	var want, got []string
	byName := make(map[string]*result.Finding)
	for _, b := range planted.Bugs {
		want = append(want, describe(b.Kind, b.Blame, b.Class+".go", mark(t, b), 2*b.Blocks,
			[]string{spec(b, callers[0]), spec(b, callers[1])}))
	}
	for _, f := range findings {
		function, file, line := "nothing", "", 0
		if f.Blame != nil {
			function = f.Blame.Function[strings.LastIndexByte(f.Blame.Function, '/')+1:]
			file, line = path.Base(f.Blame.File), f.Blame.Line
		}
		slices.Sort(f.Tests)
		got = append(got, describe(f.Kind, function, file, line, f.Blocks, f.Tests))
		for _, b := range planted.Bugs {
			if f.Tests[0] != spec(b, callers[0]) {
				continue
			}
			byName[b.Name] = f
			if b.Bytes > 0 && f.Bytes != 2*b.Bytes {
				t.Errorf("%s leaks %d bytes in two tests, want %d", b.Name, f.Bytes, 2*b.Bytes)
			}
			if f.Count != 2 {
				t.Errorf("%s: two calls cause %d errors, want 2", b.Name, f.Count)
			}
			page := b.Page
			if b.Hint != "" {
				page = b.Hint
			}
			if more := "(more: cgogrind explain " + page + ")"; !strings.HasSuffix(f.Hint, more) {
				t.Errorf("%s: the hint is %q, want %q at its end", b.Name, f.Hint, more)
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	return byName
}

// TestExit: the bug that ends its process. All three tests fail for that, and the two with the bug have the finding, too.
func TestExit(t *testing.T) {
	r := runPackage(t, "./scenarios/planted/exit", append(os.Environ(), "PLANTED_EXIT=1"), result.ExitFindings)
	got := make(map[string]string)
	for name, test := range r.tests {
		got[name] = fmt.Sprintf("%s, %d findings", test.Verdict, test.Findings)
		if !strings.Contains(test.Reason, "took its process down: exit status 1") {
			t.Errorf("%s: %s", name, test.Reason)
		}
	}
	want := map[string]string{
		"TestExitFirst": "fail, 1 findings", "TestExitSecond": "fail, 1 findings", "TestExitClean": "fail, 0 findings",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tests (-want +got):\n%s", diff)
	}
	text, err := os.ReadFile("../exit/exit.go")
	if err != nil {
		t.Fatal(err)
	}
	before, _, marked := strings.Cut(string(text), "// BUG CleanedUpWhileRunning\n")
	if !marked {
		t.Fatal("exit.go has no bug")
	}
	if len(r.findings) != 1 || r.findings[0].Blame == nil {
		t.Fatalf("%d findings, want 1 with somebody to blame", len(r.findings))
	}
	f := r.findings[0]
	slices.Sort(f.Tests)
	line := 1 + strings.Count(before, "\n")
	wanted := describe("InvalidWrite", "work", "exit.go", line, 0, []string{"TestExitFirst", "TestExitSecond"})
	if got := describe(f.Kind, f.Blame.Function, path.Base(f.Blame.File), f.Blame.Line, f.Blocks, f.Tests); got != wanted {
		t.Errorf("%s, want %s", got, wanted)
	}
	if !strings.HasSuffix(f.Hint, "(more: cgogrind explain running-thread)") {
		t.Errorf("the hint is %q", f.Hint)
	}
}

// describe writes a finding as one line.
func describe(kind, function, file string, line int, blocks uint64, tests []string) string {
	return fmt.Sprintf("%s in %s, %s:%d, blocks %d, by %q", kind, function, file, line, blocks, tests)
}

// report is what the pages show of a bug.
type report struct {
	planted.Bug
	Finding *result.Finding `json:"finding"`
}

// What differs from run to run, or with every change of the package.
var (
	addresses = regexp.MustCompile(`0x[0-9a-f]+`)
	cgoHash   = regexp.MustCompile(`_cgo_[0-9a-f]{12}_`)
)

// checkSaved compares what was reported with what is saved, as far as it depends on this repository: the rest differs
// with the versions of valgrind and libc.
func checkSaved(t *testing.T, dir string, byName map[string]*result.Finding) {
	t.Helper()
	var now bytes.Buffer
	enc := json.NewEncoder(&now)
	enc.SetEscapeHTML(false)
	for _, b := range planted.Bugs {
		f := *byName[b.Name]
		f.Message = addresses.ReplaceAllString(f.Message, "0x…")
		f.Stacks = slices.Clone(f.Stacks)
		for i, s := range f.Stacks {
			s.Frames = slices.Clone(s.Frames)
			for k := range s.Frames {
				s.Frames[k].File = strings.TrimPrefix(s.Frames[k].File, dir+"/")
				s.Frames[k].Object = path.Base(s.Frames[k].Object)
				s.Frames[k].Function = cgoHash.ReplaceAllString(s.Frames[k].Function, "_cgo_…_")
			}
			f.Stacks[i] = s
		}
		for _, p := range []*(*result.Frame){&f.Blame, &f.Caller, &f.Other} {
			if *p == nil {
				continue
			}
			frame := **p
			frame.File, frame.Object = strings.TrimPrefix(frame.File, dir+"/"), path.Base(frame.Object)
			*p = &frame
		}
		if err := enc.Encode(report{b, &f}); err != nil {
			t.Fatal(err)
		}
	}
	if *update {
		if err := os.WriteFile(saved, now.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(saved)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(ours(t, text), ours(t, now.Bytes())); diff != "" {
		t.Errorf("what the pages of cgogrind explain show is not what was reported (-shown +reported): "+
			"go test ./scenarios/planted/check -update, then go test ./harness/internal/explain -update\n%s", diff)
	}
}

// ours is the part of the saved reports that depends neither on the machine nor on how Go names closures.
func ours(t *testing.T, text []byte) []string {
	t.Helper()
	var out []string
	for line := range bytes.Lines(text) {
		var r report
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%+v", r.Bug), r.Finding.Hint)
		for _, s := range r.Finding.Stacks {
			for _, f := range s.Frames {
				if strings.HasPrefix(f.File, "scenarios/planted/") && !strings.HasSuffix(f.File, "_test.go") {
					out = append(out, fmt.Sprintf("%s:%d %s", f.File, f.Line, f.Source))
				}
			}
		}
	}
	return out
}
