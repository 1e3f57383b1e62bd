package judge

import (
	"testing"

	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
)

// TestErrorsSwitchedOff: the runtime's own errors are nobody's, and where they do not count, what happened to the tests
// that called C meanwhile is not known.
func TestErrorsSwitchedOff(t *testing.T) {
	run := func(silent ...string) *report {
		r := newReport().plan("TestA", "TestB")
		r.probe()
		for _, name := range []string{"TestA", "TestB"} {
			r.begin(name)
			if name == "TestA" {
				for _, s := range silent {
					r.mark("silent %s", s)
				}
			}
			r.probe()
			r.end(name, "pass")
		}
		r.done(0)
		return r
	}
	j := judge(t, run().finish(), whole)
	j.check(t, result.ExitPass, verdicts{"TestA": result.Pass, "TestB": result.Pass})
	if len(j.findings) != 0 {
		t.Errorf("findings %+v", j.findings)
	}
	j = judge(t, run("off 1").finish(), whole)
	j.check(t, result.ExitInconclusive, verdicts{"TestA": result.Inconclusive, "TestB": result.Pass})
	j.reason(t, "TestA", "switched off", "VALGRIND_DISABLE_ERROR_REPORTING", "errors may be missing")
	j = judge(t, run("declared 1").finish(), whole)
	j.check(t, result.ExitInconclusive, verdicts{"TestA": result.Inconclusive, "TestB": result.Pass})
	j.reason(t, "TestA", "declared accessible")
	// Nobody's thread.
	j = judge(t, run("off 0").finish(), whole)
	j.check(t, result.ExitInconclusive, verdicts{
		"TestA": result.Pass, "TestB": result.Pass, result.Between: result.Inconclusive})

	// A subtest's is its parents', too; what was found stands.
	r := newReport().plan("TestA")
	r.begin("TestA")
	r.begin("TestA/sub")
	r.error("InvalidFree", freed(r.ids["TestA/sub"], testA))
	r.mark("silent off 2")
	r.end("TestA/sub", "pass")
	r.end("TestA", "pass")
	r.done(0)
	j = judge(t, r.finish(), whole)
	j.check(t, result.ExitFindings, verdicts{"TestA": result.Fail, "TestA/sub": result.Fail})
	if got := j.tests["TestA/sub"].Otherwise; got != result.Inconclusive {
		t.Errorf("if the finding is known: %q", got)
	}
}

// TestOptionsChanged: a leak check at the end that does not find the block that the runtime lost was none.
func TestOptionsChanged(t *testing.T) {
	for _, c := range []struct {
		args []string
		want result.Verdict
	}{
		{nil, result.Inconclusive},
		{[]string{"--leak-check=full", "--show-leak-kinds=possible,definite"}, result.Inconclusive},
		{[]string{"--show-leak-kinds=all"}, result.Inconclusive},
		{[]string{"--show-leak-kinds=possible"}, result.Pass}, // it was not asked for
		{[]string{"--leak-check=no"}, result.Pass},
	} {
		r := newReport().plan("TestA")
		h := r.events[0].(valgrind.Header)
		h.ValgrindArgs = append(h.ValgrindArgs, c.args...)
		r.events[0] = h
		r.blind = true
		r.begin("TestA")
		r.end("TestA", "pass")
		r.done(0)
		j := judge(t, r.finish(), whole)
		if got := j.tests["TestA"].Verdict; got != c.want {
			t.Errorf("%q: %s, want %s", c.args, got, c.want)
		}
		if c.want == result.Inconclusive {
			j.reason(t, "TestA", "leaks may be missing", "VALGRIND_CLO_CHANGE")
		}
	}
}

// Options that were changed from inside count from then on, and nobody knows for what.
func TestOptionsChangedByName(t *testing.T) {
	r := newReport().plan("TestA")
	r.begin("TestA")
	r.end("TestA", "pass")
	r.done(0)
	j := judge(t, r.finish(), Outcome{Changed: []string{"--show-mismatched-frees"}})
	j.check(t, result.ExitInconclusive, verdicts{"TestA": result.Inconclusive})
	j.reason(t, "TestA", "changed from inside", "--show-mismatched-frees")
}
