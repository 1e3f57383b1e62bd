// Package github writes a run as workflow commands of GitHub Actions: an annotation for each new finding, at the line that is
// blamed, for those that have one cause only one, and for each test that failed on its own or is inconclusive. The format and its escapes are documented at
// https://docs.github.com/actions/reference/workflow-commands-for-github-actions.
//
// Input is the run's messages. GitHub shows at most ten annotations of each level for a step, and 4,096 characters of each
// (ExecutionContext.cs of actions/runner), so that only a few are written, the longest without their middles, and the rest is
// counted; the whole is in the other formats.
package github

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/cgogrind/cgogrind/harness/internal/report"
	"github.com/cgogrind/cgogrind/harness/result"
)

const (
	maxAnnotations = 10   // of each level
	maxText        = 4096 // characters of one; as bytes, which are more
)

// Handler writes annotations.
type Handler struct {
	out      *bufio.Writer
	root     string
	print    report.Printer
	findings []*group
	groupOf  map[string]*group // by cause; those that are not shown, too
	tests    []annotation      // that failed or are inconclusive, for no finding
	more     int               // findings that are not written
	moreTest int
	expected int
}

// group is new findings that have one cause.
type group struct {
	first  *result.Finding
	others []*result.Finding
	more   int // that are not told
	leaks  bool
}

// maxOthers of a group are told in short beside its first finding.
const maxOthers = 10

type annotation struct {
	level, file, title, text string
	line                     int
}

// New returns a Handler that writes to out.
func New(out io.Writer) *Handler {
	return &Handler{out: bufio.NewWriter(out), groupOf: make(map[string]*group)}
}

// Handle takes a message; the annotations are written with the summary.
func (h *Handler) Handle(_ context.Context, m result.Message) error {
	switch {
	case m.Config != nil:
		h.print.Places = report.PlacesOf(m.Config)
		if h.root = m.Config.Root; h.root == "" {
			h.root = m.Config.Dir
		}
	case m.Test != nil:
		h.test(m.Test)
	case m.Finding != nil:
		h.finding(m.Finding)
	case m.Summary != nil:
		for _, g := range h.findings {
			h.write(h.annotation(g))
		}
		for _, a := range h.tests {
			h.write(a)
		}
		h.summary(m.Summary)
		if err := h.out.Flush(); err != nil {
			return fmt.Errorf("writing workflow commands: %w", err)
		}
	}
	return nil
}

func (h *Handler) finding(f *result.Finding) {
	if !report.IsNew(f) {
		if f.Disposition == result.Expected {
			h.expected++
		}
		return
	}
	cause, isLeak := report.Cause(f), strings.HasPrefix(f.Kind, "Leak_")
	g := h.groupOf[cause]
	switch {
	case cause == "" || g == nil:
		g = &group{leaks: isLeak}
		h.groupOf[cause] = g
		if len(h.findings) == maxAnnotations {
			h.more++
			return
		}
		g.first = f
		h.findings = append(h.findings, g)
		return
	case g.first == nil:
		h.more++
		return
	case f.Cause == "" && g.first.Cause != "":
		f, g.first = g.first, f
	}
	g.leaks = g.leaks && isLeak
	if len(g.others) == maxOthers {
		g.more++
		return
	}
	g.others = append(g.others, f)
}

// annotation is that of a group, where its first finding is blamed.
func (h *Handler) annotation(g *group) annotation {
	var text, others strings.Builder
	h.print.Finding(&text, g.first)
	h.print.Others(&others, g.others)
	a := annotation{level: "error", title: h.print.Headline(g.first)}
	switch n := len(g.others) + g.more; {
	case n == 1:
		a.title += ", and 1 more finding with this cause"
	case n > 1:
		a.title += fmt.Sprintf(", and %d more findings with this cause", n)
	}
	if g.more > 0 {
		fmt.Fprintf(&others, "      and %d more\n", g.more)
	}
	a.text = fit(text.String(), others.String())
	if g.leaks {
		a.level = "warning"
	}
	if b := g.first.Blame; b != nil && b.File != "" {
		a.file, a.line = h.path(b.File), b.Line
	}
	return a
}

func (h *Handler) test(t *result.Test) {
	if t.Verdict == result.Pass || t.Verdict == result.Skip || t.Findings > 0 || t.Otherwise == result.Pass {
		return // for findings only, its own or those of its subtests
	}
	if len(h.tests) == maxAnnotations {
		h.moreTest++
		return
	}
	text := report.Clean(t.Reason)
	if t.Repro != "" {
		text += "\nagain: " + report.Line(t.Repro)
	}
	text = report.Line(t.Package) + "\n" + text + "\n"
	output := ""
	if t.Output != "" {
		output = "\n" + report.Clean(t.Output)
	}
	h.tests = append(h.tests, annotation{
		level: "error", title: fmt.Sprintf("%s %s", report.Line(t.Name), verdict(t.Verdict)), text: fit(text, output),
	})
}

// fit joins two texts of whole lines. Where they are too long, it leaves out the last lines of the first one, but not of its
// half, and then the first lines of the second: of a test's output the end tells most.
func fit(first, second string) string {
	const mark = "  …\n"
	if len(first)+len(second) <= maxText {
		return first + second
	}
	if room := max(maxText/2, maxText-len(second)) - len(mark); len(first) > room {
		first = strings.ToValidUTF8(first[:room], "")
		first = first[:strings.LastIndexByte(first, '\n')+1] + mark
	}
	if room := maxText - len(first) - len(mark); len(second) > room {
		second = strings.ToValidUTF8(second[len(second)-room:], "")
		second = mark + second[strings.IndexByte(second, '\n')+1:]
	}
	return first + second
}

func verdict(v result.Verdict) string {
	if v == result.Fail {
		return "failed"
	}
	return "is " + report.Line(string(v))
}

// path is a file as GitHub wants it: relative to the repository if it is in it.
func (h *Handler) path(file string) string {
	if rel, ok := report.Within(h.root, file); ok {
		return rel
	}
	return file
}

func (h *Handler) write(a annotation) {
	fmt.Fprintf(h.out, "::%s ", a.level)
	if a.file != "" {
		fmt.Fprintf(h.out, "file=%s,", property(report.Line(a.file)))
		if a.line > 0 {
			fmt.Fprintf(h.out, "line=%d,", a.line)
		}
	}
	fmt.Fprintf(h.out, "title=%s::%s\n", property(a.title), data(strings.TrimRight(a.text, "\n")))
}

// summary is the last line, a notice.
func (h *Handler) summary(s *result.Summary) {
	text := fmt.Sprintf("%d passed, %d failed, %d inconclusive, %d skipped; findings: %d new, %d known, %d suppressed, %d expected",
		s.Passed, s.Failed, s.Inconclusive, s.Skipped, s.New, s.Known, s.Suppressed, h.expected)
	if h.more+h.moreTest > 0 {
		text += fmt.Sprintf("\nnot shown as annotations, because GitHub shows %d of each: %d findings, %d tests", maxAnnotations, h.more, h.moreTest)
	}
	fmt.Fprintf(h.out, "::notice title=cgogrind::%s\n", data(text))
}

// The runner takes these apart again: a text ends with the line, a property also with a comma or a colon.
var (
	dataEscapes     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	propertyEscapes = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

func data(s string) string     { return dataEscapes.Replace(s) }
func property(s string) string { return propertyEscapes.Replace(s) }
