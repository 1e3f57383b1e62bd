// Package report has what several formats of a report share: how frames and files are named, how a finding is printed as
// text, what is taken out of hostile names, and a store that keeps many findings in little memory.
//
// Input is result messages; each format is a result.Handler in a package of its own below this one. The package decides
// nothing and reads no files: sources and verdicts are in the messages.
package report

import (
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cgogrind/cgogrind/harness/result"
)

// Places names files and functions as people want to read them.
type Places struct {
	Dir    string // the working directory of the run
	GOROOT string
}

// PlacesOf returns the Places of a run.
func PlacesOf(c *result.Config) Places { return Places{c.Dir, c.GOROOT} }

const moduleCache = "/pkg/mod/"

// File makes a path readable: relative to the working directory, to the module cache, or to GOROOT.
func (p Places) File(file string) string {
	if rel, ok := Within(p.Dir, file); ok {
		return rel
	}
	if p.GOROOT != "" {
		if rest, ok := strings.CutPrefix(file, p.GOROOT+"/"); ok {
			return "$GOROOT/" + rest
		}
	}
	if i := strings.LastIndex(file, moduleCache); i >= 0 && strings.Contains(file[i:], "@") {
		return file[i+len(moduleCache):]
	}
	return file
}

// Near names a file relative to a folder where that is the shorter name; empty for no file.
func Near(file, dir string) string {
	if rel, err := filepath.Rel(dir, file); file != "" && err == nil && len(rel) < len(file) {
		return rel
	}
	return file
}

// Within returns a file's path below a folder, if it is there.
func Within(dir, file string) (rel string, ok bool) {
	if dir == "" {
		return "", false
	}
	if n := len(dir); len(file) > n+1 && file[n] == '/' && file[:n] == dir { // nearly always, and much faster
		if rel = file[n+1:]; rel[0] != '/' && !strings.Contains(rel, "..") && !strings.Contains(rel, "//") &&
			!strings.Contains(rel, "/./") {
			return rel, true
		}
	}
	rel, err := filepath.Rel(dir, file)
	return rel, err == nil && filepath.IsLocal(rel)
}

// Location is a frame's file and line, or the object that holds it, cleaned.
func (p Places) Location(f *result.Frame) string {
	switch {
	case f.File != "" && f.Line > 0:
		return p.File(Line(f.File)) + ":" + strconv.Itoa(f.Line)
	case f.File != "":
		return p.File(Line(f.File))
	case f.Object != "" && f.Function == "":
		return fmt.Sprintf("%s, offset …%03x", path.Base(Line(f.Object)), f.Offset)
	case f.Object == "":
		return ""
	}
	return path.Base(Line(f.Object))
}

// Function is a frame's function as people know it, cleaned, of a Go function's import path only the last element. It is "?" if the
// function is not known.
func Function(f *result.Frame) string {
	name := Line(f.KnownName())
	if name == "" {
		return "?"
	}
	head, _, _ := strings.Cut(name, "[")
	head, _, _ = strings.Cut(head, "(")
	if strings.Contains(head, " ") || strings.Contains(head, "::") {
		return name // C++: a slash is an operator
	}
	return name[strings.LastIndexByte(head, '/')+1:]
}

// Message is what memcheck says of a finding, cleaned. Of a leak it says how much all records of it lost: streams of older
// versions have the text of one.
func Message(f *result.Finding) string { return Line(result.LeakMessage(f.Message, f.Bytes, f.Blocks)) }

// Headline says in a line what a finding is and where, cleaned.
func (p Places) Headline(f *result.Finding) string {
	text := Line(f.Kind)
	if message := Message(f); message != "" {
		text += ": " + message
	}
	if f.Blame != nil {
		text += " in " + Function(f.Blame)
		if at := p.Location(f.Blame); at != "" {
			text += " (" + at + ")"
		}
	}
	return text
}

// IsNew says whether a finding fails tests: it is new, or nobody knows what was decided about it.
func IsNew(f *result.Finding) bool {
	switch f.Disposition {
	case result.Known, result.Suppressed, result.Expected:
		return false
	}
	return true
}

// IsBlamed says whether a frame is the one that its finding is blamed on.
func IsBlamed(f, blame *result.Frame) bool {
	return blame != nil && f.Function == blame.Function && f.Line == blame.Line && f.File == blame.File
}

var escapes = regexp.MustCompile(`\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[@-Z\\-_])`)

// Clean removes what would make a terminal do something: escape sequences, control characters but newlines and tabs,
// and marks that change the direction of text. It breaks up what the log of a GitHub workflow would take for a command:
// :: at the beginning of a line, ##[ anywhere.
func Clean(s string) string {
	if !isPlain(s) && (strings.ContainsFunc(s, isHarmful) || !utf8.ValidString(s)) {
		s = escapes.ReplaceAllString(strings.ToValidUTF8(s, "\uFFFD"), "")
		s = strings.Map(func(r rune) rune {
			if isHarmful(r) {
				return -1
			}
			return r
		}, s)
	}
	if strings.Contains(s, "::") {
		s = workflowCommand.ReplaceAllString(s, "$1: :")
	}
	return strings.ReplaceAll(s, "##[", "# #[")
}

var workflowCommand = regexp.MustCompile(`(?m)^(\s*)::`)

// Line is Clean for a text that is to stay on one line: white space becomes single spaces.
func Line(s string) string {
	s = Clean(s)
	if !strings.ContainsAny(s, "\n\t") {
		return s
	}
	return strings.Join(strings.Fields(s), " ")
}

// isPlain says whether s is printable ASCII, which nearly every name is.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func isHarmful(r rune) bool {
	return r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029')
}
