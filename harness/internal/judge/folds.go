package judge

import (
	"cmp"
	"regexp"
	"slices"

	"github.com/cgogrind/cgogrind/harness/internal/frames"
	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
)

// memcheck reports an error whose innermost frames equal those of a former one no second time: it only counts. What
// was counted between two marks and not reported is a fold: a repeat, in the tests that ran then, of something that
// was reported before. https://valgrind.org/docs/manual/manual-core.html, VALGRIND_COUNT_ERRORS.
type fold struct {
	count   int
	tests   []*test // that ran; none: outside
	outside string
	seen    int // records that had been reported when it ended
}

// foldCounter compares the counter in the marks with the records between them.
type foldCounter struct {
	last    uint64
	between int // records since the last mark
	debt    int // counted after the mark that they belong to: another thread came between reading and printing
	total   int
	seen    int
	folds   []fold
}

func (c *foldCounter) record() {
	c.between++
	c.seen++
}

// mark takes the counter's value of a mark, before what the mark says changes the tests that run.
func (c *foldCounter) mark(errors uint64, p *Process) {
	n := int(errors-c.last) - c.between + c.debt
	c.last, c.between, c.debt = errors, 0, min(n, 0)
	if n > 0 {
		c.folds = append(c.folds, fold{n, p.running(), p.outside(), c.seen})
		c.total += n
	}
}

// repeat is an error that memcheck counted more often than it reported it.
type repeat struct {
	record *record // nil: noise
	at     int     // it was the at-th to be reported
	left   int     // repeats that no fold has been assigned yet
}

// resolve finds out which error each fold repeats, as far as only one is possible, and hands every fold to use with
// the errors that it may be: one if it is certain.
func (c *foldCounter) resolve(repeats []*repeat, use func(f fold, may []*repeat)) {
	left := repeats // in order, those with repeats left
	// candidates are those that were reported before the fold ended.
	candidates := func(f fold) []*repeat {
		n, _ := slices.BinarySearchFunc(left, f.seen+1, func(r *repeat, at int) int { return cmp.Compare(r.at, at) })
		return left[:n:n]
	}
	open := slices.Clone(c.folds)
	for again := true; again; {
		again = false
		open = slices.DeleteFunc(open, func(f fold) bool {
			may := candidates(f)
			if len(may) != 1 {
				return false
			}
			may[0].left -= min(f.count, may[0].left)
			use(f, may)
			if may[0].left == 0 { // it is the first
				left = left[1:]
				again = true
			}
			return true
		})
	}
	for _, f := range open {
		use(f, candidates(f))
	}
}

// repeats lists what was counted more often than reported. Without the counts at the end of the report, which an
// incomplete one lacks, it may be anything that was reported.
func (p *Process) repeats() []*repeat {
	var out []*repeat
	for i, u := range p.order {
		r := &repeat{record: p.byUnique[u], at: i + 1, left: p.counts[u] - 1}
		if p.counts == nil {
			r.left = p.folds.total
		}
		if r.left > 0 {
			out = append(out, r)
		}
	}
	return out
}

// reported keeps the order of what was reported, noise included.
func (p *Process) reported(e *valgrind.Error, r *record) {
	p.folds.record()
	p.order = append(p.order, e.Unique)
	p.byUnique[e.Unique] = r
}

// unresolved is a fold of which it is not known for certain what it repeats, where, or whose it is.
type unresolved struct {
	fold
	may []*repeat
}

