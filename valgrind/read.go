package valgrind

import (
	"bytes"
	"io"
	"iter"
	"math"
	"slices"
	"strings"
	"unsafe"
)

// Read reads a report. It yields the events in document order, each as soon as its end tag has been read, even when the
// rest of the report does not exist yet. The Header comes when the element that follows it begins.
//
// An error comes last, once: a *TruncatedError, which matches ErrTruncated, if the report ends early; a *SyntaxError if
// it is damaged in another way, which includes text after its end and a second report in the same file; or the error of
// r. Every event that is whole before that place is yielded. A report that is read without an error is well-formed, and
// still not a pass: see Completeness.
//
// Elements that the protocol does not have are skipped. Texts are UTF-8: what is not, and characters that XML forbids,
// become U+FFFD. A text is cut, with "…" at its end, when it is longer than 256 KiB, or when the texts of its event are
// longer than 1 MiB together. A text that is no number, where one identifies or counts errors or leaked memory, is
// damage; elsewhere it counts as 0.
//
// r is read in the order and the pace of the iteration, which can be done once. Memory does not grow with the report.
func Read(r io.Reader) iter.Seq2[Event, error] {
	d := &decoder{scanner: newScanner(r)}
	return func(yield func(Event, error) bool) {
		for {
			e := d.event()
			if d.err != nil {
				yield(nil, d.err)
				return
			}
			if e == nil || !yield(e, nil) {
				return
			}
		}
	}
}

// decoder makes events of what the scanner finds.
type decoder struct {
	*scanner
	shared texts
	frames []Frame

	begun  bool // the root element was found
	header *Header
	headed bool // the Header was yielded
	held   bool // the element that is open is the one after the header
}

// event returns the next event, and nil at the end. It is no event if there is an error.
func (d *decoder) event() Event {
	if !d.begun {
		d.root()
	}
	for d.held || d.depth > 0 && d.child() {
		name := string(d.name())
		switch {
		case !d.headed && d.headerElement(name):
			continue
		case !events[name]:
			d.skip()
			continue
		case d.header != nil:
			d.held = true
			return d.takeHeader()
		}
		d.headed, d.held = true, false
		d.refresh()
		var e Event
		switch name {
		case "status":
			e = d.readStatus()
		case "error":
			e = d.readError()
		case "clientmsg":
			e = d.readClientMessage()
		case "fatal_signal":
			e = d.readFatalSignal()
		case "errorcounts":
			e = d.readErrorCounts()
		case "suppcounts":
			e = d.readSuppressionCounts()
		case "error_summary":
			e = d.readErrorSummary()
		default: // a <preamble> after the header
			d.skip()
		}
		if e != nil {
			return e
		}
	}
	if d.err == nil && d.header != nil {
		return d.takeHeader()
	}
	d.trailer()
	return nil
}

// root goes behind the start tag of the root element.
func (d *decoder) root() {
	d.begun = true
	if !d.child() {
		return
	}
	if name := string(d.name()); name != "valgrindoutput" {
		d.damage("the root element is <%s>, not <valgrindoutput>: this is no report of valgrind", name)
	}
}

// trailer makes sure that nothing follows the root element.
func (d *decoder) trailer() {
	for d.err == nil {
		for d.pos < d.end && isSpace(d.buf[d.pos]) {
			d.pos++
		}
		if d.pos == d.end {
			if !d.fill() {
				return
			}
			continue
		}
		if d.buf[d.pos] == '<' {
			d.anotherReport()
		} else {
			d.damage("text after the end of the report: something else was written into it")
		}
	}
}

func (d *decoder) takeHeader() Event {
	h := *d.header
	d.header, d.headed = nil, true
	return h
}

