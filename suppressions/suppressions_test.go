package suppressions

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
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
	for _, p := range Lint(entries, time.Now()) {
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
	entries, err := Shipped(Go)
	if err != nil || len(entries) != 1 || entries[0].Kind != "Leak" ||
		!slices.Equal(entries[0].Frames, []FramePattern{{Fun, "runtime.valgrindClientRequest*"}}) {
		t.Errorf("entries %v (%v), want the one for the blocks of the Go heap", entries, err)
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
# expires: 2026-01-31
{
   any leak
   Memcheck:Leak
   fun:malloc
   ...
   fun:_Znw*
}
# expires: 2026-02-01
{
   again
   Memcheck:Cond
   fun:f
   ...
   obj:*
}
# c
{
   <insert_a_suppression_name_here>
   Memcheck:Cond
   fun:strlen
   fun:g
}
`
	entries, err := Parse("a.supp", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	now := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	for _, p := range Lint(entries, now) {
		got = append(got, p.String())
	}
	want := []string{
		"a.supp:13: undocumented: no comment",
		`a.supp:19: dots first: the first frame is "..."`,
		`a.supp:26: good: the first frame is "fun:**"`,
		`a.supp:26: good: frame "fun:" has no pattern`,
		"a.supp:26: good: the same name as the entry at a.supp:3",
		"a.supp:33: any leak: it names only functions that memcheck replaces",
		"a.supp:33: any leak: it expired on 2026-01-31",
		"a.supp:41: again: it matches the same as the entry good at a.supp:3",
		"a.supp:49: <insert_a_suppression_name_here>: that is what --gen-suppressions writes for a name",
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

func TestShippedRefusesUnknownSets(t *testing.T) {
	if _, err := Shipped("nonsense"); err == nil || !strings.Contains(err.Error(), `"nonsense"`) {
		t.Errorf("Shipped of a set that does not exist: %v", err)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		return file
	}
	const entry = "{\n   one\n   Memcheck:Cond\n   fun:f\n}\n"
	a, b := write("a.supp", entry), write("b.supp", "# why: because\n# expires: 2026-01-31\n"+entry)
	entries, err := Load(a, b)
	if err != nil || len(entries) != 2 || entries[0].File != a || entries[1].File != b || entries[1].Line != 3 {
		t.Fatalf("Load = %+v, %v", entries, err)
	}
	if entries[0].ID() != entries[1].ID() {
		t.Error("a comment changes the ID")
	}
	for _, c := range []struct{ text, says string }{
		{entry + "{\n   two\n   Memcheck:Cond\n   function:f\n}\n", `c.supp:9: found "function:f", expected "fun:`},
		{"# expires: soon\n" + entry, `c.supp:2: the comment of one: expires: "soon" is no date: write it as 2006-01-02`},
	} {
		if _, err := Load(a, write("c.supp", c.text)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("Load = %v, want %s", err, c.says)
		}
	}
	if _, err := Load(filepath.Join(dir, "none.supp")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load of a file that does not exist: %v", err)
	}
}

func TestNotes(t *testing.T) {
	e := Entry{Comment: []string{"# why: a word:", "#      and another", "# link: https://example.com", "#expires: 2026-01-31"}}
	for label, want := range map[string]string{
		"why": "a word: and another", "link": "https://example.com", "expires": "2026-01-31", "scope": "",
	} {
		if got := e.Note(label); got != want {
			t.Errorf("%s is %q, want %q", label, got, want)
		}
	}
	day, err := e.Expires()
	if err != nil || day.Format(time.DateOnly) != "2026-01-31" {
		t.Errorf("Expires = %v, %v", day, err)
	}
	for at, over := range map[string]bool{"2026-01-31T23:59:59Z": false, "2026-02-01T00:00:00Z": true} {
		now, _ := time.Parse(time.RFC3339, at)
		if IsOver(day, now) != over || IsOver(time.Time{}, now) {
			t.Errorf("at %s it is over: %v", at, !over)
		}
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
	// Two users' entries of one name, made by --gen-suppressions, are there beside the shipped ones.
	twins, err := Parse("u.supp", strings.NewReader(strings.Repeat("{\n   <insert_a_suppression_name_here>\n"+
		"   Memcheck:Cond\n   fun:f\n}\n", 2)))
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"--suppressions=" + written(t, append(shipped(t), twins...))}
	for _, set := range Sets() {
		args = append(args, "--suppressions="+string(set)+".supp")
	}
	out, err := exec.Command(valgrind, append(args, "--command-line-only=yes", "true")...).CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("FATAL")) {
		t.Errorf("%v\n%s", err, out)
	}
}

// written is a file with the entries, for --suppressions.
func written(t *testing.T, entries []Entry) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "all.supp")
	if err := WriteByID(file, entries); err != nil {
		t.Fatal(err)
	}
	return file
}