// resolveFolds gives the repeats that memcheck only counted to the tests that ran meanwhile.
func (p *Process) resolveFolds() {
	repeats := p.repeats()
	if p.counts != nil {
		// The counter is in the marks of tests; the report ends with the counts.
		after := -p.folds.total
		for _, r := range repeats {
			after += r.left
		}
		if after > 0 {
			p.folds.folds = append(p.folds.folds, fold{after, p.running(), p.outside(), p.folds.seen})
		}
	}
	p.folds.resolve(repeats, func(f fold, may []*repeat) {
		if p.isNoiseOutside(f, may) {
			return
		}
		if len(may) == 1 && len(f.tests) <= 1 && (len(f.tests) == 0 || p.isSamePlace(f, may[0].record)) {
			p.repeated(f, may[0].record)
			return
		}
		for _, t := range f.tests {
			t.folds = append(t.folds, unresolved{f, may})
		}
		if len(f.tests) == 0 && slices.ContainsFunc(may, func(r *repeat) bool { return r.record != nil && p.isNew(r.record) }) {
			p.outsideFolds = append(p.outsideFolds, f)
		}
	})
}

// isNoiseOutside says whether a fold outside of tests repeats noise, since what else it may be carries the identity of a
// test among the frames that memcheck compared. Go's runtime frees at the end what C freed before it, object for object.
func (p *Process) isNoiseOutside(f fold, may []*repeat) bool {
	noise := false
	for _, r := range may {
		switch {
		case r.record == nil:
			noise = true
		case r.record.idDepth == 0 || r.record.idDepth > f.compared():
			return false
		}
	}
	return noise && len(f.tests) == 0
}

// compared is how many addresses of two stacks memcheck compared.
func (f fold) compared() int {
	if f.seen >= 100 {
		return 2
	}
	return 4
}

// idDepth says the how-many-th address of a stack tells the test's identity, from 1; 0 if none does. Where there are more
// tests than call slots it takes the address after the slot's, too.
func (p *Process) idDepth(stack []valgrind.Frame) int {
	n := 0
	for i, f := range stack {
		if i == 0 || f.IP != stack[i-1].IP {
			n++
		}
		if p.layout.identity(stack[i:i+1]) != 0 && frames.GoName(f.Function) == "runtime.cgogrindCall" {
			if uint64(len(p.tests)) >= p.layout.callCount {
				n++
			}
			return n
		}
	}
	return 0
}

// isSamePlace says whether what repeats a record has its fingerprint: memcheck compares the
// innermost four addresses of the stacks, after a hundred errors two.
func (p *Process) isSamePlace(f fold, r *record) bool {
	return r == nil || len(r.tests) == 1 && r.tests[0] == f.tests[0] || 0 < r.depth && r.depth <= f.compared()
}

// repeated makes a fold a record of its own, unless the test has that finding already, or it is noise.
func (p *Process) repeated(f fold, r *record) {
	if r == nil {
		return
	}
	again := *r
	again.tests, again.outside, again.attribution = f.tests, f.outside, result.ByRunning
	if len(f.tests) == 0 {
		again.attribution = result.Outside
	}
	if slices.Equal(again.names(), r.names()) {
		r.count += uint64(f.count)
		return
	}
	again.count = uint64(f.count)
	p.addRecord(&again)
}

// guessFolds takes a fold that can repeat one error only for a repeat of that, where no process of its own told better.
func (p *Process) guessFolds() {
	for _, t := range p.tests {
		t.folds = slices.DeleteFunc(t.folds, func(u unresolved) bool {
			if len(u.may) != 1 || len(u.tests) != 1 {
				return false
			}
			if r := u.may[0].record; r != nil && !p.isNew(r) && !p.isExcused(t, u.fold, r) {
				return false // a guess must not make a finding known
			}
			p.repeated(u.fold, u.may[0].record)
			return true
		})
	}
}

// maxAlone is how many processes a package may have that run one test alone.
const maxAlone = 10

