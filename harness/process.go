package harness

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cgogrind/cgogrind/harness/internal/build"
	"github.com/cgogrind/cgogrind/harness/internal/judge"
	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
	"github.com/cgogrind/cgogrind/valgrind/memcheck"
)

// goDebug is what the tests run with: the AES hash reads too far, and asynchronous preemption injects frames.
const goDebug = "cpu.aes=off,asyncpreemptoff=1"

// exactCalls stops valgrind from translating a call and the beginning of the function called in one go: an error in
// that function's first instruction is reported at the call then, with a word of the stack for its caller. Measured, it
// costs nothing.
const exactCalls = "--vex-guest-chase=no"

// runPackage runs a package's tests, in further processes those that a process took down with it.
func (r *run) runPackage(ctx context.Context, index int, p build.Package, named []judge.Named) error {
	token := make([]byte, 16)
	rand.Read(token) // never fails
	binary, err := filepath.EvalSymlinks(p.Binary)
	if err != nil {
		return fmt.Errorf("running %s: %w", p.ImportPath, err)
	}
	cfg := judge.Config{
		ImportPath: p.ImportPath, Dir: p.Sources(), ModulePath: p.ModulePath, ModuleDir: p.ModuleDir, Named: named,
		GOROOT: r.built.GOROOT, Binary: binary, Token: hex.EncodeToString(token), AllFrames: r.cfg.AllFrames,
		Repro: r.repro(), Dispose: r.cfg.Dispose,
	}
	j := judge.New(cfg, r.emit)
	var begun done
	for n := 0; ; n++ {
		r.note("%s: running", p.ImportPath)
		files := filepath.Join(r.work.path, fmt.Sprintf("%03d.%d", index, n))
		proc, o, err := r.runProcess(ctx, p, j.Process, cfg.Token, files, r.testArgs(begun))
		if err != nil {
			return fmt.Errorf("running %s: %w", p.ImportPath, err)
		}
		for i, a := range proc.Alone(o) {
			if ctx.Err() != nil {
				break
			}
			r.note("%s: running %s alone, to name an error that memcheck only counted", p.ImportPath, a.Test)
			alone, o, err := r.runProcess(ctx, p, func(command []string) *judge.Process { return a.Process(j, command) },
				cfg.Token, fmt.Sprintf("%s.alone%d", files, i), r.aloneArgs(a))
			if err != nil {
				return fmt.Errorf("running %s of %s alone: %w", a.Test, p.ImportPath, err)
			}
			a.Finish(proc, alone, o)
		}
		remaining := proc.Finish(o)
		if len(remaining) == 0 {
			break
		}
		if ctx.Err() != nil || !proc.Began() || o.Complaint != "" {
			reason := "the process ended before it could run"
			if o.Stopped != "" {
				reason = o.Stopped + " before it could run"
			}
			j.Lost(remaining, reason)
			break
		}
		for _, name := range proc.Planned() {
			if !slices.Contains(remaining, name) {
				begun.tests = append(begun.tests, name)
			}
		}
		if specs := proc.BegunSpecs(); specs != "" {
			begun.specs = append(begun.specs, "-ginkgo.skip="+specs)
		}
		r.note("%s: %d of its tests had not run when the process went down: running them in a fresh one",
			p.ImportPath, len(remaining))
	}
	j.Finish()
	r.supps.count(j.Suppressed())
	return nil
}

// done is what former processes of a package have dealt with.
type done struct {
	tests []string // top-level tests
	specs []string // flags that leave out Ginkgo specs
}

func (r *run) note(format string, args ...any) {
	r.emit(result.Message{Progress: &result.Progress{Text: fmt.Sprintf(format, args...)}})
}

