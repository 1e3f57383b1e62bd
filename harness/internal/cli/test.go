package cli

import (
	"io"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/cgogrind/cgogrind/harness"
	"github.com/cgogrind/cgogrind/harness/result"
)

// testFlags are the flags of cgogrind test.
type testFlags struct {
	policy                   policyFlags
	outputs                  outputFlags
	valgrind, runtime        string
	profile                  string
	allFrames, keepWork      bool
	verbose, short, fullPath bool
	run, skip                string
	build                    buildFlags
	parallel, cpu, shuffle   string
	count, gcStress          int
	cgoCheck2                bool
	schedule                 scheduleFlags
	vet                      string
	suppressions             []string
	allocator, output        string
	traceChildren, compile   bool
	patterns, testArgs       []string
	save                     string
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
			f.arguments(cmd, args)
			return a.test(cmd, f)
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVarP(&f.compile, "compile", "c", false, "build the test binaries and do not run them; cgogrind exec does, on a "+
		"machine\nwithout Go too, with the FILE.cgogrind.json that lies beside each")
	cmd.Flags().StringVarP(&f.output, "output", "o", "", "with -c: the `FILE` to write, or a folder, which ends in /")
	return cmd
}

// arguments takes what is not a flag of ours.
func (f *testFlags) arguments(cmd *cobra.Command, args []string) {
	f.patterns, f.testArgs = args, nil
	if n := cmd.ArgsLenAtDash(); n >= 0 {
		f.patterns, f.testArgs = args[:n], args[n:]
	}
}

// add adds the flags to a command.
func (f *testFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.SortFlags = false
	f.outputs.add(cmd)
	f.policy.add(cmd)
	fs.StringVar(&f.valgrind, "valgrind", "", "the valgrind to use, a `PATH`; the one in PATH by default")
	fs.StringVar(&f.runtime, "runtime", string(result.Instrumented), "the Go `RUNTIME` to build against: instrumented, or stock, "+
		"with which\nmemcheck reports many false errors, and stacks end where Go calls C")
	fs.BoolVar(&f.allFrames, "all-frames", false, "show all frames in stacks: those between C and Go code and those of Go's runtime, too")
	fs.StringArrayVar(&f.suppressions, "suppressions", nil, "hide what the entries of `FILE` match; may be repeated")
	addProfile(cmd, &f.profile)
	addAllocator(cmd, &f.allocator)
	fs.BoolVar(&f.traceChildren, "trace-children", false, "run the programs that the tests start under memcheck, too; what is\n"+
		"wrong with them is filed under [child NAME]")
	fs.StringVar(&f.save, "save", "", "save what is needed to look at the run elsewhere in `DIR`: binaries, reports, versions,\n"+
		"C libraries, the environment without what looks like a secret; see cgogrind repro --from")
	fs.BoolVar(&f.keepWork, "keep-work", false, "keep the temporary folder with binaries and memcheck's reports")
	fs.IntVar(&f.gcStress, "gc-stress", 0, "collect garbage after every `N` calls to C, so that C code that keeps a "+
		"Go pointer\npast its call is caught every time; 1 finds most and is slow")
	fs.BoolVar(&f.cgoCheck2, "cgocheck2", false, "check every write of a Go pointer, too (GOEXPERIMENT=cgocheck2)")
	fs.StringVar(&f.run, "run", "", "run only tests that match `REGEXP`")
	fs.StringVar(&f.skip, "skip", "", "do not run tests that match `REGEXP`")
	fs.IntVar(&f.count, "count", 1, "run each test `N` times")
	fs.BoolVarP(&f.verbose, "verbose", "v", false, "print what the tests print, on standard error")
	fs.BoolVar(&f.short, "short", false, "tell tests to be short")
	f.schedule.add(cmd)
	fs.StringVar(&f.parallel, "parallel", "", "run at most `N` tests of a package at a time")
	fs.StringVar(&f.cpu, "cpu", "", "`LIST` of GOMAXPROCS to run the tests with")
	fs.StringVar(&f.shuffle, "shuffle", "", "the order of the tests: `off,on,N`")
	fs.BoolVar(&f.fullPath, "fullpath", false, "have testing name files by their whole paths")
	f.build.add(cmd)
	fs.StringVar(&f.vet, "vet", "off", "for go test's command lines: go vet does not run here, whatever `LIST` says")
	fs.StringP("C", "C", "", "change to `DIR` first") // see configure
	complete(cmd, "runtime", string(result.Instrumented), string(result.Stock))
}

