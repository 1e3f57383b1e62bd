package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cgogrind/cgogrind/harness/internal/build"
	"github.com/cgogrind/cgogrind/harness/internal/goruntime"
	"github.com/cgogrind/cgogrind/harness/internal/judge"
	"github.com/cgogrind/cgogrind/harness/internal/shell"
	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
	"github.com/cgogrind/cgogrind/valgrind/memcheck"
)

// exactCalls stops valgrind from translating a call and the beginning of the function called in one go: an error in
// that function's first instruction is reported at the call then, with a word of the stack for its caller. Measured, it
// costs nothing.
const exactCalls = "--vex-guest-chase=no"

// registers are when valgrind stores all registers: at each access to memory, so that what a handler of a fault sees of
// them is true, and what it does with them, such as to return when it has mended the cause. By default only those that
// unwinding needs are. Measured, it costs less than two runs differ; after each instruction, a tenth in C code that computes.
func registers(everywhere bool) string {
	if everywhere {
		return "--vex-iropt-register-updates=allregs-at-each-insn"
	}
	return "--vex-iropt-register-updates=allregs-at-mem-access"
}

func (r *run) note(format string, args ...any) {
	r.emit(result.Message{Progress: &result.Progress{Text: fmt.Sprintf(format, args...)}})
}

// runNatively runs a test without memcheck and returns what it printed.
func (p *packageRun) runNatively(ctx context.Context, a *judge.Alone) (*judge.Output, error) {
	_, release := p.next()
	defer release()
	if limit := p.testLimit(); limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	cmd := exec.Command(p.pkg.Binary, p.aloneArgs(p.pkg, a)...)
	cmd.Dir, cmd.Env = p.pkg.Dir, p.testEnv(p.pkg, "")
	out := &judge.Output{}
	cmd.Stdout, cmd.Stderr = out, out
	err := p.work.run(ctx, cmd)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && ctx.Err() == nil {
		return nil, err
	}
	return out, nil
}

// process is one process to run under memcheck.
type process struct {
	newJudge func(command []string) *judge.Process
	owed     []string // tests that it is known to run
	part     selection
	args     []string
	exact    bool // registers are exact after each instruction
}

// runProcess runs the package's test binary and hands everything to a judge. It waits for a slot. An error says that the
// process did not start; what happens later is part of the outcome.
func (p *packageRun) runProcess(ctx context.Context, c process) (*judge.Process, judge.Outcome, error) {
	files, release := p.next()
	defer release()
	c.args = c.part.takeLong(c.args)
	if err := c.part.write(files + ".select"); err != nil {
		return nil, judge.Outcome{}, err
	}
	supps, err := p.supps.file(p.pkg.Binary)
	if err != nil {
		return nil, judge.Outcome{}, err
	}
	opts := memcheck.Options{
		XMLFile: memcheck.Literal(files) + ".%p.xml", Suppressions: []string{supps},
		Extra: []string{exactCalls, registers(c.exact)}, TraceChildren: p.cfg.TraceChildren,
		ShowLeakKinds: p.cfg.LeakKinds, Vgdb: memcheck.VgdbYes, VgdbPrefix: files + ".vgdb",
	}
	if p.cfg.LeakCheck == LeakOff {
		opts.LeakCheck = memcheck.LeakNo
	}
	p.cfg.Profile.Set(&opts)
	p.serve(&opts)
	optArgs, err := opts.Args()
	if err != nil {
		return nil, judge.Outcome{}, err
	}
	command := slices.Concat([]string{p.valgrind.Path}, optArgs, []string{p.pkg.Binary}, c.args)
	proc := c.newJudge(command)
	proc.Owe(c.owed)
	if p.cfg.Verbose {
		proc.Output().Line = func(line string) {
			p.emit(result.Message{Progress: &result.Progress{Package: p.pkg.ImportPath, Text: line}})
		}
	}
	var out io.Writer = proc.Output()
	output := files + ".output"
	if p.saved != nil {
		if f, err := os.Create(output); err != nil {
			p.notSaved(fmt.Errorf("saving what the tests print: %w", err))
		} else {
			defer f.Close()
			out = io.MultiWriter(out, &outputFile{f, p.notSaved})
		}
	}
	env := set(p.memcheckEnv(p.testEnv(p.pkg, p.token)), "CGOGRIND_SELECT", files+".select")
	if c.exact {
		env = set(env, "CGOGRIND_EXACT", "1")
	}
	killsBefore := oomKills()
	running, err := memcheck.Start(ctx, memcheck.Command{
		Valgrind: p.valgrind, Options: opts, Program: p.pkg.Binary, Args: c.args, Dir: p.pkg.Dir,
		Env:    env,
		Stdout: out, Stderr: out, QuitOnTimeout: true,
	})
	if err != nil {
		return nil, judge.Outcome{}, err
	}
	defer p.work.watch(running.PID())()
	w := &watch{packageRun: p, proc: proc, running: running}
	res, err := follow(ctx, running, w.until, func(ev valgrind.Event, err error) {
		p.judging.Lock()
		defer p.judging.Unlock()
		proc.Event(ev, err)
		p.stop(ctx, running, p.pkg, proc, ev)
	})
	p.saveProcess(ctx, p.pkg, command, p.token, output, res)
	p.judging.Lock()
	p.judgeChildren(proc.Children(), res)
	p.judging.Unlock()
	o := p.outcome(res, err)
	o.Stacks = w.stacks
	if res.Ending == memcheck.TimedOut {
		o.Stopped = w.reason
	}
	o.OutOfMemory = o.Signal == "SIGKILL" && oomKills() > killsBefore
	return proc, o, nil
}

