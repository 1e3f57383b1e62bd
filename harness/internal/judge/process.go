package judge

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/cgogrind/cgogrind/harness/internal/frames"
	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
)

// Process judges one process that runs tests of the package.
type Process struct {
	judge   *Judge
	command []string
	output  *Output

	started   bool // the test binary's runtime is up
	layout    markLayout
	plan      []string
	unbegun   int             // tests of the plan that have not begun
	owed      map[string]bool // those of the plan
	planned   bool            // the plan is whole
	announced int             // how many tests of it the last Plan had
	done      bool            // M.Run returned, and was not called again
	idle      bool            // it ended in order and without M.Run
	roster
	specs []suite

	records       []*record
	appeared      appearances        // leaks, in the checks between tests
	leaks         map[string]*record // by stack: what a program was asked for while it ran is reported again at its end
	checkingLeaks bool
	leaksSkipped  bool
	leaksReady    bool // the runtime brought the heap in order for the leak check at the end
	confirming    bool // the process runs again what passed in processes that did not end in order
	unconfirmed   []*test
	overruled     map[*test]bool
	settled       bool               // settle was called
	allKnown      bool               // ruling as if all findings were known
	alone         *Alone             // what the process is for, if it runs one test alone
	program       *Program           // that the process runs, if it marks no tests
	order         []uint64           // unique numbers, as they were reported
	byUnique      map[uint64]*record // nil for errors that are no defects
	folds         foldCounter
	outsideFolds  []fold
	names         map[*record]string // of tests, for people
	forged        int                // marks that were not obeyed
	told          map[string]bool    // progress that is said once: records, marks that were not obeyed

	probes probes
	whole  valgrind.Completeness
	counts map[uint64]int // how often each error happened, by unique number; nil until the report's end
	signal *valgrind.FatalSignal
	exact  bool // the place where it struck is that of a process with exact registers
}

type state int

const (
	running state = iota
	paused        // in t.Parallel
	over
)

// test is one run of a test, subtest, example, fuzz target, Ginkgo spec or Ginkgo node.
type test struct {
	id              uint64
	kind, name      string
	parent          *test
	children        []*test
	index           int // in the order in which tests began
	round           int // how often it had begun when it began, this time included
	state           state
	runningChildren int
	status          string // as it ended: "pass", "fail", "skip"
	reason          string
	elapsed         time.Duration
	records         []*record
	folds           []unresolved
	alone           *Alone // the process that ran it alone; nil if none did
	crash           *Alone // the process that ran it alone after it took this one down; nil if none did
	native          bool   // it passed without memcheck
	expected        []*expectation
	unconfirmed     bool // it is to run once more
}

// isFiltered says whether a spec was not chosen: Ginkgo reports those, too.
func (t *test) isFiltered() bool {
	return t.kind == "spec" && t.status == "skip" && t.reason == "" && t.elapsed == 0 && len(t.records) == 0
}

func (t *test) isSpec() bool { return t.kind == "spec" || t.kind == "node" }

func (t *test) isWithin(a *test) bool {
	for ; t != nil; t = t.parent {
		if t == a {
			return true
		}
	}
	return false
}

// suite is a Ginkgo suite that said how many specs it will run.
type suite struct {
	name  string
	count int
	test  *test
}

// record is an error that memcheck reported and that may be a finding.
type record struct {
	kind        valgrind.Kind
	message     string
	tests       []*test // none: outside of any
	outside     string
	attribution result.Attribution
	fingerprint string
	places      frames.Places
	stacks      []result.Stack
	hint        string
	clues       clues
	depth       int      // how many addresses of the error's own stack its fingerprint is of; 0 if more than those
	idDepth     int      // the same of the test's identity
	testDepth   int      // the same of the test's function, for programs
	functions   []string // of the code under test, from the innermost to the blamed one: what a test may expect
	count       uint64
	bytes       uint64
	blocks      uint64
	disposition result.Disposition
}

// Process returns the judge of the next process; command is its command line.
func (j *Judge) Process(command []string) *Process {
	return &Process{
		judge: j, command: command, output: &Output{},
		roster: newRoster(), owed: make(map[string]bool), leaks: make(map[string]*record),
		byUnique: make(map[uint64]*record), overruled: make(map[*test]bool), told: make(map[string]bool),
	}
}

// Owe names the tests that the process is to run, where that is known before it says so: it may end before.
func (p *Process) Owe(tests []string) {
	for _, name := range tests {
		p.addPlan(name)
	}
}

func (p *Process) addPlan(name string) {
	if p.owed[name] {
		return
	}
	p.owed[name] = true
	p.plan = append(p.plan, name)
	if len(p.byName[name]) == 0 {
		p.unbegun++
	}
}

