package markdown_test

import (
	"flag"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"

	"github.com/cgogrind/cgogrind/harness/internal/report/markdown"
	"github.com/cgogrind/cgogrind/harness/internal/report/reporttest"
	"github.com/cgogrind/cgogrind/harness/result"
)

var update = flag.Bool("update", false, "rewrite the goldens")

func format(w io.Writer) result.Handler { return markdown.New(w) }

func TestGolden(t *testing.T) {
	reporttest.Golden(t, *update, ".md", format, func(t *testing.T, page string) { tags(t, page) })
}

func TestFullDisk(t *testing.T) { reporttest.FullDisk(t, format) }

func TestAllThere(t *testing.T) { reporttest.AllThere(t, format) }

// tags renders a page as GitHub does, HTML included, and returns the tags in it: they must be those that the format itself
// makes.
func tags(t *testing.T, page string) (rendered string, seen map[string]int) {
	t.Helper()
	var out strings.Builder
	md := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithUnsafe()))
	if err := md.Convert([]byte(page), &out); err != nil {
		t.Fatal(err)
	}
	allowed := regexp.MustCompile(`^(h2|h3|table|thead|tbody|tr|th|td|p|b|sub|code|pre|details|summary)$`)
	seen = make(map[string]int)
	for _, m := range regexp.MustCompile(`<([^\s>]+)[^>]*>`).FindAllStringSubmatch(out.String(), -1) {
		if name := strings.TrimPrefix(m[1], "/"); !allowed.MatchString(name) {
			t.Errorf("a tag that is not ours: %.100q", m[0])
		}
		seen[m[1]]++
	}
	for _, name := range []string{"details", "summary", "pre", "code", "table", "p"} {
		if seen[name] != seen["/"+name] {
			t.Errorf("%d <%s> and %d </%s>", seen[name], name, seen["/"+name], name)
		}
	}
	return out.String(), seen
}

func TestHostile(t *testing.T) {
	page := reporttest.Write(t, reporttest.Hostile(), format)
	for _, bad := range append([]string{"##["}, reporttest.Controls...) {
		if strings.Contains(page, bad) {
			t.Errorf("%q came through", bad)
		}
	}
	got, seen := tags(t, page)
	if strings.Contains(got, "href=") {
		t.Error("a link came through")
	}
	if seen["h2"] != 1 || seen["h3"] != 2 {
		t.Errorf("%d and %d headings", seen["h2"], seen["h3"])
	}
	if n := strings.Count(got, "alert(1)"); n < 20 {
		t.Errorf("only %d of the texts are there", n)
	}
}

// A step summary has room for 1 MiB.
func TestMany(t *testing.T) {
	var msgs []result.Message
	for i := range 400 {
		frames := make([]result.Frame, 200)
		for j := range frames {
			frames[j] = result.Frame{Function: strings.Repeat("f", 200), File: fmt.Sprint("/src/", i), Line: j}
		}
		msgs = append(msgs, result.Message{Finding: &result.Finding{Kind: "InvalidRead", Disposition: result.New, Message: fmt.Sprint(i),
			Stacks: []result.Stack{{Frames: frames}}}},
			result.Message{Test: &result.Test{Name: fmt.Sprint("Test", i), Verdict: result.Fail, Output: strings.Repeat("x", 50_000)}})
	}
	msgs = append(msgs, result.Message{Summary: &result.Summary{New: 400, Failed: 400}})
	page := reporttest.Write(t, msgs, format)
	if len(page) > 1<<20 {
		t.Errorf("%d bytes", len(page))
	}
	listed := strings.Count(page, "<details><summary><b>fail</b>")
	for _, want := range []string{"… and 350 more.", fmt.Sprintf("… and %d more.", 400-listed)} {
		if !strings.Contains(page, want) {
			t.Errorf("%s is missing", want)
		}
	}
}

// Names can be longer than what there is room for.
func TestLongNames(t *testing.T) {
	var msgs []result.Message
	long := strings.Repeat("std::", 20_000)
	for i := range 60 {
		f := &result.Finding{Fingerprint: fmt.Sprint(i), Kind: "InvalidRead", Disposition: result.New, Message: long, Hint: long, Tests: []string{long},
			Blame: &result.Frame{Function: long, File: "/" + long, Line: i + 1}}
		if i%2 == 1 {
			f.Cause = "0"
		}
		msgs = append(msgs, result.Message{Finding: f}, result.Message{Test: &result.Test{Name: long, Verdict: result.Fail, Reason: long, Output: long}})
	}
	page := reporttest.Write(t, append(msgs, result.Message{Summary: &result.Summary{New: 60, Failed: 60}}), format)
	rows := strings.Count(page, "| InvalidRead: ") + strings.Count(page, "| ↳ InvalidRead: ")
	if len(page) > 1<<20 || rows < 5 || !strings.Contains(page, fmt.Sprintf("… and %d more.", 60-rows)) {
		t.Errorf("%d bytes, %d rows", len(page), rows)
	}
}
