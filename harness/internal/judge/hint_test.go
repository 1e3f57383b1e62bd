package judge

import (
	"bufio"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cgogrind/cgogrind/harness/internal/explain"
	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
)

// Every hint names a page, and every pattern is met by what memcheck reported of a planted bug, in its Go terms, or by a
// case of the tests named.
func TestPatterns(t *testing.T) {
	f, err := os.Open("../explain/testdata/planted.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	met := make(map[string]int)
	for dec := json.NewDecoder(bufio.NewReader(f)); dec.More(); {
		var bug struct {
			Name    string
			Finding result.Finding `json:"finding"`
		}
		if err := dec.Decode(&bug); err != nil {
			t.Fatal(err)
		}
		if bug.Finding.Hint == "" {
			t.Errorf("%s has no hint", bug.Name)
		}
		met[bug.Finding.Hint]++
	}
	elsewhere := []string{
		"C must not hold a pointer",    // TestHintOfCgoCheck
		"C code gave memory to free",   // TestGoMemory, used after C freed it
		"C code went below the first",  // TestGoMemory, before a slice
		"The pointer was nil",          // TestGoMemory, nil in C
		"The text does not end where",  // TestHintOfTextWithoutEnd
		"This WHAT belongs to OWNER, ", // TestHintOfLentMemory
		"The garbage collector saw",    // TestHintOfGoCode
		"Go code left this memory",     // TestHintOfGoCode
		"Only pointers into",           // TestHintOfLeaks
		"Only blocks that are",         // TestHintOfLeaks
	}
	for _, p := range patterns {
		if _, ok := explain.Find(p.page); !ok {
			t.Errorf("there is no page %s for %q", p.page, p.hint)
		}
		if p.hint != strings.TrimSpace(p.hint) || p.hint == "" {
			t.Errorf("hint %q", p.hint)
		}
		n := 0
		told := regexp.MustCompile("^" + places.ReplaceAllString(regexp.QuoteMeta(p.hint), ".*") +
			regexp.QuoteMeta(" (more: cgogrind explain "+p.page+")") + "$")
		for hint, times := range met {
			if told.MatchString(hint) {
				n += times
			}
		}
		if slices.ContainsFunc(elsewhere, func(begin string) bool { return strings.HasPrefix(p.hint, begin) }) {
			n++
		}
		if n == 0 {
			t.Errorf("nothing meets the pattern %s: %q", p.page, p.hint)
		}
	}
}

// places matches what inPlace replaces in a hint, quoted for a regular expression.
var places = regexp.MustCompile(`\\\{[a-z]+\\\}`)

func TestHintOfCgoCheck(t *testing.T) {
	e := &valgrind.Error{Kind: cgoCheck, Sections: []valgrind.Section{stack(goFree, testA)}}
	if got := hint(e.Kind, tell(e), true); !strings.Contains(got, "runtime.Pinner") {
		t.Errorf("hint %q", got)
	}
}

// C.GoString and libc's functions on strings run out of a block whose text has no end; other C code leaves it, too.
func TestHintOfTextWithoutEnd(t *testing.T) {
	text := valgrind.Frame{Function: "strlen", Object: vgFree.Object}
	for _, c := range []struct {
		name  string
		stack []valgrind.Frame
		page  string
	}{
		{"C.GoString", []valgrind.Frame{at(60, "internal/bytealg.IndexByteString", "/usr/local/go/src/b.go", 1),
			at(61, "runtime.findnull", "/usr/local/go/src/runtime/string.go", 2),
			at(62, "runtime.gostring", "/usr/local/go/src/runtime/string.go", 3), goFree, testA}, "terminator"},
		{"strlen", []valgrind.Frame{text, peek, cgoStub, asmcgo, goFree, testA}, "terminator"},
		{"C code", []valgrind.Frame{peek, cgoStub, asmcgo, goFree, testA}, "off-by-one"},
	} {
		e := &valgrind.Error{Kind: "InvalidRead", Sections: []valgrind.Section{stack(c.stack...),
			labelled("Address 0x4a42398 is 0 bytes after a block of size 8 alloc'd", libc, testA)}}
		e.What.Text = "Invalid read of size 1"
		if got := hint(e.Kind, tell(e), true); !strings.HasSuffix(got, "(more: cgogrind explain "+c.page+")") {
			t.Errorf("%s: hint %q, want %s", c.name, got, c.page)
		}
	}
}

// The instrumented runtime has memcheck describe what libc and librados lend.
func TestHintOfLentMemory(t *testing.T) {
	const free, read = "Invalid free() / delete / delete[] / realloc()", "Invalid read of size 1"
	for _, c := range []struct {
		kind                               valgrind.Kind
		what, lent, message, label, begins string
		page                               string
	}{
		{"InvalidFree", free, "0 bytes inside a text lent by strerror of size 17 client-defined",
			free + " of memory lent by strerror", "0 bytes inside a text of 17 bytes that strerror lent at",
			"The text belongs to libc", "strerror"},
		{"InvalidFree", free, "0 bytes inside a struct passwd lent by getpwuid of size 1,080 client-defined",
			free + " of memory lent by getpwuid", "0 bytes inside a struct passwd of 1080 bytes that getpwuid lent at",
			"This struct passwd belongs to libc, which lends it until the next call of getpwuid, in any thread: copy it, and " +
				"do not free it. (more", "borrowed"},
		{"InvalidFree", free, "0 bytes inside a value lent by rados_getxattrs_next of size 3 client-defined",
			free + " of memory lent by rados_getxattrs_next", "0 bytes inside a value of 3 bytes that rados_getxattrs_next lent at",
			"This value belongs to librados, which lends it until the next call with the same iterator, or " +
				"rados_getxattrs_end: copy it, and do not free it.", "borrowed"},
		{"InvalidRead", read, "20 bytes inside a struct tm lent by localtime of size 56 client-defined",
			read + " in memory that was lent by localtime", "20 bytes inside a struct tm of 56 bytes that localtime lent at",
			"This struct tm belongs to libc, which lent it until the next call of localtime or gmtime, in any thread, and has " +
				"taken it back: copy it before that, or let localtime_r write into memory of yours. (more", "overwritten-result"},
		{"InvalidRead", read, "1 bytes inside a text lent by rados_nobjects_list_next of size 9 client-defined",
			read + " in memory that was lent by rados_nobjects_list_next",
			"1 byte inside a text of 9 bytes that rados_nobjects_list_next lent at",
			"This text belongs to librados, which lent it until the next call with the same listing, or " +
				"rados_nobjects_list_close, and has taken it back: copy it before that. (more", "overwritten-result"},
		{"InvalidWrite", read, "0 bytes inside an entry lent by getservent of size 9 client-defined",
			read + " in memory that was lent by getservent", "0 bytes inside an entry of 9 bytes that getservent lent at",
			"This entry belongs to the library, which lent it until the next call of getservent, and has", "overwritten-result"},
	} {
		e := &valgrind.Error{Kind: c.kind, Sections: []valgrind.Section{stack(vgFree, dfree, testA),
			labelled("Address 0x8a32020 is "+c.lent, dfree, testA)}}
		e.What.Text = c.what
		a := tell(e)
		if got := hint(e.Kind, a, true); !strings.HasPrefix(got, c.begins) ||
			!strings.HasSuffix(got, "(more: cgogrind explain "+c.page+")") {
			t.Errorf("%s: hint %q", c.lent, got)
		}
		if label := a.sections[1].Text.Text; a.message != c.message || label != c.label {
			t.Errorf("%q: message %q, label %q", c.lent, a.message, label)
		}
	}
}

// Every function that the instrumented runtime guards has its line in the table.
func TestLendersAreKnown(t *testing.T) {
	code, err := os.ReadFile("../goruntime/files/runtime/cgo/cgo-borrowed.c.txt")
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[string]bool)
	for _, l := range lenders {
		known[l.function] = true
	}
	found := regexp.MustCompile(`(?m) lent by ([a-z_]+)"|^ENTRY\(\w+, \w+, (\w+),`).FindAllStringSubmatch(string(code), -1)
	if len(found) != len(lenders) {
		t.Errorf("%d are found, %d in the table", len(found), len(lenders))
	}
	for _, m := range found {
		if !known[m[1]+m[2]] {
			t.Errorf("%s lends and is not in the table", m[1]+m[2])
		}
	}
}

