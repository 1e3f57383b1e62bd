package judge

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

// Output takes what a test binary prints with -test.v=test2json and keeps, for each test, the end of what it printed.
// The framing is that of testing's chatty printer: a line that begins with ^V and "=== NAME" or "=== RUN" says whose
// output follows.
type Output struct {
	// Line is called for every whole line, without framing and without the newline; it may be nil.
	Line func(line string)

	partial []byte
	current string
	tails   map[string]*tail
	panics  string          // the first line of a panic, fatal error or signal
	dumped  int             // lines since then
	dump    []string        // the first of those
	dumping *goroutines     // of goroutines of which none is said to have failed
	failed  map[string]bool // tests with a "--- FAIL" line
	passed  map[string]bool // tests with a "--- PASS" line in testing's frame
}

const (
	marker       = "\x16" // ^V, in $GOROOT/src/testing/testing.go
	maxTailLines = 100
	maxTailBytes = 16 << 10
	maxLine      = 64 << 10
	maxDump      = 40  // lines of a goroutine dump, that begins with the goroutine that matters
	maxStack     = 400 // lines of a goroutine dump in which to look for a stack
)

var (
	updateLine = regexp.MustCompile(`^=== (RUN|PAUSE|CONT|NAME|ATTR)\s+(\S*)`)
	resultLine = regexp.MustCompile(`^ *--- (PASS|FAIL|SKIP|BENCH): (\S+) \(`)
	// What the runtime prints as it goes down. Ginkgo's coloured dots may stand before it on the line.
	panicLine = regexp.MustCompile(`^(?:[•SPF]|\x1b\[[0-9;]*m)*?` +
		`(panic: .*|fatal error: .*|SIG[A-Z]+: [a-z].*|unexpected fault address .*)$`)
)

// nobodysLine begins a dump that no goroutine caused: it begins with one of the runtime's, or with that of the alarm clock.
var nobodysLine = regexp.MustCompile(`^SIGQUIT: |^panic: test timed out after |^fatal error: all goroutines are asleep`)

// goroutines are a dump of many, of which those of tests matter.
type goroutines struct {
	head    []string // before the first goroutine
	block   []string // the goroutine that is being read
	begun   bool
	sorted  [3][]string // goroutines: in a test's function, in one that waits for its subtests, and others
	inTest  bool
	waiting bool
}

var (
	goroutineLine = regexp.MustCompile(`^(goroutine [0-9]+ |runtime stack:)`)
	testFrame     = regexp.MustCompile(`^\S+\.(Test|Fuzz|Example)[A-Z_0-9]\w*(\.func\S*)?\(|^github\.com/onsi/ginkgo/v2/internal\.\(\*Suite\)\.runNode\.func`)
	waitsFrame    = regexp.MustCompile(`^testing\.\(\*T\)\.Run\(`)
)

func (d *goroutines) add(s string) {
	switch {
	case goroutineLine.MatchString(s):
		d.endBlock()
		d.begun = true
	case testFrame.MatchString(s):
		d.inTest = true
	case waitsFrame.MatchString(s):
		d.waiting = true
	}
	if !d.begun {
		if len(d.head) < maxDump {
			d.head = append(d.head, s)
		}
	} else if len(d.block) <= maxDump {
		d.block = append(d.block, s)
	}
}

func (d *goroutines) endBlock() {
	to := &d.sorted[2]
	switch {
	case d.inTest && d.waiting:
		to = &d.sorted[1]
	case d.inTest:
		to = &d.sorted[0]
	}
	if len(*to) <= maxDump {
		*to = append(*to, d.block...)
	}
	d.block, d.inTest, d.waiting = nil, false, false
}

// lines are those of the dump, with what matters first.
func (d *goroutines) lines() []string {
	d.endBlock()
	return slices.Concat(d.head, d.sorted[0], d.sorted[1], d.sorted[2])
}

