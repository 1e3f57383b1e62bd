package judge

import (
	"slices"
	"strings"

	"github.com/cgogrind/cgogrind/harness/internal/frames"
	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
)

// identity returns the test that a stack carries: 0 if none. A cgo call of a test's goroutine goes through one of the
// runtime's call slots, whose number is the identity's low part; a frame in the sled right after it is the high part.
func (l markLayout) identity(stack []valgrind.Frame) uint64 {
	if l.callStride == 0 || l.callCount == 0 {
		return 0
	}
	for i, f := range stack {
		if f.IP < l.callBase || f.IP >= l.callBase+l.callStride*l.callCount {
			continue
		}
		id := (f.IP - l.callBase) / l.callStride
		if i+1 < len(stack) {
			if next := stack[i+1].IP; next >= l.sledBase && next < l.sledBase+l.sledCount {
				id += (next - l.sledBase) * l.callCount
			}
		}
		if id != 0 {
			return id
		}
	}
	return 0
}

// attribute says which tests a record belongs to, and how that is known. Without tests it returns one of the names
// in brackets. The stack of the error itself says more than those of where its memory was made and freed.
func (p *Process) attribute(e *valgrind.Error, sections []valgrind.Section) (
	tests []*test, outside string, how result.Attribution) {
	leak := isLeak(e.Kind)
	for _, s := range sections {
		if t := p.byID[p.layout.identity(s.Stack)]; t != nil {
			return []*test{t}, "", result.ByIdentity
		}
		for _, f := range s.Stack {
			if t := p.testOfFunction(f.Function, leak); t != nil {
				return []*test{t}, "", result.ByStack
			}
		}
	}
	if leak {
		switch tests, sure := p.appeared.of(e); {
		case sure:
			return tests, "", result.ByAppearance
		case len(tests) > 0:
			return tests, "", result.OneOf
		}
		return nil, result.Teardown, result.Outside // which test allocated it is not known
	}
	switch running := p.running(); len(running) {
	case 0:
		return nil, p.outside(), result.Outside
	case 1:
		if p.layout.callCount > 0 && !slices.ContainsFunc(sections, hasGo) {
			return running, "", result.Asynchronous
		}
		return running, "", result.ByRunning
	default:
		return running, "", result.OneOf
	}
}

// hasGo says whether a stack has a Go function in it: that of a thread that C made has none.
func hasGo(s valgrind.Section) bool {
	return slices.ContainsFunc(s.Stack, func(f valgrind.Frame) bool { return frames.GoPackage(f.Function) != "" })
}

// outside names the time between tests.
func (p *Process) outside() string {
	switch {
	case p.done || len(p.tests) > 0 && p.unbegun == 0:
		return result.Teardown
	case len(p.tests) > 0:
		return result.Between
	}
	return result.Setup
}

// testOfFunction returns the test whose function, or a closure in it, is f: pkg.TestX, pkg.TestX.func1. Tests that have
// ended count only when ended is set. With one subtest running, that is meant.
func (p *Process) testOfFunction(f string, ended bool) *test {
	pkg := frames.GoPackage(f)
	if pkg != p.judge.cfg.ImportPath && pkg != p.judge.cfg.ImportPath+"_test" {
		return nil
	}
	name, _, _ := strings.Cut(f[strings.LastIndexByte(f, '/')+1:], "[")
	_, name, _ = strings.Cut(name, ".")
	name, _, _ = strings.Cut(name, ".")
	name, _, _ = strings.Cut(name, "-range")
	t := p.lastNamed(name, ended)
	if t == nil {
		return nil
	}
	var below []*test
	for _, c := range p.running() {
		if c != t && c.isWithin(t) {
			below = append(below, c)
		}
	}
	if len(below) == 1 {
		return below[0]
	}
	return t
}

func isLeak(k valgrind.Kind) bool { return strings.HasPrefix(string(k), "Leak_") }
