package repro

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/cgogrind/cgogrind/harness/internal/shell"
	"github.com/cgogrind/cgogrind/harness/result"
)

// level is what kind of tests a reduction chooses among.
type level int

const (
	topLevel level = iota // tests, examples and fuzz targets
	subtests              // siblings of the target below one test
	specs                 // of one Ginkgo suite
)

// candidates are tests that ran before the target in its process, of one level, in the order in which they began.
type candidates struct {
	level level
	names []string // of subtests: without their parent's
}

// before lists what ran before a test, the nearest level first.
func (s *Stream) before(pkg, test string) []candidates {
	if s == nil || test == "" {
		return nil
	}
	for _, p := range s.processes {
		if p.pkg != pkg {
			continue
		}
		i := p.failure(test)
		if i < 0 {
			continue
		}
		top, rest, isSub := strings.Cut(test, "/")
		planned := slices.Contains(p.planned, top)
		var tops, siblings, suite []string
		for _, t := range p.tests[:i] {
			first, below, sub := strings.Cut(t.Name, "/")
			switch isPlanned := slices.Contains(p.planned, first); {
			case t.Name == test: // an earlier round of -count
			case isPlanned && !sub && first != top:
				tops = append(tops, t.Name)
			case isPlanned && sub && first == top && !strings.Contains(below, "/") && !strings.HasPrefix(rest+"/", below+"/"):
				siblings = append(siblings, below)
			case !isPlanned && !strings.HasPrefix(t.Name, "["):
				suite = append(suite, t.Name)
			}
		}
		for _, names := range []*[]string{&tops, &siblings, &suite} {
			*names = once(*names)
		}
		switch {
		case !planned: // a spec: the test of its suite comes before it, and is none of the others
			return []candidates{{specs, suite}}
		case isSub:
			return []candidates{{subtests, siblings}, {topLevel, tops}}
		}
		return []candidates{{topLevel, tops}}
	}
	return nil
}

// failure is where a test failed, or else ran, for the first time; -1 if it did not.
func (p *process) failure(name string) int {
	i := slices.IndexFunc(p.tests, func(t *result.Test) bool {
		return t.Name == name && (t.Verdict == result.Fail || t.Verdict == result.Inconclusive)
	})
	if i < 0 {
		i = slices.IndexFunc(p.tests, func(t *result.Test) bool { return t.Name == name })
	}
	return i
}

// once leaves out what stands in a list before.
func once(list []string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// with is the target's command with some of the candidates before it.
func (t Target) with(l level, names []string) shell.Command {
	c := shell.Command{Env: t.Command.Env, Args: slices.Clone(t.Command.Args)}
	switch l {
	case topLevel:
		top, _, _ := strings.Cut(t.Test, "/")
		setRun(&c, "^"+group(append(slices.Clone(names), top))+"$")
	case subtests:
		top, rest, _ := strings.Cut(t.Test, "/")
		below, _, _ := strings.Cut(rest, "/")
		setRun(&c, "^"+regexp.QuoteMeta(top)+"$/^"+group(append(slices.Clone(names), below))+"$")
	case specs:
		for i, a := range c.Args {
			if strings.HasPrefix(a, "-ginkgo.focus=") {
				c.Args[i] = "-ginkgo.focus=" + group(append(slices.Clone(names), t.Test)) + "$"
			}
		}
	}
	return c
}

// group matches each of the names.
func group(names []string) string {
	for i, n := range names {
		names[i] = regexp.QuoteMeta(n)
	}
	if len(names) == 1 {
		return names[0]
	}
	return "(" + strings.Join(names, "|") + ")"
}

func setRun(c *shell.Command, pattern string) {
	if i := slices.Index(c.Args, "-run"); i >= 0 && i+1 < len(c.Args) {
		c.Args[i+1] = pattern
	}
}

// Reduction is the shortest run that reproduces the target, as far as it was found.
type Reduction struct {
	Tests   []string      // that have to run before the target, in order
	Of      int           // how many ran before it
	Command shell.Command // runs them and the target
}

// Reduce looks for the shortest run of earlier tests with which the target is reproduced, given that it is not
// reproduced alone. It is nil if all of them are not enough, or there are none. With an error, a reduction that is not
// nil is the best until then.
func (s *Session) Reduce(ctx context.Context) (*Reduction, error) {
	t := s.Target
	for _, c := range t.Stream.before(t.Package, t.Test) {
		if len(c.names) == 0 {
			continue
		}
		reproduces := func(names []string) (bool, error) {
			a, err := s.Try(ctx, t.with(c.level, names))
			if err != nil {
				return false, err
			}
			s.Note("with %d of the %d before it: %s (%.1fs)", len(names), len(c.names), a.Outcome, a.ElapsedS)
			return a.Outcome == Reproduced, nil
		}
		switch ok, err := reproduces(c.names); {
		case err != nil:
			return nil, err
		case !ok:
			continue
		}
		names, err := minimise(c.names, reproduces)
		return &Reduction{names, len(c.names), t.with(c.level, names)}, err
	}
	return nil, nil
}

// minimise leaves out of a list for which test holds what does not matter, given that test does not hold for the empty
// list. It bisects for the shortest end of the list for which test holds, keeps the first of that, and goes on with the
// rest, given what is kept: a number of tests that grows with what is kept and with the logarithm of the list. Nothing
// more can be left out of the result when test holds for a list whenever it does for a part of it. With an error the
// list is the shortest until then.
func minimise(list []string, test func([]string) (bool, error)) ([]string, error) {
	var kept []string
	for rest := list; len(rest) > 0; {
		from, beyond := 0, len(rest) // test holds with kept and rest[from:], and not with rest[beyond:]
		for beyond-from > 1 {
			middle := (from + beyond) / 2
			ok, err := test(slices.Concat(kept, rest[middle:]))
			if err != nil {
				return slices.Concat(kept, rest[from:]), err
			}
			if ok {
				from = middle
			} else {
				beyond = middle
			}
		}
		kept, rest = append(kept, rest[from]), rest[from+1:]
		if len(rest) == 0 {
			break
		}
		ok, err := test(kept)
		if err != nil {
			return slices.Concat(kept, rest), err
		}
		if ok {
			break
		}
	}
	return kept, nil
}
