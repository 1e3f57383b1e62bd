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
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cgogrind/cgogrind/harness/result"
)

// Options say how to show a run. The zero value is plain text without progress.
type Options struct {
	Color bool
	// Progress receives the progress messages, usually standard error; nil for none.
	Progress io.Writer
	// ProgressWidth is the width of the terminal that Progress is: messages then share one line. 0 is no terminal.
	ProgressWidth int
}

// Handler prints a run's messages.
type Handler struct {
	out      *bufio.Writer
	opts     Options
	config   result.Config
	pkg      string // of the last test line
	status   bool   // the status line has something on it
	findings []*result.Finding
	expected int
}

// New returns a Handler that prints to out.
func New(out io.Writer, opts Options) *Handler {
	return &Handler{out: bufio.NewWriter(out), opts: opts}
}

// Handle prints a message; findings wait for the summary.
func (h *Handler) Handle(_ context.Context, m result.Message) error {
	if m.Progress != nil {
		return h.progress(m.Progress)
	}
	h.clearStatus()
	switch {
	case m.Config != nil:
		h.config = *m.Config
		runtime := ""
		if m.Config.Runtime == result.Stock {
			runtime = ", stock runtime: expect false errors"
		}
		h.line("%s", h.dim(clean(fmt.Sprintf("cgogrind %s, %s, valgrind %s%s", m.Config.Tool, m.Config.Go,
			m.Config.Valgrind, runtime))))
	case m.Test != nil:
		h.test(m.Test)
	case m.Finding != nil:
		h.findings = append(h.findings, m.Finding)
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
	text := prefix + clean(p.Text)
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
		h.line("\n%s", h.bold(clean(t.Package)))
	}
	h.line("  %s  %s %s", h.verdict(t.Verdict), clean(t.Name), h.dim(fmt.Sprintf("(%.2fs)", t.ElapsedS)))
	if t.Reason != "" {
		h.indented("        ", clean(t.Reason))
	}
	if t.Output != "" {
		h.indented("        "+h.dim("│ "), clean(t.Output))
	}
	if t.Repro != "" && t.Verdict != result.Pass {
		h.line("        %s", h.dim("again: "+clean(t.Repro)))
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
		return h.paint("32", "pass")
	case result.Skip:
		return h.paint("36", "skip")
	case result.Fail:
		return h.paint("1;31", "FAIL")
	case result.Inconclusive:
		return h.paint("1;33", "inconclusive")
	}
	return clean(string(v))
}

// allFindings prints the findings, those that fail a run last, nearest to the summary.
func (h *Handler) allFindings() {
	slices.SortStableFunc(h.findings, func(a, b *result.Finding) int { return quiet(b) - quiet(a) })
	for i, f := range h.findings {
		if i == 0 {
			h.line("\n%s", h.bold("findings"))
		}
		h.finding(f)
	}
}

func quiet(f *result.Finding) int {
	if f.Disposition == result.New {
		return 0
	}
	return 1
}

func (h *Handler) finding(f *result.Finding) {
	headline := fmt.Sprintf("%s: %s", clean(f.Kind), clean(f.Message))
	if quiet(f) == 1 {
		where := ""
		if f.Blame != nil {
			where = " in " + h.place(f.Blame)
		}
		h.line("\n  %s  %s%s", h.paint("36", clean(string(f.Disposition))), headline, where)
		h.line("    test   %s", h.tests(f))
		return
	}
	h.line("\n  %s  %s", h.paint("1;31", headline), h.dim(f.Fingerprint))
	h.line("    test   %s", h.tests(f))
	if f.Count > 1 {
		h.line("    count  %d", f.Count)
	}
	if b := f.Blame; b != nil {
		h.line("    blame  %s", h.place(b))
		if b.Source != "" {
			h.line("           %s", h.bold(clean(b.Source)))
		}
	}
	if f.Hint != "" {
		for i, l := range wrap(clean(f.Hint), hintWidth) {
			label := "hint "
			if i > 0 {
				label = "     "
			}
			h.line("    %s  %s", label, l)
		}
	}
	for _, s := range f.Stacks {
		h.stack(s, f.Blame)
	}
	if f.Repro != "" {
		h.line("    %s", h.dim("again: "+clean(f.Repro)))
	}
}

