// Package markdown writes a run as Markdown, for a place where people look first: the summary of a GitHub step
// ($GITHUB_STEP_SUMMARY), a comment on a merge request. It is GitHub's dialect.
//
// Input is the run's messages. A step summary has at most 1 MiB, so that only the first findings and tests are told in full
// and the rest is counted.
package markdown

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/cgogrind/cgogrind/harness/internal/report"
	"github.com/cgogrind/cgogrind/harness/result"
)

const (
	maxDetails = 50        // findings, and tests, that are listed
	maxBytes   = 800 << 10 // after which no more is told in full
	maxTable   = 400 << 10 // after which no more is in the table
	maxText    = 8 << 10   // of one finding's stacks or one test's output
	maxLine    = 2 << 10   // of what is on one line: a C++ name can be longer than anybody reads
)

// Handler writes Markdown.
type Handler struct {
	out      io.Writer
	config   result.Config
	print    report.Printer
	findings []*group          // of the first new ones
	groupOf  map[string]*group // by cause
	listed   int               // findings in them
	tests    []*result.Test    // the first that did not pass
	more     int               // findings and tests that are not listed
	moreTest int
	expected int
	page     bytes.Buffer
}

// group is new findings that have one cause, the first one first.
type group struct{ findings []*result.Finding }

// New returns a Handler that writes to out.
func New(out io.Writer) *Handler { return &Handler{out: out, groupOf: make(map[string]*group)} }

// Handle takes a message; the page is written with the summary.
func (h *Handler) Handle(_ context.Context, m result.Message) error {
	switch {
	case m.Config != nil:
		h.config, h.print.Places = *m.Config, report.PlacesOf(m.Config)
	case m.Test != nil:
		if v := m.Test.Verdict; v == result.Pass || v == result.Skip {
			break
		}
		if len(h.tests) < maxDetails {
			h.tests = append(h.tests, m.Test)
		} else {
			h.moreTest++
		}
	case m.Finding != nil:
		switch {
		case m.Finding.Disposition == result.Expected:
			h.expected++
		case !report.IsNew(m.Finding):
		case h.listed < maxDetails:
			h.add(m.Finding)
		default:
			h.more++
		}
	case m.Summary != nil:
		h.write(m.Summary)
		if _, err := h.page.WriteTo(h.out); err != nil {
			return fmt.Errorf("writing Markdown: %w", err)
		}
	}
	return nil
}

// add lists a finding, behind those that have its cause.
func (h *Handler) add(f *result.Finding) {
	h.listed++
	cause := report.Cause(f)
	g := h.groupOf[cause]
	switch {
	case g == nil || cause == "":
		g = &group{}
		h.groupOf[cause] = g
		h.findings = append(h.findings, g)
	case f.Cause == "" && g.findings[0].Cause != "":
		g.findings = slices.Insert(g.findings, 0, f)
		return
	}
	g.findings = append(g.findings, f)
}

func (h *Handler) line(format string, args ...any) { fmt.Fprintf(&h.page, format+"\n", args...) }

func (h *Handler) write(s *result.Summary) {
	h.line("## %s\n", headline(s))
	h.line("| tests | passed | failed | inconclusive | skipped |\n|---|--:|--:|--:|--:|")
	h.line("| | %d | %d | %d | %d |\n", s.Passed, s.Failed, s.Inconclusive, s.Skipped)
	h.line("| findings | new | known | suppressed | expected |\n|---|--:|--:|--:|--:|")
	h.line("| | %d | %d | %d | %d |\n", s.New, s.Known, s.Suppressed, h.expected)
	if len(h.findings) > 0 {
		h.line("### New findings\n")
		h.line("| | where | tests |\n|---|---|---|")
		listed := 0 // groups that have a row
		for n, g := range h.findings {
			for i, alike := range rows(g.findings) {
				f := alike[0]
				if h.page.Len() > maxTable {
					h.more += len(alike)
					continue
				}
				listed = n + 1
				where, same := "", ""
				if f.Blame != nil {
					where = code(h.print.Location(f.Blame)) + " " + code(report.Function(f.Blame))
				}
				if i > 0 {
					same = "↳ "
				}
				what := text(f.Kind) + ": " + text(report.Message(f))
				if len(alike) > 1 {
					what = fmt.Sprintf("%d × %s", len(alike), text(f.Kind))
				}
				h.line("| %s%s | %s | %s |", same, what, where, text(tests(f)))
			}
		}
		h.line("")
		if len(h.findings) < h.listed {
			h.line("↳ has the cause of the one above it.\n")
		}
		for _, g := range h.findings[:listed] {
			h.finding(g)
		}
		if h.more > 0 {
			h.line("… and %d more.\n", h.more)
		}
	}
	if len(h.tests) > 0 {
		h.line("### Tests that did not pass\n")
		for _, t := range h.tests {
			h.test(t)
		}
		if h.moreTest > 0 {
			h.line("\n… and %d more.", h.moreTest)
		}
		h.line("")
	}
	took := time.Duration(s.ElapsedS * float64(time.Second)).Round(10 * time.Millisecond)
	versions := []string{"cgogrind " + h.config.Tool, h.config.Go, "valgrind " + h.config.Valgrind,
		"flags of " + report.Near(h.config.Configuration, h.config.Dir), took.String()}
	versions = slices.DeleteFunc(versions, func(s string) bool { return s == "" || strings.HasSuffix(s, " ") })
	h.line("<sub>%s</sub>", text(strings.Join(versions, ", ")))
}

