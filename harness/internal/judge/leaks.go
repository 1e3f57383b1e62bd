package judge

import (
	"slices"

	"github.com/cgogrind/cgogrind/valgrind"
)

// appearances are the leak checks between tests: they tell in which test a leak appeared whose stack does not, one of a
// thread that C made. Its zero value is ready.
type appearances struct {
	since []*test // that ended since the last check
	now   []*test // the candidates of the check that is being made, once they are known
	left  []*test // the same, when the last test has ended and a check would have taken too long
	tests map[string][]appearance
}

// appearance is when a leak was first seen, or grew.
type appearance struct{ candidates []*test }

// ended takes a test that has ended.
func (a *appearances) ended(t *test) {
	if t.root() == t && t.kind != "node" {
		a.since = append(a.since, t)
	}
}

// begin begins a check.
func (a *appearances) begin() { a.now = nil }

// add takes a leak that a check reports as new; running tells the tests that run meanwhile.
func (a *appearances) add(e *valgrind.Error, running func() []*test) {
	if a.tests == nil {
		a.tests = make(map[string][]appearance)
	}
	if a.now == nil {
		a.now = a.candidates(running())
	}
	key := e.LeakKey()
	a.tests[key] = append(a.tests[key], appearance{a.now})
}

// candidates are the tests in which a leak may have appeared that is new.
func (a *appearances) candidates(running []*test) []*test {
	above := make(map[*test]bool)
	for _, t := range a.since {
		for t = t.parent; t != nil && !above[t]; t = t.parent {
			above[t] = true
		}
	}
	all := slices.Clone(a.since)
	for _, t := range running {
		if !above[t] { // a Ginkgo suite goes on when its spec has ended
			all = append(all, t)
		}
	}
	return all
}

// checked ends a check.
func (a *appearances) checked() { a.since, a.now = nil, nil }

// leave is called in the place of the last check.
func (a *appearances) leave() { a.left = a.since }

// of returns the tests that a leak appeared in. It is not certain which of them if sure is false.
func (a *appearances) of(e *valgrind.Error) (tests []*test, sure bool) {
	all := a.tests[e.LeakKey()]
	if len(all) == 0 {
		return a.left, false
	}
	for _, seen := range all {
		sure = sure || len(seen.candidates) == 1
	}
	known := make(map[*test]bool)
	for _, seen := range all {
		if sure && len(seen.candidates) != 1 {
			continue
		}
		for _, t := range seen.candidates {
			if !known[t] {
				known[t] = true
				tests = append(tests, t)
			}
		}
	}
	return tests, sure
}