// freedAt is a use of memory that was freed, with the stacks of both.
func freedAt(use, free []valgrind.Frame) *valgrind.Error {
	e := &valgrind.Error{Kind: "InvalidRead", Sections: []valgrind.Section{stack(use...),
		labelled("Address 0x4a42398 is 0 bytes inside a block of size 8 free'd", free...), labelled("Block was alloc'd at", libc, testA)}}
	e.What.Text = "Invalid read of size 1"
	return e
}

func frame(function string) valgrind.Frame { return valgrind.Frame{Function: function, Object: binary} }

// Who freed memory that is still used: the same thread, another one or nobody knows.
func TestHintOfFreedMemory(t *testing.T) {
	on := func(functions ...string) (s []valgrind.Frame) {
		for _, f := range functions {
			s = append(s, frame(f))
		}
		return s
	}
	const (
		goexit    = "runtime.goexit.abi0"
		asmcgo    = "runtime.asmcgocall.abi0"
		rustStart = "std::sys::thread::unix::Thread::new::thread_start"
	)
	test := on("get", asmcgo, "p.Get", "p.TestA", "testing.tRunner", goexit)
	work := on("work", "start_thread", "clone")
	for _, c := range []struct {
		name      string
		use, free []valgrind.Frame
		page      string
	}{
		{"one goroutine", test, on("free", asmcgo, "p.Close", "p.TestA", "testing.tRunner", goexit), "use-after-free"},
		{"another goroutine", test, on("free", asmcgo, "p.Close", "p.TestA.func1", goexit), "close-during-call"},
		{"two that a WaitGroup started", on("get", "p.TestA.func1", "sync.(*WaitGroup).Go.func1", goexit),
			on("free", "p.TestA.func2", "sync.(*WaitGroup).Go.func1", goexit), "close-during-call"},
		{"deferred Done", on("get", "p.TestA.func1", "sync.(*WaitGroup).Go.func1", goexit),
			on("free", "sync.(*WaitGroup).Done", "sync.(*WaitGroup).Go.func1", goexit), "close-during-call"},
		{"one of several workers", on("get", "p.worker", goexit), on("free", "p.worker", goexit), "use-after-free"},
		{"a subtest, or its parent", on("get", "p.TestA.func1", "testing.tRunner", goexit),
			on("free", "p.TestA", "testing.tRunner", goexit), "use-after-free"},
		{"a stack that is cut off", on("get", "p.Get"), on("free", "p.Close", "p.TestA.func1", goexit), "use-after-free"},
		{"a thread of C", work, test, "running-thread"},
		{"a thread of C, which freed it", work, on("free", "work", "start_thread", "clone"), "use-after-free"},
		{"two threads of C", work, on("free", "other", "start_thread", "clone"), "running-thread"},
		{"a thread of C in C", work, on("free", "main"), "running-thread"},
		{"freed by a thread of C", test, work, "close-during-call"},
		{"a thread of C, freed nobody knows where", work, on("free"), "use-after-free"},
		{"a Rust test", on("demo::first", rustStart, "start_thread", "clone"), on("free", "demo::first", rustStart, "start_thread", "clone"),
			"use-after-free"},
		{"a callback", on("p.progressed", "_cgoexp_0123456789ab_progressed", "runtime.cgocallback", "job", asmcgo, "p.TestA",
			"testing.tRunner", goexit), test, "callback-data"},
		{"C that a callback called", on("get", asmcgo, "p.progressed", "_cgoexp_0123456789ab_progressed", "job", asmcgo, "p.TestA",
			"testing.tRunner", goexit), test, "use-after-free"},
	} {
		e := freedAt(c.use, c.free)
		if got := hint(e.Kind, tell(e), true); !strings.HasSuffix(got, "(more: cgogrind explain "+c.page+")") {
			t.Errorf("%s: hint %q, want %s", c.name, got, c.page)
		}
	}
}

