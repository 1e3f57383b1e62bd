package judge

import (
	"slices"
	"testing"
)

// A suite whose specs cannot run once more has no verdict yet, nor has it another chance.
func TestSuiteIsOwedWithItsSpecs(t *testing.T) {
	r := newReport().plan("TestSuite", "TestB")
	r.begin("TestSuite")
	r.mark("specs 2 Suite")
	for _, name := range []string{"one", "two"} {
		r.beginKind("spec", name)
		r.end(name, "pass")
	}
	r.end("TestSuite", "pass")
	r.begin("TestB")
	r.past = true
	j := judge(t, r.finish(), Outcome{ExitCode: -1, Signal: "SIGSEGV"})
	if got := j.unconfirmed.Owed(); !slices.Contains(got, "TestSuite") || !slices.Contains(got, "one") || j.tests["TestSuite"].Name != "" {
		t.Errorf("without a verdict: %q, verdicts %v", got, j.tests)
	}
}
