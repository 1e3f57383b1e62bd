package github_test

import (
	"flag"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/cgogrind/cgogrind/harness/internal/report/github"
	"github.com/cgogrind/cgogrind/harness/internal/report/reporttest"
	"github.com/cgogrind/cgogrind/harness/result"
)

var update = flag.Bool("update", false, "rewrite the goldens")

func format(w io.Writer) result.Handler { return github.New(w) }

func TestGolden(t *testing.T) {
	reporttest.Golden(t, *update, ".txt", format, func(t *testing.T, out string) { commands(t, out) })
}

func TestFullDisk(t *testing.T) { reporttest.FullDisk(t, format) }

type command struct {
	name, data string
	properties map[string]string
}

// commands reads the output as the runner does (ActionCommand.TryParseV2 of actions/runner) and checks that it is annotations.
func commands(t *testing.T, out string) (got []command) {
	t.Helper()
	unescape := func(s string) string {
		return strings.NewReplacer("%0D", "\r", "%0A", "\n", "%3A", ":", "%2C", ",", "%25", "%").Replace(s)
	}
	line := regexp.MustCompile(`^::([a-z-]+)(?: ([^\n]*?))?::(.*)\n$`)
	for l := range strings.Lines(out) {
		m := line.FindStringSubmatch(l)
		if m == nil {
			t.Fatalf("no workflow command: %.200q", l)
		}
		c := command{name: m[1], data: unescape(m[3]), properties: map[string]string{}}
		if !slices.Contains([]string{"error", "warning", "notice"}, c.name) {
			t.Errorf("command %s", c.name)
		}
		for _, p := range strings.Split(m[2], ",") {
			key, value, ok := strings.Cut(p, "=")
			if !ok || !slices.Contains([]string{"file", "line", "title"}, key) {
				t.Errorf("property %.80q", p)
			}
			c.properties[key] = unescape(value)
		}
		got = append(got, c)
	}
	return got
}

func TestHostile(t *testing.T) {
	got := reporttest.Write(t, reporttest.Hostile(), format)
	for _, bad := range append([]string{"##["}, reporttest.Controls...) {
		if strings.Contains(got, bad) {
			t.Errorf("%q came through", bad)
		}
	}
	var names []string
	for _, c := range commands(t, got) {
		names = append(names, c.name)
		if f := c.properties["file"]; f == "/etc/passwd" {
			t.Error("an injected command was obeyed")
		}
	}
	if len(names) < 5 || names[len(names)-1] != "notice" {
		t.Errorf("commands %v", names)
	}
}

func TestAnnotation(t *testing.T) {
	all := commands(t, reporttest.Write(t, reporttest.Stream(t, "wrap.jsonl"), format))
	first := all[0]
	if first.properties["file"] != "errtext/errtext.go" || first.properties["line"] != "13" {
		t.Errorf("it is at %v", first.properties)
	}
	if !strings.Contains(first.data, "blame  errtext.Text  ") {
		t.Errorf("it says %s", first.data)
	}
}

// GitHub shows ten; a hundred thousand lines of log help nobody.
func TestMany(t *testing.T) {
	var msgs []result.Message
	for i := range 50 {
		msgs = append(msgs, result.Message{Finding: &result.Finding{Kind: "InvalidRead", Disposition: result.New, Message: fmt.Sprint(i)}},
			result.Message{Test: &result.Test{Name: fmt.Sprint("Test", i), Verdict: result.Inconclusive}})
	}
	msgs = append(msgs, result.Message{Summary: &result.Summary{New: 50}})
	got := commands(t, reporttest.Write(t, msgs, format))
	if len(got) != 21 || !strings.Contains(got[20].data, "40 findings, 40 tests") {
		t.Errorf("%d annotations, the last is %v", len(got), got[len(got)-1])
	}
}

