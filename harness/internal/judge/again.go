package judge

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
)

// Alone is a test that is to run in a process of its own, since that says more about it than what it did among others:
// see Process.Alone, Process.Crashed and Process.OwnFailures.
type Alone struct {
	Test  string
	Run   string // for -test.run
	Focus string // for -ginkgo.focus, empty if the test is no spec
	// Exact is whether valgrind shall keep all registers exact after each instruction: it knows the place of a failed division
	// to the nearest access to memory only.
	Exact bool

	tests    []*test // of that name
	found    bool    // the process reported what it did
	clean    bool    // it reported nothing at all
	finished bool

	again bool // the process went down again
	ended bool // it did not
}

func (p *Process) aloneOf(t *test) *Alone {
	return &Alone{Test: t.name, Run: t.selector(), Focus: p.focus(t), tests: []*test{t}}
}

// Running returns the tests that run now, by their identities; those that wait for others are not among them.
func (p *Process) Running() map[uint64]string {
	running := make(map[uint64]string)
	for _, t := range p.running() {
		running[t.id] = t.name
	}
	return running
}

// Crashed takes how the process ended and returns the test that took it down, to be tried alone: a crash that does not
// happen then depends on a test before it. It is nil if there is none.
func (p *Process) Crashed(o Outcome) *Alone {
	p.settle()
	t := p.culprit(o)
	if t == nil || o.Complaint != "" || o.OutOfMemory || len(p.tests) == 0 {
		return nil
	}
	a := p.aloneOf(t)
	a.Exact = p.hasVaguePlace()
	return a
}

// hasVaguePlace says whether the place where a fatal signal struck is not exact.
func (p *Process) hasVaguePlace() bool {
	return p.signal != nil && p.signal.Name == "SIGFPE" && !p.exact
}

// FinishCrash takes how the process of a test that Crashed returned ended. A test that gets on alone does there what it could
// not do any more among the others: what memcheck found in that belongs to it, too.
func (a *Alone) FinishCrash(first, alone *Process, o Outcome) {
	alone.settle()
	a.again = o.Stopped == "" && alone.Began() && !alone.done
	a.ended = alone.done && alone.problem(o) == ""
	t := a.tests[0]
	t.crash = a
	if a.Exact && alone.signal != nil && alone.signal.Name == first.signal.Name {
		first.signal, first.exact = alone.signal, true
		first.output.replace(t.name, alone.output)
	}
	if !a.ended {
		return
	}
	for _, r := range alone.records {
		expected := func(by *test) bool { return len(alone.matching(r, by)) > 0 }
		if len(r.tests) > 0 && !slices.ContainsFunc(r.tests, expected) {
			first.adopt(r, t)
		}
	}
}

// adopt gives a test a record of another process, unless the test has one of that finding.
func (p *Process) adopt(r *record, t *test) {
	if t.hasFinding(r.fingerprint) {
		return
	}
	again := *r
	again.tests = []*test{t}
	p.addRecord(&again)
}

// hasFinding says whether a test, or one that is part of it, has a record with this fingerprint.
func (t *test) hasFinding(fingerprint string) bool {
	return slices.ContainsFunc(t.records, func(r *record) bool { return r.fingerprint == fingerprint }) ||
		slices.ContainsFunc(t.children, func(c *test) bool { return c.hasFinding(fingerprint) })
}

// maxNatively is how many tests of a package run without memcheck.
const maxNatively = 10

// OwnFailures returns the tests that failed on their own while memcheck found nothing in them: it is worth knowing
// whether they pass without memcheck.
func (p *Process) OwnFailures(o Outcome) []*Alone {
	p.settle()
	if o.Stopped != "" || o.Complaint != "" {
		return nil
	}
	failed := func(t *test) bool { return t.status == "fail" && t.kind != "node" }
	var out []*Alone
	for _, t := range p.tests {
		if p.judge.natively < maxNatively && failed(t) && !slices.ContainsFunc(t.children, failed) && !p.hasRecords(t) {
			p.judge.natively++
			out = append(out, p.aloneOf(t))
		}
	}
	return out
}

// hasRecords says whether memcheck found something in a test or in what is part of it.
func (p *Process) hasRecords(t *test) bool {
	return len(t.records) > 0 || slices.ContainsFunc(t.children, p.hasRecords)
}

