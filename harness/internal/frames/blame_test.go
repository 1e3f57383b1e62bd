package frames

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
)

// module is a module under test on disk, and frames in it and around it.
type module struct {
	dir  string
	code Code
}

// The sources of the module; frames name their lines.
var sources = map[string]string{
	"p/p.go": `package p

// static char *describe(int n) {
//   return strdup("text"); }
import "C"

func Entry(n int) string {
	c := C.describe(C.int(n))
	return C.GoString(c)
}

func Cursor(n int) string {
	for range n {
		c := C.describe(C.int(n))
		use(c)
	}
	c := C.describe(C.int(n))
	if n > 1 {
		c := C.describe(C.int(n))
		use(c)
	}
	return C.GoString(c)
}

func text(s string) *C.char {
	return C.CString(s)
}

func Length(s string) int {
	return int(C.strlen(C.CString(s)))
}

func (b *Buffer) Close() {
	C.free(b.p)
}
`,
	"p/p_test.go": "package p\n\nfunc TestA() {\n\tEntry(1)\n}\n",
}

func newModule(t *testing.T) module {
	dir := t.TempDir()
	for name, text := range sources {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return module{dir, Code{
		ModulePath: "example.com/m", ModuleDir: dir, ImportPath: "example.com/m/p", Dir: dir + "/p", GOROOT: "/usr/local/go",
		Binary: binary,
	}}
}

const dep = "/root/go/pkg/mod/example.com/dep@v1.2.0/"

// frame makes a frame of a word: its function, and for those of code under test its file and line.
func (m module) frame(word string) valgrind.Frame {
	in := func(function, file string, line int) valgrind.Frame {
		return at(uint64(0x400000+line*16+len(word)), function, file, line)
	}
	name, after, placed := strings.Cut(word, ":")
	line := 0
	if placed {
		_, _ = fmt.Sscan(after, &line)
	}
	switch {
	case name == "malloc", name == "free", name == "realloc":
		return valgrind.Frame{IP: 1, Function: name, Object: "/usr/libexec/valgrind/vgpreload_memcheck-amd64-linux.so"}
	case name == "strdup", name == "start_thread":
		return valgrind.Frame{IP: 2, Function: name, Dir: "./string", File: name + ".c", Line: 42, Object: "/lib/libc.so.6"}
	case name == "describe", name == "work", name == "xmalloc":
		return in(name, m.dir+"/p/p.go", line)
	case name == "custom_alloc", name == "dep_read":
		return in(name, dep+"dep.c", line)
	case strings.HasPrefix(name, "C."):
		return at(4, "example.com/m/p._Cfunc_"+name[2:], "./_cgo_gotypes.go", 60)
	case strings.HasPrefix(name, "dep.C."):
		return at(4, "example.com/dep._Cfunc_"+name[6:], "./_cgo_gotypes.go", 60)
	case name == "stub":
		return at(5, "_cgo_0123456789ab_Cfunc_describe", "/tmp/go-build/cgo-gcc-prolog", 49)
	case strings.HasPrefix(name, "runtime."):
		return at(6, name, "/usr/local/go/src/runtime/x.go", line)
	case strings.HasPrefix(name, "testing."):
		return at(7, name, "/usr/local/go/src/testing/testing.go", 1934)
	case strings.HasPrefix(name, "dep."):
		return in("example.com/dep."+name[4:], dep+"dep.go", line)
	case strings.HasPrefix(name, "Test") && !strings.Contains(name, "."):
		return in("example.com/m/p."+name, m.dir+"/p/p_test.go", line)
	}
	return in("example.com/m/p."+name, m.dir+"/p/p.go", line)
}

// sections are stacks of words, with their labels before a bar.
func (m module) sections(stacks ...string) []valgrind.Section {
	var out []valgrind.Section
	for _, text := range stacks {
		label, words, ok := strings.Cut(text, " | ")
		if !ok {
			label, words = "", text
		}
		s := valgrind.Section{Text: valgrind.Text{Text: label}}
		for word := range strings.FieldsSeq(words) {
			s.Stack = append(s.Stack, m.frame(word))
		}
		out = append(out, s)
	}
	return out
}

const intoC = " stub runtime.asmcgocall.abi0 runtime.cgocall "

func TestPlaces(t *testing.T) {
	m := newModule(t)
	const leak, read, free, mismatch = "Leak_DefinitelyLost", "InvalidRead", "InvalidFree", "MismatchedFree"
	for _, c := range []struct {
		name, kind string
		stacks     []string
		want       string // blame < caller, other
	}{
		{"a leak past a helper of the preamble", leak, []string{"malloc strdup describe:4" + intoC + "C.describe Entry:8 TestA:4"}, "Entry:8"},
		{"a leak past an allocator of another module", leak,
			[]string{"malloc custom_alloc:9 dep_read:7" + intoC + "dep.C.open dep.Open:3 Entry:8 TestA:4"}, "dep.Open:3 < Entry:8"},
		{"a leak past Go code that hands a copy through", leak,
			[]string{"malloc" + intoC + "runtime.cgocall C.CString text:26 Entry:8 TestA:4"}, "Entry:8 < text:26"},
		{"such code that nobody under test calls", leak, []string{"malloc" + intoC + "C.CString text:26 testing.tRunner"}, "text:26"},
		{"a copy that is an argument is not handed through", leak, []string{"malloc" + intoC + "C.CString Length:30 Entry:8 TestA:4"}, "Length:30"},
		{"a leak of a thread of C", leak, []string{"malloc xmalloc:4 work:4 start_thread"}, "work:4"},
		{"a leak of a thread of C with nothing but the helper", leak, []string{"malloc xmalloc:4 start_thread"}, "xmalloc:4"},
		{"a read in C", read, []string{"describe:4" + intoC + "C.describe Entry:8 TestA:4"}, "describe:4 < Entry:8"},
		{"a read in C of another module: the module under test goes first", read,
			[]string{"dep_read:7" + intoC + "dep.C.open dep.Open:3 Entry:8 TestA:4"}, "Entry:8 < dep.Open:3"},
		{"a read on a goroutine of another module", read, []string{"dep_read:7" + intoC + "dep.C.open dep.serve:3"}, "dep_read:7 < dep.serve:3"},
		{"a read after a free", read, []string{"describe:4" + intoC + "C.describe Entry:8 TestA:4",
			"a block of size 8 free'd | free" + intoC + "C.free (*Buffer).Close:34 TestA:4",
			"block was alloc'd at | malloc" + intoC + "C.malloc Cursor:17"}, "describe:4 < Entry:8, (*Buffer).Close:34"},
		{"a double free in one line", free, []string{"free" + intoC + "C.free (*Buffer).Close:34 TestA:4",
			"a block of size 8 free'd | free" + intoC + "C.free (*Buffer).Close:34 TestA:4",
			"block was alloc'd at | malloc" + intoC + "C.malloc Cursor:17"}, "(*Buffer).Close:34, Cursor:17"},
		{"a double free in one call of C", free, []string{"free describe:4" + intoC + "C.describe Entry:8",
			"a block of size 8 free'd | free describe:3" + intoC + "C.describe Entry:8",
			"block was alloc'd at | malloc" + intoC + "C.malloc Entry:8"}, "describe:4 < Entry:8, describe:3"},
		{"a free by another function", mismatch, []string{"free" + intoC + "C.free (*Buffer).Close:34 TestA:4",
			"a block of size 8 alloc'd | malloc describe:4" + intoC + "C.describe Entry:8 TestA:4"}, "(*Buffer).Close:34, Entry:8"},
		{"Go code that reads", read, []string{"Length:30 TestA:4"}, "Length:30"},
		{"Go code of another module that reads", read, []string{"dep.Len:4 Length:30 TestA:4"}, "Length:30"},
		{"a callback", read, []string{"Length:30 runtime.cgocallback describe:4" + intoC + "C.describe Entry:8"}, "Length:30"},
		{"nobody's code", read, []string{"strdup start_thread"}, ""},
		{"in a later stack", free, []string{"free start_thread", "a block of size 8 alloc'd | malloc" + intoC + "C.malloc Cursor:17"}, "Cursor:17"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := New(m.code).Places(valgrind.Kind(c.kind), m.sections(c.stacks...))
			short := func(f *result.Frame) string {
				if f == nil {
					return ""
				}
				name := strings.TrimPrefix(f.Function, "example.com/m/p.")
				return fmt.Sprintf("%s:%d", strings.TrimPrefix(name, "example.com/"), f.Line)
			}
			got := short(p.Blame)
			if p.Caller != nil {
				got += " < " + short(p.Caller)
			}
			if p.Other != nil {
				got += ", " + short(p.Other)
			}
			if got != c.want {
				t.Errorf("%s: got %q, want %q", strings.Join(c.stacks, " / "), got, c.want)
			}
		})
	}
}

