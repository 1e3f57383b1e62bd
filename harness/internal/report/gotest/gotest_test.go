package gotest_test

import (
	"encoding/json"
	"flag"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/cgogrind/cgogrind/harness/internal/report/gotest"
	"github.com/cgogrind/cgogrind/harness/internal/report/reporttest"
	"github.com/cgogrind/cgogrind/harness/result"
)

var update = flag.Bool("update", false, "rewrite the goldens")

func events(w io.Writer) result.Handler { return gotest.New(w) }

func TestGolden(t *testing.T) {
	reporttest.Golden(t, *update, ".jsonl", events, func(t *testing.T, output string) { wellFormed(t, output) })
}

func TestFullDisk(t *testing.T) { reporttest.FullDisk(t, events) }

func TestAllThere(t *testing.T) { reporttest.AllThere(t, events) }

func TestHostile(t *testing.T) {
	for _, text := range wellFormed(t, reporttest.Write(t, reporttest.Hostile(), events)) {
		for _, bad := range append([]string{"##["}, reporttest.Controls...) {
			if strings.Contains(text, bad) {
				t.Errorf("%q came through in %.80q", bad, text)
			}
		}
	}
}

// wellFormed checks that events come as go test promises, and returns all texts in them.
func wellFormed(t *testing.T, output string) (texts []string) {
	t.Helper()
	type state struct{ run, end int }
	tests, packages := make(map[string]*state), make(map[string]*state)
	get := func(m map[string]*state, key string) *state {
		if m[key] == nil {
			m[key] = &state{}
		}
		return m[key]
	}
	lines := 0
	for line := range strings.Lines(output) {
		lines++
		var e struct {
			Action, Package, Test, Output string
			Elapsed                       float64
		}
		dec := json.NewDecoder(strings.NewReader(line))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&e); err != nil {
			t.Fatalf("%.200q: %v", line, err)
		}
		texts = append(texts, e.Package, e.Test, e.Output)
		p := get(packages, e.Package)
		if (e.Action == "start") != (p.run == 0) || p.end > 0 {
			t.Errorf("package %.40q: %s out of order", e.Package, e.Action)
		}
		ended := slices.Contains([]string{"pass", "fail", "skip"}, e.Action)
		switch {
		case e.Action == "start":
			p.run++
		case e.Action == "output":
			if strings.Count(e.Output, "\n") != 1 || !strings.HasSuffix(e.Output, "\n") {
				t.Errorf("output is not one line: %.80q", e.Output)
			}
		case ended && e.Test == "":
			p.end++
		case e.Action == "run":
			get(tests, e.Package+"\x00"+e.Test).run++
		case ended:
			get(tests, e.Package+"\x00"+e.Test).end++
		default:
			t.Errorf("unknown action %q", e.Action)
		}
	}
	for name, s := range tests {
		if s.run != s.end {
			t.Errorf("test %.80q began %d times and ended %d times", name, s.run, s.end)
		}
	}
	for name, s := range packages {
		if s.end != 1 {
			t.Errorf("package %.80q ended %d times", name, s.end)
		}
	}
	if lines == 0 {
		t.Log("no events")
	}
	return texts
}

func TestInconclusiveFails(t *testing.T) {
	got := reporttest.Write(t, []result.Message{
		{Test: &result.Test{Package: "p", Name: "TestA", Verdict: result.Inconclusive, Reason: "killed"}},
		{Summary: &result.Summary{Inconclusive: 1}},
	}, events)
	for _, want := range []string{
		`{"Action":"fail","Package":"p","Test":"TestA"`, `cgogrind: inconclusive: killed\n`, `{"Action":"fail","Package":"p","Elapsed"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing in\n%s", want, got)
		}
	}
}

// A package whose tests passed and that has a new finding, which no test of its own is blamed for, must not pass.
func TestFindingFailsPackage(t *testing.T) {
	got := reporttest.Write(t, []result.Message{
		{Test: &result.Test{Package: "p", Name: "TestA", Verdict: result.Pass}},
		{Finding: &result.Finding{Package: "p", Kind: "InvalidRead", Disposition: result.New}},
		{Summary: &result.Summary{Passed: 1, New: 1}},
	}, events)
	if !strings.Contains(got, `{"Action":"fail","Package":"p","Elapsed"`) {
		t.Errorf("the package passes:\n%s", got)
	}
}
