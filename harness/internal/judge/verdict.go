package judge

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cgogrind/cgogrind/harness/internal/shell"
	"github.com/cgogrind/cgogrind/harness/result"
)

// Outcome is how a process ended.
type Outcome struct {
	ExitCode int    // -1 if a signal ended it
	Signal   string // "SIGKILL"
	// Stopped says why the process was stopped from here: a timeout, an interrupt. Empty if it was not.
	Stopped string
	// Complaint is what valgrind itself complained of: it could not start, or it gave up. Empty if it did not.
	Complaint string
	// Said is what else valgrind said last that may be why; empty for nothing.
	Said string
	// Changed are options of memcheck that the program changed from inside, those excepted that hide nothing.
	Changed []string
	// Incomplete says what could not be found out about the process. Empty if nothing is lacking.
	Incomplete string
	Elapsed    time.Duration
	// OutOfMemory says that the kernel killed a process for want of memory while this one ran, which SIGKILL ended.
	OutOfMemory bool
	Canceled    bool // it was stopped since the run was
	// Stacks are those of the process's threads when it was stopped, for people.
	Stacks string
}

// ruling is a verdict in the making.
type ruling struct {
	verdict result.Verdict
	reason  string
}

// interruption is what came of a test whose suite goes on in another process: now, and if all findings were known.
type interruption struct{ now, otherwise ruling }

// settle sorts out what memcheck reported, once, when the process has ended.
func (p *Process) settle() {
	if p.settled {
		return
	}
	p.settled = true
	p.takeOutput()
	p.dropIdleNodes()
	p.dropLeaksOfUnfinished()
	p.resolveFolds()
}

// Finish takes how the process ended and emits the verdicts of its tests. It returns the planned tests that have none
// yet, because the process went down before they could run: a fresh process can run them.
func (p *Process) Finish(o Outcome) (remaining []string) {
	problem := p.problem(o)
	remaining = p.waiting()
	left := make(map[string]bool)
	for _, name := range remaining {
		left[name] = true
	}
	for _, t := range p.tests {
		if t.state == paused && t.parent == nil && len(t.children) == 0 {
			remaining = append(remaining, t.name)
			left[t.name] = true
		}
	}

	p.settle()
	p.guessFolds()
	p.dispose()

	p.addStacks(o)

	rulings, otherwise := make(map[*test]ruling), make(map[*test]ruling)
	for _, t := range p.tests {
		p.rule(t, o, problem, rulings)
	}
	p.allKnown = true
	for _, t := range p.tests {
		p.rule(t, o, problem, otherwise)
	}
	p.allKnown = false
	p.holdUnconfirmed(o, problem, rulings)
	resuming := make(map[*test]bool)
	for _, t := range p.suitesToResume() {
		resuming[t] = true
	}
	blamedForProblem := false
	for _, t := range p.tests {
		r := rulings[t]
		switch {
		case t.state == paused && left[t.name], t.isFiltered(), p.isOverruled(t):
			continue
		case t.kind == "node" && (r.verdict == result.Pass || r.verdict == result.Skip):
			continue
		}
		blamedForProblem = blamedForProblem || r.verdict == result.Inconclusive
		if t.root().unconfirmed && !p.judge.waiting[t.name] {
			continue
		}
		if t.parent == nil {
			before := p.judge.interrupted[t.name]
			r, otherwise[t] = worse(before.now, r), worse(before.otherwise, otherwise[t])
			if resuming[t] {
				remaining = append(remaining, t.name)
				left[t.name] = true
			}
			if resuming[t] || p.judge.waiting[t.name] && !p.confirming {
				p.judge.interrupted[t.name] = interruption{r, otherwise[t]}
				continue
			}
		}
		r = p.orderly(r, o, problem)
		if t.isSpec() && !p.judge.isNews(t, r.verdict) {
			continue
		}
		blamedForProblem = blamedForProblem || r.verdict == result.Inconclusive
		p.emit(t.name, t, r, p.orderly(otherwise[t], o, problem).verdict)
	}
	p.outsideVerdicts(o, problem, blamedForProblem)
	if p.done {
		// M.Run returned without them: they would not run in another process either.
		p.judge.notRun(remaining)
		return nil
	}
	return remaining
}

// orderly is a ruling on what ran in a process that did not end so that memcheck could look for all leaks: no pass.
func (p *Process) orderly(r ruling, o Outcome, problem string) ruling {
	if r.verdict != result.Pass || p.isOrderly(problem) {
		return r
	}
	return ruling{result.Inconclusive, join(r.reason, p.disorder(o))}
}

