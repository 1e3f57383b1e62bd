package judge

import (
	"fmt"
	"slices"
	"testing"

	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
)

// deep is a stack whose code under test begins below the frames that memcheck compares.
func deep(id uint64, callers ...valgrind.Frame) valgrind.Section {
	var s []valgrind.Frame
	for i := range 5 {
		f := libc
		f.IP, f.Function = uint64(70+i), fmt.Sprintf("level%d", i)
		s = append(s, f)
	}
	s = append(append(s, identified(id)...), asmcgo, cgocall)
	return stack(append(s, callers...)...)
}

var goElse = at(60, "example.com/m/p.Else", "P/p.go", 9)

// session judges a process and those that run tests of it alone.
type session struct {
	t     *testing.T
	cfg   Config
	judge *Judge
	out   judged
	tally result.Tally
}

func newSession(t *testing.T) *session {
	s := &session{t: t, cfg: testConfig(t)}
	s.out.tests = make(map[string]result.Test)
	s.judge = New(s.cfg, func(m result.Message) {
		if err := s.tally.Handle(t.Context(), m); err != nil {
			t.Error(err)
		}
		switch {
		case m.Test != nil:
			s.out.tests[m.Test.Name] = *m.Test
		case m.Finding != nil:
			s.out.findings = append(s.out.findings, m.Finding)
		case m.Plan != nil:
			s.out.plans = append(s.out.plans, m.Plan)
		}
	})
	return s
}

func (s *session) feed(p *Process, r *report) *Process {
	for _, ev := range r.events {
		if e, ok := ev.(*valgrind.Error); ok {
			ev = located(e, s.cfg.Dir)
		}
		p.Event(ev, nil)
	}
	return p
}

// finish gives each test that shall run alone the report that alone makes for it; none leaves it unfinished.
func (s *session) finish(r *report, alone func(a *Alone) *report) judged {
	first := s.feed(s.judge.Process(nil), r)
	for _, a := range first.Alone(whole) {
		if r := alone(a); r != nil {
			p := s.feed(a.Process(s.judge, nil), r)
			a.Finish(first, p, whole)
		}
	}
	s.out.remaining = first.Finish(whole)
	s.judge.Finish()
	sum := s.tally.Summary()
	if err := s.tally.Handle(s.t.Context(), result.Message{Summary: &sum}); err != nil {
		s.t.Error(err)
	}
	s.out.code = s.tally.ExitCode()
	return s.out
}

// folded is a run in which TestA does what deep shows by way of Free, and TestB something that memcheck only counts.
func folded() *report {
	r := newReport().plan("TestA", "TestB", "TestC")
	r.begin("TestA")
	e := r.error("InvalidRead", deep(1, goFree, testA))
	r.end("TestA", "pass")
	r.begin("TestB")
	r.fold(e.Unique)
	r.end("TestB", "pass")
	r.begin("TestC")
	r.end("TestC", "pass")
	r.done(0)
	return r.finish()
}

func none(*Alone) *report { return nil }

func single(name string, errors func(r *report)) *report {
	r := newReport().plan(name)
	r.begin(name)
	errors(r)
	r.end(name, "pass")
	r.done(0)
	return r.finish()
}

func TestAloneNamesTheFinding(t *testing.T) {
	var asked []Alone
	s := newSession(t)
	j := s.finish(folded(), func(a *Alone) *report {
		asked = append(asked, Alone{Test: a.Test, Run: a.Run, Focus: a.Focus})
		return single("TestB", func(r *report) { r.error("InvalidRead", deep(1, goElse, testB)) })
	})
	if want := []Alone{{Test: "TestB", Run: "^TestB$"}}; !slices.EqualFunc(asked, want, func(a, b Alone) bool {
		return a.Test == b.Test && a.Run == b.Run && a.Focus == b.Focus
	}) {
		t.Errorf("asked for %+v", asked)
	}
	j.check(t, result.ExitFindings, verdicts{"TestA": result.Fail, "TestB": result.Fail, "TestC": result.Pass})
	j.reason(t, "TestA", "memcheck found InvalidRead in p.Free")
	j.reason(t, "TestB", "memcheck found InvalidRead in p.Else")
	if len(j.findings) != 2 || !slices.Equal(j.findings[1].Tests, []string{"TestB"}) ||
		j.findings[1].Attribution != result.ByIdentity {
		t.Errorf("findings %+v", j.findings)
	}
	if len(j.plans) != 1 {
		t.Errorf("%d plans: a test that runs alone has been planned", len(j.plans))
	}
}

