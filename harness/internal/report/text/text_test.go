package text_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cgogrind/cgogrind/harness/internal/report/text"
	"github.com/cgogrind/cgogrind/harness/result"
)

var update = flag.Bool("update", false, "rewrite the goldens")

// Each testdata/NAME.jsonl is a result stream; NAME.txt is how it is shown, NAME.color.txt in colour.
func TestGolden(t *testing.T) {
	streams, err := filepath.Glob("testdata/*.jsonl")
	if err != nil || len(streams) == 0 {
		t.Fatalf("no streams in testdata (%v)", err)
	}
	for _, stream := range streams {
		t.Run(filepath.Base(stream), func(t *testing.T) {
			base := strings.TrimSuffix(stream, ".jsonl")
			golden(t, base+".txt", show(t, stream, text.Options{}))
			golden(t, base+".color.txt", show(t, stream, text.Options{Color: true}))
		})
	}
}

func show(t *testing.T, stream string, opts text.Options) string {
	t.Helper()
	f, err := os.Open(stream)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out bytes.Buffer
	h := text.New(&out, opts)
	for m, err := range result.Decode(f) {
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Handle(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: %s", file, diff)
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

// What a program under test prints must not reach the terminal as commands.
func TestControlCharacters(t *testing.T) {
	evil := "a\x1b]0;title\x07b\x1b[31mc\x9bd\u202ee\rf\x00g"
	var out bytes.Buffer
	h := text.New(&out, text.Options{})
	for _, m := range []result.Message{
		{Config: &result.Config{Tool: evil, Go: evil, Valgrind: evil}},
		{Test: &result.Test{Package: evil, Name: evil, Verdict: result.Fail, Reason: evil, Output: evil, Repro: evil}},
		{Finding: &result.Finding{Kind: evil, Package: evil, Tests: []string{evil}, Disposition: result.New, Message: evil,
			Fingerprint: "00", Hint: evil, Repro: evil, Blame: &result.Frame{Function: evil, File: evil, Line: 1, Source: evil},
			Stacks: []result.Stack{{Label: evil, Frames: []result.Frame{{Function: evil, File: evil}, {Object: evil}}}}}},
		{Summary: &result.Summary{}},
	} {
		if err := h.Handle(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	for _, bad := range []string{"\x1b", "\x07", "\x9b", "\u202e", "\r", "\x00"} {
		if strings.Contains(out.String(), bad) {
			t.Errorf("%q came through:\n%q", bad, out.String())
		}
	}
	if n := strings.Count(out.String(), "abc\uFFFDdefg"); n < 10 {
		t.Errorf("only %d of the texts are there:\n%s", n, out.String())
	}
}