// headerElement reads the open element if it is a part of the header.
func (d *decoder) headerElement(name string) bool {
	h := d.header
	if h == nil {
		h = &Header{}
	}
	switch name {
	case "protocolversion":
		h.Protocol = d.int()
	case "protocoltool":
		h.Tool = d.word()
	case "preamble":
		h.Preamble = d.list(h.Preamble, "line")
	case "pid":
		h.PID = d.int()
	case "ppid":
		h.PPID = d.int()
	case "usercomment":
		// --xml-user-comment is written as it is: it may be a piece of XML itself.
		d.item(unsafe.Sizeof(""))
		h.UserComments = append(h.UserComments, d.shared.decode(d.verbatim(0)))
	case "args":
		for d.child() {
			switch string(d.name()) {
			case "vargv":
				h.ValgrindArgs = d.list(h.ValgrindArgs, "exe", "arg")
			case "argv":
				h.Args = d.list(h.Args, "exe", "arg")
			default:
				d.skip()
			}
		}
	default:
		return false
	}
	d.header = h
	return true
}

// list appends the texts of the open element's children of these names.
func (d *decoder) list(to []string, names ...string) []string {
	for d.child() {
		if !slices.Contains(names, string(d.name())) {
			d.skip()
			continue
		}
		d.item(unsafe.Sizeof(""))
		to = append(to, d.string())
	}
	return to
}

func (d *decoder) readStatus() Status {
	var st Status
	for d.child() {
		switch string(d.name()) {
		case "state":
			st.State = d.word()
		case "time":
			st.Time = d.word()
		default:
			d.skip()
		}
	}
	return st
}

func (d *decoder) readError() *Error {
	d.countLines()
	e := &Error{Offset: d.start, Line: d.line}
	introduced := false // the last section waits for its stack
	for d.child() {
		switch string(d.name()) {
		case "unique":
			e.Unique = d.uint("unique")
		case "tid":
			e.TID = d.int()
		case "threadname":
			e.Thread = d.threadName()
		case "kind":
			e.Kind = Kind(d.word())
		case "what":
			e.What.add(d.string())
		case "xwhat":
			d.extended(&e.What)
		case "fd":
			e.What.FD = d.int()
		case "path":
			e.What.Path = d.string()
		case "auxwhat":
			d.introduce(e).add(d.string())
			introduced = true
		case "xauxwhat":
			d.extended(d.introduce(e))
			introduced = true
		case "stack":
			if !introduced {
				d.addSection(e)
			}
			introduced = false
			e.Sections[len(e.Sections)-1].Stack = d.stack()
		case "suppression":
			for d.child() {
				if string(d.name()) == "rawtext" {
					e.Suppression = strings.TrimSpace(d.string())
				} else {
					d.skip()
				}
			}
		default:
			d.skip()
		}
	}
	return e
}

func (d *decoder) addSection(e *Error) *Section {
	d.item(unsafe.Sizeof(Section{}))
	e.Sections = append(e.Sections, Section{})
	return &e.Sections[len(e.Sections)-1]
}

// introduce adds a section for an auxiliary text. The first section is left to What.
func (d *decoder) introduce(e *Error) *Text {
	if len(e.Sections) == 0 {
		d.addSection(e)
	}
	return &d.addSection(e).Text
}

// add adds a line; usually it is the only one.
func (t *Text) add(line string) {
	if t.Text != "" {
		line = t.Text + "\n" + line
	}
	t.Text = line
}

// extended reads an <xwhat> or <xauxwhat>.
func (d *decoder) extended(t *Text) {
	for d.child() {
		switch string(d.name()) {
		case "text":
			t.add(d.string())
		case "leakedbytes":
			t.LeakedBytes = d.uint("leakedbytes")
		case "leakedblocks":
			t.LeakedBlocks = d.uint("leakedblocks")
		case "fd":
			t.FD = d.int()
		case "path":
			t.Path = d.string()
		case "file":
			t.File = d.string()
		case "dir":
			t.Dir = d.string()
		case "line":
			t.Line = d.int()
		case "threadid", "hthreadid":
			t.ThreadID = d.int()
		default:
			d.skip()
		}
	}
}

func (d *decoder) stack() []Frame {
	d.frames = d.frames[:0]
	for d.child() {
		if string(d.name()) != "frame" {
			d.skip()
			continue
		}
		d.item(unsafe.Sizeof(Frame{}))
		d.frames = append(d.frames, d.frame())
	}
	return slices.Clone(d.frames)
}

