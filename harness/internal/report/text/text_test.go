package text_test

import (
	"bytes"
	"flag"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cgogrind/cgogrind/harness/internal/report/reporttest"
	"github.com/cgogrind/cgogrind/harness/internal/report/text"
	"github.com/cgogrind/cgogrind/harness/result"
)

var update = flag.Bool("update", false, "rewrite the goldens")

func plain(w io.Writer) result.Handler    { return text.New(w, text.Options{}) }
func coloured(w io.Writer) result.Handler { return text.New(w, text.Options{Color: true}) }

func TestGolden(t *testing.T) {
	reporttest.Golden(t, *update, ".txt", plain, nil)
	reporttest.Golden(t, *update, ".color.txt", coloured, nil)
}

func TestFullDisk(t *testing.T) { reporttest.FullDisk(t, plain) }

func TestAllThere(t *testing.T) { reporttest.AllThere(t, plain) }

func TestHostile(t *testing.T) {
	got := reporttest.Write(t, reporttest.Hostile(), plain)
	for _, bad := range append([]string{"##["}, reporttest.Controls...) {
		if strings.Contains(got, bad) {
			t.Errorf("%q came through", bad)
		}
	}
	for line := range strings.Lines(got) {
		if strings.HasPrefix(strings.TrimSpace(line), "::") {
			t.Errorf("a workflow command: %.80q", line)
		}
	}
	if n := strings.Count(got, "alert(1)"); n < 30 {
		t.Errorf("only %d of the texts are there", n)
	}
}

func TestProgress(t *testing.T) {
	msg := result.Message{Progress: &result.Progress{Package: "example.com/m/p", Text: "ran   Tést\x1b[2JA (0.02s)"}}
	verdict := result.Message{Test: &result.Test{Package: "example.com/m/p", Name: "TestA", Verdict: result.Pass}}
	for _, c := range []struct {
		name  string
		width int
		want  string
	}{
		{"lines", 0, "p: ran   TéstA (0.02s)\n"},
		{"one line of a terminal", 40, "\r\x1b[Kp: ran   TéstA (0.02s)\r\x1b[K"},
		{"narrow terminal", 12, "\r\x1b[Kp: ran   T…\r\x1b[K"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, progress bytes.Buffer
			h := text.New(&out, text.Options{Progress: &progress, ProgressWidth: c.width})
			for _, m := range []result.Message{msg, verdict} {
				if err := h.Handle(t.Context(), m); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(c.want, progress.String()); diff != "" {
				t.Error(diff)
			}
			if want := "\nexample.com/m/p\n  pass  TestA (0.00s)\n"; out.String() != want {
				t.Errorf("%q, want %q", out.String(), want)
			}
		})
	}
}

// In short or in full, findings of one cause stand behind the one that came first.
func TestCauses(t *testing.T) {
	msgs := reporttest.Stream(t, "causes.jsonl")
	short := reporttest.Write(t, msgs, plain)
	full := reporttest.Write(t, msgs, func(w io.Writer) result.Handler { return text.New(w, text.Options{Full: true}) })
	for _, c := range []struct {
		name, out   string
		lists, told int
	}{{"short", short, 7, 11}, {"full", full, 0, 21}} {
		if n := strings.Count(c.out, " with this cause:"); n != c.lists {
			t.Errorf("%s: %d lists of others, want %d", c.name, n, c.lists)
		}
		if n := strings.Count(c.out, "\n    blame  "); n != c.told {
			t.Errorf("%s: %d findings in full, want %d", c.name, n, c.told)
		}
	}
	first, other := strings.Index(full, "  f912df1339049224\n"), strings.Index(full, "  2a4d6dcc3efa53e8\n")
	next := strings.Index(full, "  c653d76504597561\n") // came before the other one
	if first < 0 || other < first || next < other {
		t.Errorf("they are at %d, %d and %d", first, other, next)
	}
	if !strings.Contains(full, "\n    cause  that of f912df1339049224, which came first\n") {
		t.Error("it does not say what the cause is")
	}
}
