package html_test

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"github.com/cgogrind/cgogrind/harness/internal/report/html"
	"github.com/cgogrind/cgogrind/harness/internal/report/reporttest"
	"github.com/cgogrind/cgogrind/harness/result"
)

func format(w io.Writer) result.Handler { return html.New(w, reporttest.ReadFile) }

func TestFullDisk(t *testing.T) { reporttest.FullDisk(t, format) }

func TestAllThere(t *testing.T) { reporttest.AllThere(t, format) }

// pageData is the data of a page, as its script sees it.
type pageData struct {
	Findings []struct {
		I, D       string
		K, P, M, B int
		T          []int
		S          []struct {
			L int
			F []int
		}
		C, Y, N uint64
		H, R    int
	}
	Tests []struct {
		P, N, W, O, R int
		V             string
		E             float64
	}
	Frames []struct {
		F, P, T, S int
		L          string
		X          []int
	}
	Texts []string
}

// read takes the data out of a page, checks that all numbers in it are of something, and that the page needs no other file.
func read(t *testing.T, page string) *pageData {
	t.Helper()
	m := regexp.MustCompile(`(?s)<script type="application/json" id="data">(.*?)</script>`).FindStringSubmatch(page)
	if m == nil {
		t.Fatal("the page has no data")
	}
	if strings.ContainsAny(m[1], "<>&\u2028\u2029") {
		t.Error("the data has characters that mean something in HTML")
	}
	var d pageData
	if err := json.Unmarshal([]byte(m[1]), &d); err != nil {
		t.Fatal(err)
	}
	text := func(n int) {
		if n < 0 || n >= len(d.Texts) {
			t.Errorf("there is no text %d", n)
		}
	}
	frame := func(n int) {
		if n < 0 || n >= len(d.Frames) {
			t.Errorf("there is no frame %d", n)
		}
	}
	for _, f := range d.Findings {
		for _, n := range append([]int{f.K, f.P, f.M, f.H, f.R}, f.T...) {
			text(n)
		}
		if f.B != -1 {
			frame(f.B)
		}
		for _, s := range f.S {
			text(s.L)
			for _, n := range s.F {
				frame(n)
			}
		}
		if !regexp.MustCompile(`^(new|known|suppressed|expected)$`).MatchString(f.D) {
			t.Errorf("disposition %q", f.D)
		}
	}
	for _, x := range d.Tests {
		for _, n := range []int{x.P, x.N, x.W, x.O, x.R} {
			text(n)
		}
		if !regexp.MustCompile(`^(pass|fail|inconclusive|skip)$`).MatchString(x.V) {
			t.Errorf("verdict %q", x.V)
		}
	}
	for _, f := range d.Frames {
		for _, n := range []int{f.F, f.P, f.T, f.S} {
			text(n)
		}
		for _, n := range f.X[min(1, len(f.X)):] {
			text(n)
		}
	}
	if n := strings.Count(page, "<script"); n != 2 {
		t.Errorf("%d scripts", n)
	}
	for _, other := range regexp.MustCompile(`<(link|img|iframe|object|embed|base)\b|<[a-z]+[^>]*\s(src|href|action)=|url\(`).FindAllString(strings.Replace(page, m[1], "", 1), -1) {
		t.Errorf("the page needs another file: %s", other)
	}
	return &d
}

func TestData(t *testing.T) {
	for _, name := range []string{"wrap.jsonl", "findings.jsonl", "nothing.jsonl"} {
		t.Run(name, func(t *testing.T) {
			msgs := reporttest.Stream(t, name)
			d := read(t, reporttest.Write(t, msgs, format))
			findings, tests := 0, 0
			for _, m := range msgs {
				if m.Finding != nil {
					findings++
				}
				if m.Test != nil {
					tests++
				}
			}
			if len(d.Findings) != findings || len(d.Tests) != tests {
				t.Errorf("%d findings of %d, %d tests of %d", len(d.Findings), findings, len(d.Tests), tests)
			}
		})
	}
}

func TestHostile(t *testing.T) {
	page := reporttest.Write(t, reporttest.Hostile(), format)
	d := read(t, page)
	for _, bad := range append([]string{"<script>alert", "<img", "{{.}}<"}, reporttest.Controls...) {
		if strings.Contains(page, bad) {
			t.Errorf("%q came through", bad)
		}
	}
	if len(d.Findings) != 8 || len(d.Tests) != 8 {
		t.Errorf("%d findings and %d tests", len(d.Findings), len(d.Tests))
	}
}

func TestExcerpts(t *testing.T) {
	finding := func(file string, line int, source string) []result.Message {
		f := result.Frame{Function: "f", File: file, Line: line, Source: source}
		return []result.Message{{Config: &result.Config{}},
			{Finding: &result.Finding{Blame: &f, Stacks: []result.Stack{{Frames: []result.Frame{f}}}}}, {Summary: &result.Summary{}}}
	}
	const file = "one\n\ttwo\nthree\nfour\nfive\nsix\r\nseven\n\x1b[31meight\n"
	for _, c := range []struct {
		name, file, source string
		line               int
		want               string // the number of the first line, and the lines
	}{
		{"in the middle", "/s/a.go", "four", 4, "1 one|\ttwo|three|four|five|six|seven"},
		{"at the beginning", "/s/a.c", "one", 1, "1 one|\ttwo|three|four"},
		{"indented", "/s/a.go", "two", 2, "1 one|\ttwo|three|four|five"},
		{"at the end", "/s/a.go", "seven", 7, "4 four|five|six|seven|eight|"},
		{"another version of the file", "/s/a.go", "fore", 4, ""},
		{"the line is gone", "/s/a.go", "four", 400, ""},
		{"the run saw no source", "/s/a.go", "", 4, ""},
		{"no source file", "/s/passwd", "four", 4, ""},
		{"not there", "/t/a.go", "four", 4, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := read(t, reporttest.Write(t, finding(c.file, c.line, c.source), func(w io.Writer) result.Handler {
				return html.New(w, func(name string) ([]byte, error) {
					if strings.HasPrefix(name, "/s/") {
						return []byte(file), nil
					}
					return nil, fs.ErrNotExist
				})
			}))
			got := ""
			if x := d.Frames[0].X; len(x) > 0 {
				var lines []string
				for _, n := range x[1:] {
					lines = append(lines, d.Texts[n])
				}
				got = string(rune('0'+x[0])) + " " + strings.Join(lines, "|")
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// A summary that nobody can write must not be taken for a page.
func TestNothingBeforeTheSummary(t *testing.T) {
	var out strings.Builder
	h := html.New(&out, func(string) ([]byte, error) { return nil, errors.New("no files here") })
	for _, m := range reporttest.Stream(t, "wrap.jsonl") {
		if m.Summary == nil {
			if err := h.Handle(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
	}
	if out.Len() > 0 {
		t.Errorf("%d bytes were written", out.Len())
	}
}