// FinishNative takes what a test that OwnFailures returned printed without memcheck. The exit status of that process is
// not the test's verdict: TestMain makes it, another test may fail, and a test that was not there to run fails nothing.
func (a *Alone) FinishNative(o *Output) {
	o.Close()
	t := a.tests[0]
	name := t.name
	if t.kind == "spec" && t.parent != nil {
		name = t.parent.name // its suite ran it alone
	}
	t.native = o.passed[name] && !o.failed[name]
}

// addStacks adds where the threads of a process were when it ended to the output of the tests that ran then.
func (p *Process) addStacks(o Outcome) {
	var text strings.Builder
	if o.Stacks != "" {
		fmt.Fprintf(&text, "threads, as valgrind saw them:\n%s\n", threads(o.Stacks))
	}
	if p.signal != nil && len(p.signal.Stack) > 0 {
		near := "at"
		if p.hasVaguePlace() {
			near = "near (valgrind knows the place of a failed division to the nearest access to memory)"
		}
		fmt.Fprintf(&text, "%s %s:\n", p.signal.Name, near)
		e := p.named(&valgrind.Error{Sections: []valgrind.Section{{Stack: p.signal.Stack}}})
		for _, f := range p.judge.frames.Shown(e.Sections[0].Stack) {
			fmt.Fprintf(&text, "    %s\n", place(f))
		}
	}
	if text.Len() == 0 {
		return
	}
	for _, t := range p.running() {
		p.output.add(t.name, strings.TrimSpace(text.String()))
	}
}

var (
	threadFrame = regexp.MustCompile(`^==\d+== +(?:at|by) 0x[0-9A-F]+: (.*)$`)
	noThread    = regexp.MustCompile(`^(client|valgrind) stack range: |^$`)
)