// A finding is known, and memcheck counts an error that agrees with it in the frames that it compares: that may be another
// caller's, so the test runs alone, and does not pass if that cannot be.
func TestRepeatOfAKnownFinding(t *testing.T) {
	known := func() *session {
		s := newSession(t)
		var fingerprint string // of the first one
		s.judge.cfg.Dispose = func(f result.Finding) result.Disposition {
			if fingerprint == "" {
				fingerprint = f.Fingerprint
			}
			if f.Fingerprint == fingerprint {
				return result.Known
			}
			return result.New
		}
		return s
	}
	j := known().finish(folded(), func(*Alone) *report {
		return single("TestB", func(r *report) { r.error("InvalidRead", deep(1, goElse, testB)) })
	})
	j.check(t, result.ExitFindings, verdicts{"TestA": result.Pass, "TestB": result.Fail, "TestC": result.Pass})
	j.reason(t, "TestB", "memcheck found InvalidRead in p.Else")
	j = known().finish(folded(), func(*Alone) *report {
		return single("TestB", func(r *report) { r.error("InvalidRead", deep(1, goFree, testB)) })
	})
	j.check(t, result.ExitPass, verdicts{"TestA": result.Pass, "TestB": result.Pass, "TestC": result.Pass})
	j = known().finish(folded(), none)
	j.check(t, result.ExitInconclusive, verdicts{"TestA": result.Pass, "TestB": result.Inconclusive, "TestC": result.Pass})
	j.reason(t, "TestB", "memcheck counted 1 more error of a kind", "run this test alone to see")
}

func TestAloneDoesNotTell(t *testing.T) {
	t.Run("it did not run", func(t *testing.T) {
		j := newSession(t).finish(folded(), none)
		j.check(t, result.ExitFindings, verdicts{"TestA": result.Fail, "TestB": result.Fail, "TestC": result.Pass})
		j.reason(t, "TestB", "memcheck found InvalidRead in p.Free") // it can have been nothing else
	})
	t.Run("it did not do it again", func(t *testing.T) {
		j := newSession(t).finish(folded(), func(*Alone) *report { return single("TestB", func(*report) {}) })
		j.check(t, result.ExitFindings, verdicts{"TestA": result.Fail, "TestB": result.Fail, "TestC": result.Pass})
		j.reason(t, "TestB", "memcheck found InvalidRead in p.Free")
	})
	t.Run("one of two, and it did neither again", func(t *testing.T) {
		r := newReport().plan("TestA", "TestB")
		r.begin("TestA")
		a, b := r.error("InvalidFree", freed(1, testA)), r.error("InvalidRead", deep(1, goFree, testA))
		r.fold(a.Unique)
		r.end("TestA", "pass")
		r.begin("TestB")
		r.fold(b.Unique)
		r.end("TestB", "pass")
		r.done(0)
		j := newSession(t).finish(r.finish(), func(*Alone) *report { return single("TestB", func(*report) {}) })
		j.check(t, result.ExitFindings, verdicts{"TestA": result.Fail, "TestB": result.Fail})
		j.reason(t, "TestB", "memcheck counted 1 more error", "alone, the test did not do it again")
	})
	t.Run("it went down", func(t *testing.T) {
		r := single("TestB", func(*report) {})
		r.events = r.events[:len(r.events)-2]
		j := newSession(t).finish(folded(), func(*Alone) *report { return r })
		j.check(t, result.ExitFindings, verdicts{"TestA": result.Fail, "TestB": result.Fail, "TestC": result.Pass})
	})
}

