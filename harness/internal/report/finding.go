package report

import (
	"fmt"
	"io"
	"slices"
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
	for _, also := range []struct {
		label string
		frame *result.Frame
	}{{"caller", f.Caller}, {OtherLabel(f), f.Other}} {
		if also.frame == nil {
			continue
		}
		line("    %-6s %s", also.label, p.Place(also.frame))
		if also.frame.Source != "" {
			line("           %s", Line(also.frame.Source))
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
	for _, alike := range Alike(others) {
		if len(alike) == 1 {
			p.Short(w, alike[0])
		} else {
			p.several(w, alike)
		}
	}
}

// Alike puts findings of one kind in one line together. It keeps their order and that of the groups.
func Alike(findings []*result.Finding) [][]*result.Finding {
	type place struct {
		kind  string
		blame result.Frame
	}
	var groups [][]*result.Finding
	groupOf := make(map[place]int)
	for _, f := range findings {
		at := place{kind: f.Kind}
		if f.Blame != nil {
			at.blame = result.Frame{Function: f.Blame.Function, File: f.Blame.File, Line: f.Blame.Line}
		}
		i, ok := groupOf[at]
		if !ok || f.Blame == nil { // nothing says that these are alike
			groupOf[at] = len(groups)
			groups = append(groups, []*result.Finding{f})
			continue
		}
		groups[i] = append(groups[i], f)
	}
	return groups
}

// OtherLabel says what happened in the second place of a finding, as the stack tells that it is in.
func OtherLabel(f *result.Finding) string {
	for _, s := range f.Stacks {
		for i := range s.Frames {
			if !IsBlamed(&s.Frames[i], f.Other) {
				continue
			}
			switch {
			case s.Label == "":
			case strings.Contains(s.Label, "lent"):
				return "lent"
			case strings.Contains(s.Label, "alloc") || strings.Contains(s.Label, "made") || strings.Contains(s.Label, "grown") ||
				strings.Contains(s.Label, "created"):
				return "made"
			case strings.Contains(s.Label, "free"):
				return "freed"
			}
		}
	}
	return "other"
}

// maxPrints is how many fingerprints of findings that are alike are told in a report.
const maxPrints = 8

// several prints findings that are alike: how many there are, and their fingerprints.
func (p Printer) several(w io.Writer, alike []*result.Finding) {
	first := *alike[0]
	var prints []string
	first.Tests = nil
	for i, f := range alike {
		if i < maxPrints {
			prints = append(prints, Line(f.Fingerprint))
		}
		for _, t := range f.Tests {
			if !slices.Contains(first.Tests, t) {
				first.Tests = append(first.Tests, t)
			}
		}
		if f.Attribution == result.OneOf {
			first.Attribution = result.OneOf
		}
	}
	if n := len(alike) - len(prints); n > 0 {
		prints = append(prints, fmt.Sprintf("and %d more", n))
	}
	if slices.ContainsFunc(alike, func(f *result.Finding) bool { return f.Message != first.Message }) {
		first.Message = ""
	}
	fmt.Fprintf(w, "      %d times %s  %s\n        test   %s\n", len(alike), p.Headline(&first), p.Dim(strings.Join(prints, " ")), p.Tests(&first))
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
