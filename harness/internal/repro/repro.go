// Package repro runs a finding or a failed test again: it says whether the same comes back, looks for the earlier tests
// that it takes, stops at it in gdb, or lists the system calls around it.
//
// Input is a saved result stream and the command that each finding and failed test carries; the tests run through the
// engine, harness.Run. It judges nothing itself: the same is the same fingerprint.
package repro

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/cgogrind/cgogrind/harness"
	"github.com/cgogrind/cgogrind/harness/internal/shell"
	"github.com/cgogrind/cgogrind/harness/result"
)

// Target is what is to come back.
type Target struct {
	Package string `json:"package"`
	Test    string `json:"test,omitempty"` // empty: all of the package's
	// Fingerprints are those of the finding, or of the findings of the test.
	Fingerprints []string `json:"fingerprints,omitempty"`
	// Verdict is what a test without findings had; empty when nothing is known of it, and any failure is what is
	// looked for.
	Verdict result.Verdict `json:"verdict,omitempty"`
	// Title says in a line what it is.
	Title string `json:"title"`
	// Command runs it again.
	Command shell.Command `json:"-"`
	// Stream is where it was found; nil if nowhere.
	Stream *Stream `json:"-"`
}

// Outcome is how a run compares with the target.
type Outcome string

// The outcomes.
const (
	Reproduced    Outcome = "reproduced"
	Different     Outcome = "different" // it failed, with other findings or in another way
	NotReproduced Outcome = "not reproduced"
	Inconclusive  Outcome = "inconclusive"
)

// Attempt is one run.
type Attempt struct {
	Outcome  Outcome `json:"outcome"`
	Detail   string  `json:"detail,omitempty"` // what came instead
	ElapsedS float64 `json:"elapsed_s"`

	code result.ExitCode
}

// ErrNoTest says that the command matches no test.
var ErrNoTest = errors.New("no test ran")

// A RunError is a run that did not start or did not go on.
type RunError struct {
	Code result.ExitCode
	Err  error
}

func (e *RunError) Error() string { return e.Err.Error() }
func (e *RunError) Unwrap() error { return e.Err }

// Session runs a target again.
type Session struct {
	Target Target
	// Configure makes of a command what the engine is to do.
	Configure func(shell.Command) (harness.Config, error)
	// Engine is harness.Run, or what stands for it in a test.
	Engine func(context.Context, harness.Config, result.Handler) (result.ExitCode, error)
	// Messages gets the messages of each run; it may be nil.
	Messages func() result.Handler
	// Note is told what people may want to know, a line each.
	Note func(format string, args ...any)

	noted bool // that the versions differ
}

// Try runs the command once. The error is a *RunError, or the context's.
func (s *Session) Try(ctx context.Context, command shell.Command) (Attempt, error) {
	cfg, err := s.Configure(command)
	if err != nil {
		return Attempt{}, &RunError{result.ExitUsage, err}
	}
	run := &observation{session: s}
	if s.Messages != nil {
		run.also = s.Messages()
	}
	begin := time.Now()
	code, err := s.Engine(ctx, cfg, run)
	a := Attempt{ElapsedS: time.Since(begin).Seconds()}
	switch {
	case ctx.Err() != nil:
		return a, context.Cause(ctx)
	case err != nil:
		return a, &RunError{code, err}
	}
	if a.Outcome, a.Detail = run.outcome(); a.Outcome == "" {
		return a, &RunError{result.ExitInconclusive, fmt.Errorf("%w: %s matches none: was %s renamed or removed?",
			ErrNoTest, command, cmp.Or(s.Target.Test, "every test"))}
	}
	switch a.code = code; a.Outcome {
	case Reproduced:
		if len(s.Target.Fingerprints) > 0 {
			a.code = result.ExitFindings // a known one, too: it is what was looked for
		}
	case NotReproduced:
		a.code = result.ExitPass
	}
	return a, nil
}

// observation is a Handler that compares a run with the target.
type observation struct {
	session  *Session
	also     result.Handler
	findings []*result.Finding
	tests    []*result.Test
}

func (o *observation) Handle(ctx context.Context, m result.Message) error {
	switch {
	case m.Config != nil:
		o.session.compare(m.Config)
	case m.Finding != nil:
		o.findings = append(o.findings, m.Finding)
	case m.Test != nil:
		o.tests = append(o.tests, m.Test)
	}
	if o.also != nil {
		return o.also.Handle(ctx, m)
	}
	return nil
}

