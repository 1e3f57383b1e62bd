package judge

import (
	"fmt"
	"slices"

	"github.com/cgogrind/cgogrind/harness/internal/frames"
	"github.com/cgogrind/cgogrind/harness/result"
)

// expectation is a finding that a test declared it must cause: see package expect.
type expectation struct {
	kind, function string
	test           *test
	met            bool
}

func (e *expectation) String() string { return e.kind + " in " + e.function }

// expect keeps a declaration. It counts for the test of that name that runs; a declaration for no test is noted, as it
// will excuse nothing.
func (p *Process) expect(m markExpect) {
	e := &expectation{kind: m.kind, function: m.function}
	for _, t := range slices.Backward(p.byName[m.name]) {
		if e.test == nil || t.state == running && e.test.state != running {
			e.test = t
		}
	}
	if e.test == nil {
		p.judge.progress(fmt.Sprintf("%q expects %s, but no such test has begun: the expectation is ignored", m.name, e))
		return
	}
	e.test.expected = append(e.test.expected, e)
}

// expectationsOf returns those of the test and of the tests that it is part of.
func (p *Process) expectationsOf(t *test) []*expectation {
	var out []*expectation
	for ; t != nil; t = t.parent {
		out = append(out, t.expected...)
	}
	return out
}

// matching returns the expectations of t that the record meets.
func (p *Process) matching(r *record, t *test) []*expectation {
	var out []*expectation
	for _, e := range p.expectationsOf(t) {
		if e.kind == string(r.kind) && slices.ContainsFunc(r.functions, e.names) {
			out = append(out, e)
		}
	}
	return out
}

// names says whether the expectation's function means f: the whole symbol, or its end from the package's name
// (rados.(*Conn).Shutdown) or from after it ((*Conn).Shutdown, dfree).
func (e *expectation) names(f string) bool {
	if f == e.function {
		return true
	}
	pkg := frames.GoPackage(f)
	if pkg == "" {
		return false
	}
	return e.function == frames.ShortName(f) || e.function == frames.LocalName(f)
}

// disposition decides about a record as a finding of t, and marks the expectations that it meets.
func (p *Process) disposition(r *record, tests []*test) result.Disposition {
	var d result.Disposition
	for _, t := range tests {
		for _, e := range p.matching(r, t) {
			e.met = true
			d = result.Expected
		}
	}
	if d == "" {
		d = p.judge.dispose(r)
	}
	return d
}

// isNew says whether a record that no test expects would fail a test.
func (p *Process) isNew(r *record) bool { return p.judge.dispose(r) == result.New }
