package suppressions

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

func TestParse(t *testing.T) {
	const text = `# about the file

# why: because
# link: there
{
   first one
   Memcheck:Leak
   # inside
   match-leak-kinds: definite,possible
   fun:malloc
   ...
   obj:*/libx.so.*
   src:main.c:12
}
{
	second
	Memcheck,Helgrind:Param
	write(buf)

	fun:operator new(unsigned long)
} ` + `
# of the third
{
   third
   Helgrind:Race
   anything at all
   fun:f
}
{
   fourth
   CoreError:FdBadUse
   fun:close
}
{
   fifth
   Memcheck:KindOfTheFuture
   one
   two
   ...
   fun:f
}`
	want := []Entry{
		{[]string{"# why: because", "# link: there", "# inside"}, "first one", []string{"Memcheck"}, "Leak",
			[]string{"match-leak-kinds: definite,possible"},
			[]FramePattern{{Fun, "malloc"}, {Any, ""}, {Obj, "*/libx.so.*"}, {Src, "main.c:12"}}, "x.supp", 5},
		{nil, "second", []string{"Memcheck", "Helgrind"}, "Param", []string{"write(buf)"},
			[]FramePattern{{Fun, "operator new(unsigned long)"}}, "x.supp", 15},
		{[]string{"# of the third"}, "third", []string{"Helgrind"}, "Race", []string{"anything at all"},
			[]FramePattern{{Fun, "f"}}, "x.supp", 23},
		{nil, "fourth", []string{"CoreError"}, "FdBadUse", nil, []FramePattern{{Fun, "close"}}, "x.supp", 29},
		{nil, "fifth", []string{"Memcheck"}, "KindOfTheFuture", []string{"one", "two"},
			[]FramePattern{{Any, ""}, {Fun, "f"}}, "x.supp", 34},
	}
	for _, newline := range []string{"\n", "\r\n"} {
		got, err := Parse("x.supp", strings.NewReader(strings.ReplaceAll(text, "\n", newline)))
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if i >= len(got) || !reflect.DeepEqual(got[i], want[i]) {
				t.Fatalf("entry %d:\n got %+v\nwant %+v", i, got[min(i, len(got)-1)], want[i])
			}
		}
		if len(got) != len(want) {
			t.Errorf("%d entries, want %d", len(got), len(want))
		}
	}
}

// The places are those where valgrind 3.19 refuses the file.
func TestParseErrors(t *testing.T) {
	for _, c := range []struct {
		text string
		line int
		says string
	}{
		{"x\n", 1, `expected "{"`},
		{"# c\n\n{ {\n", 3, `expected "{"`},
		{"{\n}\n", 2, "expected the entry's name"},
		{"{\n", 1, "expected its name"},
		{"{\n n\n}\n", 3, `expected "TOOL:KIND"`},
		{"{\n n\n Cond\n fun:a\n}\n", 3, `expected "TOOL:KIND"`},
		{"{\n n\n Memcheck:\n fun:a\n}\n", 3, `expected "TOOL:KIND"`},
		{"{\n n\n Memcheck:Cond\n extra\n fun:a\n}\n", 4, `expected "fun:`},
		{"{\n n\n Memcheck:Cond\n {\n fun:a\n}\n", 4, `found "{"`},
		{"{\n n\n Memcheck:Cond\n fun:a}\n", 4, "the file ends inside the entry that begins in line 6"},
		{"{\n n\n Memcheck:Cond\n fun:a\n function:b\n}\n", 5, `found "function:b"`},
		{"{\n n\n Memcheck:Leak\n ...\n}\n", 5, `only "..."`},
		{"{\n n\n Memcheck:Leak\n}\n", 4, "no frame"},
		{"{\n n\n CoreError:FdBadUse\n}\n", 4, "no frame"},
		{"{\n n\n Memcheck:Leak\n match-leak-kinds:definite, foo\n fun:a\n}\n", 4, "the kinds are"},
		{"{\n n\n Memcheck:Leak\n ..\n fun:a\n}\n", 4, "match-leak-kinds"},
		{"{\n n\n Memcheck:Leak\n fun:a\n match-leak-kinds: definite\n}\n", 5, "match-leak-kinds"},
		{"{\n n\n Memcheck:Leak\n match-leak-kinds: all\n match-leak-kinds: all\n fun:a\n}\n", 5, "match-leak-kinds"},
		{"{\n n\n Memcheck:Param\n fun:a\n}\n", 4, "write(buf)"},
		{"{\n n\n Memcheck:Param\n}\n", 4, "write(buf)"},
		{"{\n n\n Memcheck:FishyValue\n ...\n}\n", 4, "malloc(size)"},
	} {
		const good = "{\n good\n Memcheck:Cond\n fun:a\n}\n"
		got, err := Parse("y.supp", strings.NewReader(good+c.text))
		var e *SyntaxError
		if !errors.As(err, &e) || e.File != "y.supp" || e.Line != c.line+5 || !strings.Contains(e.Msg, c.says) {
			t.Errorf("%q: %v, want an error in line %d that says %s", c.text, err, c.line+5, c.says)
		}
		if len(got) != 1 || got[0].Name != "good" {
			t.Errorf("%q: entries %v, want the one before the error", c.text, got)
		}
	}
}