func (m module) fingerprint(kind string, stacks ...string) string {
	return fingerprintOf(m.code, kind, m.sections(stacks...))
}

func fingerprintOf(code Code, kind string, sections []valgrind.Section) string {
	return result.Fingerprint(kind, New(code).Significant(valgrind.Kind(kind), sections))
}

// What is one defect has one fingerprint, and what is two has two.
func TestFingerprintOfStacks(t *testing.T) {
	m := newModule(t)
	const leak, read = "Leak_DefinitelyLost", "InvalidRead"
	helper := "malloc strdup describe:4" + intoC + "C.describe "
	for _, c := range []struct {
		name, kind string
		a, b       []string
		same       bool
	}{
		{"two callers of one helper", leak, []string{helper + "Entry:8 TestA:4"}, []string{helper + "Cursor:17 TestA:4"}, false},
		{"another test", leak, []string{helper + "Entry:8 TestA:4"}, []string{helper + "Entry:8 TestB:9"}, true},
		{"another line of the test", leak, []string{helper + "Entry:8 TestA:4"}, []string{helper + "Entry:8 TestA:3"}, true},
		{"a loop and the same call after it", leak, []string{helper + "Cursor:14"}, []string{helper + "Cursor:17"}, false},
		{"lines that read the same", leak, []string{helper + "Cursor:17"}, []string{helper + "Cursor:19"}, false},
		{"the same line in two functions", leak, []string{helper + "Entry:8"}, []string{helper + "Cursor:14"}, false},
		{"two callers of Go code that hands through", leak, []string{"malloc" + intoC + "C.CString text:26 Entry:8"},
			[]string{"malloc" + intoC + "C.CString text:26 Cursor:17"}, false},
		{"a read in a helper, by two callers", read, []string{"describe:4" + intoC + "C.describe Entry:8"},
			[]string{"describe:4" + intoC + "C.describe Cursor:17"}, false},
		{"two lines of the helper", read, []string{"describe:4" + intoC + "C.describe Entry:8"},
			[]string{"describe:3" + intoC + "C.describe Entry:8"}, false},
		{"two callers of another module", leak, []string{"malloc dep_read:7" + intoC + "dep.C.open dep.Open:3 Entry:8"},
			[]string{"malloc dep_read:7" + intoC + "dep.C.open dep.Open:3 Cursor:17"}, false},
		{"on a goroutine of another module, begun elsewhere", leak, []string{"malloc dep_read:7" + intoC + "dep.C.open dep.serve:3 dep.Run:9"},
			[]string{"malloc dep_read:7" + intoC + "dep.C.open dep.serve:3 dep.Start:12"}, true},
		{"two leaks of threads of C through one helper", leak, []string{"malloc xmalloc:4 work:3 start_thread"},
			[]string{"malloc xmalloc:4 work:5 start_thread"}, false},
		{"the runtime's frames of another release", read, []string{"runtime.findnull:5 runtime.gostring:7 C.GoString Entry:9 TestA:4"},
			[]string{"runtime.findnullNew:15 runtime.scan:2 runtime.gostring:8 C.GoString Entry:9 TestA:4"}, true},
		{"a closure that is inlined into its caller or not", read, []string{"describe:4" + intoC + "C.describe Entry.func1:8 Entry:9"},
			[]string{"describe:4" + intoC + "C.describe TestA.Entry.func1:8 Entry:9 TestA:4"}, true},
		{"what the memory was", read, []string{"strdup start_thread", "a block free'd | free" + intoC + "C.free (*Buffer).Close:34"},
			[]string{"strdup start_thread", "a block free'd | free" + intoC + "C.free Entry:9"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if a, b := m.fingerprint(c.kind, c.a...), m.fingerprint(c.kind, c.b...); (a == b) != c.same {
				t.Errorf("%s and %s for %q and %q: the same should be %v", a, b, c.a, c.b, c.same)
			}
		})
	}
}