// What a test beside it did is not a test's, and its being clean alone shows it; clean alone is not enough.
func TestAloneClearsAnother(t *testing.T) {
	together := func() *report {
		r := newReport().plan("TestC", "TestA", "TestB")
		r.begin("TestC")
		e := r.error("InvalidFree", stack(vgFree, dfree))
		r.end("TestC", "pass")
		r.begin("TestA")
		r.pause("TestA")
		r.begin("TestB")
		r.cont("TestA")
		r.fold(e.Unique)
		r.end("TestA", "pass")
		r.end("TestB", "pass")
		r.done(0)
		return r.finish()
	}
	j := newSession(t).finish(together(), func(a *Alone) *report {
		return single(a.Test, func(r *report) {
			if a.Test == "TestA" {
				r.error("InvalidFree", freed(1, testA))
			}
		})
	})
	j.check(t, result.ExitFindings, verdicts{"TestA": result.Fail, "TestB": result.Pass, "TestC": result.Fail})
	j = newSession(t).finish(together(), func(a *Alone) *report { return single(a.Test, func(*report) {}) })
	j.check(t, result.ExitFindings,
		verdicts{"TestA": result.Inconclusive, "TestB": result.Inconclusive, "TestC": result.Fail})
}

func TestAloneShowsNoise(t *testing.T) {
	nilRead := []valgrind.Section{stack(goFree), labelled("Address 0x8 is not stack'd, malloc'd or (recently) free'd")}
	r := newReport().plan("TestA", "TestB")
	r.begin("TestA")
	n := r.error("InvalidRead", nilRead...)
	e := r.error("InvalidFree", freed(1, testA))
	r.fold(n.Unique)
	r.fold(e.Unique)
	r.end("TestA", "pass")
	r.begin("TestB")
	r.fold(n.Unique)
	r.end("TestB", "pass")
	r.done(0)
	j := newSession(t).finish(r.finish(), func(a *Alone) *report {
		return single(a.Test, func(r *report) { r.error("InvalidRead", nilRead...) })
	})
	j.check(t, result.ExitFindings, verdicts{"TestA": result.Fail, "TestB": result.Pass})
}

func TestAloneIsBounded(t *testing.T) {
	var names []string
	for i := range maxAlone + 3 {
		names = append(names, fmt.Sprintf("Test%02d", i))
	}
	r := newReport().plan(append([]string{"TestA"}, names...)...)
	r.begin("TestA")
	e := r.error("InvalidRead", deep(1, goFree, testA))
	r.end("TestA", "pass")
	for _, n := range names {
		r.begin(n)
		r.fold(e.Unique)
		r.end(n, "pass")
	}
	r.done(0)
	s := newSession(t)
	asked := 0
	j := s.finish(r.finish(), func(a *Alone) *report {
		asked++
		return single(a.Test, func(r *report) { r.error("InvalidRead", deep(1, goElse, testB)) })
	})
	if asked != maxAlone {
		t.Errorf("%d tests ran alone, want %d", asked, maxAlone)
	}
	for i, n := range names {
		want := "p.Else"
		if i >= maxAlone {
			want = "p.Free" // taken for the only thing that it can be
		}
		j.reason(t, n, want)
	}
}

func TestAloneInASuite(t *testing.T) {
	r := newReport().plan("TestSuite")
	r.begin("TestSuite")
	r.mark("specs 2 %s", escape("My suite"))
	r.beginKind("spec", "reads")
	e := r.error("InvalidRead", deep(2, goFree))
	r.end("reads", "pass")
	r.beginKind("spec", "reads (again)")
	r.fold(e.Unique)
	r.end("reads (again)", "pass")
	r.end("TestSuite", "pass")
	r.done(0)
	j := newSession(t).finish(r.finish(), func(a *Alone) *report {
		if a.Run != "^TestSuite$" || a.Focus != `^My suite reads \(again\)$` {
			t.Errorf("%+v", a)
		}
		r := newReport().plan("TestSuite")
		r.begin("TestSuite")
		r.mark("specs 1 %s", escape("My suite"))
		r.beginKind("spec", "reads")
		r.mark("end %d 0 skip 0 %s", r.lastID, escape("reads"))
		r.beginKind("spec", "reads (again)")
		r.error("InvalidRead", deep(r.lastID, goElse))
		r.end("reads (again)", "pass")
		r.end("TestSuite", "pass")
		r.done(0)
		return r.finish()
	})
	j.check(t, result.ExitFindings,
		verdicts{"TestSuite": result.Fail, "reads": result.Fail, "reads (again)": result.Fail})
	j.reason(t, "reads (again)", "p.Else")
}

