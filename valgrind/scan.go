package valgrind

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// The limits that keep memory flat. memcheck itself stays far below them: it shows at most 500 frames a stack.
const (
	maxText  = 256 << 10 // bytes of one text as the report spells it; the rest is cut
	maxTexts = 1 << 20   // bytes of all texts of one event, likewise
	maxItems = 2 << 20   // bytes that the frames, pairs, … of one event take beside their texts; more is damage

	maxDepth  = 256 // open elements
	maxTag    = 512 // bytes of a tag
	maxThread = 256 // bytes of a thread's name; Linux allows 15

	bufferSize = 64 << 10
)

// scanner reads the subset of XML that memcheck writes: elements, texts, CDATA, comments and processing instructions,
// and tolerates what memcheck fails to escape. The first error stays.
//
// Each element that child opens must be consumed by a loop over its children, by text or verbatim, or by skip.
type scanner struct {
	r        io.Reader
	buf      []byte
	pos, end int   // buf[pos:end] is read but not consumed
	base     int64 // offset of buf[0] in the report
	line     int   // line of buf[counted]
	counted  int
	eof      bool
	err      error

	path  []byte // names of the open elements, each followed by a slash
	depth int
	start int64 // offset of the start tag that was opened last
	empty bool  // the innermost open element is <name/>

	closing []byte // the end tag of the text that is being read
	scratch []byte // that text, as far as it is no longer in buf
	size    int    // bytes that were to be put into scratch

	texts int // bytes left of maxTexts
	items int // bytes left of maxItems
}

func newScanner(r io.Reader) *scanner {
	s := &scanner{r: r, buf: make([]byte, bufferSize), line: 1}
	s.refresh()
	return s
}

// refresh gives the next event its own limits.
func (s *scanner) refresh() { s.texts, s.items = maxTexts, maxItems }

// item accounts for a part of an event that takes size bytes.
func (s *scanner) item(size uintptr) bool {
	s.items -= int(size)
	if s.items < 0 {
		s.damage("<%s> has more parts than memcheck can write", s.name())
	}
	return s.err == nil
}

// fill reads once, so that what a pipe holds is used before more comes. It is called when less than maxTag bytes are
// unread, and moves these to the front of buf if there is no room.
func (s *scanner) fill() bool {
	if s.eof || s.err != nil {
		return false
	}
	if s.end == len(s.buf) {
		s.countLines()
		copy(s.buf, s.buf[s.pos:s.end])
		s.base += int64(s.pos)
		s.end -= s.pos
		s.pos, s.counted = 0, 0
	}
	for range 100 {
		n, err := s.r.Read(s.buf[s.end:])
		s.end += n
		switch {
		case errors.Is(err, io.EOF):
			s.eof = true
		case err != nil:
			s.err = fmt.Errorf("valgrind: reading the report: %w", err)
		}
		if n > 0 || err != nil {
			return n > 0 && s.err == nil
		}
	}
	s.err = fmt.Errorf("valgrind: reading the report: %w", io.ErrNoProgress)
	return false
}

// more is fill where the report may not end.
func (s *scanner) more() bool {
	if s.fill() {
		return true
	}
	if s.err == nil {
		element := string(s.name())
		s.pos = s.end
		s.countLines()
		s.err = &TruncatedError{Offset: s.offset(), Line: s.line, Element: element}
	}
	return false
}

// at says whether what is next begins with prefix, and reads as much as it takes to know.
func (s *scanner) at(prefix []byte) bool {
	for {
		rest := s.buf[s.pos:s.end]
		if len(rest) >= len(prefix) {
			return bytes.HasPrefix(rest, prefix)
		}
		if !bytes.HasPrefix(prefix, rest) || !s.more() {
			return false
		}
	}
}

func (s *scanner) offset() int64 { return s.base + int64(s.pos) }

// countLines brings line up to pos.
func (s *scanner) countLines() {
	s.line += bytes.Count(s.buf[s.counted:s.pos], []byte{'\n'})
	s.counted = s.pos
}

