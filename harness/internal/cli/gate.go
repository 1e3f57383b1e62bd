package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cgogrind/cgogrind/harness/internal/baseline"
	"github.com/cgogrind/cgogrind/harness/internal/report"
	"github.com/cgogrind/cgogrind/harness/internal/saved"
	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/suppressions"
)

// policyFlags say what a command does not fail for.
type policyFlags struct {
	baseline    string
	noWorse     bool
	allow, deny []string
}

func (p *policyFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&p.baseline, "baseline", "", "the known findings, a `FILE` that cgogrind gate --update writes")
	fs.BoolVar(&p.noWorse, "no-worse", false, "a known leak of more blocks or bytes than the baseline says is new")
	fs.StringArrayVar(&p.allow, "allow", nil, "findings that `RULE` matches are suppressed: conditions joined by\ncommas: "+
		"kind=PATTERN (Leak_*), package=PATTERN (example.com/x/...), and for leaks\n"+
		"bytes<=N, bytes>=N, blocks<=N, blocks>=N; may be repeated")
	fs.StringArrayVar(&p.deny, "deny", nil, "findings that `RULE` matches are new, whatever the baseline says;\n"+
		"may be repeated")
}

// policy reads what the flags name. With mayLack, for a baseline that will be written anew, one that does not exist is
// empty, and one of an earlier version is taken, too.
func (p *policyFlags) policy(mayLack bool) (*baseline.Policy, error) {
	out := &baseline.Policy{NoWorse: p.noWorse}
	if p.noWorse && p.baseline == "" {
		return nil, usagef("--no-worse needs a --baseline to compare with")
	}
	for _, r := range []struct {
		flag  string
		texts []string
		rules *[]baseline.Rule
	}{{"allow", p.allow, &out.Allow}, {"deny", p.deny, &out.Deny}} {
		for _, text := range r.texts {
			rule, err := baseline.ParseRule(text)
			if err != nil {
				return nil, usagef("--%s: %v", r.flag, err)
			}
			*r.rules = append(*r.rules, rule)
		}
	}
	if p.baseline == "" {
		return out, nil
	}
	known, err := baseline.Read(p.baseline)
	if mayLack && errors.Is(err, baseline.ErrFormer) {
		out.Former = known
		return out, nil
	}
	if err != nil && !(mayLack && errors.Is(err, fs.ErrNotExist)) {
		return nil, usagef("%v", err)
	}
	out.Known = known
	return out, nil
}

// gateFlags are the flags of cgogrind gate.
type gateFlags struct {
	outputs     outputFlags
	policy      policyFlags
	update      bool
	reason      string
	failOnFixed bool
}

func (a *app) gateCommand() *cobra.Command {
	var f gateFlags
	cmd := &cobra.Command{
		Use:   "gate [flags] STREAM…",
		Short: "Compare a run with the known findings",
		Long: `Reads the result stream of a run (cgogrind test --stream FILE; - is standard input), or those of
all its shards, and compares its findings with a baseline:

  new      the baseline does not have it: the gate fails
  worse    the baseline has it with less leaked, and --no-worse is given: the gate fails
  known    the baseline has it
  fixed    the baseline has it, and its test ran and did not hit it: --update removes it,
           --fail-on-fixed makes the gate fail until somebody does
  not run  the baseline has it, and its test did not run: nothing is known

Dispositions and verdicts are decided anew, whatever the run was compared with. With --update the
baseline is brought up to date: its reasons, dates and comments are kept, and --reason fills reasons
that are empty. Findings keep their fingerprints when lines shift, when other functions change, and
on other machines.

Exit codes:
  0  nothing new
  1  a test failed on its own, a suppression or a known finding is past its last day, or one is
     fixed and --fail-on-fixed is given
  2  wrong usage, or a baseline that cannot be read
  3  new findings
  4  inconclusive: a shard is missing, a stream cannot be read to its end, a test has no verdict
3 goes before 4, and 4 before 1.`,
		Example: `  cgogrind test --stream run.jsonl ./...
  cgogrind gate --baseline cgogrind.baseline --update --reason 'go-ceph#1234' run.jsonl
  cgogrind gate --baseline cgogrind.baseline --no-worse shard-*.jsonl
  cgogrind gate --deny 'kind=Invalid*' --allow 'kind=Leak_*,bytes<=64' run.jsonl`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.gate(cmd.Context(), f, args) },
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	f.outputs.add(cmd)
	f.policy.add(cmd)
	fs.BoolVar(&f.update, "update", false, "write the baseline anew: with the new findings, without the fixed ones")
	fs.StringVar(&f.reason, "reason", "", "why they are lived with, a `TEXT` for --update: of the new findings, and of those\nin the baseline that have no reason")
	fs.BoolVar(&f.failOnFixed, "fail-on-fixed", false,
		"fail if the baseline has findings that are fixed, so that they get removed")
	return cmd
}