// A test that failed for the findings of its subtests is not told of beside those.
func TestParent(t *testing.T) {
	var msgs []result.Message
	for _, test := range []result.Test{
		{Name: "TestA", Verdict: result.Fail, Otherwise: result.Pass, Reason: "TestA/x fails"},
		{Name: "TestA/x", Verdict: result.Fail, Otherwise: result.Pass, Findings: 1},
		{Name: "TestB", Verdict: result.Fail, Otherwise: result.Inconclusive, Reason: "TestB/x fails"},
		{Name: "TestC", Verdict: result.Fail},
	} {
		msgs = append(msgs, result.Message{Test: &test})
	}
	var titles []string
	for _, c := range commands(t, reporttest.Write(t, append(msgs, result.Message{Summary: &result.Summary{}}), format)) {
		titles = append(titles, c.properties["title"])
	}
	if want := []string{"TestB failed", "TestC failed", "cgogrind"}; !slices.Equal(titles, want) {
		t.Errorf("%q, want %q", titles, want)
	}
}

// One annotation tells of all that have one cause.
func TestCauses(t *testing.T) {
	all := commands(t, reporttest.Write(t, reporttest.Stream(t, "causes.jsonl"), format))
	if got := all[0].properties["title"]; !strings.HasSuffix(got, " in causes.UseAfterFree (p.go:29), and 2 more findings with this cause") {
		t.Errorf("title %q", got)
	}
	for _, want := range []string{"2 more findings with this cause:\n", "5a390b10098f07ab\n        test   TestUseAfterFree"} {
		if !strings.Contains(all[0].data, want) {
			t.Errorf("%q is not in %s", want, all[0].data)
		}
	}
	if notice := all[len(all)-1].data; len(all) != 11 || !strings.Contains(notice, "each: 1 findings, 0 tests") {
		t.Errorf("%d commands, %s", len(all), notice)
	}

	var msgs []result.Message
	finding := func(fingerprint, cause, kind string) {
		msgs = append(msgs, result.Message{Finding: &result.Finding{Fingerprint: fingerprint, Cause: cause, Kind: kind, Disposition: result.New}})
	}
	finding("1", "", "Leak_DefinitelyLost")
	for i := range 15 {
		finding(fmt.Sprint("o", i), "1", "Leak_IndirectlyLost")
	}
	finding("3", "2", "Leak_DefinitelyLost")
	finding("2", "", "InvalidFree")
	msgs = append(msgs, result.Message{Summary: &result.Summary{New: 18}})
	all = commands(t, reporttest.Write(t, msgs, format))
	if len(all) != 3 || all[0].name != "warning" || all[1].name != "error" || !strings.HasPrefix(all[1].properties["title"], "InvalidFree") {
		t.Errorf("%v", all)
	}
	if !strings.HasSuffix(all[0].properties["title"], "and 15 more findings with this cause") || !strings.HasSuffix(all[0].data, "and 5 more") {
		t.Errorf("%v", all[0])
	}
}

// The runner cuts off what is longer than 4,096 characters: the findings with this cause, and the end of a test's output.
func TestLongTexts(t *testing.T) {
	var stack []result.Frame
	for i := range 120 {
		stack = append(stack, result.Frame{Function: fmt.Sprint("function", i), File: "/src/p.c", Line: i + 1})
	}
	finding := func(fingerprint, cause string) result.Message {
		return result.Message{Finding: &result.Finding{Fingerprint: fingerprint, Cause: cause, Kind: "InvalidFree", Disposition: result.New,
			Stacks: []result.Stack{{Frames: stack}}}}
	}
	test := func(output string) result.Message {
		return result.Message{Test: &result.Test{Name: "TestA", Verdict: result.Fail, Reason: "it failed", Output: output}}
	}
	all := commands(t, reporttest.Write(t, []result.Message{
		finding("first", ""), finding("second", "first"), test(strings.Repeat("line\n", 2000) + "the end\n"), test(strings.Repeat("é", 9000)),
		{Summary: &result.Summary{New: 2}},
	}, format))
	for i, want := range [][]string{{"function0 ", "\n  …\n", "1 more finding with this cause", "second"},
		{"it failed", "\n  …\nline\n", "\nthe end"}, {"it failed", "\n  …\n"}} {
		if n := len(all[i].data); !utf8.ValidString(all[i].data) || n > 4096 || n < 2000 && i < 2 {
			t.Errorf("%d bytes", n)
		}
		for _, w := range want {
			if !strings.Contains(all[i].data, w) {
				t.Errorf("%q is not in %s", w, all[i].data)
			}
		}
	}
}
