package harness

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"github.com/cgogrind/cgogrind/harness/internal/build"
	"github.com/cgogrind/cgogrind/harness/internal/frames"
	"github.com/cgogrind/cgogrind/harness/internal/judge"
	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
	"github.com/cgogrind/cgogrind/valgrind/memcheck"
)

// Stop is a program that stands still in memcheck's gdb server, at an error that memcheck has just reported. It goes on
// when somebody who was connected to the server leaves.
type Stop struct {
	PID int
	// Vgdb is the command that connects to the server: as it is for gdb's "target remote |", with a command of the
	// server for a single request.
	Vgdb   []string
	Binary string
	GOROOT string
	Error  *valgrind.Error
	// Fingerprint is that of the finding which the error makes; empty for one that is no defect.
	Fingerprint string
	Probe       bool // the runtime made it on purpose, to see whether it is reported
}

// serve lets gdb attach, if somebody wants that. The server's pipes have names that begin with files.
func (r *run) serve(opts *memcheck.Options) {
	if r.cfg.OnError != nil {
		opts.Extra = append(opts.Extra, "--vgdb-error=1")
	}
}

// stop tells of an error at which the program stopped. Leaks are reported by a program that has ended.
func (r *run) stop(ctx context.Context, running *memcheck.Process, p build.Package, proc *judge.Process,
	ev valgrind.Event) {
	e, ok := ev.(*valgrind.Error)
	if r.cfg.OnError == nil || !ok || strings.HasPrefix(string(e.Kind), "Leak_") {
		return
	}
	r.cfg.OnError(ctx, Stop{
		PID: running.PID(), Vgdb: running.MonitorCommand(),
		Binary: p.Binary, GOROOT: r.built.GOROOT, Error: e, Fingerprint: proc.Fingerprint(e), Probe: frames.IsProbe(e),
	})
}

// TestBinary is the test binary of a package with all that it runs with, for somebody who runs it in another way.
type TestBinary struct {
	Package string
	Dir     string // where it runs
	Binary  string
	Args    []string
	Env     []string
	GOROOT  string
	Work    string // a folder that is gone afterwards
	// Run runs a program in a process group that ends with the context and with this process.
	Run func(context.Context, *exec.Cmd) error
}

// Build builds the one package that the configuration names, as Run does, and hands its test binary to use. The tests do
// not run under memcheck then, so there is none in what they run with.
func Build(ctx context.Context, cfg Config, use func(context.Context, TestBinary) error) (result.ExitCode, error) {
	r, err := newRun(cfg, nil)
	if err != nil {
		return result.ExitMachine, err
	}
	return r.end(r.buildFor(ctx, use))
}

func (r *run) buildFor(ctx context.Context, use func(context.Context, TestBinary) error) (result.ExitCode, error) {
	if code, err := r.makeWorkDir(); err != nil {
		return code, err
	}
	var err error
	if r.built, err = build.Build(ctx, r.buildConfig()); err != nil {
		return buildCode(ctx, err), err
	}
	packages := slices.DeleteFunc(slices.Clone(r.built.Packages), func(p build.Package) bool { return p.Binary == "" })
	for _, p := range r.built.Packages {
		if p.Failed != nil {
			return result.ExitUsage, fmt.Errorf("building %s: %s\n%s", p.ImportPath, p.Failed.Reason, p.Failed.Output)
		}
	}
	if len(packages) != 1 {
		return result.ExitUsage, fmt.Errorf("this runs one package with tests, and %d of those named have some", len(packages))
	}
	p := packages[0]
	env := set(slices.Clone(r.cfg.Env), "PWD", p.Dir)
	for _, kv := range r.built.Env {
		name, value, _ := strings.Cut(kv, "=")
		env = set(env, name, value)
	}
	err = use(ctx, TestBinary{
		Package: p.ImportPath, Dir: p.Dir, Binary: p.Binary, Args: r.testArgs(p), Env: env, GOROOT: r.built.GOROOT,
		Work: r.work.path, Run: r.work.run,
	})
	if err != nil {
		return result.ExitInconclusive, err
	}
	return result.ExitPass, nil
}
