package judge

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/cgogrind/cgogrind/harness/internal/frames"
	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
)

// Program judges one run of a program that marks no tests: a main package, a C program, a Rust test binary. It is one
// test, named after the program; or, for a Rust test binary, those that libtest names and reports on.
type Program struct {
	process *Process
	whole   *test
	tests   []*test
	named   map[string]*test // once it is needed
	again   string           // the command that runs it again
	libtest *Libtest         // nil if it is none
}

// Program returns the judge of a run of a program; command is its command line, again what runs it again. With libtest,
// the tests are those.
func (j *Judge) Program(command []string, name, again string, libtest *Libtest) *Program {
	p := &Program{process: j.Process(command), whole: &test{kind: "program", name: name}, again: again, libtest: libtest}
	p.process.program = p
	if libtest == nil {
		p.tests = []*test{p.whole}
	} else {
		for _, n := range libtest.Tests {
			p.tests = append(p.tests, &test{kind: "test", name: n})
		}
	}
	plan := &result.Plan{Package: j.cfg.ImportPath, Command: command}
	for _, t := range p.tests {
		plan.Tests = append(plan.Tests, t.name)
	}
	j.emit(result.Message{Plan: plan})
	return p
}

// Output takes what the program prints on standard error.
func (p *Program) Output() *Output { return p.process.output }

// Event takes what valgrind.Read yields next. It does not keep the event.
func (p *Program) Event(ev valgrind.Event, err error) { p.process.Event(ev, err) }

// Leaks takes the text with which memcheck answers the monitor command leak_check, and says how much there is that it had not
// told before: "1 new leak, 2 grown: 48 bytes in 3 blocks".
func (p *Program) Leaks(text string) string {
	found, grown := 0, 0
	var sum growth
	for _, e := range parseLeaks(text, p.process.judge.cfg.Binary) {
		e = p.process.named(e)
		if frames.IsProbe(e) || p.process.isNoise(e) {
			continue
		}
		r := p.process.newRecord(e)
		old, more := p.process.leak(e, r)
		sum.bytes += more.bytes
		sum.blocks += more.blocks
		switch {
		case old == nil:
			found++
			p.process.addRecord(r)
			p.process.announce(r)
		case more != (growth{}):
			grown++
		}
	}
	switch {
	case found == 0 && grown == 0:
		return "nothing new"
	case grown == 0:
		return plural(found, "new leak") + ": " + sum.String()
	case found == 0 && grown == 1:
		return "1 leak has grown: " + sum.String()
	case found == 0:
		return fmt.Sprintf("%d leaks have grown: %s", grown, sum)
	}
	return fmt.Sprintf("%s, %d grown: %s", plural(found, "new leak"), grown, sum)
}

// Finish takes how the process ended and emits the verdicts. Call Judge.Finish next.
func (p *Program) Finish(o Outcome) {
	proc := p.process
	proc.takeOutput()
	p.whole.elapsed = o.Elapsed
	for unique, r := range proc.byUnique {
		if n := proc.counts[unique]; r != nil && n > 0 && !isLeak(r.kind) {
			r.count = uint64(n)
		}
	}
	proc.dropDoubtfulClues()
	for _, r := range proc.records {
		r.disposition = proc.disposition(r, r.tests)
		again := p.again
		if len(r.tests) > 0 {
			again = p.repro(r.tests[0])
		}
		proc.judge.add(r, r.disposition, r.names(), again)
	}
	problem := proc.problem(o)
	if p.libtest == nil {
		p.emit(p.whole, proc.output.Tail(""), func() ruling { return p.ruling(o, problem) })
		return
	}
	for _, t := range p.tests {
		p.emit(t, p.libtest.output(t.name), func() ruling { return p.libtestRuling(t, o, problem) })
	}
	// What no test answers for.
	if len(p.whole.records) > 0 || !p.libtest.complete() && (o.ExitCode != 0 || o.Signal != "") &&
		!slices.ContainsFunc(p.tests, p.tookDown) {
		p.emit(p.whole, proc.output.Tail(""), func() ruling { return p.ruling(o, problem) })
	}
}

// emit sends a test's verdict: what rule makes of it, as it is and if all findings were known.
func (p *Program) emit(t *test, output string, rule func() ruling) {
	r := rule()
	p.process.allKnown = true
	otherwise := rule()
	p.process.allKnown = false
	m := &result.Test{
		Package: p.process.judge.cfg.ImportPath, Name: t.name, Verdict: r.verdict, Reason: r.reason,
		ElapsedS: t.elapsed.Seconds(), Findings: distinct(t.records),
	}
	if otherwise.verdict != r.verdict {
		m.Otherwise = otherwise.verdict
	}
	if r.verdict != result.Pass && r.verdict != result.Skip {
		m.Output = output
		m.Repro = p.repro(t)
	}
	p.process.judge.emit(result.Message{Test: m})
}