// follow waits for a process and hands on its report while it is written. beside runs until the process has ended, too.
func follow(ctx context.Context, running *memcheck.Process, beside func(ended <-chan struct{}),
	event func(valgrind.Event, error)) (*memcheck.Result, error) {
	ended := make(chan struct{})
	var res *memcheck.Result
	var err error
	var all sync.WaitGroup
	all.Go(func() {
		defer close(ended)
		res, err = running.Wait()
	})
	all.Go(func() { beside(ended) })
	report := valgrind.Follow(context.WithoutCancel(ctx), running.ReportFile(), ended)
	for ev, err := range valgrind.Read(report) {
		event(ev, err)
	}
	_ = report.Close() // it was read to its end, or to where it is damaged
	all.Wait()
	return res, err
}

// outcome is how a process ended, for the judge; err says what could not be found out.
func (r *run) outcome(res *memcheck.Result, err error) judge.Outcome {
	o := judge.Outcome{ExitCode: res.ExitCode, Said: res.LastMessage(), Changed: res.Changed}
	if err != nil {
		o.Incomplete = r.explain(err)
	}
	if res.Signal != 0 {
		o.Signal = unix.SignalName(res.Signal)
	}
	switch res.Ending {
	case memcheck.TimedOut:
		o.Stopped = "it took too long"
	case memcheck.Canceled:
		o.Stopped, o.Canceled = interrupted, true
	}
	if len(res.Complaints) > 0 {
		o.Complaint = res.Complaints[0].Text
	}
	if res.SkippedDebugInfo() {
		r.skipped.Do(func() {
			fmt.Fprintf(r.cfg.Notes, "valgrind %s does not read the debug information of the program or of a library (DWARF 5 of clang, most "+
				"often), so that functions there have no lines: compile it with -gdwarf-4, or use valgrind 3.20 or later\n", r.valgrind.Version)
		})
	}
	return o
}

// next waits for a slot and names the files of the process that takes it.
func (p *packageRun) next() (files string, release func()) {
	p.judging.Lock()
	taken := p.first
	p.first = false
	n := p.reports
	p.reports++
	p.judging.Unlock()
	if !taken {
		p.slots <- struct{}{}
	}
	return filepath.Join(p.work.path, fmt.Sprintf("%03d.%d", p.index, n)), func() { <-p.slots }
}

// oomKills is how many processes the kernel has killed for want of memory, as far as this one can see.
func oomKills() int {
	data, err := os.ReadFile("/proc/vmstat")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
			kills, err := strconv.Atoi(strings.TrimSpace(n))
			if err == nil {
				return kills
			}
		}
	}
	return 0
}