// compiled is a C program.
func compiled(t *testing.T, text string, flags ...string) string {
	t.Helper()
	dir := t.TempDir()
	source, exe := filepath.Join(dir, "p.c"), filepath.Join(dir, "p")
	if err := os.WriteFile(source, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("gcc", append([]string{"-g", "-O0", "-o", exe, source, "-lpthread"}, flags...)...).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	return exe
}

// report is what memcheck says of a program.
func report(t *testing.T, exe string, args ...string) string {
	t.Helper()
	valgrind, err := exec.LookPath("valgrind")
	needs(t, err)
	file := filepath.Join(t.TempDir(), "report.xml")
	args = append(args, "--command-line-only=yes", "--xml=yes", "--xml-file="+file, "--leak-check=full", exe)
	if out, err := exec.Command(valgrind, args...).CombinedOutput(); err != nil {
		t.Fatalf("valgrind: %v\n%s", err, out)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestGoSetHidesGoObjectsOnly leaks a block that was announced under the name of the function in Go's runtime, and one
// from malloc, in a program that is small enough for memcheck without that runtime.
func TestGoSetHidesGoObjectsOnly(t *testing.T) {
	_, err := os.Stat("/usr/include/valgrind/memcheck.h")
	needs(t, err)
	exe := compiled(t, `#include <stdlib.h>
#include <valgrind/memcheck.h>
static char heap[4096];
void announce(void) __asm__("runtime.valgrindClientRequest.abi0");
void announce(void) { VALGRIND_MALLOCLIKE_BLOCK(heap + 128, 100, 0, 0); }
void *volatile p;
void leak(void) { p = malloc(50); p = 0; }
int main() { announce(); leak(); return 0; }
`)
	entries, err := Shipped(Go)
	if err != nil {
		t.Fatal(err)
	}
	if text := report(t, exe); strings.Count(text, "<kind>Leak_DefinitelyLost</kind>") != 2 {
		t.Fatalf("without the set, want two leaks:\n%s", text)
	}
	text := report(t, exe, "--suppressions="+written(t, entries))
	if strings.Count(text, "<kind>Leak_") != 1 || !strings.Contains(text, "<fn>leak</fn>") {
		t.Errorf("with the set, want the leak of malloc alone:\n%s", text)
	}
	if !strings.Contains(text, "<name>"+entries[0].ID()+"</name>") {
		t.Errorf("no count for the suppression:\n%s", text)
	}
}

// TestGlibcSetHidesLiveThreadsOnly has a thread that lives when the program ends, and a block that only a pointer into
// its middle leads to.
func TestGlibcSetHidesLiveThreadsOnly(t *testing.T) {
	exe := compiled(t, `#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <unistd.h>
static sem_t up;
static void *live(void *p) { sem_post(&up); pause(); return p; }
char *volatile middle;
void leak(void) { middle = (char *)malloc(50) + 8; }
int main() { pthread_t t; sem_init(&up, 0, 0); pthread_create(&t, 0, live, 0); sem_wait(&up); leak(); return 0; }
`)
	const kinds = "--show-leak-kinds=definite,possible"
	if text := report(t, exe, kinds); strings.Count(text, "<kind>Leak_PossiblyLost</kind>") != 2 {
		t.Fatalf("without the set, want two leaks:\n%s", text)
	}
	entries, err := Shipped(Glibc)
	if err != nil {
		t.Fatal(err)
	}
	text := report(t, exe, kinds, "--suppressions="+written(t, entries))
	if strings.Count(text, "<kind>Leak_") != 1 || !strings.Contains(text, "<fn>leak</fn>") {
		t.Errorf("with the set, want the leak of malloc alone:\n%s", text)
	}
}

// TestGlibcSetHidesTheLoadersStrncmpOnly has functions that are called what the loader's are, whatever the loader is like, and
// calls strncmp from elsewhere.
func TestGlibcSetHidesTheLoadersStrncmpOnly(t *testing.T) {
	exe := compiled(t, `#include <stdlib.h>
int compare(const char *, int) __asm__("strncmp");
int compare(const char *p, int wide) { return wide ? *(volatile long *)(p + 1) == 42 : *(volatile char *)(p + 6) == 42; }
int is_dst(const char *p, int wide) { return compare(p, wide); }
int _dl_dst_count(const char *p) { return is_dst(p, 1); }
int _dl_dst_substitute(const char *p) { return is_dst(p, 1) + is_dst(p, 0); }
int mine(const char *p) { return is_dst(p, 1); }
int direct(const char *p) { return compare(p, 1); }
int main() { char *p = calloc(6, 1); int n = _dl_dst_count(p) + _dl_dst_substitute(p) + mine(p) + direct(p); free(p); return n; }
`)
	if text := report(t, exe); strings.Count(text, "<kind>InvalidRead</kind>") != 5 {
		t.Fatalf("without the set, want five errors:\n%s", text)
	}
	entries, err := Shipped(Glibc)
	if err != nil {
		t.Fatal(err)
	}
	text := report(t, exe, "--suppressions="+written(t, entries))
	if strings.Count(text, "<kind>InvalidRead</kind>") != 3 || !strings.Contains(text, "<fn>mine</fn>") ||
		!strings.Contains(text, "<fn>direct</fn>") || !strings.Contains(text, "Invalid read of size 1<") {
		t.Errorf("with the set, want the one byte, mine and direct:\n%s", text)
	}
}

// TestGlibcSetHidesTheLoader opens libraries whose search paths have the names that the loader replaces, at every place of
// a word; and a library by such a name.
func TestGlibcSetHidesTheLoader(t *testing.T) {
	exe := compiled(t, `#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main() {
	char *all = strdup(getenv("LIBRARIES")), *name;
	while ((name = strsep(&all, "\n"))) {
		void *h = dlopen(strdup(name), RTLD_NOW); // not freed, so that each text is somewhere else
		if (!h) { puts(dlerror()); return 1; }
		dlclose(h);
	}
	return 0;
}
`, "-ldl")
	dir := filepath.Dir(exe)
	libraries := []string{"$ORIGIN/one.so", "${ORIGIN}/one.so"}
	link := func(name, needs string, flags ...string) {
		t.Helper()
		args := append([]string{"-shared", "-o", filepath.Join(dir, name), "-x", "c", "-", "-x", "none"}, flags...)
		if needs != "" {
			args = append(args, "-Wl,--no-as-needed", filepath.Join(dir, needs))
		}
		gcc := exec.Command("gcc", args...)
		gcc.Stdin = strings.NewReader("int f;\n")
		if out, err := gcc.CombinedOutput(); err != nil {
			t.Fatalf("gcc: %v\n%s", err, out)
		}
	}
	link("one.so", "", "-Wl,-soname,one.so")
	for i, path := range []string{
		"$ORIGIN", "x:$ORIGIN", "xx:${ORIGIN}", "xxxx/$LIB:$ORIGIN", "$ORIGIN:xxxxx", "xxxxxx$ORIGIN:${PLATFORM}:$ORIGIN/", "$O:$:$ORIGIN",
	} {
		name := fmt.Sprintf("two%d.so", i)
		link(name, "one.so", "-Wl,-rpath,"+path)
		libraries = append(libraries, filepath.Join(dir, name))
	}
	entries, err := Shipped(Glibc)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("LIBRARIES", strings.Join(libraries, "\n"))
	if text := report(t, exe, "--suppressions="+written(t, entries)); strings.Contains(text, "<kind>InvalidRead</kind>") {
		t.Errorf("the loader is blamed:\n%s", text)
	}
}

// TestLibradosSetHidesItsOwnLeaksOnly has functions that are called what librados' are, and one beside them that makes a
// connection for no command.
func TestLibradosSetHidesItsOwnLeaksOnly(t *testing.T) {
	exe := compiled(t, `void *_Znwm(unsigned long);
void send(void) __asm__("_ZN9MonClient13_send_commandEPNS_10MonCommandE");
void connect(void) __asm__("_ZN15AsyncConnectionC2EPN4ceph6commonE");
void ident(void) __asm__("_ZN10ProtocolV219handle_server_identERN4ceph6buffer4listE");
void payload(void) __asm__("_ZN8MCommand14encode_payloadEm");
void *volatile lost;
void connect(void) { lost = _Znwm(10); }
void send(void) { lost = _Znwm(20); connect(); }
void ident(void) { lost = _Znwm(30); }
void space(void) { lost = _Znwm(40); }
void payload(void) { space(); }
void leak(void) { connect(); }
int main() { send(); ident(); payload(); leak(); lost = 0; return 0; }
`, "-lstdc++")
	if text := report(t, exe); strings.Count(text, "<kind>Leak_DefinitelyLost</kind>") != 5 {
		t.Fatalf("without the set, want five leaks:\n%s", text)
	}
	entries, err := Shipped(Librados)
	if err != nil {
		t.Fatal(err)
	}
	text := report(t, exe, "--suppressions="+written(t, entries))
	if strings.Count(text, "<kind>Leak_") != 1 || !strings.Contains(text, "<fn>leak</fn>") {
		t.Errorf("with the set, want the leak beside them alone:\n%s", text)
	}
}

func TestSelect(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if chosen, err := Select(exe); err != nil || !slices.Contains(chosen, Go) {
		t.Errorf("for a Go program %q, %v", chosen, err)
	}
	if chosen, err := Select(compiled(t, "int main() { return 0; }")); err != nil || !slices.Equal(chosen, []Set{Glibc}) {
		t.Errorf("for a C program %q, %v", chosen, err)
	}
	if _, err := Select("README.md"); err == nil {
		t.Error("no error for what is no program")
	}
}
