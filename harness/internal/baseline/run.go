package baseline

import (
	"context"
	"slices"
	"strings"

	"github.com/cgogrind/cgogrind/harness/result"
)

// Run keeps the messages of a run: it is a result.Handler. Its zero value is ready.
type Run struct {
	Config   *result.Config
	Plans    []*result.Plan
	Tests    []*result.Test
	Findings []*result.Finding
	Summary  result.Summary
}

// Handle keeps a message.
func (r *Run) Handle(_ context.Context, m result.Message) error {
	switch {
	case m.Config != nil:
		r.Config = m.Config
	case m.Plan != nil:
		r.Plans = append(r.Plans, m.Plan)
	case m.Test != nil:
		r.Tests = append(r.Tests, m.Test)
	case m.Finding != nil:
		r.Findings = append(r.Findings, m.Finding)
	case m.Summary != nil:
		r.Summary = *m.Summary
	}
	return nil
}

// Emit hands the run to a handler, judged as it is by then.
func (r *Run) Emit(ctx context.Context, h result.Handler) (result.ExitCode, error) {
	var tally result.Tally
	emit := func(m result.Message) error {
		if err := tally.Handle(ctx, m); err != nil {
			return err
		}
		return h.Handle(ctx, m)
	}
	err := emit(result.Message{Config: r.Config})
	for i := 0; i < len(r.Plans) && err == nil; i++ {
		err = emit(result.Message{Plan: r.Plans[i]})
	}
	for i := 0; i < len(r.Tests) && err == nil; i++ {
		err = emit(result.Message{Test: r.Tests[i]})
	}
	for i := 0; i < len(r.Findings) && err == nil; i++ {
		err = emit(result.Message{Finding: r.Findings[i]})
	}
	if err == nil {
		sum := tally.Summary()
		sum.ElapsedS, sum.Suppressions = r.Summary.ElapsedS, r.Summary.Suppressions
		err = emit(result.Message{Summary: &sum})
	}
	if err != nil {
		return result.ExitInconclusive, err
	}
	return tally.ExitCode(), nil
}

// Comparison is a run in the light of a policy.
type Comparison struct {
	New    []*result.Finding
	Worse  []string // fingerprints of New that the baseline has with less
	Known  []*result.Finding
	Fixed  []string // fingerprints that the baseline has, and whose test ran and did not hit them
	NotRun []string // fingerprints that the baseline has, and whose test did not run to its end
}

// Judge decides about the run's findings and gives its tests the verdicts that they have then.
func (r *Run) Judge(p *Policy) Comparison {
	var c Comparison
	total := map[string]result.Finding{}
	for _, f := range r.Findings {
		if f.Disposition != result.Expected {
			sum := total[f.Fingerprint]
			sum.Bytes, sum.Blocks = sum.Bytes+f.Bytes, sum.Blocks+f.Blocks
			total[f.Fingerprint] = sum
		}
	}
	for _, f := range r.Findings {
		if f.Disposition == result.Expected {
			continue
		}
		so := result.Finding{Fingerprint: f.Fingerprint, Kind: f.Kind, Package: f.Package,
			Bytes: total[f.Fingerprint].Bytes, Blocks: total[f.Fingerprint].Blocks}
		switch f.Disposition = p.Dispose(so); f.Disposition {
		case result.Known:
			c.Known = append(c.Known, f)
		case result.New:
			c.New = append(c.New, f)
			if e, ok := p.Known[f.Fingerprint]; ok && e.isWorse(&so) && !slices.Contains(c.Worse, f.Fingerprint) {
				c.Worse = append(c.Worse, f.Fingerprint)
			}
		}
	}
	r.judgeTests(c.New)
	for _, fp := range p.Known.sorted() {
		switch _, seen := total[fp]; {
		case seen:
		case r.ran(p.Known[fp]):
			c.Fixed = append(c.Fixed, fp)
		default:
			c.NotRun = append(c.NotRun, fp)
		}
	}
	return c
}

// NotRun lists the findings of a baseline whose tests did not run to their end.
func (r *Run) NotRun(b Baseline) []string {
	var out []string
	for _, fp := range b.sorted() {
		if !r.ran(b[fp]) {
			out = append(out, fp)
		}
	}
	return out
}

// ran says whether the test that a known finding is known from ran to its end in a package that it is known from.
func (r *Run) ran(e Entry) bool {
	for _, t := range r.Tests {
		// A verdict on what is outside of tests may be that the package was not built.
		if t.Name == e.Test && slices.Contains(e.Packages, t.Package) && !isOutside(e.Test) &&
			(t.Verdict == result.Pass || t.Verdict == result.Fail) {
			return true
		}
	}
	if !isOutside(e.Test) {
		return false
	}
	planned, whole := false, true // what happens outside of tests happens in every process of the package
	for _, p := range r.Plans {
		planned = planned || slices.Contains(e.Packages, p.Package)
	}
	for _, t := range r.Tests {
		if slices.Contains(e.Packages, t.Package) && t.Verdict == result.Inconclusive {
			whole = false
		}
	}
	return planned && whole
}

