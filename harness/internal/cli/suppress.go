package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/cgogrind/cgogrind/harness/internal/baseline"
	"github.com/cgogrind/cgogrind/harness/internal/input"
	"github.com/cgogrind/cgogrind/harness/internal/report"
	"github.com/cgogrind/cgogrind/harness/internal/suppress"
	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/suppressions"
)

// suppressFlags are the flags of cgogrind suppress.
type suppressFlags struct {
	from                  []string
	reason, link, expires string
	file                  string
}

func (a *app) suppressCommand() *cobra.Command {
	var f suppressFlags
	cmd := &cobra.Command{
		Use:   "suppress FINGERPRINT --from STREAM",
		Short: "Write a suppression for a finding, or check suppression files",
		Long: `Writes an entry in valgrind's format that hides a finding of a saved stream, with the reason and
the last day on which it is to be used. Both are asked for on a terminal, and are flags otherwise.
The entry fits the finding in every build: it has no addresses, none of the hashes and numbers that
compilers put into names, and of a deep stack in a library only the ends.

A suppression is the last resort, for third-party C code: it hides every error that fits, in every
test, and what is hidden is only counted. To live with a finding for a while, take it into a baseline
(cgogrind gate --update).`,
		Example: `  cgogrind test --stream run.jsonl ./...
  cgogrind suppress 1c5180200a20fb1b --from run.jsonl --file my.supp \
      --reason 'librados keeps it, tracker 1234' --expires 2027-06-30
  cgogrind test --suppressions my.supp --stream run.jsonl ./...
  cgogrind suppress lint my.supp --from run.jsonl`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("suppress: which finding? cgogrind report STREAM prints the fingerprints")
			}
			return a.suppress(cmd.Context(), f, args[0])
		},
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringArrayVar(&f.from, "from", nil, "the result stream with the finding, a `STREAM`; may be repeated for shards")
	fs.StringVar(&f.reason, "reason", "", "what memcheck sees, and why it cannot be fixed, a `TEXT`")
	fs.StringVar(&f.expires, "expires", "", "the last day on which the entry is to be used, a `DATE` as 2006-01-02")
	fs.StringVar(&f.link, "link", "", "the upstream bug, a `URL`")
	fs.StringVar(&f.file, "file", "", "add the entry to `FILE` instead of printing it")
	cmd.AddCommand(a.lintCommand())
	return cmd
}

// suppress writes an entry for a finding.
func (a *app) suppress(ctx context.Context, f suppressFlags, fingerprint string) error {
	if len(f.from) == 0 {
		return usagef("suppress: --from is missing: the result stream that has the finding")
	}
	run, _, err := a.readRun(ctx, f.from)
	if err != nil {
		return err
	}
	finding, err := findFinding(run, fingerprint)
	if err != nil {
		return err
	}
	entry, err := suppress.Entry(finding)
	if err != nil {
		return usagef("%v", err)
	}
	if err := a.askForMissing(&f); err != nil {
		return err
	}
	day, err := time.Parse(time.DateOnly, f.expires)
	switch {
	case err != nil:
		return usagef("--expires=%s is no date: write it as 2006-01-02", f.expires)
	case suppressions.IsOver(day, time.Now()):
		return usagef("--expires=%s is over: name a day in the future", f.expires)
	}
	entry.Comment = comment(f, finding, run.Config)
	if f.file == "" {
		_, err := io.WriteString(a.Stdout, entry.String())
		return err
	}
	return a.addEntry(f.file, entry)
}

// comment says what the policy of package suppressions wants to be said.
func comment(f suppressFlags, finding *result.Finding, c *result.Config) []string {
	where := ""
	if b := finding.Blame; b != nil && b.Function != "" {
		where = " in " + b.KnownName()
	}
	versions := fmt.Sprintf("seen with valgrind %s, %s", c.Valgrind, c.Go)
	var out []string
	for _, n := range []struct{ label, text string }{
		{"why", f.reason}, {"link", f.link}, {"scope", finding.Kind + where}, {"versions", versions},
		{"finding", finding.Fingerprint}, {"expires", f.expires},
	} {
		if text := report.Line(n.text); text != "" {
			out = append(out, "# "+n.label+": "+text)
		}
	}
	return out
}

// findFinding finds a finding by the beginning of its fingerprint.
func findFinding(run *baseline.Run, fingerprint string) (*result.Finding, error) {
	var found []*result.Finding
	var there []string
	for _, f := range run.Findings {
		if !slices.ContainsFunc(found, func(g *result.Finding) bool { return g.Fingerprint == f.Fingerprint }) &&
			strings.HasPrefix(f.Fingerprint, fingerprint) {
			found = append(found, f)
		}
		line := "  " + report.Line(f.Fingerprint) + "  " + report.Line(f.Kind)
		if f.Blame != nil {
			line += " in " + report.Function(f.Blame)
		}
		if !slices.Contains(there, line) {
			there = append(there, line)
		}
	}
	switch {
	case len(run.Findings) == 0:
		return nil, usagef("suppress: the stream has no findings")
	case len(found) == 0:
		return nil, usagef("suppress: no finding has the fingerprint %s; there are\n%s", fingerprint, atMost(there, 20))
	case len(found) > 1:
		var names []string
		for _, f := range found {
			names = append(names, "  "+report.Line(f.Fingerprint))
		}
		return nil, usagef("suppress: several findings have fingerprints that begin with %s: which one?\n%s",
			fingerprint, atMost(names, 20))
	}
	return found[0], nil
}