func (s *scanner) damage(format string, args ...any) {
	if s.err == nil {
		s.countLines()
		s.err = &SyntaxError{Offset: s.offset(), Line: s.line, Reason: fmt.Sprintf(format, args...)}
	}
}

// name is the innermost open element.
func (s *scanner) name() []byte {
	if s.depth == 0 {
		return nil
	}
	p := s.path[:len(s.path)-1]
	return p[bytes.LastIndexByte(p, '/')+1:]
}

func (s *scanner) pop() {
	s.path = s.path[:len(s.path)-1-len(s.name())]
	s.depth--
	s.empty = false
}

// child goes to the next child of the innermost open element and opens it. At that element's end it closes the element
// and returns false.
func (s *scanner) child() bool {
	if s.empty {
		s.pop()
		return false
	}
	for s.err == nil {
		for s.pos < s.end && isSpace(s.buf[s.pos]) {
			s.pos++
		}
		switch {
		case s.pos == s.end:
			s.more()
		case s.buf[s.pos] != '<':
			s.strayText()
		case s.special():
			if s.at(startCDATA) {
				s.strayText()
			} else {
				s.markup()
			}
		default:
			t, ok := s.tag()
			switch {
			case !ok:
				s.damage("a < that begins no tag")
			case t.end && !bytes.Equal(t.name, s.name()):
				s.damage("</%s> where </%s> is due", t.name, s.name())
			case t.end:
				s.pos += t.size
				s.pop()
				return false
			default:
				return s.open(t)
			}
		}
	}
	return false
}

// open opens the element whose start tag is t, at pos.
func (s *scanner) open(t tag) bool {
	switch {
	case s.depth > 0 && string(t.name) == "valgrindoutput":
		s.anotherReport()
	case s.depth > 1 && events[string(t.name)]:
		s.damage("<%s> within <%s>: two processes wrote into the same report, or a part of it is missing", t.name, s.name())
	case s.depth == maxDepth:
		s.damage("elements are nested deeper than %d", maxDepth)
	}
	if s.err != nil {
		return false
	}
	s.start = s.offset()
	s.path = append(append(s.path, t.name...), '/')
	s.depth++
	s.empty = t.empty
	s.pos += t.size
	return true
}

func (s *scanner) strayText() {
	if s.depth == 0 {
		s.damage("it does not begin with an element: this is no report of valgrind")
		return
	}
	s.damage("text where <%s> has only elements: something else was written into the report", s.name())
}

func (s *scanner) anotherReport() {
	s.damage("here is another report, or a part of one: a child process wrote into its parent's file " +
		"(put %%p into the name that --xml-file gives, so that each process has its own)")
}

// skip consumes the open element, whatever it holds.
func (s *scanner) skip() {
	outer := s.depth
	for s.err == nil && s.depth >= outer {
		if s.empty {
			s.pop()
			continue
		}
		i := bytes.IndexByte(s.buf[s.pos:s.end], '<')
		if i < 0 {
			s.pos = s.end
			s.more()
			continue
		}
		s.pos += i
		if s.special() {
			if s.at(startCDATA) {
				s.skipTo(endCDATA)
			} else {
				s.markup()
			}
			continue
		}
		t, ok := s.tag()
		switch {
		case !ok:
			s.pos++
		case !t.end:
			s.open(t)
		default:
			s.closeTo(t, outer)
		}
	}
}

// closeTo closes the element that the end tag t belongs to. If that is not the innermost one, what seemed to be start
// tags within it was text that is not escaped, unless the protocol has such elements.
func (s *scanner) closeTo(t tag, outer int) {
	for !bytes.Equal(t.name, s.name()) {
		if s.depth == outer || vocabulary[string(s.name())] {
			s.damage("</%s> where </%s> is due", t.name, s.name())
			return
		}
		s.pop()
	}
	s.pos += t.size
	s.pop()
}