// Nothing that is no part of a defect has a part in its fingerprint: where the module lies, where in its file the code
// stands, addresses, cgo's hash, the release of Go, the test, what surrounds it.
func TestFingerprintSurvives(t *testing.T) {
	helper := "malloc strdup describe:4" + intoC + "C.describe "
	reports := []struct {
		kind   string
		stacks []string
	}{
		{"Leak_DefinitelyLost", []string{helper + "Entry:8 TestA:4 testing.tRunner runtime.goexit.abi0"}},
		{"Leak_DefinitelyLost", []string{helper + "Cursor:19 TestA:4 testing.tRunner"}},
		{"Leak_DefinitelyLost", []string{"malloc" + intoC + "C.CString text:26 Entry:8 TestA:4"}},
		{"Leak_PossiblyLost", []string{"malloc xmalloc:4 work:4 start_thread"}},
		{"InvalidRead", []string{"describe:4" + intoC + "C.describe Entry:8 TestA:4",
			"a block free'd | free" + intoC + "C.free (*Buffer).Close:34 TestA:4"}},
		{"InvalidRead", []string{"runtime.findnull:5 runtime.gostring:7 C.GoString Entry:9 TestA:4"}},
		{"InvalidFree", []string{"free dep_read:7" + intoC + "dep.C.open dep.Open:3 Entry:8 TestA:4"}},
	}
	each := func(sections []valgrind.Section, change func(*valgrind.Frame)) []valgrind.Section {
		var out []valgrind.Section
		for _, s := range sections {
			s.Stack = slices.Clone(s.Stack)
			for i := range s.Stack {
				change(&s.Stack[i])
			}
			out = append(out, s)
		}
		return out
	}
	changes := map[string]func(t *testing.T, m *module, s []valgrind.Section) []valgrind.Section{
		"addresses": func(_ *testing.T, _ *module, s []valgrind.Section) []valgrind.Section {
			return each(s, func(f *valgrind.Frame) { f.IP += 0x123450 })
		},
		"another folder, another file, other lines": func(t *testing.T, m *module, s []valgrind.Section) []valgrind.Section {
			old := *m
			*m = newModule(t)
			text, err := os.ReadFile(m.dir + "/p/p.go")
			if err != nil {
				t.Fatal(err)
			}
			moved := "// New.\n\n" + string(text)
			if err := os.WriteFile(m.dir+"/p/moved.go", []byte(moved), 0o666); err != nil {
				t.Fatal(err)
			}
			return each(s, func(f *valgrind.Frame) {
				if f.Dir == old.dir+"/p" && f.File == "p.go" {
					f.Dir, f.File, f.Line = m.dir+"/p", "moved.go", f.Line+2
				}
			})
		},
		"cgo's hash": func(_ *testing.T, _ *module, s []valgrind.Section) []valgrind.Section {
			return each(s, func(f *valgrind.Frame) { f.Function = strings.ReplaceAll(f.Function, "0123456789ab", "ba9876543210") })
		},
		"another binary": func(_ *testing.T, m *module, s []valgrind.Section) []valgrind.Section {
			m.code.Binary = "/home/u/other.test"
			return each(s, func(f *valgrind.Frame) {
				if f.Object == binary {
					f.Object = m.code.Binary
				}
			})
		},
		"another release of Go": func(_ *testing.T, m *module, s []valgrind.Section) []valgrind.Section {
			m.code.GOROOT = "/opt/go1.26.9"
			s = each(s, func(f *valgrind.Frame) {
				f.Dir = strings.Replace(f.Dir, "/usr/local/go", m.code.GOROOT, 1)
				f.Function = strings.Replace(f.Function, "runtime.findnull", "internal/bytealg.IndexByteString", 1)
			})
			for i := range s { // one more frame of the runtime below each of it
				for n := len(s[i].Stack) - 1; n >= 0; n-- {
					if f := s[i].Stack[n]; strings.HasPrefix(f.Function, "runtime.") {
						f.Function = "runtime.newInThisRelease"
						s[i].Stack = slices.Insert(s[i].Stack, n+1, f)
					}
				}
			}
			return s
		},
		"another package of the module": func(_ *testing.T, m *module, s []valgrind.Section) []valgrind.Section {
			m.code.ImportPath, m.code.Dir = "example.com/m/q", m.dir+"/q"
			return s
		},
		"all frames": func(_ *testing.T, m *module, s []valgrind.Section) []valgrind.Section {
			m.code.AllFrames = true
			return s
		},
		"another test": func(_ *testing.T, m *module, s []valgrind.Section) []valgrind.Section {
			return each(s, func(f *valgrind.Frame) {
				if strings.HasSuffix(f.Function, ".TestA") {
					f.Function, f.Line = "example.com/m/p.TestZ.func3", 3
				}
			})
		},
		"another version of what it depends on": func(_ *testing.T, _ *module, s []valgrind.Section) []valgrind.Section {
			return each(s, func(f *valgrind.Frame) { f.Dir = strings.Replace(f.Dir, "@v1.2.0", "@v1.3.0", 1) })
		},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			seen := make(map[string]int)
			for i, r := range reports {
				m := newModule(t)
				want := m.fingerprint(r.kind, r.stacks...)
				if j, ok := seen[want]; ok {
					t.Errorf("%q and %q have one fingerprint", r.stacks, reports[j].stacks)
				}
				seen[want] = i
				sections := change(t, &m, m.sections(r.stacks...))
				if got := fingerprintOf(m.code, r.kind, sections); got != want {
					t.Errorf("%s %q: %s, want %s:\n%s", r.kind, r.stacks, got, want,
						cmp.Diff(New(newModule(t).code).Significant(valgrind.Kind(r.kind), newModule(t).sections(r.stacks...)),
							New(m.code).Significant(valgrind.Kind(r.kind), sections)))
				}
			}
		})
	}
}

