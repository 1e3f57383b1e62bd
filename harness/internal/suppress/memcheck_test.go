package suppress

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/suppressions"
	"github.com/cgogrind/cgogrind/valgrind"
)

// TestMangledNames leaks in C++ functions of every sort, and in two that Rust's compiler might have named, makes an entry of each leak, and has memcheck use them.
func TestMangledNames(t *testing.T) {
	for _, program := range []string{"valgrind", "g++"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	dir := t.TempDir()
	source, exe := filepath.Join(dir, "leaks.cc"), filepath.Join(dir, "leaks")
	err := os.WriteFile(source, []byte(`#include <string>
#define LEAK __attribute__((noinline))
static char *volatile kept;
namespace planted { inline namespace v14_2_0 {
struct Thing {
	LEAK Thing(std::string s) { kept = new char[10]; kept = 0; }
	LEAK ~Thing() { kept = new char[11]; kept = 0; }
	LEAK int operator+(int n) const { kept = new char[12]; kept = 0; return n; }
	LEAK bool operator<(const Thing &) const { kept = new char[18]; kept = 0; return true; }
	LEAK operator int() const { kept = new char[19]; kept = 0; return 1; }
	LEAK void constant(const std::string &s) const { kept = (char *)malloc(13); kept = 0; }
};
template <class T> struct Box {
	LEAK void put(T const &t) { kept = new char[14]; kept = 0; }
};
template <class T> LEAK T twice(T t) { kept = new char[15]; kept = 0; return t; }
}}
namespace { LEAK void hidden(int) { kept = new char[16]; kept = 0; } }
LEAK void plain(int n) { kept = new char[n]; kept = 0; }
LEAK void rust() __asm__("_RNvNtCs1234_7mycrate3foo3bar");
void rust() { kept = new char[20]; kept = 0; }
LEAK void closure() __asm__("_ZN7mycrate3baz28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE");
void closure() { kept = new char[21]; kept = 0; }
LEAK static void other() { kept = new char[99]; kept = 0; }
int main() {
	{ planted::Thing t("x"); t + 1; (void)(t < t); (void)int(t); t.constant("y"); }
	planted::Box<std::string> b; b.put("z");
	planted::twice<int>(1);
	hidden(1);
	plain(17);
	rust();
	closure();
	other();
	return 0;
}
`), 0o666)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("g++", "-g", "-O0", "-o", exe, source).CombinedOutput(); err != nil {
		t.Fatalf("g++: %v\n%s", err, out)
	}
	// leaks are memcheck's, by their sizes, and how often each suppression hid one.
	leaks := func(args ...string) (map[uint64]*valgrind.Error, map[string]uint64) {
		report := filepath.Join(dir, "report.xml")
		args = append(args, "--command-line-only=yes", "--xml=yes", "--xml-file="+report, "--leak-check=full", exe)
		if out, err := exec.Command("valgrind", args...).CombinedOutput(); err != nil {
			t.Fatalf("valgrind: %v\n%s", err, out)
		}
		f, err := os.Open(report)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		found, hidden := map[uint64]*valgrind.Error{}, map[string]uint64{}
		for ev, err := range valgrind.Read(f) {
			if err != nil {
				t.Fatal(err)
			}
			switch ev := ev.(type) {
			case *valgrind.Error:
				found[ev.What.LeakedBytes] = ev
			case valgrind.SuppressionCounts:
				for _, c := range ev {
					hidden[c.Name] += c.Count
				}
			}
		}
		return found, hidden
	}

	all, _ := leaks()
	if len(all) != 13 {
		t.Fatalf("%d leaks, want 13", len(all))
	}
	var entries []suppressions.Entry
	for size, e := range all {
		if size == 99 {
			continue
		}
		f := result.Finding{Kind: string(e.Kind), Fingerprint: strconv.FormatUint(size, 10)}
		var frames []result.Frame
		for _, fr := range e.Sections[0].Stack {
			frames = append(frames, result.Frame{Function: fr.Function, Object: fr.Object, File: fr.File, Line: fr.Line})
			if fr.Function == "main" {
				break
			}
		}
		f.Stacks = []result.Stack{{Frames: frames}}
		entry, err := Entry(&f)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, entry)
	}
	file := filepath.Join(dir, "made.supp")
	if err := suppressions.WriteByID(file, entries); err != nil {
		t.Fatal(err)
	}
	left, hidden := leaks("--suppressions=" + file)
	for _, e := range entries {
		if hidden[e.ID()] != 1 {
			t.Errorf("hid %d:\n%s", hidden[e.ID()], e)
		}
	}
	if len(left) != 1 || left[99] == nil {
		var names []string
		for _, e := range left {
			names = append(names, e.Sections[0].Stack[1].Function)
		}
		t.Errorf("left are the leaks in %s; want the one in other", strings.Join(names, ", "))
	}
}