// complete gives a flag the values that a shell offers.
func complete(cmd *cobra.Command, flag string, values ...string) {
	err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(err) // the flag does not exist: a mistake of ours
	}
}

// config is what the flags ask the engine for.
func (a *app) config(f testFlags) (harness.Config, error) {
	cfg := harness.Config{
		Patterns: f.patterns, Env: a.Env, Run: f.run, Skip: f.skip, Valgrind: f.valgrind, AllFrames: f.allFrames,
		GCStress: f.gcStress, CgoCheck2: f.cgoCheck2, KeepWork: f.keepWork, Verbose: f.verbose,
		Suppressions: f.suppressions, SaveDir: f.save,
		Tool: version(), Command: a.Args, Configuration: a.configUsed, Notes: a.Stderr,
	}
	cfg.TraceChildren = f.traceChildren
	var err error
	if cfg.Profile, err = profile(f.profile); err != nil {
		return cfg, err
	}
	if cfg.AllowUnseen, err = allowUnseen(f.allocator); err != nil {
		return cfg, err
	}
	if err := f.schedule.into(&cfg, a.Env); err != nil {
		return cfg, err
	}
	switch cfg.Runtime = result.Runtime(f.runtime); cfg.Runtime {
	case result.Instrumented:
	case result.Stock:
		if f.gcStress != 0 {
			return cfg, usagef("--gc-stress needs the instrumented runtime")
		}
	default:
		return cfg, usagef("--runtime=%s: it is instrumented or stock", f.runtime)
	}
	switch {
	case f.gcStress < 0:
		return cfg, usagef("--gc-stress=%d is negative: 0 is off, 1 collects after every call to C", f.gcStress)
	case f.count < 1:
		return cfg, usagef("--count=%d: it must be 1 or more", f.count)
	}
	cfg.Tags, cfg.BuildFlags = f.build.config()
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
	if f.fullPath {
		cfg.TestFlags = append(cfg.TestFlags, "-test.fullpath")
	}
	cfg.TestFlags = append(cfg.TestFlags, f.testArgs...)
	return cfg, nil
}

// test runs the engine.
func (a *app) test(cmd *cobra.Command, f testFlags) error {
	if len(f.patterns) == 0 {
		f.patterns = a.packages
	}
	cfg, err := a.config(f)
	if err != nil {
		return err
	}
	if f.compile {
		ctx, stop := a.orderly(cmd.Context())
		defer stop()
		a.code, err = harness.Compile(ctx, cfg, f.output)
		return err
	}
	if f.output != "" {
		return usagef("-o names the file that -c writes: add -c")
	}
	policy, err := f.policy.policy(false)
	if err != nil {
		return err
	}
	cfg.Dispose = policy.Dispose
	f.outputs.reads = append(slices.Clone(f.suppressions), f.policy.baseline)
	outs, err := a.open(f.outputs, f.verbose)
	if err != nil {
		return err
	}
	if a.isSilent(f.outputs) {
		cfg.Notes = io.Discard
	}
	if f.save != "" {
		outs.save(f.save)
	}
	ctx, stop := a.orderly(cmd.Context())
	defer stop()
	last := newLastRun()
	outs.handlers = append(outs.handlers, last)
	defer func() {
		outs.close()
		last.close()
	}()
	defer outs.endWith(ctx)()
	a.code, err = harness.Run(ctx, cfg, outs)
	return err
}