// What is said of C and Rust programs is not about Go, and each hint that a program without Go can get says something.
func TestHintsWithoutGo(t *testing.T) {
	for _, p := range patterns {
		text := p.hint
		if p.plain != "" {
			text = p.plain
			if !aboutGo.MatchString(p.hint) && !strings.Contains(p.hint, "of C") && !strings.Contains(p.hint, "Close") &&
				!strings.Contains(p.hint, "len(") {
				t.Errorf("%q is not about Go: it needs no %q", p.hint, p.plain)
			}
		}
		if aboutGo.MatchString(p.plain) || strings.Contains(p.plain, "Close") {
			t.Errorf("%q is about Go", p.plain)
		}
		if !aboutGo.MatchString(text) && strings.Contains(text, "len(…)") {
			t.Errorf("%q is about Go", text)
		}
	}
	for _, c := range []struct {
		e    *valgrind.Error
		want string
	}{
		{freedAt([]valgrind.Frame{frame("get"), frame("main")}, []valgrind.Frame{frame("free"), frame("main")}),
			"something used after what closes it"},
		{&valgrind.Error{Kind: "Leak_DefinitelyLost", Sections: []valgrind.Section{stack(frame("malloc"), frame("main"))}},
			"call what frees it before, on every path"},
		{freedAt([]valgrind.Frame{frame("p.fini"), frame("main")}, []valgrind.Frame{frame("free"), frame("runtime.runFinalizers"), frame("main")}), ""},
	} {
		if got := hint(c.e.Kind, tell(c.e), false); !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("hint %q, want %q", got, c.want)
		}
	}
}

