// Package gotest writes a run as go test -json does, so that what reads that (gotestsum, editors, CI systems) reads a run
// under memcheck, too. The format is documented at `go doc test2json`.
//
// Input is the run's messages. The events of a test come when its verdict is final, those of its subtests between its own;
// a package's result comes last. What go test has no word for becomes the nearest it has: an inconclusive test fails, and
// says in its output that it is inconclusive and why. Findings are output of their package, those that have the cause of an earlier one
// in short. Events carry no time, as those of
// cached tests do not.
package gotest

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/cgogrind/cgogrind/harness/internal/report"
	"github.com/cgogrind/cgogrind/harness/result"
)

// event is one line of the output.
type event struct {
	Action  string
	Package string
	Test    string   `json:",omitempty"`
	Elapsed *float64 `json:",omitempty"`
	Output  string   `json:",omitempty"`
}

// Handler writes a run's events.
type Handler struct {
	out      *bufio.Writer
	enc      *json.Encoder
	err      error
	print    report.Printer
	packages []*pkg
	byPath   map[string]*pkg
	open     []*result.Test // tests whose subtests may come, the outermost first
}

type pkg struct {
	path    string
	tests   int
	failed  bool
	elapsed float64         // seconds
	shown   map[string]bool // findings that are told in full, by fingerprint
}

// New returns a Handler that writes to out.
func New(out io.Writer) *Handler {
	w := bufio.NewWriter(out)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return &Handler{out: w, enc: enc, byPath: make(map[string]*pkg)}
}

// Handle writes a message's events.
func (h *Handler) Handle(_ context.Context, m result.Message) error {
	switch {
	case m.Config != nil:
		h.print.Places = report.PlacesOf(m.Config)
	case m.Plan != nil:
		h.start(m.Plan.Package)
	case m.Test != nil:
		h.test(m.Test)
	case m.Finding != nil:
		h.finding(m.Finding)
	case m.Summary != nil:
		h.endTests(nil)
		for _, p := range h.packages {
			h.endPackage(p)
		}
	}
	if m.Progress == nil && h.err == nil {
		h.err = h.out.Flush()
	}
	if h.err != nil {
		return fmt.Errorf("writing go test's events: %w", h.err)
	}
	return nil
}

func (h *Handler) emit(e event) {
	if h.err == nil {
		h.err = h.enc.Encode(e)
	}
}

// output writes text, a line an event.
func (h *Handler) output(pkg, test, text string) {
	for line := range strings.Lines(text) {
		h.emit(event{Action: "output", Package: pkg, Test: test, Output: strings.TrimSuffix(line, "\n") + "\n"})
	}
}

// name is what stands for a package or a test. None is empty: an event without a test is its package's.
func name(s string) string { return cmp.Or(report.Line(s), "?") }

// start begins a package, once.
func (h *Handler) start(path string) *pkg {
	path = name(path)
	p := h.byPath[path]
	if p == nil {
		p = &pkg{path: path, shown: make(map[string]bool)}
		h.byPath[path] = p
		h.packages = append(h.packages, p)
		h.emit(event{Action: "start", Package: path})
	}
	return p
}

func (h *Handler) test(t *result.Test) {
	own := *t
	own.Package, own.Name = name(t.Package), name(t.Name)
	h.endTests(&own)
	p := h.start(own.Package)
	p.tests++
	h.emit(event{Action: "run", Package: own.Package, Test: own.Name})
	h.output(own.Package, own.Name, "=== RUN   "+own.Name)
	h.output(own.Package, own.Name, report.Clean(own.Output))
	if own.Verdict != result.Pass && own.Verdict != result.Skip {
		p.failed = true
	}
	if !strings.Contains(own.Name, "/") {
		p.elapsed += own.ElapsedS
	}
	h.open = append(h.open, &own)
}

// endTests ends the open tests but those that next is a subtest of.
func (h *Handler) endTests(next *result.Test) {
	for i := len(h.open) - 1; i >= 0; i-- {
		t := h.open[i]
		if next != nil && t.Package == next.Package && strings.HasPrefix(next.Name, t.Name+"/") {
			return
		}
		h.endTest(t)
		h.open = h.open[:i]
	}
}

func (h *Handler) endTest(t *result.Test) {
	indent := strings.Repeat("    ", strings.Count(t.Name, "/"))
	action, word := "fail", "FAIL"
	switch t.Verdict {
	case result.Pass:
		action, word = "pass", "PASS"
	case result.Skip:
		action, word = "skip", "SKIP"
	}
	reason := report.Clean(t.Reason)
	if action == "fail" && t.Verdict != result.Fail {
		reason = strings.TrimSuffix(report.Line(string(t.Verdict))+": "+reason, ": ")
	}
	text := fmt.Sprintf("%s--- %s: %s (%.2fs)\n", indent, word, t.Name, t.ElapsedS)
	for l := range strings.Lines(reason) {
		text += indent + "    cgogrind: " + strings.TrimSuffix(l, "\n") + "\n"
	}
	if t.Repro != "" && action == "fail" {
		text += indent + "    again: " + report.Line(t.Repro) + "\n"
	}
	h.output(t.Package, t.Name, text)
	h.emit(event{Action: action, Package: t.Package, Test: t.Name, Elapsed: &t.ElapsedS})
}

func (h *Handler) finding(f *result.Finding) {
	h.endTests(nil)
	p := h.start(f.Package)
	var text strings.Builder
	if report.IsNew(f) {
		p.failed = true
		text.WriteString("\n")
		if f.Cause != "" && p.shown[f.Cause] {
			h.print.Short(&text, f)
			fmt.Fprintf(&text, "        cause  that of %s, above\n", report.Line(f.Cause))
		} else {
			p.shown[f.Fingerprint] = true
			h.print.Finding(&text, f)
		}
	} else {
		fmt.Fprintf(&text, "%s finding: %s\n", report.Line(string(f.Disposition)), h.print.Headline(f))
	}
	h.output(p.path, "", text.String())
}

func (h *Handler) endPackage(p *pkg) {
	switch {
	case p.failed:
		h.output(p.path, "", fmt.Sprintf("FAIL\nFAIL\t%s\t%.3fs\n", p.path, p.elapsed))
		h.emit(event{Action: "fail", Package: p.path, Elapsed: &p.elapsed})
	case p.tests == 0:
		// a package with test files and no tests that match passes in go test
		h.output(p.path, "", fmt.Sprintf("testing: warning: no tests to run\nPASS\nok  \t%s\t%.3fs [no tests to run]\n", p.path, p.elapsed))
		h.emit(event{Action: "pass", Package: p.path, Elapsed: &p.elapsed})
	default:
		h.output(p.path, "", fmt.Sprintf("PASS\nok  \t%s\t%.3fs\n", p.path, p.elapsed))
		h.emit(event{Action: "pass", Package: p.path, Elapsed: &p.elapsed})
	}
}
