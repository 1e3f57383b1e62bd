package suppressions

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// Entry is one suppression.
type Entry struct {
	// Comment are the comment lines right above the entry, with no blank line between, and those inside it; each begins
	// with '#'.
	Comment []string
	Name    string
	Tools   []string // "Memcheck"; "CoreError" stands for all tools
	Kind    string   // "Leak", "Cond", "Addr4", …; unknown ones are kept
	// Extra are the lines between the kind and the frames: the parameter of Param ("write(buf)") and FishyValue,
	// "match-leak-kinds: …" of Leak.
	Extra  []string
	Frames []FramePattern

	// File and Line say where the entry was read: the line of its opening brace, from 1.
	File string
	Line int
}

// FramePattern is one line of an entry's stack.
type FramePattern struct {
	Kind FrameKind
	// Pattern is compared with the name, where * stands for any text and ? for one byte; empty for Any.
	Pattern string
}

// FrameKind says what a FramePattern is compared with.
type FrameKind string

// The kinds of frame pattern.
const (
	Fun FrameKind = "fun" // the function's name, as the linker sees it
	Obj FrameKind = "obj" // the path of the program or library
	Src FrameKind = "src" // FILE or FILE:LINE
	Any FrameKind = "..." // any number of frames, none included
)

func (f FramePattern) String() string {
	if f.Kind == Any {
		return string(Any)
	}
	return string(f.Kind) + ":" + f.Pattern
}

// String returns the entry as valgrind writes one itself, its comment included. Parse of it gives the same entry.
func (e Entry) String() string {
	var b strings.Builder
	for _, c := range e.Comment {
		fmt.Fprintln(&b, c)
	}
	fmt.Fprintf(&b, "{\n   %s\n   %s:%s\n", e.Name, strings.Join(e.Tools, ","), e.Kind)
	for _, x := range e.Extra {
		fmt.Fprintf(&b, "   %s\n", x)
	}
	for _, f := range e.Frames {
		fmt.Fprintf(&b, "   %s\n", f)
	}
	b.WriteString("}\n")
	return b.String()
}

// SyntaxError is a place where a suppression file is not in valgrind's format.
type SyntaxError struct {
	File string
	Line int // from 1
	Msg  string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Msg) }

// Parse reads a suppression file; name is what to call it. Where valgrind would refuse the file for memcheck, the error
// is a *SyntaxError, and the entries before that place are returned with it.
func Parse(name string, r io.Reader) ([]Entry, error) {
	p := &parser{file: name, in: bufio.NewReader(r)}
	var entries []Entry
	for {
		e, err := p.entry()
		if err == io.EOF {
			return entries, nil
		}
		if err != nil {
			return entries, err
		}
		entries = append(entries, e)
	}
}

// parser reads a file line by line, as VG_(get_line) does: without blanks at both ends, comments and empty lines left
// out.
type parser struct {
	file    string
	in      *bufio.Reader
	line    int
	comment []string // the comment lines since the last empty line or entry
}

func (p *parser) fail(format string, args ...any) error {
	return &SyntaxError{p.file, p.line, fmt.Sprintf(format, args...)}
}

// next returns the next line that counts. At the end of the file the error is io.EOF.
func (p *parser) next() (string, error) {
	for {
		text, err := p.readLine()
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		if text == "" {
			return "", io.EOF
		}
		p.line++
		switch text = strings.Trim(text, " \t\r\n\v\f"); {
		case text == "":
			p.comment = nil
		case text[0] == '#':
			p.comment = append(p.comment, text)
		default:
			return text, nil
		}
	}
}

// maxLine is how long a line may be, in bytes: a C++ name has some thousands. maxLines is how many there may be: valgrind
// compares each error with each entry.
const (
	maxLine  = 1 << 20
	maxLines = 1 << 20
)

// readLine reads a line of any length up to the limit.
func (p *parser) readLine() (string, error) {
	var text []byte
	for {
		part, err := p.in.ReadSlice('\n')
		text = append(text, part...)
		switch {
		case len(text) > maxLine || p.line > maxLines:
			p.line++
			return "", p.fail("it is no file of suppressions: a line has at most %d bytes, the file at most %d lines", maxLine, maxLines)
		case errors.Is(err, bufio.ErrBufferFull):
		case err != nil && !errors.Is(err, io.EOF):
			return "", fmt.Errorf("reading suppressions %s: %w", p.file, err)
		default:
			return string(text), err
		}
	}
}

// inside is next within an entry, where the file must not end.
func (p *parser) inside(e *Entry, expected string) (string, error) {
	before := p.comment
	p.comment = nil
	text, err := p.next()
	e.Comment = append(e.Comment, p.comment...)
	p.comment = before
	if err == io.EOF {
		return "", p.fail("the file ends inside the entry that begins in line %d, expected %s", e.Line, expected)
	}
	return text, err
}