// A tag is a start or end tag at pos.
type tag struct {
	name  []byte // valid until the next read
	end   bool   // </name>
	empty bool   // <name/>
	size  int
}

// tag looks at the < at pos: it may not begin a tag at all. Nothing is consumed.
func (s *scanner) tag() (t tag, ok bool) {
	n := 1
	for {
		for ; n < min(s.end-s.pos, maxTag); n++ {
			switch s.buf[s.pos+n] {
			case '<':
				return tag{}, false
			case '>':
				return parseTag(s.buf[s.pos : s.pos+n+1])
			}
		}
		if n == maxTag || !s.more() {
			return tag{}, false
		}
	}
}

func parseTag(p []byte) (t tag, ok bool) {
	t.size = len(p)
	p = p[1 : len(p)-1]
	switch {
	case len(p) == 0:
		return tag{}, false
	case p[0] == '/':
		t.end = true
		p = p[1:]
	case p[len(p)-1] == '/':
		t.empty = true
		p = p[:len(p)-1]
	}
	n := 0
	for n < len(p) && isNameByte(p[n], n == 0) {
		n++
	}
	t.name = p[:n]
	return t, n > 0 && (n == len(p) || isSpace(p[n]))
}

var (
	startCDATA   = []byte("<![CDATA[")
	endCDATA     = []byte("]]>")
	startComment = []byte("<!--")
	endComment   = []byte("-->")
	startPI      = []byte("<?")
	endPI        = []byte("?>")
	startXML     = []byte("<?xml")
	endDecl      = []byte(">")
)

// special says whether the < at pos begins something else than a tag or a text.
func (s *scanner) special() bool {
	for s.end-s.pos < 2 {
		if !s.more() {
			return false
		}
	}
	c := s.buf[s.pos+1]
	return c == '?' || c == '!'
}

// markup consumes the comment, processing instruction or declaration at pos.
func (s *scanner) markup() {
	switch {
	case s.depth > 0 && s.at(startXML):
		s.anotherReport()
	case s.at(startPI):
		s.skipTo(endPI)
	case s.at(startComment):
		s.skipTo(endComment)
	default:
		s.skipTo(endDecl)
	}
}

// skipTo goes behind the next occurrence of mark.
func (s *scanner) skipTo(mark []byte) {
	for s.err == nil {
		if i := bytes.Index(s.buf[s.pos:s.end], mark); i >= 0 {
			s.pos += i + len(mark)
			return
		}
		s.pos = max(s.pos, s.end-len(mark)+1)
		s.more()
	}
}

// text consumes the open element and returns its text as the report spells it, valid until the next call. Within it,
// the protocol's tags are damage; other tags are text that memcheck did not escape, such as the <unknown> that
// valgrind 3.25 writes into a <what>.
func (s *scanner) text() []byte {
	return s.collect(func() {
		switch {
		case s.at(startCDATA):
			s.cdata()
			return
		case s.at(startXML):
			s.anotherReport()
			return
		}
		t, ok := s.tag()
		switch {
		case !ok || !vocabulary[string(t.name)]:
			s.keepByte()
		case t.end:
			s.damage("</%s> where </%s> is due", t.name, s.name())
		default:
			s.damage("<%s> within the text of <%s>", t.name, s.name())
		}
	})
}

// verbatim is text for what memcheck never escapes: all up to the end tag is text. Of a text longer than short bytes it
// says that it does not end; 0 means that any length is fine.
func (s *scanner) verbatim(short int) []byte {
	return s.collect(func() {
		if short > 0 && s.size > short {
			s.damage("<%s> does not end", s.name())
		}
		s.keepByte()
	})
}

