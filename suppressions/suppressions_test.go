package suppressions

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// shipped parses the sets of this package.
func shipped(t *testing.T) []Entry {
	t.Helper()
	var all []Entry
	for _, s := range Sets() {
		text, err := files.ReadFile(string(s) + ".supp")
		if err != nil {
			t.Fatal(err)
		}
		entries, err := Parse(string(s)+".supp", bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, entries...)
	}
	if len(all) == 0 {
		t.Fatal("no entries")
	}
	return all
}

func TestShippedSetsFollowThePolicy(t *testing.T) {
	entries := shipped(t)
	for _, p := range Lint(entries) {
		t.Error(p)
	}
	for _, e := range entries {
		for _, label := range []string{"# why: ", "# link: https://", "# scope: ", "# versions: "} {
			if !slices.ContainsFunc(e.Comment, func(c string) bool { return strings.HasPrefix(c, label) }) {
				t.Errorf("%s:%d: %s: no line %q in its comment", e.File, e.Line, e.Name, label)
			}
		}
	}
	dir, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range dir {
		if name, is := strings.CutSuffix(f.Name(), ".supp"); is && !slices.Contains(Sets(), Set(name)) {
			t.Errorf("%s is no set", f.Name())
		}
	}
}

func TestGoSetHasOneEntry(t *testing.T) {
	entries := shipped(t)
	if len(entries) != 1 || entries[0].Kind != "Leak" ||
		!slices.Equal(entries[0].Frames, []FramePattern{{Fun, "runtime.valgrindClientRequest*"}}) {
		t.Errorf("entries %v, want the one for the blocks of the Go heap", entries)
	}
}

func TestLint(t *testing.T) {
	const text = `
# good
{
   good
   Memcheck:Cond
   fun:f
   ...
   obj:*
}

# of something else

{
   undocumented
   Memcheck:Cond
   fun:f
}
# c
{
   dots first
   Memcheck:Cond
   ...
   fun:f
}
# c
{
   good
   Memcheck:Leak
   fun:**
   fun:
}
`
	entries, err := Parse("a.supp", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range Lint(entries) {
		got = append(got, p.String())
	}
	want := []string{
		"a.supp:13: undocumented: no comment",
		`a.supp:19: dots first: the first frame is "..."`,
		`a.supp:26: good: the first frame is "fun:**"`,
		`a.supp:26: good: frame "fun:" has no pattern`,
		"a.supp:26: good: the same name as the entry at a.supp:3",
	}
	if len(got) != len(want) {
		t.Fatalf("problems:\n%s", strings.Join(got, "\n"))
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("problem %d: %s\nwant %s…", i, got[i], want[i])
		}
	}
}

func TestWriteFiles(t *testing.T) {
	dir := t.TempDir()
	paths, err := WriteFiles(dir, Go)
	if err != nil || !slices.Equal(paths, []string{filepath.Join(dir, "go.supp")}) {
		t.Fatalf("WriteFiles = %v, %v", paths, err)
	}
	got, err := os.ReadFile(paths[0])
	want, _ := os.ReadFile("go.supp")
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not go.supp: %v", paths[0], err)
	}
	if _, err := WriteFiles(dir, "nonsense"); err == nil || !strings.Contains(err.Error(), `"nonsense"`) {
		t.Errorf("WriteFiles of a set that does not exist: %v", err)
	}
	if _, err := WriteFiles(filepath.Join(dir, "missing"), Go); err == nil {
		t.Error("WriteFiles into a folder that does not exist: no error")
	}
}

// needs skips the test without a program, or a file of valgrind's; with CI=true it fails.
func needs(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skip(err)
}

func TestValgrindAcceptsTheSets(t *testing.T) {
	valgrind, err := exec.LookPath("valgrind")
	needs(t, err)
	paths, err := WriteFiles(t.TempDir(), Sets()...)
	if err != nil {
		t.Fatal(err)
	}
	var args []string
	for _, p := range paths {
		args = append(args, "--suppressions="+p)
	}
	out, err := exec.Command(valgrind, append(args, "--command-line-only=yes", "true")...).CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("FATAL")) {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestGoSetHidesGoObjectsOnly leaks a block that was announced under the name of the function in Go's runtime, and one
// from malloc, in a program that is small enough for memcheck without that runtime.
func TestGoSetHidesGoObjectsOnly(t *testing.T) {
	valgrind, err := exec.LookPath("valgrind")
	needs(t, err)
	_, err = os.Stat("/usr/include/valgrind/memcheck.h")
	needs(t, err)
	dir := t.TempDir()
	source := filepath.Join(dir, "leak.c")
	err = os.WriteFile(source, []byte(`#include <stdlib.h>
#include <valgrind/memcheck.h>
static char heap[4096];
void announce(void) __asm__("runtime.valgrindClientRequest.abi0");
void announce(void) { VALGRIND_MALLOCLIKE_BLOCK(heap + 128, 100, 0, 0); }
void *volatile p;
void leak(void) { p = malloc(50); p = 0; }
int main() { announce(); leak(); return 0; }
`), 0o644)
	if err != nil {
		t.Fatal(err)
	}
	exe := filepath.Join(dir, "leak")
	if out, err := exec.Command("gcc", "-g", "-O0", "-o", exe, source).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	paths, err := WriteFiles(dir, Go)
	if err != nil {
		t.Fatal(err)
	}
	check := func(args ...string) string {
		report := filepath.Join(dir, "report.xml")
		args = append(args, "--command-line-only=yes", "--xml=yes", "--xml-file="+report, "--leak-check=full", exe)
		if out, err := exec.Command(valgrind, args...).CombinedOutput(); err != nil {
			t.Fatalf("valgrind: %v\n%s", err, out)
		}
		text, err := os.ReadFile(report)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if report := check(); strings.Count(report, "<kind>Leak_DefinitelyLost</kind>") != 2 {
		t.Fatalf("without the set, want two leaks:\n%s", report)
	}
	report := check("--suppressions=" + paths[0])
	if strings.Count(report, "<kind>Leak_") != 1 || !strings.Contains(report, "<fn>leak</fn>") {
		t.Errorf("with the set, want the leak of malloc alone:\n%s", report)
	}
	if !strings.Contains(report, "<name>go-heap-object</name>") {
		t.Errorf("no count for the suppression:\n%s", report)
	}
}