// disorder says of a process that is not orderly, and has no problem, how it ended.
func (p *Process) disorder(o Outcome) string {
	switch {
	case p.confirming:
		return "it passed twice, and neither process ended in order, so that leaks may be missing: " + p.ending(o)
	case p.done && p.signal == nil && o.Signal == "" && o.ExitCode == 0:
		return "leaks may be missing: " + pastExit(o)
	}
	return "the process did not end in order, so that leaks may be missing: " + p.ending(o)
}

// pastExit says of a process with the instrumented runtime that the runtime was not asked to end it. What ends a process at
// once leaves memcheck a heap in which Go's garbage still holds what it points to.
func pastExit(o Outcome) string {
	return fmt.Sprintf("the process ended past Go's os.Exit (exit status %d), by syscall.Exit or C's exit, _exit or pthread_exit, "+
		"say, so that memcheck could not tell what only Go's garbage holds; end it by os.Exit, or by returning from main", o.ExitCode)
}

// entry is a spec or node of a Ginkgo suite among those that have its name, in their order: the suite's processes have one
// seed.
type entry struct {
	suite, kind, name string
	round             int
}

// isNews says whether a spec or node has no verdict yet, or none that is as bad. A suite that runs on in another process
// runs its nodes there, too, reports what is pending, and cannot choose among specs of one name.
func (j *Judge) isNews(t *test, v result.Verdict) bool {
	e := entry{kind: t.kind, name: t.name, round: t.round}
	if t.parent != nil {
		e.suite = t.parent.name
	}
	if before, ok := j.told[e]; ok && worse(ruling{verdict: before}, ruling{verdict: v}).verdict == before {
		return false
	}
	j.told[e] = v
	return true
}

// worse returns the worse of what came of a test in two processes; a may be empty.
func worse(a, b ruling) ruling {
	order := []result.Verdict{result.Skip, result.Pass, result.Inconclusive, result.Fail}
	v := b.verdict
	if slices.Index(order, a.verdict) > slices.Index(order, v) {
		v = a.verdict
	}
	return ruling{v, join(a.reason, b.reason)}
}

// suitesToResume returns the tests whose Ginkgo suite was cut short in one of its specs, with others to come.
func (p *Process) suitesToResume() []*test {
	var out []*test
	for _, s := range p.specs {
		if s.test != nil && s.test.state != over && s.test.parent == nil && !p.done && p.lostSpecs(s.test) != "" &&
			slices.ContainsFunc(s.test.children, func(c *test) bool { return c.kind == "spec" && !c.isFiltered() }) {
			out = append(out, s.test)
		}
	}
	return out
}

// BegunSpecs returns the specs that began, as Ginkgo's filters see them: with the suite's name before their own.
func (p *Process) BegunSpecs() []string {
	var out []string
	for _, s := range p.specs {
		if s.test == nil {
			continue
		}
		for _, t := range s.test.children {
			if t.kind == "spec" && !t.isFiltered() {
				out = append(out, s.name+" "+t.name)
			}
		}
	}
	return out
}

// IsIdle says, once Finish was called, whether the process ended in order and without M.Run.
func (p *Process) IsIdle() bool { return p.idle }

// Began says whether a test began in this process.
func (p *Process) Began() bool { return len(p.tests) > 0 }

// Planned returns the tests that the process was to run.
func (p *Process) Planned() []string { return p.plan }

// waiting lists the planned tests that have not begun.
func (p *Process) waiting() []string {
	var out []string
	for _, name := range p.plan {
		if len(p.byName[name]) == 0 {
			out = append(out, name)
		}
	}
	return out
}

// problem says what the evidence lacks, "" if it is complete.
func (p *Process) problem(o Outcome) string {
	switch reason := p.whole.Reason(); {
	case o.Complaint != "":
		return "valgrind gave up: " + o.Complaint
	case reason == "" && p.leaksSkipped:
		return "the garbage collector could not finish at the end of the process, so leaks may be missing: " +
			"is there a goroutine that never yields?"
	case reason == "" && o.Incomplete != "":
		return "not all about the process is known: " + o.Incomplete
	case reason == "" && len(o.Changed) > 0:
		return "memcheck's options were changed from inside (VALGRIND_CLO_CHANGE), so that errors may be missing: " + few(o.Changed)
	case reason == "" && p.leaksUnseen():
		return "memcheck did not report a leak that the runtime made on purpose at the end of the process, so leaks may be missing: " +
			"were its options changed from inside (VALGRIND_CLO_CHANGE)?"
	case reason == "":
		return ""
	case o.Stopped != "":
		return o.Stopped
	case o.Signal != "":
		return "the process was killed by " + o.Signal + ", so memcheck's report is incomplete"
	default:
		return "memcheck's report is incomplete: " + reason
	}
}