func (d *decoder) frame() Frame {
	var f Frame
	for d.child() {
		switch string(d.name()) {
		case "ip":
			f.IP, _ = number(d.text())
		case "obj":
			f.Object = d.string()
		case "fn":
			f.Function = d.string()
		case "dir":
			f.Dir = d.string()
		case "file":
			f.File = d.string()
		case "line":
			f.Line = d.int()
		default:
			d.skip()
		}
	}
	return f
}

func (d *decoder) readClientMessage() ClientMessage {
	var m ClientMessage
	for d.child() {
		switch string(d.name()) {
		case "tid":
			m.TID = d.int()
		case "threadname":
			m.Thread = d.threadName()
		case "text":
			m.Text = strings.TrimRight(d.string(), " \t\r\n")
		case "stack":
			m.Stack = d.stack()
		default:
			d.skip()
		}
	}
	return m
}

func (d *decoder) readFatalSignal() FatalSignal {
	var f FatalSignal
	for d.child() {
		switch string(d.name()) {
		case "tid":
			f.TID = d.int()
		case "threadname":
			f.Thread = d.threadName()
		case "signo":
			f.Signal = d.int()
		case "signame":
			f.Name = d.word()
		case "sicode":
			f.Code = d.int()
		case "event":
			f.Event = d.string()
		case "siaddr":
			f.Addr = d.word()
		case "stack":
			f.Stack = d.stack()
		default:
			d.skip()
		}
	}
	return f
}

func (d *decoder) readErrorCounts() ErrorCounts {
	counts := ErrorCounts{}
	for d.child() {
		var p UniqueCount
		if d.pair(&p.Count, func() { p.Unique = d.uint("unique") }, "unique") {
			d.item(unsafe.Sizeof(p))
			counts = append(counts, p)
		}
	}
	return counts
}

func (d *decoder) readSuppressionCounts() SuppressionCounts {
	counts := SuppressionCounts{}
	for d.child() {
		var p SuppressionCount
		if d.pair(&p.Count, func() { p.Name = d.string() }, "name") {
			d.item(unsafe.Sizeof(p))
			counts = append(counts, p)
		}
	}
	return counts
}

// pair reads a <pair> of a count and something else; other elements it skips.
func (d *decoder) pair(count *uint64, read func(), name string) bool {
	if string(d.name()) != "pair" {
		d.skip()
		return false
	}
	for d.child() {
		switch string(d.name()) {
		case "count":
			*count = d.uint("count")
		case name:
			read()
		default:
			d.skip()
		}
	}
	return true
}

func (d *decoder) readErrorSummary() ErrorSummary {
	var sum ErrorSummary
	for d.child() {
		switch string(d.name()) {
		case "errors":
			sum.Errors = d.uint("errors")
		case "error_contexts":
			sum.Contexts = d.uint("error_contexts")
		case "suppressed":
			sum.Suppressed = d.uint("suppressed")
		case "suppressed_contexts":
			sum.SuppressedContexts = d.uint("suppressed_contexts")
		default:
			d.skip()
		}
	}
	return sum
}

func (d *decoder) string() string { return d.shared.decode(d.text()) }

// word is a text without the white space around it.
func (d *decoder) word() string { return d.shared.decode(bytes.TrimSpace(d.text())) }

// threadName reads a <threadname>, which memcheck writes as the program set it.
func (d *decoder) threadName() string { return d.shared.decode(d.verbatim(maxThread)) }

// int is a number that is 0 if it is not one.
func (d *decoder) int() int {
	raw, negative := bytes.CutPrefix(bytes.TrimSpace(d.text()), []byte{'-'})
	n, ok := number(raw)
	switch {
	case !ok || n > math.MaxInt:
		return 0
	case negative:
		return -int(n)
	}
	return int(n)
}

// uint is a number without which the report makes no sense.
func (d *decoder) uint(name string) uint64 {
	raw := d.text()
	n, ok := number(raw)
	if !ok {
		d.damage("%q in <%s> is not a number", raw[:min(len(raw), 64)], name)
	}
	return n
}
