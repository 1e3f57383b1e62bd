package judge

import (
	"bufio"
	"encoding/json"
	"os"
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
		"The library lent this memory", // TestHintOfLentMemory
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

// The instrumented runtime has memcheck describe what libc lends.
func TestHintOfLentMemory(t *testing.T) {
	e := &valgrind.Error{Kind: "InvalidFree", Sections: []valgrind.Section{stack(vgFree, dfree, testA),
		labelled("Address 0x8a32020 is 0 bytes inside an entry lent by getpwuid of size 80 client-defined", dfree, testA)}}
	e.What.Text = "Invalid free() / delete / delete[] / realloc()"
	if got := hint(e.Kind, tell(e)); !strings.HasSuffix(got, "(more: cgogrind explain borrowed)") {
		t.Errorf("hint %q", got)
	}
}
