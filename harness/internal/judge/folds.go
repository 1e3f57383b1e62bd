package judge

import (
	"slices"

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

// mark takes the counter's value of a mark, and the tests that ran since the one before.
func (c *foldCounter) mark(errors uint64, outside string, tests []*test) {
	n := int(errors-c.last) - c.between + c.debt
	c.last, c.between, c.debt = errors, 0, min(n, 0)
	if n > 0 {
		c.folds = append(c.folds, fold{n, tests, outside, c.seen})
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
	open := slices.Clone(c.folds)
	candidates := func(f fold) []*repeat {
		var may []*repeat
		for _, r := range repeats {
			if r.left > 0 && r.at <= f.seen {
				may = append(may, r)
			}
		}
		return may
	}
	for again := true; again; {
		again = false
		open = slices.DeleteFunc(open, func(f fold) bool {
			may := candidates(f)
			if len(may) != 1 {
				return false
			}
			may[0].left -= min(f.count, may[0].left)
			use(f, may)
			again = true
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