// compare says once what differs from the run that the target is of.
func (s *Session) compare(here *result.Config) {
	if s.noted || s.Target.Stream == nil || s.Note == nil {
		return
	}
	s.noted = true
	there := s.Target.Stream.Config
	for _, v := range []struct{ what, there, here string }{
		{"go", there.Go, here.Go}, {"valgrind", there.Valgrind, here.Valgrind}, {"runtime", string(there.Runtime), string(here.Runtime)},
		{"cgogrind", there.Tool, here.Tool}, {"allocator", there.Allocator, here.Allocator},
	} {
		if v.there != v.here {
			s.Note("another build: %s was %s, and is %s here", v.what, v.there, v.here)
		}
	}
}

// outcome compares; it is empty if no test ran.
func (o *observation) outcome() (Outcome, string) {
	t := o.session.Target
	var others []string
	for _, f := range o.findings {
		if slices.Contains(t.Fingerprints, f.Fingerprint) {
			return Reproduced, ""
		}
		if f.Disposition == result.New {
			others = append(others, fmt.Sprintf("%s  %s", Title(f), f.Fingerprint))
		}
	}
	inconclusive := ""
	for _, test := range o.tests {
		isTarget := test.Package == t.Package && test.Name == t.Test
		switch {
		case isTarget && len(t.Fingerprints) == 0 && t.Verdict != "" && test.Verdict == t.Verdict:
			return Reproduced, ""
		case test.Verdict == result.Inconclusive && inconclusive == "":
			inconclusive = fmt.Sprintf("%s: %s", test.Name, test.Reason)
		case test.Verdict == result.Fail && test.Findings == 0:
			others = append(others, fmt.Sprintf("%s fails: %s", test.Name, cmp.Or(test.Reason, "on its own")))
		}
	}
	switch {
	case len(o.tests) == 0:
		return "", ""
	case len(others) > 0 && t.Verdict == "" && len(t.Fingerprints) == 0:
		return Reproduced, strings.Join(others, "; ") // any failure is what was looked for
	case len(others) > 0:
		return Different, strings.Join(others, "; ")
	case inconclusive != "":
		return Inconclusive, inconclusive
	}
	return NotReproduced, ""
}

// Title says in a line what a finding is.
func Title(f *result.Finding) string {
	if f.Blame == nil {
		return f.Kind
	}
	where := f.Blame.KnownName()
	if i := strings.LastIndexByte(where, '/'); i >= 0 {
		where = where[i+1:]
	}
	if f.Blame.File != "" {
		where += fmt.Sprintf(" (%s:%d)", path.Base(f.Blame.File), f.Blame.Line)
	}
	return f.Kind + " in " + where
}

// Counts are the outcomes of several runs.
type Counts struct {
	Reproduced    int `json:"reproduced"`
	Different     int `json:"different"`
	NotReproduced int `json:"not_reproduced"`
	Inconclusive  int `json:"inconclusive"`
}

// Add counts an attempt.
func (c *Counts) Add(a Attempt) {
	switch a.Outcome {
	case Reproduced:
		c.Reproduced++
	case Different:
		c.Different++
	case NotReproduced:
		c.NotReproduced++
	default:
		c.Inconclusive++
	}
}

// String says it for people: "reproduced 4 of 5, not reproduced 1".
func (c Counts) String() string {
	all := c.Reproduced + c.Different + c.NotReproduced + c.Inconclusive
	var parts []string
	for _, p := range []struct {
		outcome Outcome
		n       int
	}{{Reproduced, c.Reproduced}, {Different, c.Different}, {NotReproduced, c.NotReproduced}, {Inconclusive, c.Inconclusive}} {
		if p.n == 0 {
			continue
		}
		of := ""
		if len(parts) == 0 {
			of = fmt.Sprintf(" of %d", all)
		}
		parts = append(parts, fmt.Sprintf("%s %d%s", p.outcome, p.n, of))
	}
	return strings.Join(parts, ", ")
}

// ExitCode says how the attempts went: findings go before what is inconclusive, that before a failure.
func ExitCode(attempts []Attempt) result.ExitCode {
	for _, code := range []result.ExitCode{result.ExitFindings, result.ExitInconclusive, result.ExitFail} {
		if slices.ContainsFunc(attempts, func(a Attempt) bool { return a.code == code }) {
			return code
		}
	}
	return result.ExitPass
}