// repro is the command that runs a test again.
func (p *Program) repro(t *test) string {
	if p.libtest == nil || t == p.whole {
		return p.again
	}
	return p.libtest.Alone(t.name)
}

func distinct(records []*record) int {
	seen := make(map[findingKey]bool)
	for _, r := range records {
		seen[findingKey{r.fingerprint, r.disposition, r.attribution == result.OneOf}] = true
	}
	return len(seen)
}

// ruling rules on the program as a whole.
func (p *Program) ruling(o Outcome, problem string) ruling {
	proc := p.process
	found, _ := proc.findingsOf(p.whole)
	r := ruling{verdict: result.Pass}
	switch {
	case o.Stopped != "":
		r = ruling{result.Inconclusive, o.Stopped}
	case proc.fromOutside(o):
		r = ruling{result.Inconclusive, "the program was ended from outside: " + proc.ending(o)}
	case problem != "":
		r = ruling{result.Inconclusive, problem}
	case o.Signal != "" || proc.signal != nil || o.ExitCode != 0:
		r = ruling{result.Fail, "the program failed: " + proc.ending(o)}
	case len(proc.probes.outside) > 0: // marks name no tests here
		for _, reason := range proc.probes.outside {
			r = ruling{result.Inconclusive, reason}
		}
	case proc.layout.callCount > 0 && !proc.leaksReady:
		r = ruling{result.Inconclusive, "leaks may be missing: " + pastExit(o)}
	}
	if found != "" {
		r = ruling{result.Fail, join(found, r.reason)}
	}
	return r
}

// libtestRuling rules on one of libtest's tests.
func (p *Program) libtestRuling(t *test, o Outcome, problem string) ruling {
	proc := p.process
	found, doubt := proc.findingsOf(t)
	status := p.libtest.status(t.name)
	switch {
	case status == "FAILED":
		return ruling{result.Fail, join(failure(t), found)}
	case found != "" && p.tookDown(t):
		return ruling{result.Fail, join(found, tookDown+proc.ending(o))}
	case found != "":
		return ruling{result.Fail, found}
	case status == "ignored":
		return ruling{verdict: result.Skip}
	case o.Stopped != "" && status == "":
		return ruling{result.Inconclusive, o.Stopped}
	case problem != "":
		return ruling{result.Inconclusive, problem}
	case p.tookDown(t):
		return ruling{result.Fail, tookDown + proc.ending(o)}
	case status == "":
		return ruling{result.Inconclusive, "the process ended before the test's result was known: " + proc.ending(o)}
	}
	if doubt == "" {
		doubt = p.doubtOf(t)
	}
	if doubt != "" {
		return ruling{result.Inconclusive, doubt}
	}
	return ruling{verdict: result.Pass}
}

const tookDown = "the test took its process down: "

// tookDown says whether a signal ended the process in a test's thread.
func (p *Program) tookDown(t *test) bool {
	sig := p.process.signal
	return sig != nil && p.libtest.status(t.name) == "" && slices.Equal(p.ofThread(sig.Thread), []*test{t})
}

// doubtOf says which error may have happened in a test, too: memcheck counts a second error in the same place and does
// not report it. It compares the innermost four addresses of stacks, after a hundred errors two: if the function of the
// test is among those, the second error happened in that test, too.
func (p *Program) doubtOf(t *test) string {
	proc := p.process
	compared := 4
	if len(proc.order) >= 100 {
		compared = 2
	}
	for _, unique := range proc.order {
		r := proc.byUnique[unique]
		if r == nil || proc.counts[unique] < 2 || isLeak(r.kind) || 0 < r.testDepth && r.testDepth <= compared ||
			len(p.tests) < 2 || proc.allKnown || !proc.isNew(r) {
			continue
		}
		return fmt.Sprintf("memcheck counted %s like the %s in %s, and does not say in which test: run this one alone to see",
			plural(proc.counts[unique]-1, "more error"), r.kind, blamed(r.places.Blame))
	}
	return ""
}

// attribute says which tests an error belongs to.
func (p *Program) attribute(e *valgrind.Error, sections []valgrind.Section) ([]*test, result.Attribution) {
	if p.libtest == nil {
		return []*test{p.whole}, result.ByRunning
	}
	for _, s := range sections {
		for _, f := range s.Stack {
			if t := p.ofFunction(f.Function); t != nil {
				return []*test{t}, result.ByStack
			}
		}
	}
	switch tests := p.ofThread(e.Thread); {
	case isLeak(e.Kind) || len(tests) == 0:
		return []*test{p.whole}, result.Outside
	case len(tests) == 1:
		return tests, result.ByRunning
	default:
		return tests, result.OneOf
	}
}

