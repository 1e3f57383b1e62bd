package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/cgogrind/cgogrind/harness"
	"github.com/cgogrind/cgogrind/harness/internal/report/text"
	"github.com/cgogrind/cgogrind/harness/result"
)

// testFlags are the flags of cgogrind test.
type testFlags struct {
	format, stream, valgrind  string
	runtime                   string
	allFrames, keepWork       bool
	verbose, short            bool
	run, skip, tags, mod      string
	modfile, ldflags, gcflags string
	parallel, cpu, shuffle    string
	count, gcStress           int
	cgoCheck2                 bool
	timeout                   time.Duration
	patterns, testArgs        []string
}

func (a *app) testCommand() *cobra.Command {
	var f testFlags
	cmd := &cobra.Command{
		Use:   "test [flags] [packages] [-- test binary flags]",
		Short: "Run the tests of packages under memcheck, as go test would",
		Long: `Builds the packages' tests against an instrumented Go runtime, runs each package's under memcheck
in the package's folder, and gives every test a verdict:

  pass          it passed, and memcheck found nothing new in it
  fail          it failed on its own, or memcheck found something
  inconclusive  the evidence is incomplete: a crash of memcheck, a timeout, a kill. Never a pass
  skip          it skipped itself

Flags have go test's meanings and may begin with one dash or two. The tests find CGOGRIND=1 in their
environment, which tells them that they run 10 to 50 times slower.

` + exitCodes,
		Example: `  cgogrind test ./...
  cgogrind test -run 'TestOpen|TestClose' -v ./rados
  cgogrind test -tags pacific --stream result.jsonl ./...
  cgogrind test ./scenarios/rados -- -ginkgo.focus=omap`,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			f.patterns, f.testArgs = args, nil
			if n := cmd.ArgsLenAtDash(); n >= 0 {
				f.patterns, f.testArgs = args[:n], args[n:]
			}
			return a.test(cmd, f)
		},
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringVar(&f.format, "format", "text", "what to print on standard output: `text` or json, the result stream")
	fs.StringVar(&f.stream, "stream", "", "write the result stream to `FILE`, too")
	fs.StringVar(&f.valgrind, "valgrind", "", "the valgrind to use, a `PATH`; the one in PATH by default")
	fs.StringVar(&f.runtime, "runtime", string(result.Instrumented), "the Go `RUNTIME` to build against: instrumented, or stock, "+
		"with which\nmemcheck reports many false errors, and stacks end where Go calls C")
	fs.BoolVar(&f.allFrames, "all-frames", false, "show all frames in stacks: those between C and Go code and those of Go's runtime, too")
	fs.BoolVar(&f.keepWork, "keep-work", false, "keep the temporary folder with binaries and memcheck's reports")
	fs.IntVar(&f.gcStress, "gc-stress", 0, "collect garbage after every `N` calls to C, so that C code that keeps a "+
		"Go pointer\npast its call is caught every time; 1 finds most and is slow")
	fs.BoolVar(&f.cgoCheck2, "cgocheck2", false, "check every write of a Go pointer, too (GOEXPERIMENT=cgocheck2)")
	fs.StringVar(&f.run, "run", "", "run only tests that match `REGEXP`")
	fs.StringVar(&f.skip, "skip", "", "do not run tests that match `REGEXP`")
	fs.IntVar(&f.count, "count", 1, "run each test `N` times")
	fs.BoolVarP(&f.verbose, "verbose", "v", false, "print what the tests print, on standard error")
	fs.BoolVar(&f.short, "short", false, "tell tests to be short")
	fs.DurationVar(&f.timeout, "timeout", harness.DefaultTimeout,
		"how long the tests of a package may take; 0 for no limit")
	fs.StringVar(&f.parallel, "parallel", "", "run at most `N` tests of a package at a time")
	fs.StringVar(&f.cpu, "cpu", "", "`LIST` of GOMAXPROCS to run the tests with")
	fs.StringVar(&f.shuffle, "shuffle", "", "the order of the tests: `off,on,N`")
	fs.StringVar(&f.tags, "tags", "", "build `TAGS`, separated by commas")
	fs.StringVar(&f.mod, "mod", "", "module `MODE`: readonly, vendor or mod")
	fs.StringVar(&f.modfile, "modfile", "", "another `FILE` in the place of go.mod")
	fs.StringVar(&f.ldflags, "ldflags", "", "`FLAGS` for the linker")
	fs.StringVar(&f.gcflags, "gcflags", "", "`FLAGS` for the compiler")
	complete(cmd, "format", "text", "json")
	complete(cmd, "runtime", string(result.Instrumented), string(result.Stock))
	complete(cmd, "mod", "readonly", "vendor", "mod")
	return cmd
}

// complete gives a flag the values that a shell offers.
func complete(cmd *cobra.Command, flag string, values ...string) {
	err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(err) // the flag does not exist: a mistake of ours
	}
}

