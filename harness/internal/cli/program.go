package cli

import (
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/cgogrind/cgogrind/harness"
	"github.com/cgogrind/cgogrind/harness/result"
)

// programFlags are the flags that cgogrind exec and cgogrind run have in common.
type programFlags struct {
	policy              policyFlags
	outputs             outputFlags
	valgrind, runtime   string
	profile             string
	allocator           string
	leakSignal          string
	allFrames, keepWork bool
	traceChildren       bool
	timeout             time.Duration
	suppressions        []string
}

// add adds the flags to a command. What follows the program's name is the program's.
func (f *programFlags) add(cmd *cobra.Command, runtimeHelp string) {
	fs := cmd.Flags()
	fs.SetInterspersed(false)
	fs.SortFlags = false
	f.outputs.add(cmd)
	f.policy.add(cmd)
	fs.StringVar(&f.valgrind, "valgrind", "", "the valgrind to use, a `PATH`; the one in PATH by default")
	fs.StringVar(&f.runtime, "runtime", string(result.Instrumented), runtimeHelp)
	addProfile(cmd, &f.profile)
	addAllocator(cmd, &f.allocator)
	fs.BoolVar(&f.traceChildren, "trace-children", false, "run the programs that it starts under memcheck, too; "+
		"what is wrong\nwith them is filed under [child NAME]")
	fs.StringVar(&f.leakSignal, "leak-signal", "USR1", "the `SIGNAL` to cgogrind that asks for a leak check while the program\n"+
		"runs: USR1, USR2 or none; the program does not get it")
	fs.DurationVar(&f.timeout, "timeout", 0, "how long the program may take; 0 for no limit")
	fs.BoolVar(&f.allFrames, "all-frames", false, "show all frames in stacks")
	fs.StringArrayVar(&f.suppressions, "suppressions", nil, "hide what the entries of `FILE` match; may be repeated")
	fs.BoolVar(&f.keepWork, "keep-work", false, "keep the temporary folder with memcheck's reports")
	complete(cmd, "runtime", string(result.Instrumented), string(result.Stock))
	complete(cmd, "leak-signal", "USR1", "USR2", "none")
}

// The values of --allocator.
const (
	allocatorRefuse = "refuse"
	allocatorWarn   = "warn"
)

// addAllocator adds the flag that says what to do about memory that memcheck cannot see.
func addAllocator(cmd *cobra.Command, value *string) {
	cmd.Flags().StringVar(value, "allocator", allocatorRefuse, "`WHAT` to do when memory comes from functions that memcheck cannot "+
		"see\n(mallocx, je_malloc, mi_heap_malloc, a static program): refuse, or warn and go on")
	complete(cmd, "allocator", allocatorRefuse, allocatorWarn)
}

// addProfile adds the flag that says how much time memcheck may take.
func addProfile(cmd *cobra.Command, value *string) {
	cmd.Flags().StringVar(value, "profile", string(harness.ProfileDefault), "how much time memcheck may take, a `PROFILE`: quick (does not "+
		"say where\nuninitialised values come from, in two thirds of the time), default, or deep (follows definedness\n"+
		"bit by bit, keeps freed memory off limits longer, wider red zones, deeper stacks)")
	complete(cmd, "profile", string(harness.ProfileQuick), string(harness.ProfileDefault), string(harness.ProfileDeep))
}

func profile(value string) (harness.Profile, error) {
	switch p := harness.Profile(value); p {
	case harness.ProfileQuick, harness.ProfileDefault, harness.ProfileDeep:
		return p, nil
	}
	return "", usagef("--profile=%s: it is quick, default or deep", value)
}

func allowUnseen(value string) (bool, error) {
	switch value {
	case allocatorRefuse, allocatorWarn:
		return value == allocatorWarn, nil
	}
	return false, usagef("--allocator=%s: it is refuse or warn", value)
}

