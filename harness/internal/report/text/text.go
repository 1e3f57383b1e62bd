// Package text shows a run to a person: a line for each verdict as it becomes final, then the findings with their
// stacks, then the summary.
//
// Input is the run's messages. It reads no files and decides nothing: sources and verdicts are in the messages.
package text

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/cgogrind/cgogrind/harness/internal/report"
	"github.com/cgogrind/cgogrind/harness/result"
)

// Options say how to show a run. The zero value is plain text without progress.
type Options struct {
	Color bool
	// Progress receives the progress messages, usually standard error; nil for none.
	Progress io.Writer
	// ProgressWidth is the width of the terminal that Progress is: messages then share one line. 0 is no terminal.
	ProgressWidth int
	// Full shows all findings in full, also those that have the cause of another.
	Full bool
}

// Handler prints a run's messages.
type Handler struct {
	out      *bufio.Writer
	opts     Options
	print    report.Printer
	pkg      string // of the last test line
	status   bool   // the status line has something on it
	findings *report.Store
	expected int
}

// New returns a Handler that prints to out.
func New(out io.Writer, opts Options) *Handler {
	return &Handler{out: bufio.NewWriter(out), opts: opts, print: report.Printer{Color: opts.Color}, findings: &report.Store{}}
}

// Share implements report.Sharer.
func (h *Handler) Share(s *report.Store) { h.findings = s }

// Handle prints a message; findings wait for the summary.
func (h *Handler) Handle(_ context.Context, m result.Message) error {
	if m.Progress != nil {
		return h.progress(m.Progress)
	}
	h.clearStatus()
	switch {
	case m.Config != nil:
		h.print.Places = report.PlacesOf(m.Config)
		c := m.Config
		var versions []string
		if c.Tool != "" { // it is not memcheck's own report
			versions = append(versions, "cgogrind "+c.Tool)
		}
		if c.Go != "" {
			versions = append(versions, c.Go)
		}
		if c.Valgrind != "" {
			versions = append(versions, "valgrind "+c.Valgrind)
		}
		if c.Runtime == result.Stock {
			versions = append(versions, "stock runtime: expect false errors")
		}
		if c.Configuration != "" {
			versions = append(versions, "flags of "+report.Near(c.Configuration, c.Dir))
		}
		h.line("%s", h.print.Dim(report.Line(strings.Join(versions, ", "))))
	case m.Test != nil:
		h.test(m.Test)
	case m.Finding != nil:
		h.findings.Add(m.Finding)
		if m.Finding.Disposition == result.Expected {
			h.expected++
		}
	case m.Summary != nil:
		h.allFindings()
		h.summary(m.Summary)
	}
	if err := h.out.Flush(); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

func (h *Handler) line(format string, args ...any) {
	fmt.Fprintf(h.out, format+"\n", args...) // bufio keeps the error for Flush
}

func (h *Handler) progress(p *result.Progress) error {
	if h.opts.Progress == nil {
		return nil
	}
	var err error
	prefix := ""
	if p.Package != "" {
		prefix = path.Base(p.Package) + ": "
	}
	text := prefix + report.Clean(p.Text)
	if w := h.opts.ProgressWidth; w > 1 {
		text = strings.ReplaceAll(text, "\n", " ")
		if r := []rune(text); len(r) >= w {
			text = string(r[:w-2]) + "…"
		}
		_, err = fmt.Fprintf(h.opts.Progress, "\r\x1b[K%s", text)
		h.status = true
	} else {
		_, err = fmt.Fprintln(h.opts.Progress, text)
	}
	if err != nil {
		return fmt.Errorf("writing progress: %w", err)
	}
	return nil
}

func (h *Handler) clearStatus() {
	if h.status {
		fmt.Fprint(h.opts.Progress, "\r\x1b[K") // best effort: nothing depends on it
		h.status = false
	}
}

func (h *Handler) test(t *result.Test) {
	if t.Package != h.pkg {
		h.pkg = t.Package
		h.line("\n%s", h.print.Bold(report.Line(t.Package)))
	}
	h.line("  %s  %s %s", h.verdict(t.Verdict), report.Line(t.Name), h.print.Dim(fmt.Sprintf("(%.2fs)", t.ElapsedS)))
	if t.Reason != "" {
		h.indented("        ", report.Clean(t.Reason))
	}
	if t.Output != "" {
		h.indented("        "+h.print.Dim("│ "), report.Clean(t.Output))
	}
	if t.Repro != "" && t.Verdict != result.Pass {
		h.line("        %s", h.print.Dim("again: "+report.Line(t.Repro)))
	}
}

func (h *Handler) indented(prefix, text string) {
	for l := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		h.line("%s%s", prefix, l)
	}
}

func (h *Handler) verdict(v result.Verdict) string {
	switch v {
	case result.Pass:
		return h.print.Paint("32", "pass")
	case result.Skip:
		return h.print.Paint("36", "skip")
	case result.Fail:
		return h.print.Paint("1;31", "FAIL")
	case result.Inconclusive:
		return h.print.Paint("1;33", "inconclusive")
	}
	return report.Line(string(v))
}

// allFindings prints the findings, those that fail a run last, nearest to the summary.
func (h *Handler) allFindings() {
	if h.findings.Len() > 0 {
		h.line("\n%s", h.print.Bold("findings"))
	}
	for i := range h.findings.Len() {
		if !report.IsNew(h.findings.Brief(i)) {
			h.quiet(h.findings.Finding(i))
		}
	}
	for _, group := range h.findings.Group(h.findings.New()) {
		shown := group
		if !h.opts.Full {
			shown = group[:1]
		}
		for _, i := range shown {
			h.line("")
			h.print.Finding(h.out, h.findings.Finding(i))
		}
		h.print.Others(h.out, h.findings.Some(group[len(shown):]))
	}
}

// quiet prints a finding that fails no test.
func (h *Handler) quiet(f *result.Finding) {
	where := ""
	if f.Blame != nil {
		where = " in " + h.print.Place(f.Blame)
	}
	h.line("\n  %s  %s: %s%s", h.print.Paint("36", report.Line(string(f.Disposition))), report.Line(f.Kind), report.Message(f), where)
	h.line("    test   %s", h.print.Tests(f))
}

func (h *Handler) summary(s *result.Summary) {
	parts := []string{fmt.Sprintf("%d passed", s.Passed)}
	for _, p := range []struct {
		n    int
		word string
	}{{s.Failed, "failed"}, {s.Inconclusive, "inconclusive"}, {s.Skipped, "skipped"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.word))
		}
	}
	var found []string
	for _, p := range []struct {
		n    int
		word string
	}{{s.New, "new"}, {s.Known, "known"}, {s.Suppressed, "suppressed"}, {h.expected, "expected"}} {
		if p.n > 0 {
			found = append(found, fmt.Sprintf("%d %s", p.n, p.word))
		}
	}
	text := strings.Join(parts, ", ")
	switch {
	case len(found) > 0:
		text += "; findings: " + strings.Join(found, ", ")
	default:
		text += "; no findings"
	}
	color := "1;32"
	switch {
	case s.New > 0 || s.Failed > 0:
		color = "1;31"
	case s.Inconclusive > 0 || s.Passed+s.Skipped == 0:
		color = "1;33"
	}
	if s.Passed+s.Failed+s.Inconclusive+s.Skipped == 0 {
		text = "no test ran"
	}
	took := time.Duration(s.ElapsedS * float64(time.Second)).Round(10 * time.Millisecond)
	h.line("\n%s %s", h.print.Paint(color, text), h.print.Dim(fmt.Sprintf("(%s)", took)))
}
