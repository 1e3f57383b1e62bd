package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

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

A file with XML becomes a package with the program's name and one test with the file's. It fails if
memcheck counted errors.

Exit codes: those of the run that is reported; 4 as well if something is missing or cannot be read,
2 for a file that does not exist.
` + "\n" + exitCodes,
		Example: `  cgogrind report --html report.html run.jsonl
  cgogrind report --junit junit.xml --sarif cgogrind.sarif shard-*.jsonl
  valgrind --xml=yes --xml-file=memcheck.xml ./program; cgogrind report memcheck.xml`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.report(cmd.Context(), f, args) },
	}
	cmd.Flags().SortFlags = false
	f.outputs.add(cmd)
	return cmd
}

// reportFlags are the flags of cgogrind report.
type reportFlags struct {
	outputs outputFlags
}

// report writes what earlier runs left.
func (a *app) report(ctx context.Context, f reportFlags, files []string) error {
	if len(files) == 0 {
		return usagef("report: which files? cgogrind test --stream FILE writes one")
	}
	f.outputs.saved = true
	outs, err := a.open(f.outputs, false)
	if err != nil {
		return err
	}
	defer outs.close()
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