func (h *Handler) tests(f *result.Finding) string {
	var names []string
	for _, t := range f.Tests {
		names = append(names, clean(t))
	}
	text := strings.Join(names, ", ")
	if f.Attribution == result.OneOf {
		text = "one of " + text
	}
	return text + h.dim("  "+clean(f.Package))
}

const hintWidth = 96

// wrap breaks text into lines of at most width characters, as far as its words allow.
func wrap(text string, width int) []string {
	var lines []string
	for word := range strings.FieldsSeq(text) {
		if n := len(lines); n > 0 && utf8.RuneCountInString(lines[n-1])+1+utf8.RuneCountInString(word) <= width {
			lines[n-1] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}

// place is a function and where its code is.
func (h *Handler) place(f *result.Frame) string {
	return shortFunction(clean(f.Function)) + "  " + h.location(f)
}

const functionWidth = 44

func (h *Handler) stack(s result.Stack, blame *result.Frame) {
	h.line("")
	if s.Label != "" {
		h.line("    %s", clean(s.Label))
	}
	for _, f := range s.Frames {
		name := shortFunction(clean(f.Function))
		if name == "" {
			name = "?"
		}
		pad := strings.Repeat(" ", max(0, functionWidth-utf8.RuneCountInString(name)))
		arrow := "  "
		if blame != nil && f.Function == blame.Function && f.Line == blame.Line && f.File == blame.File {
			arrow, name = h.paint("1;31", "▸ "), h.bold(name)
		}
		h.line("    %s%s  %s%s  %s", arrow, h.lang(f.Lang), name, pad, h.dim(h.location(&f)))
	}
}

func (h *Handler) lang(l result.Lang) string {
	switch l {
	case result.Go:
		return h.paint("34", "Go")
	case result.C:
		return h.paint("35", "C ")
	}
	return "  "
}

// shortFunction leaves the last element of a Go function's import path.
func shortFunction(name string) string {
	head, _, _ := strings.Cut(name, "[")
	head, _, _ = strings.Cut(head, "(")
	if strings.Contains(head, " ") || strings.Contains(head, "::") {
		return name // C++: a slash is an operator
	}
	return name[strings.LastIndexByte(head, '/')+1:]
}

// location is a frame's file and line, or the object that holds it.
func (h *Handler) location(f *result.Frame) string {
	switch {
	case f.File != "" && f.Line > 0:
		return fmt.Sprintf("%s:%d", h.short(clean(f.File)), f.Line)
	case f.File != "":
		return h.short(clean(f.File))
	case f.Object != "" && f.Function == "":
		return fmt.Sprintf("%s, offset …%03x", path.Base(clean(f.Object)), f.Offset)
	case f.Object == "":
		return ""
	}
	return path.Base(clean(f.Object))
}

var moduleCache = regexp.MustCompile(`^.*/pkg/mod/(.*@.*)$`)

// short makes a path readable: relative to the working directory, to the module cache, or to GOROOT.
func (h *Handler) short(file string) string {
	if h.config.Dir != "" {
		if rel, err := filepath.Rel(h.config.Dir, file); err == nil && filepath.IsLocal(rel) {
			return rel
		}
	}
	if h.config.GOROOT != "" {
		if rest, ok := strings.CutPrefix(file, h.config.GOROOT+"/"); ok {
			return "$GOROOT/" + rest
		}
	}
	if m := moduleCache.FindStringSubmatch(file); m != nil {
		return m[1]
	}
	return file
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
	h.line("\n%s %s", h.paint(color, text), h.dim(fmt.Sprintf("(%s)", took)))
}

func (h *Handler) paint(code, s string) string {
	if !h.opts.Color || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (h *Handler) bold(s string) string { return h.paint("1", s) }
func (h *Handler) dim(s string) string  { return h.paint("2", s) }

var escapes = regexp.MustCompile(`\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[@-Z\\-_])`)

// clean removes what would make a terminal do something: escape sequences, control characters but newlines and tabs,
// and marks that change the direction of text.
func clean(s string) string {
	if !strings.ContainsFunc(s, isHarmful) && utf8.ValidString(s) {
		return s
	}
	s = escapes.ReplaceAllString(strings.ToValidUTF8(s, "\uFFFD"), "")
	return strings.Map(func(r rune) rune {
		if isHarmful(r) {
			return -1
		}
		return r
	}, s)
}

func isHarmful(r rune) bool {
	return r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r))
}