// Alone takes how the process ended and returns the tests to run alone, each in a process that Alone.Process judges.
// Call it before Finish; what it returns need not run.
func (p *Process) Alone(o Outcome) []*Alone {
	p.settle()
	if o.Stopped != "" || o.Complaint != "" {
		return nil
	}
	var out []*Alone
	for _, withFindings := range []bool{false, true} {
		for _, t := range p.tests {
			known := slices.ContainsFunc(t.records, func(r *record) bool { return !p.isExpected(r) })
			if known != withFindings || t.kind == "node" || t.state != over || !slices.ContainsFunc(t.folds, t.isOpen(p)) {
				continue
			}
			i := slices.IndexFunc(out, func(a *Alone) bool { return a.Test == t.name && a.tests[0].kind == t.kind })
			if i >= 0 {
				out[i].tests = append(out[i].tests, t)
				continue
			}
			if p.judge.alone == maxAlone {
				continue
			}
			p.judge.alone++
			out = append(out, p.aloneOf(t))
		}
	}
	return out
}

// isExpected says whether a test of the record's expects it.
func (p *Process) isExpected(r *record) bool {
	return slices.ContainsFunc(r.tests, func(t *test) bool { return len(p.matching(r, t)) > 0 })
}

// isOpen says whether a fold may be something that the test is not known for and does not expect.
func (t *test) isOpen(p *Process) func(unresolved) bool {
	return func(u unresolved) bool {
		return slices.ContainsFunc(u.may, func(r *repeat) bool {
			return r.record != nil && !slices.Contains(r.record.tests, t) && !p.isExcused(t, u.fold, r.record)
		})
	}
}

// isExcused says whether a test need not answer for a fold that repeats a record: it expects the record's finding, or that is
// known and the fold is it for certain. Under a known finding's innermost frames there may be a new caller.
func (p *Process) isExcused(t *test, f fold, r *record) bool {
	return p.allKnown || len(p.matching(r, t)) > 0 || !p.isNew(r) && p.isSamePlace(f, r)
}

// focus is the regular expression for -ginkgo.focus that matches a spec and no other, "" for what is no spec. Ginkgo
// compares it with the suite's name and the spec's.
func (p *Process) focus(t *test) string {
	if t.kind != "spec" {
		return ""
	}
	for _, s := range p.specs {
		if s.test == t.parent {
			return "^" + regexp.QuoteMeta(s.name+" "+t.name) + "$"
		}
	}
	return regexp.QuoteMeta(t.name) + "$"
}

// Process returns the judge of the process that runs the test alone.
func (a *Alone) Process(j *Judge, command []string) *Process {
	p := j.Process(command)
	p.alone = a
	return p
}

// Finish takes how the test alone ended and gives what memcheck found in it to the test that ran among the others.
func (a *Alone) Finish(first, alone *Process, o Outcome) {
	alone.settle()
	a.finished = alone.problem(o) == ""
	noise := slices.ContainsFunc(alone.order, func(unique uint64) bool { return alone.byUnique[unique] == nil })
	var found []*record
	for _, t := range alone.tests {
		if t.name != a.Test || t.kind != a.tests[0].kind {
			continue
		}
		a.finished = a.finished && t.state == over
		for _, r := range t.records {
			if !isLeak(r.kind) { // the first process reported those itself
				found = append(found, r)
			}
		}
	}
	a.found = len(found) > 0
	a.clean = a.finished && !a.found && !noise
	for _, t := range a.tests {
		t.alone = a
		for _, r := range found {
			first.adopt(r, t)
		}
		t.folds = slices.DeleteFunc(t.folds, func(u unresolved) bool {
			return a.found || a.finished && noise && slices.ContainsFunc(u.may, func(r *repeat) bool { return r.record == nil })
		})
	}
	// What ran at the same time and is not it.
	for _, t := range first.tests {
		if t.alone == nil || !t.alone.clean {
			continue
		}
		t.folds = slices.DeleteFunc(t.folds, func(u unresolved) bool {
			return slices.ContainsFunc(u.tests, func(other *test) bool {
				return other != t && other.alone != nil && other.alone.found
			})
		})
	}
}

// aloneResult says of a test with folds what is known from running it alone, or that this was not done.
func (t *test) aloneResult() string {
	switch {
	case t.alone == nil:
		return "run this test alone to see"
	case t.alone.finished:
		return "alone, the test did not do it again"
	}
	return "alone, the test did not end"
}