// timeoutGrace is what a test binary's own -test.timeout, which tells tests how long they have, exceeds ours by: ours
// says more about what hangs.
const timeoutGrace = time.Minute

// testArgs are the flags of a test binary. Its instructions name the tests and specs to run or to leave out: their number has
// no limit, that of arguments has. Go's own timeout comes first, as it says which tests were running.
func (r *run) testArgs(p build.Package) []string {
	return slices.Concat(r.commonArgs(), r.chosen(), r.testFlags(p))
}

// chosen are the flags that choose tests as the run does.
func (r *run) chosen() []string {
	var args []string
	if r.cfg.Run != "" {
		args = append(args, "-test.run="+r.cfg.Run)
	}
	if r.cfg.Skip != "" {
		args = append(args, "-test.skip="+r.cfg.Skip)
	}
	return args
}

func (r *run) commonArgs() []string {
	args := []string{"-test.v=test2json", "-test.paniconexit0"}
	if r.cfg.FailFast {
		args = append(args, "-test.failfast")
	}
	if limit := r.packageLimit(); limit > 0 {
		args = append(args, "-test.timeout="+(limit+timeoutGrace).String())
	}
	return args
}

// aloneArgs are the flags of a test binary that runs one test, once.
func (r *run) aloneArgs(p build.Package, a *judge.Alone) []string {
	args := append(r.commonArgs(), "-test.run="+a.Run)
	if r.cfg.Skip != "" { // of the test's subtests
		args = append(args, "-test.skip="+r.cfg.Skip)
	}
	if a.Focus != "" {
		args = append(args, "-ginkgo.focus="+a.Focus)
	}
	return append(args, withoutFlags(r.testFlags(p), "test.run", "test.count", "ginkgo.focus")...)
}

// selectionArgs are the flags of a test binary that runs some tests again, of which each does what it did before: its
// instructions name the tests.
func (r *run) selectionArgs(p build.Package, u judge.Selection) []string {
	flags := r.testFlags(p)
	if len(u.Specs) > 0 {
		flags = withoutFlags(flags, "ginkgo.focus")
	}
	return slices.Concat(r.commonArgs(), r.chosen(), flags)
}

// withoutFlags leaves out flags that have a value.
func withoutFlags(args []string, names ...string) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		flag, _, hasValue := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(args[i], "-"), "-"), "=")
		switch {
		case args[i] == flag || !slices.Contains(names, flag):
			out = append(out, args[i])
		case !hasValue:
			i++
		}
	}
	return out
}

// testEnv is the environment of a test binary: the caller's, with what the build and the marks need.
func (r *run) testEnv(p build.Package, token string) []string {
	env := slices.Clone(r.cfg.Env)
	env = set(env, "PWD", p.Dir)
	env = set(env, "CGOGRIND", "1") // tells a test that it runs slowly
	env = set(env, "CGOGRIND_TOKEN", token)
	env = set(env, "CGOGRIND_GC_STRESS", strconv.Itoa(r.cfg.GCStress))
	for _, kv := range r.built.Env {
		key, value, _ := strings.Cut(kv, "=")
		env = set(env, key, value)
	}
	return env
}

// memcheckEnv adds to a test binary's environment what it needs under memcheck only: the stock runtime takes settings from
// there. Its hooks give GODEBUG back its value before the tests begin.
func (r *run) memcheckEnv(env []string) []string {
	if r.cfg.Runtime != result.Stock {
		return env
	}
	own := shell.Getenv(env, "GODEBUG")
	settings := goruntime.Debug(runtime.GOARCH, hasRDTSCP())
	if own != "" {
		settings = own + "," + settings
	}
	return set(set(env, "GODEBUG", settings), "CGOGRIND_GODEBUG", own)
}

// hasRDTSCP is whether the processor has that instruction, as far as the system says.
func hasRDTSCP() bool {
	data, err := os.ReadFile("/proc/cpuinfo")
	return err == nil && slices.Contains(strings.Fields(string(data)), "rdtscp")
}

func set(env []string, key, value string) []string {
	env = slices.DeleteFunc(env, func(kv string) bool { return strings.HasPrefix(kv, key+"=") })
	return append(env, key+"="+value)
}