// isOutside says whether a name stands for what happens outside of tests.
func isOutside(name string) bool { return strings.HasPrefix(name, "[") }

// judgeTests gives the tests their verdicts for the new findings: those that hit one fail, those that failed for a
// finding that is not new any more do not.
func (r *Run) judgeTests(fresh []*result.Finding) {
	type place struct{ pkg, test string }
	hits := map[place]*result.Finding{} // of tests, and of the tests around a subtest
	anyIn := map[string]bool{}
	for _, f := range fresh {
		anyIn[f.Package] = true
		for _, name := range f.Tests {
			for at := len(name); at > 0; at = strings.LastIndexByte(name[:at], '/') {
				p := place{f.Package, name[:at]}
				if old := hits[p]; old == nil || old.Attribution == result.OneOf {
					hits[p] = f
				}
			}
		}
	}
	mine := map[place]bool{} // tests that a finding names, whatever became of it
	for _, f := range r.Findings {
		for _, name := range f.Tests {
			mine[place{f.Package, name}] = true
		}
	}
	judged := map[place]bool{}
	kept := r.Tests[:0]
	for _, t := range r.Tests {
		at := place{t.Package, t.Name}
		judged[at] = true
		without := t.Otherwise
		if without == "" {
			without = t.Verdict
		}
		hit := hits[at]
		switch {
		case hit != nil && hit.Attribution != result.OneOf:
			fail(t, hit)
		case hit != nil && without != result.Fail:
			if t.Verdict == result.Pass || t.Verdict == result.Skip {
				t.Verdict, t.Reason = result.Inconclusive, what(hit)+" happened in one of "+strings.Join(hit.Tests, ", ")
			}
		case t.Otherwise != "" && !mine[at] && anyIn[t.Package] && !hasSubtests(r.Tests, t):
			// A Ginkgo suite: its specs do not have its name, so which of them made it fail is not known.
		case t.Otherwise != "" && isOutside(t.Name):
			continue
		case t.Otherwise != "":
			t.Verdict, t.Otherwise = without, ""
			if without == result.Pass {
				t.Reason, t.Output, t.Repro = "", "", ""
			}
		}
		kept = append(kept, t)
	}
	r.Tests = kept
	for _, f := range fresh {
		for _, name := range f.Tests {
			if at := (place{f.Package, name}); isOutside(name) && !judged[at] {
				judged[at] = true
				t := &result.Test{Package: f.Package, Name: name, Otherwise: result.Pass}
				fail(t, f)
				r.Tests = append(r.Tests, t)
			}
		}
	}
}

func hasSubtests(tests []*result.Test, of *result.Test) bool {
	return slices.ContainsFunc(tests, func(t *result.Test) bool {
		return t.Package == of.Package && strings.HasPrefix(t.Name, of.Name+"/")
	})
}

func fail(t *result.Test, f *result.Finding) {
	if t.Verdict != result.Fail {
		if t.Otherwise == "" && t.Verdict != "" {
			t.Otherwise = t.Verdict
		}
		t.Verdict, t.Reason = result.Fail, "memcheck found "+what(f)
	}
}

func what(f *result.Finding) string {
	if f.Blame == nil {
		return f.Kind + " in code that is not under test"
	}
	return f.Kind + " in " + f.Blame.KnownName()
}

// Update returns the baseline with what the comparison found: new findings with the day and the reason given, known
// ones as they are now, with that reason if they had none, and without those that are fixed. Those whose test did not run stay as
// they are, but for the reason. What a rule denies is not taken in.
func (r *Run) Update(p *Policy, c Comparison, today Date, reason string) Baseline {
	out := Baseline{}
	for _, fp := range c.NotRun {
		e := p.Known[fp]
		if e.Reason == "" {
			e.Reason = reason
		}
		out[fp] = e
	}
	for _, f := range slices.Concat(c.Known, c.New) {
		if slices.ContainsFunc(p.Deny, func(rule Rule) bool { return rule.Matches(f) }) {
			continue
		}
		e, again := out[f.Fingerprint]
		if !again {
			old, known := p.Known[f.Fingerprint]
			if !known {
				old = p.Former.like(f)
			}
			e = Entry{Comment: old.Comment, Kind: f.Kind, Test: f.Test, Reason: old.Reason, Added: old.Added, Expires: old.Expires}
			if e.Added == "" {
				e.Added = today
			}
			if e.Reason == "" {
				e.Reason = reason
			}
			if f.Blame != nil {
				e.Function, e.Source = f.Blame.KnownName(), f.Blame.Source
			}
			for _, pkg := range old.Packages {
				if !slices.ContainsFunc(r.Plans, func(p *result.Plan) bool { return p.Package == pkg }) {
					e.Packages = append(e.Packages, pkg) // its tests did not run
				}
			}
		}
		if !slices.Contains(e.Packages, f.Package) {
			e.Packages = append(e.Packages, f.Package)
		}
		slices.Sort(e.Packages)
		e.Bytes, e.Blocks = e.Bytes+f.Bytes, e.Blocks+f.Blocks
		out[f.Fingerprint] = e
	}
	return out
}