// atMost joins the first of many lines.
func atMost(lines []string, n int) string {
	if len(lines) > n {
		lines = append(lines[:n:n], fmt.Sprintf("  and %d more", len(lines)-n))
	}
	return strings.Join(lines, "\n")
}

// askForMissing asks on a terminal for what an entry needs, and demands it as flags otherwise.
func (a *app) askForMissing(f *suppressFlags) error {
	if f.reason != "" && f.expires != "" {
		return nil
	}
	in, canAnswer := a.Stdin.(*os.File)
	out, canSee := a.Stderr.(*os.File)
	if !canAnswer || !canSee || !term.IsTerminal(int(in.Fd())) || !term.IsTerminal(int(out.Fd())) {
		return usagef("suppress: --reason and --expires are needed: an entry that does not say why, and until when, " +
			"stays for ever")
	}
	lines := bufio.NewScanner(in)
	for _, q := range []struct {
		text  string
		value *string
	}{
		{"Why can it not be fixed? ", &f.reason}, {"Until which day (2006-01-02) is it to be hidden? ", &f.expires},
	} {
		for *q.value == "" {
			fmt.Fprint(a.Stderr, q.text)
			if !lines.Scan() {
				return usagef("suppress: nothing was written: it needs a reason and a day")
			}
			*q.value = strings.TrimSpace(lines.Text())
		}
	}
	return nil
}

// addEntry adds an entry to the end of a file, which must be one of suppressions.
func (a *app) addEntry(file string, entry suppressions.Entry) error {
	before, err := input.ReadFile(file, input.Settings)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return usagef("--file: %v", err)
	}
	if err == nil {
		entries, err := suppressions.Load(file)
		if err != nil {
			return usagef("--file: %v", err)
		}
		for _, e := range entries {
			if e.Note("finding") == entry.Note("finding") {
				return usagef("%s:%d: %s is there already, for the same finding", file, e.Line, e.Name)
			}
			if e.MatchesSame(entry) {
				return usagef("%s:%d: %s is there already, and matches the same: it hides this finding, too", file, e.Line, e.Name)
			}
		}
	}
	text := string(before)
	if text != "" {
		text = strings.TrimRight(text, "\n") + "\n\n"
	}
	if err := replaceFile(file, text+entry.String()); err != nil {
		return usagef("--file: %v", err)
	}
	fmt.Fprintf(a.Stderr, "%s: added %s\n", file, entry.Name)
	return nil
}

func (a *app) lintCommand() *cobra.Command {
	var from []string
	cmd := &cobra.Command{
		Use:   "lint FILE…",
		Short: "Check suppression files",
		Long: `Complains of entries that nobody documented, that match too much, that match the same as another,
that share a name, and that are past their last day. With --from, of those that hid nothing in a run
(name the streams of all its shards), or that the run was not given.

Exit codes: 0 no complaints, 1 complaints, 2 a file that cannot be read, 4 a run of which a part is
missing.`,
		Example: `  cgogrind suppress lint my.supp
  cgogrind suppress lint my.supp --from run.jsonl`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.lint(cmd.Context(), args, from) },
	}
	cmd.Flags().StringArrayVar(&from, "from", nil,
		"a result `STREAM` of a run that was given the files; may be repeated for shards")
	return cmd
}

// lint checks suppression files.
func (a *app) lint(ctx context.Context, files, from []string) error {
	if len(files) == 0 {
		return usagef("suppress lint: which files?")
	}
	entries, err := suppressions.Load(files...)
	if err != nil {
		return usagef("%v", err)
	}
	problems := suppressions.Lint(entries, time.Now())
	if len(from) > 0 {
		run, damage, err := a.readRun(ctx, from)
		if err != nil {
			return err
		}
		if damage {
			a.code = result.ExitInconclusive
			return errors.New("suppress lint: a run of which a part is missing says nothing about what is unused")
		}
		idle, absent := suppress.Unused(entries, run.Summary.Suppressions)
		for _, e := range idle {
			problems = append(problems, suppressions.Problem{File: e.File, Line: e.Line, Name: e.Name,
				Text: "it hid nothing in the run: leave it out"})
		}
		for _, e := range absent {
			problems = append(problems, suppressions.Problem{File: e.File, Line: e.Line, Name: e.Name,
				Text: "the run was not given it: was it changed since, or --suppressions left out?"})
		}
	}
	for _, p := range problems {
		if _, err := fmt.Fprintln(a.Stdout, report.Line(p.String())); err != nil {
			return fmt.Errorf("writing the complaints: %w", err)
		}
	}
	if len(problems) > 0 {
		a.code = result.ExitFail
	}
	return nil
}
