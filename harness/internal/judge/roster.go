package judge

import (
	"cmp"
	"slices"
	"strings"
)

// roster is the tests of one process in the order in which they began, and answers what marks and errors ask about them
// in time that grows with the number of tests that run, not with that of the tests that ever began.
type roster struct {
	tests  []*test
	byID   map[uint64]*test
	byName map[string][]*test // by name, in order
	open   map[string][]*test // those that are not over
	now    map[*test]bool     // those that run, and those that wait for a subtest
	stack  []*test            // no specs and nodes; the last one that is not over is on top, after what is over
	rounds map[round]int
}

// round is what a test has in common with its other runs, with -count.
type round struct{ kind, name string }

func newRoster() roster {
	return roster{
		byID: make(map[uint64]*test), byName: make(map[string][]*test), open: make(map[string][]*test),
		now: make(map[*test]bool), rounds: make(map[round]int),
	}
}

// begin takes a test that begins to run.
func (r *roster) begin(t *test) {
	t.index = len(r.tests)
	r.rounds[round{t.kind, t.name}]++
	t.round = r.rounds[round{t.kind, t.name}]
	t.state = running
	if t.parent = r.parentOf(t); t.parent != nil {
		t.parent.children = append(t.parent.children, t)
		t.parent.runningChildren++
	}
	r.tests = append(r.tests, t)
	r.byID[t.id] = t
	r.byName[t.name] = append(r.byName[t.name], t)
	r.open[t.name] = append(r.open[t.name], t)
	r.now[t] = true
	if !t.isSpec() {
		r.stack = append(r.stack, t)
	}
}

// setState takes how a test stands now.
func (r *roster) setState(t *test, s state) {
	if t == nil || t.state == s {
		return
	}
	change := 0
	switch {
	case t.state == running:
		delete(r.now, t)
		change = -1
	case s == running:
		r.now[t] = true
		change = 1
	}
	if t.parent != nil {
		t.parent.runningChildren += change
	}
	switch {
	case s == over:
		left := slices.DeleteFunc(r.open[t.name], func(c *test) bool { return c == t })
		if r.open[t.name] = left; len(left) == 0 {
			delete(r.open, t.name)
		}
	case t.state == over:
		r.open[t.name] = append(r.open[t.name], t)
	}
	t.state = s
}

// running returns the tests that run now, without those that wait for a subtest or in t.Parallel. Nodes of a Ginkgo
// suite wait while a spec runs.
func (r *roster) running() []*test {
	var out, nodes []*test
	spec := false
	for t := range r.now {
		switch {
		case t.runningChildren > 0:
		case t.kind == "node":
			nodes = append(nodes, t)
		default:
			spec = spec || t.kind == "spec"
			out = append(out, t)
		}
	}
	inOrder := func(a, b *test) int { return cmp.Compare(a.index, b.index) }
	slices.SortFunc(out, inOrder)
	slices.SortFunc(nodes, inOrder)
	if !spec {
		out = append(out, nodes...)
	}
	return out
}

// parentOf finds the test that a test which begins now belongs to: the one whose name it extends, or, for a Ginkgo
// spec or node, the test that runs the suite.
func (r *roster) parentOf(t *test) *test {
	if t.isSpec() {
		for len(r.stack) > 0 && r.stack[len(r.stack)-1].state == over {
			r.stack = r.stack[:len(r.stack)-1]
		}
		if len(r.stack) == 0 {
			return nil
		}
		return r.stack[len(r.stack)-1]
	}
	for i := strings.LastIndexByte(t.name, '/'); i >= 0; i = strings.LastIndexByte(t.name[:i], '/') {
		if open := r.open[t.name[:i]]; len(open) > 0 {
			return open[0]
		}
	}
	return nil
}

// lastNamed returns the last test of a name that began and is no spec; with ended, one that is over counts, too.
func (r *roster) lastNamed(name string, ended bool) *test {
	from := r.open
	if ended {
		from = r.byName
	}
	for _, t := range slices.Backward(from[name]) {
		if !t.isSpec() {
			return t
		}
	}
	return nil
}
