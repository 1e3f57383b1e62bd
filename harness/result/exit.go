package result

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
)

// ExitCode is how a run tells a calling program how it ended: the same codes for every format. ExitUsage and
// ExitMachine end a run before it starts; after that findings go before inconclusive, inconclusive before failures.
type ExitCode int

// The exit codes.
const (
	ExitPass         ExitCode = 0 // every test passed, no new finding
	ExitFail         ExitCode = 1 // a test failed on its own, or one of several packages did not build; no new finding
	ExitUsage        ExitCode = 2 // wrong usage, a build of which nothing came, a configuration that is wrong
	ExitFindings     ExitCode = 3 // new memory findings
	ExitInconclusive ExitCode = 4 // the evidence is incomplete, or nothing ran
	ExitMachine      ExitCode = 5 // the machine lacks something
)

// ErrContradiction is returned for a summary that does not agree with the messages before it.
var ErrContradiction = errors.New("the summary contradicts the stream")

// Tally is a Handler that counts what passes through it. Its zero value is ready. The engine makes the summary from
// one; a reader of a saved stream checks the summary against another.
type Tally struct {
	counts  Summary
	summary *Summary
	shard   bool              // a part of the tests, which may be none
	others  bool              // tests that are another shard's
	ran     bool              // a test has a verdict; one that [setup] was skipped says that a package ran none
	planned map[testName]bool // whether the test has a verdict
}

type testName struct{ pkg, name string }

// Handle counts one message. It fails with ErrContradiction on a summary that does not agree with the messages
// before it.
func (t *Tally) Handle(_ context.Context, m Message) error {
	if t.planned == nil {
		t.planned = make(map[testName]bool)
	}
	switch {
	case m.Config != nil:
		t.shard = m.Config.Shard != nil
	case m.Plan != nil:
		t.others = t.others || m.Plan.Whole > len(m.Plan.Tests)
		for _, name := range m.Plan.Tests {
			if key := (testName{m.Plan.Package, name}); !t.planned[key] {
				t.planned[key] = false
			}
		}
	case m.Test != nil:
		t.planned[testName{m.Test.Package, m.Test.Name}] = true
		t.ran = t.ran || m.Test.Name != Setup || m.Test.Verdict != Skip
		switch m.Test.Verdict {
		case Pass:
			t.counts.Passed++
		case Fail:
			t.counts.Failed++
		case Skip:
			t.counts.Skipped++
		default:
			t.counts.Inconclusive++
		}
	case m.Finding != nil:
		t.counts.Findings++
		switch m.Finding.Disposition {
		case Known:
			t.counts.Known++
		case Suppressed:
			t.counts.Suppressed++
		case Expected:
		default:
			t.counts.New++
		}
	case m.Summary != nil:
		t.summary = m.Summary
		got := *m.Summary
		got.ElapsedS, got.Suppressions = 0, nil
		if !reflect.DeepEqual(got, t.counts) {
			return fmt.Errorf("%w: it says %+v, the messages before it make %+v", ErrContradiction, got, t.counts)
		}
	}
	return nil
}

// Summary returns the counts so far; the caller adds the time and the suppressions.
func (t *Tally) Summary() Summary { return t.counts }

// Ran says whether a test has a verdict.
func (t *Tally) Ran() bool { return t.ran }

// Planned says whether any test was planned.
func (t *Tally) Planned() bool { return len(t.planned) > 0 }

// Lost is the number of tests that were planned and have no verdict.
func (t *Tally) Lost() int {
	n := 0
	for _, done := range t.planned {
		if !done {
			n++
		}
	}
	return n
}

// ExitCode says how the run ended. Without a summary it is never ExitPass.
func (t *Tally) ExitCode() ExitCode {
	c := t.counts
	switch {
	case c.New > 0:
		return ExitFindings
	case t.summary == nil, c.Inconclusive > 0, t.Lost() > 0, !t.ran && !(t.shard && t.others):
		return ExitInconclusive
	case c.Failed > 0:
		return ExitFail
	}
	return ExitPass
}

// ReadExitCode reads a whole stream and says how its run ended. A stream that is damaged or cut, wherever it is cut,
// is never ExitPass: the error says what is wrong with it.
func ReadExitCode(r io.Reader) (ExitCode, error) {
	var t Tally
	for m, err := range Decode(r) {
		if err == nil {
			err = t.Handle(context.Background(), m)
		}
		if err != nil {
			if t.counts.New > 0 {
				return ExitFindings, err
			}
			return ExitInconclusive, err
		}
	}
	return t.ExitCode(), nil
}