// Output takes what the test binary prints, standard error included, with -test.v=test2json. It may be written to while
// Event is called: nothing here reads it before the process has ended, when all of it is there. Whatever is said about
// what was printed is so the same in each run.
func (p *Process) Output() *Output { return p.output }

// Event takes what valgrind.Read yields next. It does not keep the event.
func (p *Process) Event(ev valgrind.Event, err error) {
	p.whole.Add(ev, err)
	if err != nil {
		return
	}
	switch ev := ev.(type) {
	case valgrind.Header:
		p.probes.header(ev)
	case *valgrind.Error:
		p.error(ev)
	case valgrind.ClientMessage:
		p.message(ev.Text)
	case valgrind.ErrorCounts:
		p.counts = make(map[uint64]int)
		for _, c := range ev {
			p.counts[c.Unique] = int(c.Count)
		}
	case valgrind.SuppressionCounts:
		for _, c := range ev {
			p.judge.suppressed[c.Name] += c.Count
		}
	case valgrind.FatalSignal:
		if p.signal == nil { // valgrind may say it twice, while it ends the other threads
			p.signal = &ev
		}
	}
}

// takeOutput takes what was printed, when the process has ended.
func (p *Process) takeOutput() {
	p.output.Close()
	p.addCgoCheck()
}

// maxForged is how many marks that were not obeyed are told of.
const maxForged = 10

// message obeys a mark.
func (p *Process) message(text string) {
	m, token, err := parseMark(text)
	if m == nil && err == nil {
		return // somebody else's
	}
	if _, ok := m.(markExpect); err == nil && token != p.judge.cfg.Token && (!ok || token != "-") {
		err = fmt.Errorf("a mark with the token of another run, %q, was not obeyed", text)
	}
	if err != nil {
		if p.forged++; p.forged <= maxForged {
			p.judge.progress(err.Error())
		}
		return
	}
	switch m := m.(type) {
	case markStart:
		p.started = true
	case markLayout:
		p.layout = m
	case markPlan:
		p.done = false // TestMain may call M.Run once more
		p.addPlan(m.name)
	case markPlanned:
		p.done = false
		again := p.planned && p.announced == len(p.plan)
		p.planned, p.announced = true, len(p.plan)
		if p.alone != nil || again {
			return // the tests have been planned already
		}
		plan := &result.Plan{Package: p.judge.cfg.ImportPath, Tests: p.plan, Command: p.command}
		if m.whole > len(p.plan) {
			plan.Whole = m.whole
		}
		p.judge.emit(result.Message{Plan: plan})
	case markSpecs:
		s := suite{name: m.suite, count: m.count}
		if r := p.running(); len(r) > 0 {
			s.test = r[len(r)-1]
		}
		p.specs = append(p.specs, s)
		p.judge.progress(fmt.Sprintf("%s: %s", m.suite, plural(m.count, "spec")))
	case markBegin:
		p.folds.mark(m.errors, p)
		if p.owed[m.name] && len(p.byName[m.name]) == 0 {
			p.unbegun--
		}
		p.begin(&test{id: m.id, kind: m.kind, name: m.name})
		if most := p.layout.callCount * p.layout.sledCount; most > 0 && m.id == most {
			p.judge.progress(fmt.Sprintf("more than %d tests in one process: whose an error is that happens in a later one, only "+
				"its stack tells", most-1))
		}
	case markPause:
		p.folds.mark(m.errors, p)
		p.setState(p.byID[m.id], paused)
	case markCont:
		p.folds.mark(m.errors, p)
		p.setState(p.byID[m.id], running)
	case markEnd:
		p.folds.mark(m.errors, p)
		if t := p.byID[m.id]; t != nil {
			p.setState(t, over)
			t.status, t.reason, t.elapsed = m.status, m.reason, m.elapsed
			p.appeared.ended(t)
			if !t.isFiltered() {
				p.judge.progress(p.ended(t))
			}
		}
	case markExpect:
		p.expect(m)
	case markLeaks:
		p.checkingLeaks = m.what == "begin"
		switch m.what {
		case "begin":
			p.appeared.begin()
		case "end":
			p.appeared.checked()
		case "left":
			p.appeared.leave()
		}
		p.leaksSkipped = p.leaksSkipped || m.what == "skipped"
		p.leaksReady = p.leaksReady || m.what == "ready"
	case markSilent:
		p.silence(m)
	case markDone:
		p.done = true
	}
}