// test runs the engine.
func (a *app) test(cmd *cobra.Command, f testFlags) error {
	cfg := harness.Config{
		Patterns: f.patterns, Env: a.Env, Run: f.run, Skip: f.skip, Valgrind: f.valgrind, AllFrames: f.allFrames,
		GCStress: f.gcStress, CgoCheck2: f.cgoCheck2, KeepWork: f.keepWork, Verbose: f.verbose, Timeout: f.timeout,
		Tool: version(), Command: a.Args, Notes: a.Stderr,
	}
	if f.timeout == 0 {
		cfg.Timeout = -1
	}
	switch cfg.Runtime = result.Runtime(f.runtime); cfg.Runtime {
	case result.Instrumented:
	case result.Stock:
		if f.gcStress != 0 {
			return usagef("--gc-stress needs the instrumented runtime")
		}
	default:
		return usagef("--runtime=%s: it is instrumented or stock", f.runtime)
	}
	switch {
	case f.timeout < 0:
		return usagef("--timeout=%s is negative: 0 is no limit", f.timeout)
	case f.gcStress < 0:
		return usagef("--gc-stress=%d is negative: 0 is off, 1 collects after every call to C", f.gcStress)
	case f.count < 1:
		return usagef("--count=%d: it must be 1 or more", f.count)
	}
	if f.tags != "" {
		cfg.Tags = strings.FieldsFunc(f.tags, func(r rune) bool { return r == ',' || r == ' ' })
	}
	for _, b := range []struct{ name, value string }{
		{"mod", f.mod}, {"modfile", f.modfile}, {"ldflags", f.ldflags}, {"gcflags", f.gcflags},
	} {
		if b.value != "" {
			cfg.BuildFlags = append(cfg.BuildFlags, "-"+b.name+"="+b.value)
		}
	}
	for _, b := range []struct{ name, value string }{
		{"parallel", f.parallel}, {"cpu", f.cpu}, {"shuffle", f.shuffle},
	} {
		if b.value != "" {
			cfg.TestFlags = append(cfg.TestFlags, "-test."+b.name+"="+b.value)
		}
	}
	if f.count != 1 {
		cfg.TestFlags = append(cfg.TestFlags, "-test.count="+strconv.Itoa(f.count))
	}
	if f.short {
		cfg.TestFlags = append(cfg.TestFlags, "-test.short")
	}
	cfg.TestFlags = append(cfg.TestFlags, f.testArgs...)

	var outs handlers
	progress := text.Options{Progress: a.Stderr, ProgressWidth: a.width(a.Stderr), Color: a.color()}
	if f.verbose {
		progress.ProgressWidth = 0 // many lines, to be kept
	}
	switch f.format {
	case "text":
		outs = append(outs, text.New(a.Stdout, progress))
	case "json":
		outs = append(outs, result.NewEncoder(a.Stdout), text.New(io.Discard, progress))
	default:
		return usagef("--format=%s is not known: text and json are", f.format)
	}
	if f.stream != "" {
		if err := checkWritable(f.stream); err != nil {
			return usagef("--stream: %v", err)
		}
		s := &streamFile{name: f.stream}
		defer s.close()
		outs = append(outs, s)
	}

	var err error
	a.code, err = harness.Run(cmd.Context(), cfg, outs)
	return err
}

// handlers hands each message to several.
type handlers []result.Handler

func (hs handlers) Handle(ctx context.Context, m result.Message) error {
	for _, h := range hs {
		if err := h.Handle(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// streamFile is a Handler that writes the result stream to a file. It makes the file with the first message, so that a
// run that does not start leaves none.
type streamFile struct {
	name string
	file *os.File
	enc  *result.Encoder
}

func (s *streamFile) Handle(ctx context.Context, m result.Message) error {
	if s.file == nil {
		f, err := os.Create(s.name)
		if err != nil {
			return fmt.Errorf("writing the result stream: %w", err)
		}
		s.file, s.enc = f, result.NewEncoder(f)
	}
	if err := s.enc.Handle(ctx, m); err != nil {
		return err
	}
	if m.Summary != nil { // the last one: what cannot be stored shows now
		f := s.file
		s.file = nil
		if err := f.Close(); err != nil {
			return fmt.Errorf("writing the result stream: %w", err)
		}
	}
	return nil
}

// close ends a stream that has no summary; a reader sees that it is truncated.
func (s *streamFile) close() {
	if s.file != nil {
		_ = s.file.Close()
	}
}

// checkWritable fails if a file could not be written later. It changes nothing.
func checkWritable(name string) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err == nil {
		return f.Close()
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	probe, err := os.CreateTemp(filepath.Dir(name), ".cgogrind-*")
	if err != nil {
		return fmt.Errorf("%s cannot be made: %w", name, errors.Unwrap(err))
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// color says whether standard output is a terminal whose user wants colours: https://no-color.org.
func (a *app) color() bool {
	for _, kv := range a.Env {
		if v, ok := strings.CutPrefix(kv, "NO_COLOR="); ok && v != "" || kv == "TERM=dumb" {
			return false
		}
	}
	return a.width(a.Stdout) > 0
}

// width is a terminal's number of columns, 0 for what is none.
func (a *app) width(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 80
	}
	return width
}