// threads makes what valgrind says of a process's threads shorter: without its own stack, addresses and stack ranges.
func threads(text string) string {
	if i := strings.Index(text, "Thread 1:"); i >= 0 {
		text = text[i:]
	}
	var out []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch m := threadFrame.FindStringSubmatch(line); {
		case m != nil:
			out = append(out, "    "+m[1])
		case !noThread.MatchString(line):
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

// place is a frame in one line.
func place(f result.Frame) string {
	switch {
	case f.Function == "":
		return fmt.Sprintf("0x%x in %s", f.Offset, f.Object)
	case f.Line == 0:
		return fmt.Sprintf("%s (in %s)", f.Function, f.Object)
	}
	return fmt.Sprintf("%s (%s:%d)", f.Function, f.File, f.Line)
}

// isOrderly says whether the process ended so that memcheck could look for all leaks and report all errors.
func (p *Process) isOrderly(problem string) bool {
	isStock := p.layout.callCount == 0
	return problem == "" && (p.leaksReady || isStock && p.done)
}

// holdUnconfirmed finds the tests that passed in a process that went down, most often by another test: they are to run once
// more, without that one, before their verdicts stand. A test that took it down itself in a later round (-count, a second M.Run) has
// its verdict.
func (p *Process) holdUnconfirmed(o Outcome, problem string, rulings map[*test]ruling) {
	isCutShort := func(t *test) bool { return t.state != over && t.kind != "node" }
	if p.confirming || p.isOrderly(problem) || o.Canceled || p.done && !slices.ContainsFunc(p.tests, isCutShort) {
		return // nothing would be different the next time
	}
	down := make(map[string]bool) // tests of which one round has not ended
	for _, t := range p.tests {
		if isCutShort(t) {
			down[t.root().name] = true
		}
	}
	for _, t := range p.tests {
		r := rulings[t]
		passed := r.verdict == result.Pass || r.verdict == result.Inconclusive && problem != ""
		if t != t.root() || t.kind == "node" || t.isFiltered() || t.state != over || t.status != "pass" || !passed {
			continue
		}
		if down[t.name] && t.kind != "spec" {
			p.overruled[t] = true
			continue
		}
		p.unconfirmed = append(p.unconfirmed, t)
		t.unconfirmed = true
		if t.kind == "spec" && t.parent != nil {
			p.judge.waiting[t.parent.name] = true
		}
	}
}

// root is the test that a test can only be run again with: the top-level one, or the Ginkgo spec.
func (t *test) root() *test {
	for t.parent != nil && !t.isSpec() {
		t = t.parent
	}
	return t
}

// isOverruled says whether what a test did has no verdict of its own, since the same test took the process down later.
func (p *Process) isOverruled(t *test) bool { return p.overruled[t.root()] }

// Strays are tests in one of which a leak appeared whose stack does not tell its test.
func (p *Process) Strays() Selection {
	p.settle()
	var tests []*test
	known := make(map[*test]bool)
	for _, r := range p.records {
		if !isStray(r) || !p.isNew(r) {
			continue
		}
		for _, t := range r.tests {
			if root := t.root(); !known[root] && root.state == over {
				known[root] = true
				tests = append(tests, root)
			}
		}
	}
	return p.selection(tests)
}

func isStray(r *record) bool { return isLeak(r.kind) && r.attribution == result.OneOf }

// FinishStrays takes a process that ran what Strays returned, with a leak check after each test: leaks that it saw
// appear in one test are that test's.
func (p *Process) FinishStrays(again *Process) {
	again.settle()
	type appeared struct{ fingerprint, kind, name string }
	seen := make(map[appeared]bool)
	for _, r := range again.records {
		if r.attribution == result.ByAppearance {
			for _, t := range r.tests {
				seen[appeared{r.fingerprint, t.kind, t.name}] = true
			}
		}
	}
	for _, r := range p.records {
		if !isStray(r) {
			continue
		}
		var found []*test
		for _, t := range r.tests {
			if seen[appeared{r.fingerprint, t.kind, t.name}] {
				found = append(found, t)
			}
		}
		if len(found) == 0 {
			continue
		}
		for _, t := range r.tests {
			t.records = slices.DeleteFunc(t.records, func(other *record) bool { return other == r })
		}
		r.tests, r.attribution = found, result.ByAppearance
		for _, t := range found {
			t.records = append(t.records, r)
		}
	}
}

// Unconfirmed returns the tests that are to run once more, for Judge.Confirm.
func (p *Process) Unconfirmed() Selection { return p.selection(p.unconfirmed) }

// Selection is some of a package's tests.
type Selection struct {
	Names []string // as verdicts name them
	Tests []string // top-level ones, and those of the suites of Specs
	Specs []string // Ginkgo specs, as Ginkgo's filters see them: with the suite's name before their own
}

func (p *Process) selection(tests []*test) Selection {
	suites := make(map[*test][]string)
	for _, s := range p.specs {
		suites[s.test] = append(suites[s.test], s.name)
	}
	var s Selection
	for _, t := range tests {
		s.Names = append(s.Names, t.name)
		if t.kind != "spec" {
			s.Tests = append(s.Tests, t.name)
			continue
		}
		for _, suite := range suites[t.parent] {
			s.Tests = append(s.Tests, t.parent.name)
			s.Specs = append(s.Specs, suite+" "+t.name)
		}
	}
	s.Tests = unique(s.Tests)
	return s
}

// Add adds another selection.
func (s *Selection) Add(o Selection) {
	s.Names = append(s.Names, o.Names...)
	s.Tests = unique(append(s.Tests, o.Tests...))
	s.Specs = append(s.Specs, o.Specs...)
}

// Owed are all that still need a verdict: a suite's waits for those of its specs.
func (s Selection) Owed() []string { return unique(slices.Concat(s.Names, s.Tests)) }

// unique leaves out what is there already.
func unique(names []string) []string {
	known := make(map[string]bool)
	return slices.DeleteFunc(names, func(name string) bool {
		was := known[name]
		known[name] = true
		return was
	})
}

// Confirm returns the judge of a process that runs the unconfirmed tests. What does not end in order there, either, is
// inconclusive.
func (j *Judge) Confirm(command []string) *Process {
	p := j.Process(command)
	p.confirming = true
	return p
}

// Silent returns the judge of a process that is to say more about another one's tests: it emits no plan.
func (j *Judge) Silent(command []string) *Process {
	p := j.Process(command)
	p.alone = &Alone{}
	return p
}