// headPattern is "Tool1,Tool2:Kind".
var headPattern = regexp.MustCompile(`^([^:]+):(.+)$`)

// extras says which kinds of memcheck have a line between the kind and the frames. Kinds that are not listed are not
// known: they may have any number.
// The value says what to expect there, empty if no such line is possible.
var extras = map[string]string{
	"Param":      `the parameter, for example "write(buf)"`,
	"FishyValue": `the parameter, for example "malloc(size)"`,
	"Leak":       `"match-leak-kinds: KINDS" or a frame`,
	"Cond":       "", "Jump": "", "Free": "", "Overlap": "", "User": "",
	"Value0": "", "Value1": "", "Value2": "", "Value4": "", "Value8": "", "Value16": "", "Value32": "",
	"Addr1": "", "Addr2": "", "Addr4": "", "Addr8": "", "Addr16": "", "Addr32": "",
}

var leakKindsPattern = regexp.MustCompile(
	`^match-leak-kinds:\s*(all|none|(definite|indirect|possible|reachable)(,(definite|indirect|possible|reachable))*)$`)

const frameExpected = `"fun:…", "obj:…", "src:…", "..." or "}"`

func (p *parser) entry() (Entry, error) {
	text, err := p.next()
	if err != nil {
		return Entry{}, err
	}
	if text != "{" {
		return Entry{}, p.fail("found %q, expected %q or the end of the file", text, "{")
	}
	e := Entry{File: p.file, Line: p.line, Comment: p.comment}
	p.comment = nil

	if e.Name, err = p.inside(&e, "its name"); err != nil {
		return Entry{}, err
	}
	if e.Name == "}" {
		return Entry{}, p.fail("found %q, expected the entry's name", e.Name)
	}

	if text, err = p.inside(&e, `"TOOL:KIND"`); err != nil {
		return Entry{}, err
	}
	m := headPattern.FindStringSubmatch(text)
	if m == nil {
		return Entry{}, p.fail("found %q, expected \"TOOL:KIND\", for example \"Memcheck:Cond\"", text)
	}
	e.Tools, e.Kind = strings.Split(m[1], ","), m[2]

	for {
		if text, err = p.inside(&e, frameExpected); err != nil {
			return Entry{}, err
		}
		if text == "}" {
			return e, p.check(&e)
		}
		frame, isFrame := parseFrame(text)
		switch {
		case isFrame && (len(e.Extra) > 0 || !e.needsExtra()):
			e.Frames = append(e.Frames, frame)
		case len(e.Frames) == 0 && !e.isForMemcheck():
			e.Extra = append(e.Extra, text)
		case len(e.Frames) == 0:
			if err := p.extra(&e, text, isFrame); err != nil {
				return Entry{}, err
			}
		default:
			return Entry{}, p.fail("found %q, expected %s", text, frameExpected)
		}
	}
}

func parseFrame(text string) (FramePattern, bool) {
	if text == string(Any) {
		return FramePattern{Kind: Any}, true
	}
	kind, pattern, found := strings.Cut(text, ":")
	switch k := FrameKind(kind); k {
	case Fun, Obj, Src:
		return FramePattern{k, pattern}, found
	}
	return FramePattern{}, false
}

func (e *Entry) isForMemcheck() bool {
	return slices.Contains(e.Tools, "Memcheck")
}

// needsExtra says whether the entry must have an extra line before its frames.
func (e *Entry) needsExtra() bool {
	return e.isForMemcheck() && (e.Kind == "Param" || e.Kind == "FishyValue")
}

// extra takes a line between the kind and the frames of an entry for memcheck.
func (p *parser) extra(e *Entry, text string, isFrame bool) error {
	expected, known := extras[e.Kind]
	switch {
	case !known:
	case expected == "" || len(e.Extra) > 0:
		return p.fail("found %q, expected %s", text, frameExpected)
	case e.Kind == "Leak" && !leakKindsPattern.MatchString(text):
		return p.fail("found %q, expected %s; the kinds are definite, indirect, possible and reachable, joined by commas, "+
			"or all, or none", text, expected)
	case e.needsExtra() && isFrame:
		return p.fail("found %q, expected %s", text, expected)
	}
	e.Extra = append(e.Extra, text)
	return nil
}

// check checks what is wrong only when the closing brace is read.
func (p *parser) check(e *Entry) error {
	if !e.isForMemcheck() && !slices.Contains(e.Tools, "CoreError") {
		return nil // valgrind does not look into the entries of other tools
	}
	if e.needsExtra() && len(e.Extra) == 0 {
		return p.fail("found %q, expected %s", "}", extras[e.Kind])
	}
	for _, f := range e.Frames {
		if f.Kind != Any {
			return nil
		}
	}
	return p.fail("the entry that begins in line %d has no frame, or only \"...\": expected at least one \"fun:…\", "+
		"\"obj:…\" or \"src:…\"", e.Line)
}
