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
	}
	for _, p := range patterns {
		if _, ok := explain.Find(p.page); !ok {
			t.Errorf("there is no page %s for %q", p.page, p.hint)
		}
		if p.hint != strings.TrimSpace(p.hint) || p.hint == "" {
			t.Errorf("hint %q", p.hint)
		}
		n := met[p.hint+" (more: cgogrind explain "+p.page+")"]
		if slices.ContainsFunc(elsewhere, func(begin string) bool { return strings.HasPrefix(p.hint, begin) }) {
			n++
		}
		if n == 0 {
			t.Errorf("nothing meets the pattern %s: %q", p.page, p.hint)
		}
	}
}

func TestHintOfCgoCheck(t *testing.T) {
	e := &valgrind.Error{Kind: cgoCheck, Sections: []valgrind.Section{stack(goFree, testA)}}
	if got := hint(e.Kind, tell(e)); !strings.Contains(got, "runtime.Pinner") {
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
		if got := hint(e.Kind, tell(e)); !strings.HasSuffix(got, "(more: cgogrind explain "+c.page+")") {
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
		if got := hint(e.Kind, a); !strings.HasPrefix(got, c.begins) ||
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