// dropIdleNodes ends the nodes that only waited for a spec when the process ended.
func (p *Process) dropIdleNodes() {
	now := p.running()
	for t := range p.now {
		if t.kind == "node" && !slices.Contains(now, t) {
			t.status = "none"
			p.setState(t, over)
		}
	}
}

// dropLeaksOfUnfinished forgets the leaks of what was cut short.
func (p *Process) dropLeaksOfUnfinished() {
	dropped := make(map[*record]bool)
	p.records = slices.DeleteFunc(p.records, func(r *record) bool {
		dropped[r] = p.isUnfinished(r)
		return dropped[r]
	})
	for _, t := range p.tests {
		t.records = slices.DeleteFunc(t.records, func(r *record) bool { return dropped[r] })
	}
}

// isUnfinished says whether a record is a leak of tests that have not ended, and had no chance to free anything, or one of
// no test in a process that a signal ended in a test: its other threads ended in the middle of what they did.
func (p *Process) isUnfinished(r *record) bool {
	switch {
	case !isLeak(r.kind):
		return false
	case len(r.tests) == 0:
		return p.signal != nil && !p.leaksReady && len(p.running()) > 0
	}
	return !slices.ContainsFunc(r.tests, func(t *test) bool { return t.state == over })
}

// dispose decides about every record and hands it to the package's findings.
func (p *Process) dispose() {
	p.dropDoubtfulClues()
	for _, r := range p.records {
		r.disposition = p.disposition(r, r.tests)
		p.judge.add(r, r.disposition, r.names(), p.reproOf(r))
	}
}

// rule gives a test its verdict, after those of its children.
func (p *Process) rule(t *test, o Outcome, problem string, rulings map[*test]ruling) {
	if _, ok := rulings[t]; ok {
		return
	}
	for _, c := range t.children {
		p.rule(c, o, problem, rulings)
	}
	rulings[t] = p.ruling(t, o, problem, rulings)
}

func (p *Process) ruling(t *test, o Outcome, problem string, rulings map[*test]ruling) ruling {
	found, doubt := p.findingsOf(t)
	if t.state != over {
		r := p.cutShort(t, o, problem)
		if lost := p.lostSpecs(t); lost != "" && !slices.Contains(p.suitesToResume(), t) {
			r = ruling{result.Inconclusive, join(r.reason, lost)}
		}
		return ruling{r.verdict, join(r.reason, found)}
	}
	if t.status != "pass" && t.status != "skip" && t.status != "none" {
		reason := failure(t)
		if t.native {
			reason = join(reason, "fails only under memcheck: without it, it passes")
		}
		return ruling{result.Fail, join(reason, found)}
	}
	if found != "" {
		return ruling{result.Fail, found}
	}
	var unmet []string
	for _, e := range t.expected {
		if !e.met && t.status != "skip" {
			unmet = append(unmet, fmt.Sprintf("%s was expected, and memcheck did not report it", e))
		}
	}
	if problem == "" && len(unmet) > 0 {
		return ruling{result.Fail, strings.Join(unmet, "; ")}
	}
	var fails, doubts []string
	for _, u := range t.folds {
		r := p.unresolvedRuling(t, u)
		switch r.verdict {
		case result.Fail:
			fails = append(fails, r.reason)
		case result.Inconclusive:
			doubts = append(doubts, r.reason)
		}
	}
	if doubt != "" {
		doubts = append(doubts, doubt)
	}
	if silenced := p.silenced(t); silenced != "" {
		doubts = append(doubts, silenced)
	}
	for _, c := range t.children {
		switch r := rulings[c]; {
		case r.verdict == result.Fail:
			fails = append(fails, c.name+" fails")
		case r.verdict == result.Inconclusive:
			doubts = append(doubts, c.name+" is inconclusive")
		}
	}
	if lost := p.lostSpecs(t); lost != "" {
		doubts = append(doubts, lost)
	}
	switch {
	case len(fails) > 0:
		return ruling{result.Fail, few(fails)}
	case t.status == "skip":
		return ruling{result.Skip, t.reason}
	case problem != "":
		return ruling{result.Inconclusive, problem}
	case len(doubts) > 0:
		return ruling{result.Inconclusive, few(doubts)}
	}
	return ruling{result.Pass, t.asExpected()}
}