func TestHintOfLeaks(t *testing.T) {
	for kind, page := range map[valgrind.Kind]string{
		"Leak_DefinitelyLost": "missing-close", "Leak_PossiblyLost": "Leak_PossiblyLost", "Leak_IndirectlyLost": "Leak_IndirectlyLost",
		"Leak_StillReachable": "",
	} {
		e := &valgrind.Error{Kind: kind, Sections: []valgrind.Section{stack(libc, testA)}}
		got := hint(kind, tell(e), true)
		if page == "" && got != "" || !strings.Contains(got, page) || strings.Contains(got, "last pointer") != (kind == "Leak_DefinitelyLost") {
			t.Errorf("%s: hint %q", kind, got)
		}
	}
}

// Go code that reads or writes by itself is not called C code.
func TestHintOfGoCode(t *testing.T) {
	made := labelled("Address 0xc000012340 is 0 bytes after a block of size 8 alloc'd", goRequestFrame, goMallocFrame,
		at(71, "runtime.makeslice", "/usr/local/go/src/runtime/slice.go", 1), testA)
	in := func(frames ...valgrind.Frame) *valgrind.Error {
		e := &valgrind.Error{Kind: "InvalidRead", Sections: []valgrind.Section{stack(frames...), made}}
		e.What.Text = "Invalid read of size 1"
		return e
	}
	inside := in(testA)
	inside.Sections[1].Text.Text = "Address 0xc000012340 is 0 bytes inside a block of size 8 alloc'd"
	for _, c := range []struct {
		e    *valgrind.Error
		page string
	}{
		{in(testA), "unsafe-slice"},
		{in(peek, asmcgo, testA), "off-by-one"},
		{in(at(60, "runtime.findnull", "/usr/local/go/src/runtime/string.go", 2), at(61, "runtime.gostring", "/usr/local/go/src/runtime/string.go", 3),
			testA), "off-by-one"},
		{inside, "kept-pointer"},
	} {
		got := hint(c.e.Kind, tell(c.e), true)
		if !strings.HasSuffix(got, "(more: cgogrind explain "+c.page+")") || c.e == inside && strings.HasPrefix(got, "C still") {
			t.Errorf("%v: hint %q, want %s", c.e.Sections[0].Stack[0].Function, got, c.page)
		}
	}
}

// Functions and libraries whose names begin as libc's do are not libc's.
func TestHintTakesNothingForLibc(t *testing.T) {
	e := &valgrind.Error{Kind: "InvalidRead", Sections: []valgrind.Section{stack(frame("copy"), frame("stream"), frame("strip")),
		labelled("Address 0x4a42398 is 0 bytes after a block of size 8 alloc'd", libc, testA)}}
	e.What.Text = "Invalid read of size 4"
	if got := hint(e.Kind, tell(e), true); strings.Contains(got, "terminator") {
		t.Errorf("stream is taken for a function on texts: %q", got)
	}
	for file, page := range map[string]string{
		"/usr/lib/x86_64-linux-gnu/libc.so.6": "strerror", "/lib/x86_64-linux-gnu/libc-2.31.so": "strerror",
		"/lib/ld-musl-x86_64.so.1": "strerror", "/usr/lib/libcurl.so.4.8.0": "borrowed", "/usr/lib/libcrypto.so.3": "borrowed",
	} {
		e := &valgrind.Error{Kind: "InvalidFree", Sections: []valgrind.Section{stack(vgFree, testA),
			labelled("Address 0x4a42398 is in a r-- mapped file " + file + " segment")}}
		if got := hint(e.Kind, tell(e), true); !strings.HasSuffix(got, "explain "+page+")") {
			t.Errorf("%s: hint %q, want %s", file, got, page)
		}
	}
}

// What lies behind memory that was lent has not been taken back.
func TestHintBehindLentMemory(t *testing.T) {
	e := &valgrind.Error{Kind: "InvalidRead", Sections: []valgrind.Section{stack(peek, testA),
		labelled("Address 0x8a32020 is 0 bytes after a text lent by strerror of size 17 client-defined", dfree, testA)}}
	e.What.Text = "Invalid read of size 1"
	a := tell(e)
	if got := hint(e.Kind, a, true); !strings.Contains(got, "off-by-one") || strings.Contains(a.message, "was lent") {
		t.Errorf("%q, hint %q", a.message, got)
	}
}