// rows are the findings of a group by the rows that they have: the first its own, then those that are alike in one.
func rows(group []*result.Finding) [][]*result.Finding {
	return slices.Concat([][]*result.Finding{group[:1]}, report.Alike(group[1:]))
}

func headline(s *result.Summary) string {
	switch {
	case s.New == 1:
		return "❌ memcheck found a new defect"
	case s.New > 0:
		return fmt.Sprintf("❌ memcheck found %d new defects", s.New)
	case s.Inconclusive > 0:
		return "⚠️ the memory check is inconclusive"
	case s.Passed+s.Failed+s.Skipped == 0:
		return "⚠️ no test ran under memcheck"
	case s.Failed > 0:
		return "❌ tests failed; memcheck found nothing new"
	}
	return "✅ memcheck found nothing new"
}

// tests names the first few that hit a finding.
func tests(f *result.Finding) string {
	const few = 3
	names := f.Tests[:min(few, len(f.Tests))]
	out := strings.Join(names, ", ")
	if n := len(f.Tests) - len(names); n > 0 {
		out += fmt.Sprintf(" and %d more", n)
	}
	if f.Attribution == result.OneOf {
		out = "one of " + out
	}
	return out
}

func (h *Handler) finding(g *group) {
	f := g.findings[0]
	if h.page.Len() > maxBytes {
		return // it is in the table
	}
	h.line("<details><summary>%s</summary>\n", text(h.print.Headline(f)))
	if f.Hint != "" {
		h.line("<b>Hint:</b> %s\n", text(f.Hint))
	}
	var stacks strings.Builder
	brief := *f
	brief.Hint = ""
	h.print.Finding(&stacks, &brief)
	h.print.Others(&stacks, g.findings[1:])
	h.block(stacks.String())
	h.line("\n</details>\n")
}

func (h *Handler) test(t *result.Test) {
	if h.page.Len() > maxBytes {
		h.moreTest++
		return
	}
	what := fmt.Sprintf("<b>%s</b> %s (%s)", text(string(t.Verdict)), text(t.Name), text(t.Package))
	if t.Reason != "" {
		what += ": " + text(t.Reason)
	}
	if t.Output == "" {
		h.line("<p>%s</p>\n", what)
		return
	}
	h.line("<details><summary>%s</summary>\n", what)
	h.block(report.Clean(t.Output))
	h.line("\n</details>\n")
}

// block writes text as it is, between fences that are longer than any in it.
func (h *Handler) block(s string) {
	s = strings.Trim(s, "\n")
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "\n…"
	}
	fence := "```"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	h.line("%stext\n%s\n%s", fence, s, fence)
}

// special are the characters that mean something in GitHub's Markdown or in HTML within a line. They become references,
// which mean nothing in either.
const special = "\\`*_{}[]<>#|~&@:\"'$!"

// text writes s so that it means itself within a line.
func text(s string) string {
	var b strings.Builder
	if s = report.Line(s); len(s) > maxLine {
		s = strings.ToValidUTF8(s[:maxLine], "") + "…"
	}
	for _, r := range s {
		if strings.ContainsRune(special, r) {
			fmt.Fprintf(&b, "&#%d;", r)
		} else {
			b.WriteRune(r)
		}
		if r == '@' || r == '#' {
			b.WriteString("&#8203;") // a zero-width space: GitHub looks for names and numbers of issues after all else
		}
	}
	return strings.ReplaceAll(b.String(), "www.", "www&#46;")
}

// code is text in the font of code.
func code(s string) string {
	if s == "" {
		return ""
	}
	return "<code>" + text(s) + "</code>"
}