// findingsOf names the new findings of a test, and those that may be another's.
func (p *Process) findingsOf(t *test) (found, doubt string) {
	var sure, unsure []string
	for _, r := range t.records {
		if r.disposition != result.New || p.allKnown {
			continue
		}
		text := string(r.kind) + " in " + blamed(r.places.Blame)
		if r.attribution != result.OneOf {
			sure = append(sure, text)
		} else {
			unsure = append(unsure, fmt.Sprintf("%s happened in one of %s", text, p.fewNames(r)))
		}
	}
	if len(sure) > 0 {
		found = whoFound(sure) + few(sure)
	}
	if len(unsure) > 0 {
		doubt = few(unsure)
	}
	return found, doubt
}

// fewNames names the tests of a record that was in one of them, of many only the first. Each of them asks for it.
func (p *Process) fewNames(r *record) string {
	if p.names == nil {
		p.names = make(map[*record]string)
	}
	if p.names[r] == "" {
		p.names[r] = few(r.names())
	}
	return p.names[r]
}

// whoFound begins a sentence about findings.
func whoFound(findings []string) string {
	if slices.ContainsFunc(findings, func(f string) bool { return strings.HasPrefix(f, string(cgoCheck)) }) {
		return "found "
	}
	return "memcheck found "
}

// asExpected says what a test that passes was expected to cause, and did.
func (t *test) asExpected() string {
	var met []string
	for _, e := range t.expected {
		met = append(met, e.String())
	}
	if len(met) == 0 {
		return ""
	}
	return "found as expected: " + few(met)
}

// failure says why a test failed on its own.
func failure(t *test) string {
	if t.reason != "" {
		return t.reason
	}
	var failed []string
	for _, c := range t.children {
		if c.status == "fail" {
			failed = append(failed, c.name)
		}
	}
	if len(failed) > 0 {
		return few(failed) + " failed"
	}
	return "the test failed"
}

// unresolvedRuling says what a fold means for a test when it is not known what it repeats or which test caused it.
func (p *Process) unresolvedRuling(t *test, u unresolved) ruling {
	var may []string
	noise := len(u.may) == 0
	excused, news := len(u.may) > 0, false
	for _, r := range u.may {
		if r.record == nil {
			noise = true
			continue
		}
		may = append(may, string(r.record.kind)+" in "+blamed(r.record.places.Blame))
		excused = excused && p.isExcused(t, u.fold, r.record)
		news = news || p.isNew(r.record)
	}
	if len(u.may) > 0 && (excused || len(may) == 0) {
		return ruling{verdict: result.Pass}
	}
	reason := fmt.Sprintf("memcheck counted %s of a kind that it had reported before and does not report twice",
		plural(u.count, "more error"))
	if len(may) > 0 {
		reason += " (" + strings.Join(may, ", or ") + ")"
	}
	reason += ": " + t.aloneResult()
	if noise || !news || len(u.tests) > 1 {
		return ruling{result.Inconclusive, reason}
	}
	return ruling{result.Fail, reason}
}

// lostSpecs says how many specs of a suite never began.
func (p *Process) lostSpecs(t *test) string {
	want := 0
	for _, s := range p.specs {
		if s.test == t {
			want += s.count
		}
	}
	for _, c := range t.children {
		if c.kind == "spec" && !c.isFiltered() {
			want--
		}
	}
	if want <= 0 {
		return ""
	}
	return plural(want, "spec") + " never began"
}

// cutShort rules on a test that began and did not end.
func (p *Process) cutShort(t *test, o Outcome, problem string) ruling {
	culprit := p.culprit(o)
	again := culprit != nil && culprit.crash != nil && culprit.crash.again
	switch {
	case culprit == nil || !culprit.isWithin(t):
	case o.OutOfMemory:
		return ruling{result.Fail, "the kernel killed the process for want of memory (OOM) while the test ran"}
	case again && p.fromOutside(o):
		return ruling{result.Fail, "the test killed its own process, and does so alone, too: " + p.ending(o)}
	}
	if t.state == paused {
		return ruling{result.Inconclusive, "the process ended before the test went on: " + p.ending(o)}
	}
	switch {
	case o.Stopped != "":
		return ruling{result.Inconclusive, o.Stopped}
	case strings.HasPrefix(p.output.panics, "panic: test timed out"):
		return ruling{result.Inconclusive, strings.TrimPrefix(p.output.panics, "panic: ")}
	case problem != "":
		return ruling{result.Inconclusive, problem}
	case p.fromOutside(o):
		return ruling{result.Inconclusive, "the process was ended from outside while the test ran: " + p.ending(o)}
	}
	if culprit != nil && culprit.isWithin(t) {
		reason := "the test took its process down: " + p.ending(o)
		switch c := culprit.crash; {
		case c == nil:
		case c.again:
			reason += "; alone it does so, too"
		case c.ended:
			reason += "; alone it does not, so it depends on a test before it"
		}
		return ruling{result.Fail, reason}
	}
	return ruling{result.Inconclusive, "a test that ran at the same time took the process down: " + p.ending(o)}
}