// Write takes some output. It never fails.
func (o *Output) Write(b []byte) (int, error) {
	o.partial = append(o.partial, b...)
	rest := o.partial
	for {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 && len(rest) < maxLine {
			o.partial = append(o.partial[:0], rest...)
			return len(b), nil
		}
		if i < 0 {
			o.line(string(rest))
			rest = nil
			continue
		}
		o.line(string(rest[:i]))
		rest = rest[i+1:]
	}
}

// Close takes the last line if it did not end.
func (o *Output) Close() {
	if len(o.partial) > 0 {
		o.line(string(o.partial))
		o.partial = nil
	}
	o.endDump()
}

func (o *Output) line(s string) {
	// Output that does not end in a newline runs into the next mark.
	if i := strings.Index(s, marker); i > 0 {
		o.line(s[:i])
		s = s[i:]
	}
	s, framed := strings.CutPrefix(s, marker)
	s = strings.TrimSuffix(s, "\r")
	if framed {
		o.endDump()
		o.panics, o.dumped, o.dump = "", 0, nil // the process went on
		if m := updateLine.FindStringSubmatch(s); m != nil {
			o.current = m[2]
			if m[1] == "NAME" {
				return
			}
			o.show(s)
			return
		}
	}
	if m := resultLine.FindStringSubmatch(s); m != nil {
		if framed {
			o.current = m[2]
		}
		switch {
		case m[1] == "FAIL":
			if o.failed == nil {
				o.failed = make(map[string]bool)
			}
			o.failed[m[2]] = true
		case m[1] == "PASS" && framed:
			if o.passed == nil {
				o.passed = make(map[string]bool)
			}
			o.passed[m[2]] = true
		}
		o.show(s)
		return
	}
	if m := panicLine.FindStringSubmatch(s); m != nil && o.panics == "" {
		o.panics = m[1]
		if nobodysLine.MatchString(o.panics) {
			o.dumping = &goroutines{}
		}
	}
	if s == "PASS" || s == "FAIL" {
		o.current = ""
		o.show(s)
		return
	}
	if o.panics != "" {
		if o.dumped++; o.dumped <= maxStack {
			o.dump = append(o.dump, s)
		}
	}
	if o.dumping != nil {
		o.dumping.add(s)
	} else {
		o.keepDumped(s, o.dumped)
	}
	o.show(s)
}

// keepDumped keeps line n of a dump, if that is not too many.
func (o *Output) keepDumped(s string, n int) {
	switch {
	case n <= maxDump:
		o.keep(s)
	case n == maxDump+1:
		o.keep("…")
	}
}

// endDump keeps the dump whose lines were held back.
func (o *Output) endDump() {
	if o.dumping == nil {
		return
	}
	for i, s := range o.dumping.lines() {
		o.keepDumped(s, i+1)
	}
	o.dumping = nil
}

func (o *Output) show(s string) {
	if o.Line != nil {
		o.Line(s)
	}
}

func (o *Output) keep(s string) { o.add(o.current, s) }

// add adds a text to what a test printed.
func (o *Output) add(name, s string) {
	if o.tails == nil {
		o.tails = make(map[string]*tail)
	}
	t := o.tails[name]
	if t == nil {
		t = &tail{}
		o.tails[name] = t
	}
	t.add(s)
}

// replace puts what a test printed in another process into the place of what it printed.
func (o *Output) replace(name string, by *Output) {
	if t := by.tails[name]; t != nil {
		o.tails[name] = t
	}
}

// Tail returns the end of what a test printed, or of what was printed outside of tests for the empty name.
func (o *Output) Tail(name string) string {
	if t := o.tails[name]; t != nil {
		return t.String()
	}
	return ""
}

// tail keeps the last lines that were added.
type tail struct {
	lines []string
	size  int
	cut   bool
}

func (t *tail) add(s string) {
	t.lines = append(t.lines, s)
	t.size += len(s) + 1
	for len(t.lines) > 1 && (len(t.lines) > maxTailLines || t.size > maxTailBytes) {
		t.size -= len(t.lines[0]) + 1
		t.lines = t.lines[1:]
		t.cut = true
	}
}

func (t *tail) String() string {
	s := strings.Join(t.lines, "\n")
	if t.cut {
		s = "…\n" + s
	}
	return s
}
