package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cgogrind/cgogrind/harness/internal/baseline"
	"github.com/cgogrind/cgogrind/harness/internal/report"
	"github.com/cgogrind/cgogrind/harness/internal/saved"
	"github.com/cgogrind/cgogrind/harness/result"
)

func (a *app) reportCommand() *cobra.Command {
	var f reportFlags
	cmd := &cobra.Command{
		Use:   "report [flags] FILE…",
		Short: "Make reports of saved result streams, in any format",
		Long: `Reads result streams (cgogrind test --stream FILE; - is standard input) or XML reports of memcheck
(valgrind --xml=yes --xml-file=FILE), and writes them in any format.

The streams of all shards of one run become one report: a finding that several hit is one. What is
missing, a shard or the end of a stream, is in the report as an inconclusive test of the package
[report], and the exit code is 4. Streams that cannot be one run are refused, and nothing is written:
a shard that is there twice, shards of runs with different keys, versions or numbers of shards.

With --compare, the findings that an earlier run had are known in the report, its tests get the
verdicts that they have then, and a comparison follows: what is new, known and fixed, and what
nothing is known of because its test did not run. It is printed on standard error if standard
output has another format than text.

A file with XML becomes a package with the program's name and one test with the file's. It fails if
memcheck counted errors.

The exit code is that of the run that is reported: 4 as well if something is missing or cannot be
read, 2 for a file that does not exist; with --compare, 3 is for findings that the earlier run did
not have.
` + "\n" + exitCodes,
		Example: `  cgogrind report --html report.html run.jsonl
  cgogrind report --junit junit.xml --sarif cgogrind.sarif shard-*.jsonl
  cgogrind report --compare yesterday.jsonl today.jsonl
  valgrind --xml=yes --xml-file=memcheck.xml ./program; cgogrind report memcheck.xml`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.report(cmd.Context(), f, args) },
	}
	cmd.Flags().SortFlags = false
	f.outputs.add(cmd)
	cmd.Flags().StringArrayVar(&f.compare, "compare", nil, "say what is new, known and fixed since the run whose stream `FILE` is;\n"+
		"may be repeated for the shards of that run")
	return cmd
}

// reportFlags are the flags of cgogrind report.
type reportFlags struct {
	outputs outputFlags
	compare []string // streams of an earlier run
}

// report writes what earlier runs left.
func (a *app) report(ctx context.Context, f reportFlags, files []string) error {
	if len(files) == 0 {
		return usagef("report: which files? cgogrind test --stream FILE writes one")
	}
	// Reading makes much garbage: collect it seldom, as long as there is little memory in use.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(384 << 20))
	f.outputs.saved = true
	f.outputs.reads = append(slices.Clone(files), f.compare...)
	isText := f.outputs.format == "text" && !f.outputs.json
	outs, err := a.open(f.outputs, false)
	if err != nil {
		return err
	}
	defer outs.close()
	if len(f.compare) > 0 {
		to := a.Stdout
		if !isText {
			to = a.Stderr
		}
		return a.compareRuns(ctx, f.compare, files, outs, to)
	}
	inputs, done, err := a.inputs(files)
	if err != nil {
		return err
	}
	defer done()
	var tally result.Tally
	err = saved.Read(ctx, inputs, tallied{&tally, outs})
	a.code = tally.ExitCode()
	if err != nil && a.code != result.ExitFindings {
		a.code = result.ExitInconclusive
	}
	var damage *saved.DamageError
	if errors.As(err, &damage) {
		for _, problem := range damage.Problems {
			fmt.Fprintf(a.Stderr, "cgogrind: %s\n", problem)
		}
		return nil // the report is made, and says so, too
	}
	return err
}

// compareRuns reports a run in the light of an earlier one, and writes to w what became of its findings.
func (a *app) compareRuns(ctx context.Context, earlier, later []string, outs *outputs, w io.Writer) error {
	before, beforeDamaged, err := a.readRun(ctx, earlier)
	if err != nil {
		return err
	}
	after, afterDamaged, err := a.readRun(ctx, later)
	if err != nil {
		return err
	}
	if was, is := before.Config.Fingerprints, after.Config.Fingerprints; was != is {
		return usagef("the fingerprints of %s and %s are of different versions (%d and %d), so that all findings would look new: "+
			"run both with one version of cgogrind", strings.Join(earlier, ", "), strings.Join(later, ", "), max(was, 1), max(is, 1))
	}
	nothing := &baseline.Policy{}
	known := &baseline.Policy{Known: before.Update(nothing, before.Judge(nothing), "", "")}
	c := after.Judge(known)
	if a.code, err = after.Emit(ctx, outs); err != nil {
		return err
	}
	if (beforeDamaged || afterDamaged) && a.code != result.ExitFindings {
		a.code = result.ExitInconclusive
	}
	var text strings.Builder
	fmt.Fprintf(&text, "\ncompared: %d new, %d known, %d fixed, %d not run\n", len(c.New), len(c.Known), len(c.Fixed), len(c.NotRun))
	line := func(word, fingerprint, kind, function string) {
		in := report.Line(kind)
		if function != "" {
			in += " in " + report.Function(&result.Frame{Function: function})
		}
		fmt.Fprintf(&text, "  %-7s  %s  %s\n", word, report.Line(fingerprint), in)
	}
	for _, list := range []struct {
		word     string
		findings []*result.Finding
	}{{"new", c.New}, {"known", c.Known}} {
		for _, f := range list.findings {
			function := ""
			if f.Blame != nil {
				function = f.Blame.KnownName()
			}
			line(list.word, f.Fingerprint, f.Kind, function)
		}
	}
	for _, list := range []struct {
		word         string
		fingerprints []string
	}{{"fixed", c.Fixed}, {"not run", c.NotRun}} {
		for _, fp := range list.fingerprints {
			line(list.word, fp, known.Known[fp].Kind, known.Known[fp].Function)
		}
	}
	if _, err := io.WriteString(w, text.String()); err != nil {
		a.code = result.ExitInconclusive
		return fmt.Errorf("writing the comparison: %w", err)
	}
	return nil
}

// inputs opens files; - is standard input. Whoever gets them calls done.
func (a *app) inputs(files []string) (inputs []saved.Input, done func(), err error) {
	var opened []io.Closer
	done = func() {
		for _, f := range opened {
			_ = f.Close() // it was only read
		}
	}
	for _, name := range files {
		if name == "-" {
			inputs = append(inputs, saved.Input{Name: "standard input", Reader: a.Stdin})
			continue
		}
		file, err := os.Open(name)
		if err == nil {
			opened = append(opened, file)
			var info os.FileInfo
			if info, err = file.Stat(); err == nil && info.IsDir() {
				err = fmt.Errorf("%s is a folder: name the files in it", name)
			}
		}
		if err != nil {
			done()
			return nil, nil, usagef("%v", err)
		}
		inputs = append(inputs, saved.Input{Name: name, Reader: file})
	}
	return inputs, done, nil
}

// tallied counts what it hands on.
type tallied struct {
	tally *result.Tally
	next  result.Handler
}

func (t tallied) Handle(ctx context.Context, m result.Message) error {
	if err := t.tally.Handle(ctx, m); err != nil {
		return err
	}
	return t.next.Handle(ctx, m)
}