// culprit is the test that took the process down: the only one that was running, or the one of several that testing
// says failed. It is nil if that is not known.
func (p *Process) culprit(o Outcome) *test {
	if o.Stopped != "" || p.done {
		return nil
	}
	leaves := slices.DeleteFunc(p.running(), func(t *test) bool { return t.kind == "node" })
	for _, l := range leaves {
		if len(leaves) == 1 || p.output.failed[l.name] {
			return l
		}
	}
	return nil
}

var ownSignals = regexp.MustCompile(`^SIG(SEGV|ABRT|BUS|FPE|ILL|TRAP|SYS)$`)

// fromOutside says whether a signal that programs do not raise themselves ended the process.
func (p *Process) fromOutside(o Outcome) bool {
	if p.signal != nil {
		return !ownSignals.MatchString(p.signal.Name)
	}
	return o.Signal != "" && !ownSignals.MatchString(o.Signal)
}

// ending says how the process ended, with the first line of a panic.
func (p *Process) ending(o Outcome) string {
	how := fmt.Sprintf("exit status %d", o.ExitCode)
	switch {
	case p.signal != nil:
		how = p.signal.Name
	case o.Signal != "":
		how = o.Signal
	}
	return join(how, p.output.panics)
}

// outsideVerdicts gives verdicts to what happened outside of tests, and to the process where no test answers for it.
func (p *Process) outsideVerdicts(o Outcome, problem string, blamedForProblem bool) {
	byName := make(map[string]ruling)
	add := func(name string, v result.Verdict, reason string) {
		r := byName[name]
		if r.verdict == "" || v == result.Fail {
			r.verdict = v
		}
		r.reason = join(r.reason, reason)
		byName[name] = r
	}
	found := make(map[string][]string)
	for _, r := range p.records {
		if len(r.tests) == 0 && r.disposition == result.New {
			found[r.outside] = append(found[r.outside], string(r.kind)+" in "+blamed(r.places.Blame))
		}
	}
	for name, f := range found {
		add(name, result.Fail, whoFound(f)+few(f))
	}
	for name, reason := range p.probes.outside {
		add(name, result.Inconclusive, reason)
	}
	for _, f := range p.outsideFolds {
		add(f.outside, result.Inconclusive, fmt.Sprintf("memcheck counted %s of a kind that it had reported before",
			plural(f.count, "more error")))
	}
	onlyFindings := maps.Clone(byName)
	cutShort := slices.ContainsFunc(p.tests, func(t *test) bool { return t.state != over })
	ownFailure := slices.ContainsFunc(p.tests, func(t *test) bool { return t.status == "fail" })
	switch {
	case !p.started && o.Stopped == "":
		add(result.Setup, result.Inconclusive, "the test binary did not start under memcheck: "+
			join(join(p.ending(o), cmp.Or(o.Complaint, o.Said)), lastLine(p.output.Tail(""))))
	case problem != "":
		if !blamedForProblem {
			add(p.outside(), result.Inconclusive, problem)
		}
	case cutShort:
	case p.fromOutside(o):
		add(p.outside(), result.Inconclusive, "the process was ended from outside: "+p.ending(o))
	case o.Stopped != "" && !p.done:
		add(p.outside(), result.Inconclusive, o.Stopped)
	case o.ExitCode != 0 && !p.planned:
		add(result.Setup, result.Fail, "the test binary ended before its tests: "+p.ending(o))
	case !p.planned && !p.done && p.layout.callCount > 0 && !p.isOrderly(problem):
		add(result.Setup, result.Inconclusive, "the process ended before its tests, and not by os.Exit: "+p.ending(o))
	case !p.planned:
		p.idle = true
	case o.ExitCode != 0 && !p.done:
		add(p.outside(), result.Fail, "the process went down: "+p.ending(o))
	case !p.done:
		add(p.outside(), result.Inconclusive, "the process ended before its tests did: "+p.ending(o))
	case o.ExitCode != 0 && !ownFailure:
		add(result.Teardown, result.Fail, "the process failed although none of its tests did: "+p.ending(o))
	case !p.isOrderly(problem) && !blamedForProblem:
		add(result.Teardown, result.Inconclusive, p.disorder(o))
	}
	for _, name := range []string{result.Setup, result.Between, result.Teardown} {
		if r, ok := byName[name]; ok {
			p.judge.emit(result.Message{Test: &result.Test{
				Package: p.judge.cfg.ImportPath, Name: name, Verdict: r.verdict, Reason: r.reason,
				Findings: len(found[name]), Output: p.output.Tail(""), Otherwise: unlessFound(r, onlyFindings[name]),
			}})
		}
	}
}