// gate compares streams with a baseline.
func (a *app) gate(ctx context.Context, f gateFlags, streams []string) error {
	switch {
	case len(streams) == 0:
		return usagef("gate: which streams? cgogrind test --stream FILE writes one")
	case f.update && f.policy.baseline == "":
		return usagef("--update needs --baseline: which file is it to write?")
	case f.reason != "" && !f.update:
		return usagef("--reason is for the findings that --update takes in")
	case f.failOnFixed && f.policy.baseline == "":
		return usagef("--fail-on-fixed needs --baseline")
	}
	policy, err := f.policy.policy(f.update)
	if err != nil {
		return err
	}
	f.outputs.saved = true
	f.outputs.reads = append(slices.Clone(streams), f.policy.baseline)
	isText := f.outputs.format == "text" && !f.outputs.json
	outs, err := a.open(f.outputs, false)
	if err != nil {
		return err
	}
	defer outs.close()
	if isText {
		share(outs.handlers[0], &report.Store{}) // it is not told of all findings, as others are
		outs.handlers[0] = withoutPasses{outs.handlers[0]}
	}

	now := time.Now()
	run, damage, err := a.readRun(ctx, streams)
	if err != nil {
		return err
	}
	if run.Config.Fingerprints != result.FingerprintVersion && f.policy.baseline != "" {
		return usagef("%s: its fingerprints are of an earlier version of cgogrind, and no baseline has them any more: run the "+
			"tests again", strings.Join(streams, ", "))
	}
	if lost := run.NotRun(policy.Former); len(lost) > 0 {
		return usagef("%s is of an earlier version, and the run cannot tell what became of %d of its findings (%s), since their "+
			"tests did not run: update it with the stream of a whole run", f.policy.baseline, len(lost), strings.Join(lost, ", "))
	}
	c := run.Judge(policy)
	verdict := gateText{policy: policy, comparison: c, run: run, now: now}
	if f.update {
		if damage {
			a.code = result.ExitInconclusive
			return fmt.Errorf("%s was left as it is: a run of which a part is missing says nothing about what is fixed",
				f.policy.baseline)
		}
		before := len(policy.Known) + len(policy.Former)
		policy.Known = run.Update(policy, c, baseline.Date(now.Format(time.DateOnly)), f.reason)
		if err := replaceFile(f.policy.baseline, policy.Known.Format()); err != nil {
			return usagef("writing the baseline: %v", err)
		}
		verdict.comparison = run.Judge(policy)
		defer func() { a.updated(f.policy.baseline, before, policy.Known) }()
	}
	code, err := run.Emit(ctx, outs)
	if err != nil {
		a.code = code
		return err
	}
	to := a.Stdout
	if !isText {
		to = a.Stderr
	}
	if _, err := io.WriteString(to, verdict.String()); err != nil {
		a.code = result.ExitInconclusive
		return fmt.Errorf("writing the comparison: %w", err)
	}
	if code == result.ExitPass && (len(verdict.expired()) > 0 || f.failOnFixed && len(c.Fixed) > 0 && !f.update) {
		code = result.ExitFail
	}
	a.code = code
	return nil
}