// collect consumes the open element. Where its text has a < that does not begin its end tag, it calls angle, which
// consumes that and keeps what belongs to the text.
func (s *scanner) collect(angle func()) []byte {
	if s.empty {
		s.pop()
		return nil
	}
	s.closing = append(append(append(s.closing[:0], "</"...), s.name()...), '>')
	s.scratch, s.size = s.scratch[:0], 0
	for s.err == nil {
		rest := s.buf[s.pos:s.end]
		i := bytes.IndexByte(rest, '<')
		if i < 0 {
			s.keep(rest)
			s.pos = s.end
			s.more()
			continue
		}
		if s.size == 0 && bytes.HasPrefix(rest[i:], s.closing) {
			s.pos += i + len(s.closing)
			s.pop()
			return s.cut(rest[:i], i)
		}
		s.keep(rest[:i])
		s.pos += i
		if s.at(s.closing) {
			s.pos += len(s.closing)
			s.pop()
			return s.cut(s.scratch, s.size)
		}
		if s.err == nil {
			angle()
		}
	}
	return nil
}

// cdata keeps the CDATA section at pos. What is kept is decoded later, so & is escaped.
func (s *scanner) cdata() {
	s.pos += len(startCDATA)
	for {
		if s.at(endCDATA) {
			s.pos += len(endCDATA)
			return
		}
		if s.err != nil {
			return
		}
		if s.buf[s.pos] == '&' {
			s.keep([]byte("&amp;"))
			s.pos++
			continue
		}
		rest := s.buf[s.pos:s.end]
		n := 1
		if i := bytes.IndexAny(rest[1:], "]&"); i >= 0 {
			n += i
		} else {
			n = len(rest)
		}
		s.keep(rest[:n])
		s.pos += n
	}
}

// keepByte consumes a byte and keeps it, unless nothing was left to read.
func (s *scanner) keepByte() {
	if s.err == nil {
		s.keep(s.buf[s.pos : s.pos+1])
		s.pos++
	}
}

// keep adds to the text as much as can be of use.
func (s *scanner) keep(p []byte) {
	s.size += len(p)
	s.scratch = append(s.scratch, p[:min(len(p), maxText-len(s.scratch))]...)
}

// cut applies the limits to a text of size bytes, of which p is what was kept.
func (s *scanner) cut(p []byte, size int) []byte {
	limit := min(maxText, s.texts)
	if size <= limit {
		s.texts -= size
		return p
	}
	s.texts -= limit
	s.scratch = append(append(s.scratch[:0], wholePrefix(p[:limit])...), ellipsis...)
	return s.scratch
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

func isNameByte(c byte, first bool) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_':
		return true
	case '0' <= c && c <= '9', c == '-', c == '.', c == ':':
		return !first
	}
	return false
}

// events are the elements that occur only directly below the root.
var events = map[string]bool{
	"preamble": true, "status": true, "error": true, "clientmsg": true, "fatal_signal": true, "errorcounts": true,
	"suppcounts": true, "error_summary": true,
}

// vocabulary are the elements of the protocol that a text of it cannot contain.
var vocabulary = map[string]bool{
	"valgrindoutput": true, "protocolversion": true, "protocoltool": true, "preamble": true, "line": true, "pid": true,
	"ppid": true, "tool": true, "usercomment": true, "logfilequalifier": true, "args": true, "vargv": true,
	"argv": true, "exe": true, "arg": true, "status": true, "state": true, "time": true, "error": true, "unique": true,
	"tid": true, "threadname": true, "kind": true, "what": true, "xwhat": true, "auxwhat": true, "xauxwhat": true,
	"text": true, "leakedbytes": true, "leakedblocks": true, "stack": true, "frame": true, "ip": true, "obj": true,
	"fn": true, "dir": true, "file": true, "suppression": true, "sname": true, "skind": true, "skaux": true,
	"sframe": true, "fun": true, "rawtext": true, "clientmsg": true, "fatal_signal": true, "signo": true,
	"signame": true, "sicode": true, "siaddr": true, "errorcounts": true, "suppcounts": true, "pair": true,
	"count": true, "error_summary": true, "error_contexts": true, "suppressed_contexts": true, "heap_summary": true,
	"leak_summary": true, "announcethread": true,
}