// unlessFound is the verdict on what happened outside of tests without its findings, "" if it is the same.
func unlessFound(r, found ruling) result.Verdict {
	if r == found {
		return result.Pass
	}
	return ""
}

// emit sends a test's verdict.
func (p *Process) emit(name string, t *test, r ruling, otherwise result.Verdict) {
	m := &result.Test{
		Package: p.judge.cfg.ImportPath, Name: name, Verdict: r.verdict, Reason: r.reason, ElapsedS: t.elapsed.Seconds(),
	}
	seen := make(map[findingKey]bool)
	for _, rec := range t.records {
		seen[findingKey{rec.fingerprint, rec.disposition, rec.attribution == result.OneOf}] = true
	}
	m.Findings = len(seen)
	if otherwise != r.verdict {
		m.Otherwise = otherwise
	}
	if r.verdict != result.Pass && r.verdict != result.Skip {
		m.Output = p.output.Tail(name)
		m.Repro = p.repro(t)
	}
	p.judge.emit(result.Message{Test: m})
}

// reproOf is the command that runs the first test of a finding again, or all of the package's if it was in none.
func (p *Process) reproOf(r *record) string {
	if len(r.tests) == 0 {
		return p.judge.commandLine(p.judge.named())
	}
	return p.repro(r.tests[0])
}

// repro is the command that runs one test again; with -count, as often as it took.
func (p *Process) repro(t *test) string {
	words := append([]string{"-run", t.selector()}, p.judge.named()...)
	if t.round > 1 && !t.isSpec() {
		words = slices.Insert(words, 0, "-count="+strconv.Itoa(t.round))
	}
	if t.kind == "spec" {
		return p.judge.commandLine(words, "-ginkgo.focus="+regexp.QuoteMeta(t.name)+"$")
	}
	return p.judge.commandLine(words)
}

// selector is the regular expression for -run that matches a test and no other; for a spec, the test of its suite.
func (t *test) selector() string {
	for t.parent != nil && t.isSpec() {
		t = t.parent
	}
	var levels []string
	for _, l := range strings.Split(t.name, "/") {
		levels = append(levels, "^"+regexp.QuoteMeta(l)+"$")
	}
	return strings.Join(levels, "/")
}

// named are the words of a command line that name the package.
func (j *Judge) named() []string {
	if len(j.cfg.Repro.Packages) > 0 {
		return j.cfg.Repro.Packages
	}
	return []string{j.cfg.ImportPath}
}

// commandLine is a command for a shell that runs cgogrind test with what the run's own had a part in: environment and
// flags. The further flags are for the test binary.
func (j *Judge) commandLine(args []string, testFlags ...string) string {
	words := slices.Concat([]string{"cgogrind", "test"}, j.cfg.Repro.Flags, args)
	if testFlags = slices.Concat(j.cfg.Repro.TestFlags, testFlags); len(testFlags) > 0 {
		words = append(append(words, "--"), testFlags...)
	}
	return shell.Command{Env: j.cfg.Repro.Env, Args: words}.String()
}

// join puts two parts of a reason together; either may be empty.
func join(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	}
	return a + "; " + b
}

// few joins the first of many, each once.
func few(all []string) string {
	const most = 3
	var s []string
	known := make(map[string]bool)
	for _, text := range all {
		if !known[text] {
			known[text] = true
			s = append(s, text)
		}
	}
	if len(s) > most {
		return strings.Join(s[:most], ", ") + fmt.Sprintf(" and %d more", len(s)-most)
	}
	return strings.Join(s, ", ")
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}
