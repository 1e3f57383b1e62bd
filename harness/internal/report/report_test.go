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

// A leak says how much all of its records lost, as the baseline does.
func TestMessage(t *testing.T) {
	for _, c := range []struct {
		f    result.Finding
		want string
	}{
		{result.Finding{Message: "2 bytes in 1 blocks are definitely lost", Count: 1, Bytes: 2, Blocks: 1}, "2 bytes in 1 blocks are definitely lost"},
		{result.Finding{Message: "2 bytes in 1 blocks are definitely lost", Count: 2, Bytes: 5, Blocks: 2}, "5 bytes in 2 blocks are definitely lost"},
		{result.Finding{Message: "1,040 (+40) (16 direct, 1,024 indirect) bytes in 1 (+1) blocks are definitely lost", Count: 3, Bytes: 1234567, Blocks: 1000},
			"1,234,567 bytes in 1,000 blocks are definitely lost"},
		{result.Finding{Message: "40 (+40) bytes in 1 (+1) blocks are possibly lost", Count: 3, Bytes: 9, Blocks: 4}, "9 bytes in 4 blocks are possibly lost"},
		{result.Finding{Message: "Invalid read of size 4", Count: 7}, "Invalid read of size 4"},
		{result.Finding{Message: "lost\n\x1b[1m", Count: 7, Blocks: 2}, "lost"},
		{},
	} {
		if got := report.Message(&c.f); got != c.want {
			t.Errorf("%q, %d times: %q, want %q", c.f.Message, c.f.Count, got, c.want)
		}
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

func TestGroup(t *testing.T) {
	var s report.Store
	for _, f := range []result.Finding{
		{Fingerprint: "a"},                           // 0
		{Fingerprint: "b", Cause: "known"},           // 1: the first one is not new
		{Fingerprint: "c", Cause: "a"},               // 2
		{Fingerprint: "known", Disposition: "known"}, // 3
		{Fingerprint: "d", Cause: "known"},           // 4
		{Fingerprint: "a", Package: "example.com/q"}, // 5: the same defect in another package
		{Fingerprint: "f", Cause: "e"},               // 6: before the first one
		{Fingerprint: "e"},                           // 7
		{}, {},                                       // 8, 9: nothing says that these are one
	} {
		s.Add(&f)
	}
	want := [][]int{{0, 2, 5}, {1, 4}, {7, 6}, {8}, {9}}
	if diff := cmp.Diff(want, s.Group(s.New())); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([][]int{{2}, {7}}, s.Group([]int{2, 7})); diff != "" {
		t.Error(diff)
	}
}

// Formats that share a store have the same numbers, and a finding is kept once.
func TestSharedStore(t *testing.T) {
	s, a, b := report.NewShared(), &result.Finding{Fingerprint: "a"}, &result.Finding{Fingerprint: "b"}
	for i, f := range []*result.Finding{a, b} {
		for range 3 {
			if got := s.Add(f); got != i {
				t.Errorf("finding %d has the number %d", i, got)
			}
		}
	}
	if s.Len() != 2 || s.Finding(1).Fingerprint != "b" {
		t.Errorf("%d findings", s.Len())
	}
	var own report.Store
	if own.Add(a); own.Add(a) != 1 {
		t.Error("a store that is not shared keeps what it is given")
	}
}