// programConfig is what the flags ask the engine for.
func (a *app) programConfig(f programFlags) (harness.Config, error) {
	cfg := harness.Config{
		Env: a.Env, Valgrind: f.valgrind, AllFrames: f.allFrames, KeepWork: f.keepWork, Timeout: f.timeout,
		Suppressions: f.suppressions, TraceChildren: f.traceChildren, Runtime: result.Runtime(f.runtime),
		Tool: version(), Command: a.Args, Configuration: a.configUsed, Notes: a.Stderr,
	}
	if f.timeout == 0 {
		cfg.Timeout = -1
	}
	switch {
	case f.timeout < 0:
		return cfg, usagef("--timeout=%s is negative: 0 is no limit", f.timeout)
	case cfg.Runtime != result.Instrumented && cfg.Runtime != result.Stock:
		return cfg, usagef("--runtime=%s: it is instrumented or stock", f.runtime)
	}
	var err error
	if cfg.Profile, err = profile(f.profile); err != nil {
		return cfg, err
	}
	if cfg.AllowUnseen, err = allowUnseen(f.allocator); err != nil {
		return cfg, err
	}
	policy, err := f.policy.policy(false)
	if err != nil {
		return cfg, err
	}
	cfg.Dispose = policy.Dispose
	return cfg, nil
}

// handedOn are the signals that a program gets when cgogrind gets them.
var handedOn = []os.Signal{
	syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH,
	syscall.SIGCONT, syscall.SIGALRM,
}

// program runs a program. It keeps standard output for what the program prints, unless a format other than text was
// asked for.
func (a *app) program(cmd *cobra.Command, f programFlags, cfg harness.Config, p harness.Program) error {
	switch f.leakSignal {
	case "USR1":
		p.LeakSignal = syscall.SIGUSR1
	case "USR2":
		p.LeakSignal = syscall.SIGUSR2
	case "none":
	default:
		return usagef("--leak-signal=%s: it is USR1, USR2 or none", f.leakSignal)
	}
	if f.outputs.json {
		return usagef("-json prints go test's events: it is for cgogrind test; --format json prints the result stream")
	}
	p.Stdin, p.Stdout, p.Stderr = os.Stdin, a.Stdout, a.Stderr
	report := &app{Process: a.Process}
	if f.outputs.format == "text" {
		report.Stdout = a.Stderr
	} else {
		p.Stdout = a.Stderr
	}
	f.outputs.reads = append(slices.Clone(f.suppressions), f.policy.baseline)
	f.outputs.beside = p.Stdout
	report.configUsed = a.configUsed
	outs, err := report.open(f.outputs, true)
	if err != nil {
		return err
	}
	defer outs.close()
	ctx, stop := a.orderly(cmd.Context())
	defer stop()
	defer outs.endWith(ctx)()

	signals := make(chan os.Signal, 16)
	signal.Notify(signals, handedOn...)
	defer signal.Stop(signals)
	p.Signals = signals
	a.code, err = harness.RunProgram(ctx, cfg, p, outs)
	return err
}

// rest are the last arguments as they were given: longFlags changes what looks like a flag, and what follows a
// program's name is none of ours.
func (a *app) rest(args []string) []string { return a.Args[len(a.Args)-len(args):] }

const programHelp = `The program has its own standard input, output and error, arguments, and working directory; it finds
CGOGRIND=1 in its environment. Its standard output stays its own: the report goes to standard error,
or, with a --format other than text, to standard output, and the program's output to standard error.

Findings are told as they happen, and whole at the end. Memory that the program lost is looked for at
its end, and while it runs whenever cgogrind gets SIGUSR1 (see --leak-signal): then it tells what is new
since the time before. Other signals are handed on to the program: Ctrl-C ends it as it would
otherwise, its handlers included. The second Ctrl-C ends it with SIGTERM and, ten seconds later,
SIGKILL; the third at once.

The verdict is one test, named after the program: pass if it ended with status 0 and memcheck found
nothing. Its own status is in the verdict's reason, and cgogrind's is:

  0  it ended with status 0, no new finding
  1  it ended with another status, or crashed; no new finding
  2  wrong usage, a build that failed, or a program that cannot be checked
  3  new memory findings
  4  inconclusive: it was ended from outside, or memcheck's report is incomplete
  5  the machine lacks something, valgrind for example`