// readRun reads streams as one run. With damage, a part of it is missing, and the run says so.
func (a *app) readRun(ctx context.Context, streams []string) (run *baseline.Run, damage bool, err error) {
	inputs, done, err := a.inputs(streams)
	if err != nil {
		return nil, false, err
	}
	defer done()
	run = &baseline.Run{}
	err = saved.Read(ctx, inputs, run)
	var missing *saved.DamageError
	if errors.As(err, &missing) {
		for _, problem := range missing.Problems {
			fmt.Fprintf(a.Stderr, "cgogrind: %s\n", problem)
		}
		return run, true, nil
	}
	if err != nil {
		a.code = result.ExitInconclusive
	}
	return run, false, err
}

// withoutPasses leaves out of a text what a gate need not say: tests that passed, and findings that are not new.
type withoutPasses struct{ result.Handler }

func (w withoutPasses) Handle(ctx context.Context, m result.Message) error {
	if m.Test != nil && (m.Test.Verdict == result.Pass || m.Test.Verdict == result.Skip) ||
		m.Finding != nil && m.Finding.Disposition != result.New {
		return nil
	}
	return w.Handler.Handle(ctx, m)
}

// gateText is what the gate says.
type gateText struct {
	policy     *baseline.Policy
	comparison baseline.Comparison
	run        *baseline.Run
	now        time.Time
}

func (g gateText) String() string {
	var b strings.Builder
	c := g.comparison
	fmt.Fprintf(&b, "\ngate: %d new, %d known, %d fixed, %d not run\n",
		len(c.New), len(c.Known), len(c.Fixed), len(c.NotRun))
	for _, f := range c.New {
		word, more := "new", ""
		if e := g.policy.Known[f.Fingerprint]; slices.Contains(c.Worse, f.Fingerprint) {
			word, more = "worse", fmt.Sprintf(": more than the %d bytes in %d blocks of the baseline", e.Bytes, e.Blocks)
		} else if _, known := g.policy.Known[f.Fingerprint]; known {
			more = ": denied"
		}
		where := ""
		if f.Blame != nil {
			where = " in " + report.Function(f.Blame)
		}
		g.line(&b, word, f.Fingerprint, f.Kind+where+more)
	}
	for _, fp := range c.Fixed {
		g.entry(&b, "fixed", fp)
	}
	for _, fp := range c.NotRun {
		g.entry(&b, "not run", fp)
	}
	for _, text := range g.expired() {
		fmt.Fprintf(&b, "  expired  %s\n", text)
	}
	return b.String()
}

func (g gateText) line(b *strings.Builder, word, fingerprint, text string) {
	fmt.Fprintf(b, "  %-7s  %s  %s\n", word, report.Line(fingerprint), report.Line(text))
}

func (g gateText) entry(b *strings.Builder, word, fingerprint string) {
	e := g.policy.Known[fingerprint]
	text := e.Kind + " in " + report.Function(&result.Frame{Function: e.Function})
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	g.line(b, word, fingerprint, text)
}

// expired lists what is past its last day: known findings, and suppressions that the run was given.
func (g gateText) expired() []string {
	var out []string
	for _, fp := range g.policy.Known.Expired(g.now) {
		e := g.policy.Known[fp]
		out = append(out, fmt.Sprintf("%s  %s in %s, on %s", fp, report.Line(e.Kind), report.Line(e.Function), e.Expires))
	}
	for _, s := range g.run.Summary.Suppressions {
		if day, err := time.Parse(time.DateOnly, s.Expires); err == nil && suppressions.IsOver(day, g.now) {
			out = append(out, fmt.Sprintf("%s:%d: suppression %s, on %s",
				report.Line(s.File), s.Line, report.Line(s.Name), s.Expires))
		}
	}
	return out
}

// updated says what became of the baseline.
func (a *app) updated(file string, before int, now baseline.Baseline) {
	without := 0
	for _, e := range now {
		if e.Reason == "" {
			without++
		}
	}
	fmt.Fprintf(a.Stderr, "%s: %d known findings, %d before\n", file, len(now), before)
	if without > 0 {
		fmt.Fprintf(a.Stderr, "%d of them have no reason: write one for each\n", without)
	}
}