// ofFunction returns the test whose function, or a closure in it, a frame is in: crate::NAME, crate::NAME::{{closure}}.
func (p *Program) ofFunction(function string) *test {
	_, name, ok := strings.Cut(function, "::")
	if !ok {
		return nil
	}
	if p.named == nil {
		p.named = make(map[string]*test)
		for _, t := range p.tests {
			p.named[t.name] = t
		}
	}
	for {
		if t := p.named[name]; t != nil {
			return t
		}
		i := strings.LastIndex(name, "::")
		if i < 0 {
			return nil
		}
		name = name[:i]
	}
}

// maxThreadName is how much of a thread's name Linux keeps. libtest runs each test in a thread of its name.
const maxThreadName = 15

func (p *Program) ofThread(thread string) []*test {
	if thread == "" || p.libtest == nil {
		return nil
	}
	var out []*test
	for _, t := range p.tests {
		if t.name[:min(maxThreadName, len(t.name))] == thread {
			out = append(out, t)
		}
	}
	return out
}

// testDepth is the how-many-th address of the error's own stack the test's function is at; 0 if it is not there.
func (p *Program) testDepth(sections []valgrind.Section) int {
	n := 0
	if len(sections) == 0 {
		return 0
	}
	stack := sections[0].Stack
	for i, f := range stack {
		if i == 0 || f.IP != stack[i-1].IP {
			n++
		}
		if p.ofFunction(f.Function) != nil {
			return n
		}
	}
	return 0
}

// chain tells a record in a line: what, where, and how the program came there.
func (p *Program) chain(r *record, what string) string {
	const most = 4
	var places []string
	if len(r.stacks) > 0 {
		for _, f := range r.stacks[0].Frames {
			if f.Function == "" || len(places) == 0 && f.Source == "" && r.places.Blame != nil {
				continue // begins with the code under test
			}
			text := frames.ShortName(f.KnownName())
			if f.Line > 0 {
				text += fmt.Sprintf(" (%s:%d)", path.Base(f.File), f.Line)
			}
			if places = append(places, text); len(places) == most {
				break
			}
		}
	}
	if len(places) == 0 {
		places = []string{blamed(r.places.Blame)}
	}
	text := fmt.Sprintf("%s: %s, in %s", r.kind, what, strings.Join(places, " < "))
	if p.libtest != nil {
		text += ", during " + strings.Join(r.names(), " or ")
	}
	return text
}

// Libtest is what is known of the tests of a Rust test binary, and what it prints.
type Libtest struct {
	Tests   []string // that it will run
	Ignored []string // of those, the ones that it will only mention
	// Alone makes the command that runs one of them alone.
	Alone func(test string) string

	partial  string
	results  map[string]string
	failures map[string]bool // in the list at the end
	listing  bool
	current  string // whose output follows
	outputs  map[string]*tail
	summary  bool
	counts   [3]int // passed, failed, ignored

	tests, ignored map[string]bool // those of Tests and Ignored
	whole          *bool           // what complete says, until there is another line
}

var (
	libtestResult  = regexp.MustCompile(`^test (.+?)(?: - should panic)? \.\.\. (ok|FAILED|ignored)(?:,.*)?$`)
	libtestSummary = regexp.MustCompile(`^test result: (?:ok|FAILED)\. (\d+) passed; (\d+) failed; (\d+) ignored;`)
	libtestOutput  = regexp.MustCompile(`^---- (.+) (?:stdout|stderr) ----$`)
	colors         = regexp.MustCompile(`\x1b\[[0-9;]*m|\x1b\(B`)
)

// Write takes some of what the binary prints on standard output. It never fails.
func (l *Libtest) Write(b []byte) (int, error) {
	l.partial += string(b)
	for {
		line, rest, ok := strings.Cut(l.partial, "\n")
		if !ok {
			if len(line) > maxLine {
				l.partial = ""
			}
			return len(b), nil
		}
		l.partial = rest
		l.line(colors.ReplaceAllString(strings.TrimSuffix(line, "\r"), ""))
	}
}