func TestDepth(t *testing.T) {
	m := newModule(t)
	inlined := m.sections("free strdup describe:4 work:4" + intoC + "C.describe Entry:8")
	inlined[0].Stack[3].IP = inlined[0].Stack[2].IP
	for _, c := range []struct {
		sections []valgrind.Section
		want     int
	}{
		{inlined, 7},
		{m.sections("free Entry:8 TestA:4"), 2},
		{m.sections("work:4 start_thread"), 1},
		{m.sections("strdup start_thread"), 0},
		{m.sections("strdup start_thread", "x | free Entry:8"), 0},
		{nil, 0},
	} {
		if got := New(m.code).Depth("InvalidFree", c.sections); got != c.want {
			t.Errorf("%+v: %d, want %d", c.sections, got, c.want)
		}
	}
}

func TestTier(t *testing.T) {
	m := newModule(t)
	r := New(m.code)
	vendored := at(4, "third", m.dir+"/vendor/third/third.c", 7)
	library := at(3, "wrap_text", m.dir+"/wrap/wrap.c", 7)
	library.Object = "/src/m/libwrap.so"
	for _, c := range []struct {
		f    valgrind.Frame
		want Tier
	}{
		{m.frame("Entry:8"), Module},
		{m.frame("describe:4"), Module},
		{library, Module},
		{at(1, "example.com/m_test.TestX", "/x/x_test.go", 1), Module},
		{at(1, "main.main", "/x/main.go", 1), Module},
		{m.frame("dep.Open:3"), Other},
		{m.frame("dep_read:7"), Other},
		{vendored, Other},
		{at(5, "strings.Clone", "/usr/local/go/src/strings/clone.go", 7), None},
		{at(6, "github.com/onsi/ginkgo/v2/internal.(*Suite).runNode.func3", "/root/go/pkg/mod/x/suite.go", 1), None},
		{at(7, "github.com/ebitengine/purego.syscall_SyscallN", "/root/go/pkg/mod/x/syscall.go", 50), None},
		{m.frame("stub"), None}, {m.frame("C.free"), None}, {m.frame("free"), None}, {m.frame("strdup"), None},
		{m.frame("testing.tRunner"), None}, {m.frame("runtime.goexit.abi0"), None},
	} {
		if got := r.Tier(c.f); got != c.want {
			t.Errorf("%+v: tier %d, want %d", c.f, got, c.want)
		}
	}
	// A package of no module, of the standard library or of files that were named.
	alone := New(Code{ImportPath: "command-line-arguments", Dir: "/x", GOROOT: "/usr/local/go", Binary: binary})
	for _, f := range []valgrind.Frame{at(1, "command-line-arguments.TestX", "/x/x_test.go", 1), at(1, "helper", "/x/x.c", 1)} {
		if got := alone.Tier(f); got != Module {
			t.Errorf("%s: tier %d", f.Function, got)
		}
	}
}
