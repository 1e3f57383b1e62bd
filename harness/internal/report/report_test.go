package report_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/cgogrind/cgogrind/harness/internal/report"
	"github.com/cgogrind/cgogrind/harness/internal/report/reporttest"
	"github.com/cgogrind/cgogrind/harness/result"
)

func TestWithin(t *testing.T) {
	for _, c := range []struct {
		dir, file, rel string
		ok             bool
	}{
		{"/src", "/src/a.go", "a.go", true},
		{"/src", "/src/p/a.go", "p/a.go", true},
		{"/src/", "/src/p/a.go", "p/a.go", true},
		{"/src", "/src//p/./a.go", "p/a.go", true},
		{"/src", "/src/p/../a.go", "a.go", true},
		{"/src", "/src/../etc/passwd", "", false},
		{"/src", "/srcs/a.go", "", false},
		{"/src", "a.go", "", false},
		{"/", "/etc/a.go", "etc/a.go", true},
		{"", "/src/a.go", "", false},
	} {
		if rel, ok := report.Within(c.dir, c.file); ok != c.ok || ok && rel != c.rel {
			t.Errorf("Within(%q, %q) is %q, %v; want %q, %v", c.dir, c.file, rel, ok, c.rel, c.ok)
		}
	}
}

func TestClean(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"plain\ttext\n", "plain\ttext\n"},
		{"ünï", "ünï"},
		{"a\x1b]0;title\x07b\x1b[31mc\x9bd\u202ee\rf\x00g", "abc\uFFFDdefg"},
		{"::error::x", ": :error::x"},
		{"a\n \t::add-mask::x", "a\n \t: :add-mask::x"},
		{"librados::IoCtx::read", "librados::IoCtx::read"},
		{"a ##[error]b", "a # #[error]b"},
		{"\x1b[0m::error::x", ": :error::x"},
	} {
		if got := report.Clean(c.text); got != c.want {
			t.Errorf("Clean(%q) is %q, want %q", c.text, got, c.want)
		}
	}
	if got := report.Line("a\n\t b\u2028c"); got != "a bc" {
		t.Errorf("Line is %q", got)
	}
}

// What the store keeps comes out as it went in, whatever is in it.
func TestStore(t *testing.T) {
	var s report.Store
	var want []*result.Finding
	for _, name := range []string{"wrap.jsonl", "findings.jsonl"} {
		for _, m := range reporttest.Stream(t, name) {
			if m.Finding != nil {
				want = append(want, m.Finding)
				s.Add(m.Finding)
			}
		}
	}
	var got []*result.Finding
	for f := range s.All() {
		got = append(got, f)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	frames := 0
	for _, f := range want {
		for _, stack := range f.Stacks {
			frames += len(stack.Frames)
		}
	}
	if n := len(s.Frames()); n == 0 || n >= frames {
		t.Errorf("%d frames are kept of %d", n, frames)
	}
	s.Brief(0).Count = 77
	if s.Finding(0).Count != 77 {
		t.Error("a change is lost")
	}
}