// ended says how a test stands. It cannot say that it passed: what it leaked is known at the end of the process.
func (p *Process) ended(t *test) string {
	word := "ran "
	switch {
	case t.status == "fail" || slices.ContainsFunc(t.records, p.isNew) && len(p.expectationsOf(t)) == 0:
		word = "fail"
	case t.status == "skip":
		word = "skip"
	}
	return fmt.Sprintf("%s  %s (%.2fs)", word, t.name, t.elapsed.Seconds())
}

// error keeps what memcheck reported as a record of the tests that it belongs to.
func (p *Process) error(e *valgrind.Error) {
	e = p.named(e)
	if frames.IsProbe(e) {
		p.probes.lost = p.probes.lost || frames.IsLostProbe(e)
		return
	}
	if p.isNoise(e) {
		p.reported(e, nil)
		return
	}
	if p.checkingLeaks && isLeak(e.Kind) {
		// Whether it is one is decided at the end of the process: memory that only the kernel knows of looks lost, too.
		p.appeared.add(e, p.running)
		p.reported(e, nil)
		return
	}
	r := p.newRecord(e)
	p.reported(e, r)
	if isLeak(e.Kind) {
		if old, _ := p.leak(e, r); old != nil {
			return
		}
	}
	p.addRecord(r)
	if p.program != nil || !p.isUnfinished(r) { // the report does not tell of it
		p.announce(r)
	}
}

// Fingerprint is that of the finding which an error makes that was handed to Event; empty if it is no defect.
func (p *Process) Fingerprint(e *valgrind.Error) string {
	if r := p.byUnique[e.Unique]; r != nil {
		return r.fingerprint
	}
	return ""
}

// leak keeps a record of a leak. Where a check has told of the leak before, memcheck repeats all of it: leak brings the
// earlier record up to date and returns it, with how much there is more.
func (p *Process) leak(e *valgrind.Error, r *record) (old *record, more growth) {
	key := e.LeakKey()
	if old = p.leaks[key]; old == nil {
		p.leaks[key] = r
		return nil, growth{r.bytes, r.blocks}
	}
	more = growth{r.bytes - min(old.bytes, r.bytes), r.blocks - min(old.blocks, r.blocks)}
	old.message, old.bytes, old.blocks = r.message, r.bytes, r.blocks
	if p.program != nil && more != (growth{}) {
		p.judge.progress(p.program.chain(old, more.String()+" more"))
	}
	return old, more
}

// growth is what a leak check found more than the one before.
type growth struct{ bytes, blocks uint64 }

func (g growth) String() string {
	return plural(int(g.bytes), "byte") + " in " + plural(int(g.blocks), "block")
}

// announce says once what was found.
func (p *Process) announce(r *record) {
	text := fmt.Sprintf("%s in %s, during %s", r.kind, blamed(r.places.Blame), strings.Join(r.names(), " or "))
	if p.program != nil {
		text = p.program.chain(r, r.message)
	}
	if !p.told[text] {
		p.told[text] = true
		p.judge.progress(text)
	}
}

func (p *Process) addRecord(r *record) {
	p.records = append(p.records, r)
	for _, t := range r.tests {
		t.records = append(t.records, r)
	}
}

func (p *Process) newRecord(e *valgrind.Error) *record {
	fr := p.judge.frames
	a := tell(e)
	d := diagnose(fr, e, a, p.program != nil)
	r := &record{
		kind: e.Kind, count: 1, message: d.Message, hint: d.Hint, places: d.Places, fingerprint: d.Fingerprint, stacks: d.Stacks,
		bytes: e.What.LeakedBytes, blocks: e.What.LeakedBlocks,
		functions: fr.Blamable(e.Kind, a.sections), clues: p.cluesOf(e, a),
	}
	if len(e.Sections) > 0 {
		r.depth = fr.Depth(e.Kind, a.sections)
		r.idDepth = p.idDepth(e.Sections[0].Stack)
	}
	if p.program == nil {
		r.tests, r.outside, r.attribution = p.attribute(e, a.sections)
	} else {
		r.tests, r.attribution = p.program.attribute(e, a.sections)
		r.testDepth = p.program.testDepth(e.Sections)
	}
	return r
}

// names are the tests that a record belongs to, or the name in brackets that stands for none.
func (r *record) names() []string {
	if len(r.tests) == 0 {
		return []string{r.outside}
	}
	var names []string
	for _, t := range r.tests {
		names = append(names, t.name)
	}
	return names
}

func blamed(f *result.Frame) string {
	switch {
	case f == nil:
		return "code that is not under test"
	case f.Line == 0:
		return frames.ShortName(f.KnownName())
	}
	return fmt.Sprintf("%s (%s:%d)", frames.ShortName(f.KnownName()), path.Base(f.File), f.Line)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