// Expected errors are excused wherever they fold; nothing has to run again for them.
func TestAloneNotForExpected(t *testing.T) {
	r := newReport().plan("TestA", "TestB")
	for i, name := range []string{"TestA", "TestB"} {
		r.begin(name)
		r.mark("expect InvalidFree dfree %s", name)
		e := r.error("InvalidFree", freed(uint64(i+1), testA))
		r.fold(e.Unique)
		r.end(name, "pass")
	}
	r.done(0)
	j := newSession(t).finish(r.finish(), func(a *Alone) *report {
		t.Errorf("%s alone", a.Test)
		return nil
	})
	j.check(t, result.ExitPass, verdicts{"TestA": result.Pass, "TestB": result.Pass})
}

// The last mark is before the end: what memcheck counted after it happened after the last test.
func TestRepeatsAfterTheLastMark(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(r *report)
		want verdicts
		code result.ExitCode
	}{
		{"of one error", func(r *report) {
			e := r.error("InvalidFree", freed(1, testA))
			r.end("TestA", "pass")
			r.done(0)
			r.fold(e.Unique)
		}, verdicts{"TestA": result.Fail, result.Teardown: result.Fail}, result.ExitFindings},
		{"of one of two", func(r *report) {
			a, b := r.error("InvalidFree", freed(1, testA)), r.error("InvalidRead", deep(1, goFree, testA))
			r.fold(a.Unique)
			r.end("TestA", "pass")
			r.done(0)
			r.fold(b.Unique)
		}, verdicts{"TestA": result.Fail, result.Teardown: result.Inconclusive}, result.ExitFindings},
		{"of noise", func(r *report) {
			e := r.error("InvalidRead", stack(goFree), labelled("Address 0x8 is not stack'd, malloc'd or (recently) free'd"))
			r.end("TestA", "pass")
			r.done(0)
			r.fold(e.Unique)
		}, verdicts{"TestA": result.Pass}, result.ExitPass},
		// C freed Go objects, each in the same place; Go's runtime frees them once more, when it collects.
		{"of noise that follows an error", func(r *report) {
			a := r.error("InvalidFree", freed(1, testA), labelled("Address 0x4a3b040 is 0 bytes inside a block of size 8 alloc'd",
				made("runtime.makeslice")...))
			r.fold(a.Unique)
			r.end("TestA", "pass")
			r.done(0)
			n := r.error("InvalidFree", stack(goRequestFrame, goFreeFrame, goSweepFrame))
			r.fold(n.Unique)
		}, verdicts{"TestA": result.Fail}, result.ExitFindings},
		{"of noise or an error that no test's identity is in", func(r *report) {
			a := r.error("InvalidFree", deep(1, goFree, testA))
			n := r.error("InvalidFree", stack(goRequestFrame, goFreeFrame, goSweepFrame))
			r.fold(n.Unique)
			r.end("TestA", "pass")
			r.done(0)
			r.fold(a.Unique)
		}, verdicts{"TestA": result.Fail, result.Teardown: result.Inconclusive}, result.ExitFindings},
		{"while a test was cut short", func(r *report) {
			e := r.error("InvalidFree", freed(1, testA))
			r.fold(e.Unique)
		}, verdicts{"TestA": result.Fail}, result.ExitFindings},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newReport().plan("TestA")
			r.begin("TestA")
			c.make(r)
			j := judge(t, r.finish(), whole)
			j.check(t, c.code, c.want)
			if c.want[result.Teardown] == result.Fail {
				if f := j.findings[0]; !slices.Equal(f.Tests, []string{"TestA", result.Teardown}) || f.Count != 2 {
					t.Errorf("finding %+v", f)
				}
			}
		})
	}
}