func (l *Libtest) line(s string) {
	l.whole = nil
	if l.results == nil {
		l.results, l.failures, l.outputs = map[string]string{}, map[string]bool{}, map[string]*tail{}
		l.tests = make(map[string]bool)
		for _, name := range l.Tests {
			l.tests[name] = true
		}
	}
	if m := libtestSummary.FindStringSubmatch(s); m != nil {
		l.summary, l.listing, l.current = true, false, ""
		for i := range l.counts {
			l.counts[i], _ = strconv.Atoi(m[i+1]) // digits
		}
		return
	}
	if m := libtestOutput.FindStringSubmatch(s); m != nil && l.tests[m[1]] {
		l.current, l.listing = m[1], false
		l.outputs[m[1]] = &tail{}
		return
	}
	if s == "failures:" {
		l.listing, l.current = true, ""
		return
	}
	if name, ok := strings.CutPrefix(s, "    "); ok && l.listing && l.tests[name] {
		l.failures[name] = true
		return
	}
	if l.current != "" {
		l.outputs[l.current].add(s)
		return
	}
	if m := libtestResult.FindStringSubmatch(s); m != nil && l.tests[m[1]] {
		if old := l.results[m[1]]; old != "FAILED" {
			l.results[m[1]] = m[2]
		}
	}
}

// complete says whether the summary was printed and agrees with what is known of the single tests. Then a test that
// neither failed nor is ignored has passed, whether or not a line says so: -q prints dots, --nocapture mixes lines.
func (l *Libtest) complete() bool {
	if l.whole != nil {
		return *l.whole
	}
	failed := 0
	for _, t := range l.Tests {
		if l.failures[t] || l.results[t] == "FAILED" {
			failed++
		}
	}
	whole := l.summary && l.counts[1] == failed && l.counts[2] == len(l.Ignored) &&
		l.counts[0]+l.counts[1]+l.counts[2] == len(l.Tests)
	l.whole = &whole
	return whole
}

// status is "ok", "FAILED", "ignored", or empty for a test whose result is not known.
func (l *Libtest) status(name string) string {
	switch {
	case l.failures[name]:
		return "FAILED"
	case l.isIgnored(name):
		return "ignored"
	case l.results[name] == "" && l.complete():
		return "ok"
	}
	return l.results[name]
}

func (l *Libtest) isIgnored(name string) bool {
	if l.ignored == nil {
		l.ignored = make(map[string]bool)
		for _, name := range l.Ignored {
			l.ignored[name] = true
		}
	}
	return l.ignored[name]
}

func (l *Libtest) output(name string) string {
	if t := l.outputs[name]; t != nil {
		return strings.TrimSpace(t.String())
	}
	return ""
}

var (
	leakHead  = regexp.MustCompile(`^([0-9,]+) (?:\([^)]*\) )?(?:\([^)]*\) )?bytes in ([0-9,]+) (?:\([^)]*\) )?blocks are definitely lost in loss record`)
	leakFrame = regexp.MustCompile(`^(?:at|by) 0x([0-9A-Fa-f]+): (.*)$`)
	framePos  = regexp.MustCompile(`^(.*) \((?:in (.*)|(.*):([0-9]+))\)$`)
)

// parseLeaks reads memcheck's text about blocks that are definitely lost, as --fullpath-after= makes it. The text names
// the object of a place only where nothing better is known; the program is as good a guess as any.
func parseLeaks(text, program string) []*valgrind.Error {
	var out []*valgrind.Error
	var e *valgrind.Error
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if i := strings.Index(line, "== "); strings.HasPrefix(line, "==") && i > 0 {
			line = strings.TrimSpace(line[i+3:])
		}
		if m := leakHead.FindStringSubmatch(line); m != nil {
			e = &valgrind.Error{Kind: "Leak_DefinitelyLost", Sections: make([]valgrind.Section, 1)}
			e.What.Text = line
			e.What.LeakedBytes, e.What.LeakedBlocks = number(m[1]), number(m[2])
			out = append(out, e)
			continue
		}
		m := leakFrame.FindStringSubmatch(line)
		if m == nil {
			e = nil
			continue
		}
		if e == nil {
			continue
		}
		f := valgrind.Frame{Object: program}
		f.IP, _ = strconv.ParseUint(m[1], 16, 64) // hexadecimal digits; too many make it the largest
		f.Function = m[2]
		if pos := framePos.FindStringSubmatch(m[2]); pos != nil {
			f.Function = pos[1]
			if pos[2] != "" {
				f.Object = pos[2]
			}
			f.Dir, f.File = path.Split(pos[3])
			f.Dir = strings.TrimSuffix(f.Dir, "/")
			f.Line, _ = strconv.Atoi(pos[4]) // digits
			if f.File == "vg_replace_malloc.c" {
				f.Object = "/vgpreload_memcheck"
			}
		}
		if f.Function == "???" {
			f.Function = ""
		}
		e.Sections[0].Stack = append(e.Sections[0].Stack, f)
	}
	return out
}

func number(s string) uint64 {
	n, _ := strconv.ParseUint(strings.ReplaceAll(s, ",", ""), 10, 64) // digits
	return n
}