// runProcess runs the package's test binary and hands everything to the judge that newProcess makes for the command.
func (r *run) runProcess(ctx context.Context, p build.Package, newProcess func(command []string) *judge.Process,
	token, files string, args []string) (*judge.Process, judge.Outcome, error) {
	supps, err := r.supps.file(p.Binary)
	if err != nil {
		return nil, judge.Outcome{}, err
	}
	opts := memcheck.Options{
		XMLFile: files + ".%p.xml", TrackOrigins: true, Suppressions: []string{supps}, Extra: []string{exactCalls},
		TraceChildren: r.cfg.TraceChildren,
	}
	r.serve(&opts, files)
	optArgs, err := opts.Args()
	if err != nil {
		return nil, judge.Outcome{}, err
	}
	command := slices.Concat([]string{r.valgrind.Path}, optArgs, []string{p.Binary}, args)
	proc := newProcess(command)
	if r.cfg.Verbose {
		proc.Output().Line = func(line string) {
			r.emit(result.Message{Progress: &result.Progress{Package: p.ImportPath, Text: line}})
		}
	}
	limit := time.Duration(0)
	if r.cfg.Timeout > 0 {
		limit = r.cfg.Timeout + timeoutGrace
	}
	running, err := memcheck.Start(ctx, memcheck.Command{
		Valgrind: r.valgrind, Options: opts, Program: p.Binary, Args: args, Dir: p.Dir, Env: r.testEnv(p, token),
		Stdout: proc.Output(), Stderr: proc.Output(), Timeout: limit,
	})
	if err != nil {
		return nil, judge.Outcome{}, err
	}
	ended := make(chan struct{})
	var res *memcheck.Result
	var waitErr error
	go func() {
		defer close(ended)
		res, waitErr = running.Wait()
	}()
	report := valgrind.Follow(context.WithoutCancel(ctx), running.ReportFile(), ended)
	for ev, err := range valgrind.Read(report) {
		proc.Event(ev, err)
		r.stop(ctx, running.PID(), p, files, proc, ev)
	}
	_ = report.Close() // it was read to its end, or to where it is damaged
	<-ended
	if waitErr != nil {
		return nil, judge.Outcome{}, waitErr
	}
	if err := r.saveProcess(ctx, p, command, token, res); err != nil {
		return nil, judge.Outcome{}, err
	}
	r.judgeChildren(proc.Children(), res)
	return proc, r.outcome(res), nil
}

// timeoutGrace is what a test binary gets beyond its own -test.timeout to print its goroutines and memcheck to look for
// leaks.
const timeoutGrace = time.Minute

func (r *run) outcome(res *memcheck.Result) judge.Outcome {
	o := judge.Outcome{ExitCode: res.ExitCode}
	if res.Signal != 0 {
		o.Signal = unix.SignalName(res.Signal)
	}
	switch res.Ending {
	case memcheck.TimedOut:
		o.Stopped = fmt.Sprintf("the tests took longer than %s", r.cfg.Timeout)
	case memcheck.Canceled:
		o.Stopped = interrupted
	}
	if len(res.Complaints) > 0 {
		o.Complaint = res.Complaints[0].Text
	}
	return o
}

// testArgs are the flags of a test binary that runs what is not done yet. Go's own timeout comes first, as it says
// which tests were running.
func (r *run) testArgs(without done) []string {
	args := r.commonArgs()
	if r.cfg.Run != "" {
		args = append(args, "-test.run="+r.cfg.Run)
	}
	skip := r.cfg.Skip
	if len(without.tests) > 0 {
		if skip != "" {
			skip += "|"
		}
		skip += "^(" + strings.Join(without.tests, "|") + ")$" // names of Go functions: nothing to quote
	}
	if skip != "" {
		args = append(args, "-test.skip="+skip)
	}
	return slices.Concat(args, r.cfg.TestFlags, without.specs)
}

func (r *run) commonArgs() []string {
	args := []string{"-test.v=test2json", "-test.paniconexit0"}
	if r.cfg.Timeout > 0 {
		args = append(args, "-test.timeout="+r.cfg.Timeout.String())
	}
	return args
}

// aloneArgs are the flags of a test binary that runs one test, once.
func (r *run) aloneArgs(a *judge.Alone) []string {
	args := append(r.commonArgs(), "-test.run="+a.Run)
	if a.Focus != "" {
		args = append(args, "-ginkgo.focus="+a.Focus)
	}
	return append(args, withoutFlags(r.cfg.TestFlags, "test.run", "test.count", "ginkgo.focus")...)
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
	for _, kv := range append([]string{"GODEBUG=" + goDebug}, r.built.Env...) {
		key, value, _ := strings.Cut(kv, "=")
		if key == "GODEBUG" {
			if old := get(env, key); old != "" {
				value = old + "," + value
			}
		}
		env = set(env, key, value)
	}
	return env
}

func get(env []string, key string) string {
	for _, kv := range slices.Backward(env) {
		if v, ok := strings.CutPrefix(kv, key+"="); ok {
			return v
		}
	}
	return ""
}

func set(env []string, key, value string) []string {
	env = slices.DeleteFunc(env, func(kv string) bool { return strings.HasPrefix(kv, key+"=") })
	return append(env, key+"="+value)
}