func TestParseReadError(t *testing.T) {
	broken := errors.New("broken")
	_, err := Parse("z.supp", iotest.ErrReader(broken))
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "z.supp") {
		t.Errorf("Parse = %v, want the reader's error", err)
	}
}

// TestRoundTrip prints entries and reads them back: the sets of this package, and those that valgrind and its
// distribution ship.
func TestRoundTrip(t *testing.T) {
	paths, err := filepath.Glob("*.supp")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no suppression files here: %v", err)
	}
	for _, pattern := range []string{"/usr/libexec/valgrind/*.supp", "/usr/lib/valgrind/*.supp",
		"/usr/lib/*/valgrind/*.supp"} {
		others, _ := filepath.Glob(pattern)
		paths = append(paths, others...)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
			continue
		}
		entries, err := Parse(path, bytes.NewReader(text))
		if want := bytes.Count(text, []byte("\n{")); err != nil || len(entries) < want || want == 0 {
			t.Errorf("%s: %d entries, %v; want at least %d", path, len(entries), err, want)
		}
		for _, e := range entries {
			again, err := Parse(e.File, strings.NewReader(strings.Repeat("\n", e.Line-1-len(e.Comment))+e.String()))
			if err == nil && len(again) == 1 {
				again[0].Line = e.Line // comments inside an entry are printed above it
			}
			if err != nil || len(again) != 1 || !reflect.DeepEqual(again[0], e) {
				t.Errorf("%s:%d: read back as %+v, %v; want %+v", path, e.Line, again, err, e)
			}
		}
		if filepath.Dir(path) == "." {
			var printed strings.Builder
			for i, e := range entries {
				if i > 0 {
					printed.WriteString("\n")
				}
				printed.WriteString(e.String())
			}
			if printed.String() != string(text) {
				t.Errorf("%s is printed as\n%s", path, &printed)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("# c\n{\n n\n Memcheck:Leak\n match-leak-kinds: definite\n fun:a*\n ...\n}\n"))
	f.Add([]byte("{\n n\n Memcheck:Param\n write(buf)\n obj:a\n src:b:1\n}"))
	f.Add([]byte("{\r\n n\r\n A,B:C\r\n x\r\n}\r\n{"))
	f.Fuzz(func(t *testing.T, text []byte) {
		entries, err := Parse("f", bytes.NewReader(text))
		var e *SyntaxError
		if err != nil && (!errors.As(err, &e) || e.Line < 1 || e.Line > bytes.Count(text, []byte("\n"))+1) {
			t.Fatalf("error %v", err)
		}
		for _, e := range entries {
			again, err := Parse(e.File, strings.NewReader(e.String()))
			if err != nil || len(again) != 1 {
				t.Fatalf("%q is printed as %q and read back as %v, %v", text, e, again, err)
			}
			again[0].Line = e.Line
			if !reflect.DeepEqual(again[0], e) {
				t.Fatalf("%q is printed as %q and read back as %+v", text, e, again[0])
			}
		}
	})
}
