package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/cgogrind/cgogrind/harness/result"
)

// Printer prints findings as text, the same in every format that has a place for text.
type Printer struct {
	Places
	Color bool // with the escape sequences of a terminal
}

// Finding prints a finding in full: what it is, which tests hit it, who is to blame, and the stacks. Write errors are
// the writer's to keep.
func (p Printer) Finding(w io.Writer, f *result.Finding) {
	line := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	headline := fmt.Sprintf("%s: %s", Line(f.Kind), Message(f))
	line("  %s  %s", p.Paint("1;31", headline), p.Dim(Line(f.Fingerprint)))
	line("    test   %s", p.Tests(f))
	if f.Count > 1 {
		line("    count  %d", f.Count)
	}
	if f.Cause != "" {
		line("    cause  that of %s, which came first", Line(f.Cause))
	}
	if b := f.Blame; b != nil {
		line("    blame  %s", p.Place(b))
		if b.Source != "" {
			line("           %s", p.Bold(Line(b.Source)))
		}
	}
	if f.Hint != "" {
		for i, l := range wrap(Clean(f.Hint), hintWidth) {
			label := "hint "
			if i > 0 {
				label = "     "
			}
			line("    %s  %s", label, l)
		}
	}
	for _, s := range f.Stacks {
		line("")
		p.Stack(w, s, f.Blame)
	}
	if f.Repro != "" {
		line("    %s", p.Dim("again: "+Line(f.Repro)))
	}
}

// Others prints in short what has the cause of a finding that was printed before.
func (p Printer) Others(w io.Writer, others []*result.Finding) {
	if len(others) == 0 {
		return
	}
	fmt.Fprintf(w, "    %s\n", p.Bold(More(len(others))))
	for _, f := range others {
		p.Short(w, f)
	}
}

// More says of a number of findings that they have the cause of another.
func More(n int) string {
	if n == 1 {
		return "1 more finding with this cause:"
	}
	return fmt.Sprintf("%d more findings with this cause:", n)
}

// Short prints what a finding is, who is to blame, and which tests hit it.
func (p Printer) Short(w io.Writer, f *result.Finding) {
	fmt.Fprintf(w, "      %s  %s\n        test   %s\n", p.Headline(f), p.Dim(Line(f.Fingerprint)), p.Tests(f))
}

// Tests names the tests that hit a finding, and their package.
func (p Printer) Tests(f *result.Finding) string {
	var names []string
	for _, t := range f.Tests {
		names = append(names, Line(t))
	}
	text := strings.Join(names, ", ")
	if f.Attribution == result.OneOf {
		text = "one of " + text
	}
	return text + p.Dim("  "+Line(f.Package))
}

// Place is a function and where its code is.
func (p Printer) Place(f *result.Frame) string {
	return Function(f) + "  " + p.Location(f)
}

const functionWidth = 44

// Stack prints a stack, a frame a line, innermost first, with a mark at the one that is blamed.
func (p Printer) Stack(w io.Writer, s result.Stack, blame *result.Frame) {
	if s.Label != "" {
		fmt.Fprintf(w, "    %s\n", Line(s.Label))
	}
	var line []byte // fmt takes too long for a hundred thousand stacks
	for i := range s.Frames {
		f := &s.Frames[i]
		name, arrow := Function(f), "  "
		pad := max(0, functionWidth-utf8.RuneCountInString(name))
		if IsBlamed(f, blame) {
			arrow, name = p.Paint("1;31", "▸ "), p.Bold(name)
		}
		line = append(line[:0], "    "...)
		line = append(append(append(append(line, arrow...), p.lang(f.Lang)...), "  "...), name...)
		line = append(append(append(line, padding[:pad]...), "  "...), p.Dim(p.Location(f))...)
		_, _ = w.Write(append(line, '\n'))
	}
}

var padding = strings.Repeat(" ", functionWidth)

func (p Printer) lang(l result.Lang) string {
	switch l {
	case result.Go:
		return p.Paint("34", "Go")
	case result.C:
		return p.Paint("35", "C ")
	}
	return "  "
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

// Paint gives text the attributes of a terminal's escape sequence, if colours are wanted.
func (p Printer) Paint(code, s string) string {
	if !p.Color || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// Bold is Paint for what matters.
func (p Printer) Bold(s string) string { return p.Paint("1", s) }

// Dim is Paint for what does not.
func (p Printer) Dim(s string) string { return p.Paint("2", s) }
