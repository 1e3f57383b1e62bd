package repro

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cgogrind/cgogrind/harness"
	"github.com/cgogrind/cgogrind/harness/internal/shell"
	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
)

//go:embed stacks.py
var gdbStacks string

//go:embed gdb.py
var gdbCommands string

// GDB is how to show a stopped program.
type GDB struct {
	Path string // gdb's
	// Batch prints all that gdb, Go's script and memcheck know as text, and ends; without it, gdb is interactive.
	Batch          bool
	Terminal       *os.File // for an interactive gdb
	Stdout, Stderr io.Writer

	start func(context.Context, *exec.Cmd) error // how to run it; exec.Cmd.Run if nil
}

// ErrNoStop says that a finding is of a kind at which a program cannot be stopped.
var ErrNoStop = errors.New("there is no moment at which it happens")

// stoppable fails for kinds that memcheck reports when the program has ended, or not at all.
func stoppable(t Target) error {
	if t.Stream == nil {
		return nil
	}
	for _, f := range t.Stream.Findings {
		if !slices.Contains(t.Fingerprints, f.Fingerprint) {
			continue
		}
		switch {
		case strings.HasPrefix(f.Kind, "Leak_"):
			return fmt.Errorf("%w: a leak shows at the end of the program, and its stack is where the block was allocated; "+
				"gdb has nothing to add to the report", ErrNoStop)
		case f.Kind == "CgoCheck":
			return fmt.Errorf("%w for memcheck: Go's own check of pointers ends the process; use --native --gdb", ErrNoStop)
		}
	}
	return nil
}

// Debug runs the target under memcheck, stops it at the first error of its fingerprints, or at any that is a finding
// when none are known, and shows it in gdb. The attempt says Reproduced if it stopped.
func (s *Session) Debug(ctx context.Context, g GDB) (Attempt, error) {
	if err := stoppable(s.Target); err != nil {
		return Attempt{}, &RunError{result.ExitUsage, err}
	}
	cfg, err := s.Configure(s.Target.Command)
	if err != nil {
		return Attempt{}, &RunError{result.ExitUsage, err}
	}
	runCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	cfg.Timeout = -1 // who looks at a program takes his time
	var shown bool
	var stopErr error
	cfg.OnError = func(_ context.Context, stop harness.Stop) {
		if runCtx.Err() != nil {
			return
		}
		isTarget := slices.Contains(s.Target.Fingerprints, stop.Fingerprint) || len(s.Target.Fingerprints) == 0 && stop.Fingerprint != ""
		switch {
		case stop.Probe:
			stopErr = resume(runCtx, stop)
		case !isTarget:
			s.Note("going on after %s, which is not it", stop.Error.Kind)
			stopErr = resume(runCtx, stop)
		default:
			shown = true
			stopErr = g.attach(runCtx, s.Target, stop)
		}
		if isTarget || stopErr != nil {
			cancel() // the rest of the run is of no interest
		}
	}
	run := &observation{session: s}
	begin := time.Now()
	code, err := s.Engine(runCtx, cfg, run)
	a := Attempt{ElapsedS: time.Since(begin).Seconds()}
	switch {
	case ctx.Err() != nil:
		return a, context.Cause(ctx)
	case stopErr != nil:
		return a, &RunError{result.ExitMachine, stopErr}
	case shown:
		a.Outcome, a.code = Reproduced, result.ExitFindings
		return a, nil
	case err != nil:
		return a, &RunError{code, err}
	}
	a.code = code
	if a.Outcome, a.Detail = run.outcome(); a.Outcome == Reproduced {
		// It was reported, but not by memcheck while the program ran.
		a.Detail = "it happened without a moment at which the program could be stopped"
	}
	return a, nil
}

// resume lets a stopped program go on: the server does when a request has been answered.
func resume(ctx context.Context, stop harness.Stop) error {
	if err := request(ctx, stop, "v.info", "n_errs_found"); err != nil && ctx.Err() == nil {
		return fmt.Errorf("going on after an error: %w", err)
	}
	return nil
}

// request asks the server for something. It waits for a server that does not answer, but not for ever.
func request(ctx context.Context, stop harness.Stop, words ...string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	command := append(slices.Clone(stop.Vgdb), words...)
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("asking memcheck's gdb server through vgdb: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

var errorAddress = regexp.MustCompile(`^Address (0x[0-9A-Fa-f]+) `)

// attach shows a program that memcheck has stopped.
func (g GDB) attach(ctx context.Context, t Target, stop harness.Stop) error {
	address := ""
	for _, section := range stop.Error.Sections {
		if m := errorAddress.FindStringSubmatch(section.Text.Text); m != nil {
			address = m[1]
		}
	}
	args := append(g.options(stop.GOROOT), "-ex", "target remote | "+shell.Command{Args: stop.Vgdb}.String())
	script, err := g.script(filepath.Dir(stop.Binary))
	if err != nil {
		return err
	}
	args = append(args, "-x", script)
	if g.Batch {
		fmt.Fprintf(g.Stdout, "\n== %s: %s\n", stop.Error.Kind, what(stop.Error))
		args = append(args, "-ex", "cgogrind where", "-ex", "cgogrind memory", "-ex", "monitor v.kill")
	} else {
		args = append(args, "-ex", "cgogrind where", "-ex", "echo "+welcome, "-ex", "set pagination on")
	}
	env := append(blameOf(t), "CGOGRIND_GDB_ADDRESS="+address, "CGOGRIND_GDB_MEMCHECK=1")
	err = g.run(ctx, append(args, stop.Binary), env, "")
	if ctx.Err() != nil {
		// gdb was ended before it could let the program go, which then waits for another.
		_ = request(context.WithoutCancel(ctx), stop, "v.kill")
	}
	return err
}

const welcome = `\nThe program stands still at the error, in the frame of the blamed line. up, down, print and info goroutines work.\n` +
	`  cgogrind memory            what memcheck knows of the address\n` +
	`  cgogrind block ADDRESS     who allocated and who freed a block\n` +
	`  cgogrind bits EXPRESSION   which bits are defined\n` +
	`  cgogrind points ADDRESS    where pointers to it are\n` +
	`  cgogrind reachable         the blocks in use\n` +
	`  continue                   up to the next error\n`

// what is the error in a line.
func what(e *valgrind.Error) string {
	text := e.What.Text
	for _, s := range e.Sections {
		if s.Text.Text != "" {
			text += "; " + s.Text.Text
		}
	}
	return text
}

// blameOf are the variables that name the blamed line to the script.
func blameOf(t Target) []string {
	if t.Stream == nil {
		return nil
	}
	for _, f := range t.Stream.Findings {
		if slices.Contains(t.Fingerprints, f.Fingerprint) && f.Blame != nil {
			return []string{"CGOGRIND_GDB_FILE=" + f.Blame.File, "CGOGRIND_GDB_LINE=" + strconv.Itoa(f.Blame.Line)}
		}
	}
	return nil
}

// options are gdb's: Go's own script is loaded without a line in anybody's ~/.gdbinit.
func (g GDB) options(goroot string) []string {
	args := []string{"-q", "-iex", "set auto-load local-gdbinit off"} // a .gdbinit in the working directory is anybody's
	if goroot != "" {
		args = append(args, "-iex", "add-auto-load-safe-path "+filepath.Join(goroot, "src", "runtime", "runtime-gdb.py"))
	}
	args = append(args, "-iex", "set print thread-events off", "-iex", "set confirm off", "-iex", "set pagination off")
	if real, err := filepath.EvalSymlinks(goroot); goroot != "" && err == nil && real != goroot {
		args = append(args, "-iex", "add-auto-load-safe-path "+filepath.Join(real, "src", "runtime", "runtime-gdb.py"))
	}
	if os.Getenv("DEBUGINFOD_URLS") == "" {
		args = append(args, "-iex", "set debuginfod enabled off")
	}
	if g.Batch {
		args = append([]string{"-nx", "-batch"}, append(args, "-iex", "set width 0", "-iex", "set style enabled off")...)
	}
	return args
}

// script writes the commands into a folder of the run.
func (g GDB) script(dir string) (string, error) {
	file := filepath.Join(dir, "cgogrind-gdb.py")
	if err := os.WriteFile(file, []byte(gdbStacks+gdbCommands), 0o600); err != nil {
		return "", fmt.Errorf("writing the script for gdb: %w", err)
	}
	return file, nil
}

// DebugNative runs the target without memcheck in gdb, up to a signal that C code got. The attempt says Reproduced if
// there was one.
func (s *Session) DebugNative(ctx context.Context, g GDB) (Attempt, error) {
	cfg, err := s.Configure(s.Target.Command)
	if err != nil {
		return Attempt{}, &RunError{result.ExitUsage, err}
	}
	var a Attempt
	begin := time.Now()
	code, err := s.build(ctx, cfg, func(ctx context.Context, p harness.TestBinary) error {
		script, err := g.script(p.Work)
		if err != nil {
			return err
		}
		status := filepath.Join(p.Work, "gdb.status")
		args := append(g.options(p.GOROOT), "-ex", "handle SIGURG SIGPIPE SIGPROF SIGCHLD SIGUSR1 SIGUSR2 nostop noprint pass",
			"-ex", "cd "+p.Dir, "-x", script, "-ex", "cgogrind start", "-ex", "cgogrind where", "-ex", "set pagination on")
		args = append(append(args, "--args", p.Binary), p.Args...)
		env := append(blameOf(s.Target), "CGOGRIND_GDB_STATUS="+status)
		g.start = p.Run
		if err := g.run(ctx, args, env, p.Dir, p.Env...); err != nil {
			return err
		}
		said, _ := os.ReadFile(status) // without it gdb did not come so far
		word, rest, _ := strings.Cut(string(said), " ")
		switch {
		case word == "signal":
			a.Outcome, a.Detail, a.code = Reproduced, "stopped by "+rest, result.ExitFail
		case word == "exited" && rest == "0":
			a.Outcome, a.Detail = NotReproduced, "the test passed: no signal reached C code"
		case word == "exited":
			a.Outcome, a.Detail, a.code = Different, "the test failed with exit code "+rest+", and no signal reached C code", result.ExitFail
		default:
			return fmt.Errorf("gdb did not run the program: %w; see cgogrind doctor for ptrace", ErrPtrace)
		}
		return nil
	})
	a.ElapsedS = time.Since(begin).Seconds()
	return a, traceError(ctx, code, err)
}

// ErrPtrace says that gdb or strace could not look into a program.
var ErrPtrace = errors.New("it may be forbidden here to trace programs")

// traceError is how building a test and running it under gdb or strace ended, with the engine's exit code.
func traceError(ctx context.Context, code result.ExitCode, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, ErrPtrace):
		return &RunError{result.ExitMachine, err}
	case err != nil:
		return &RunError{code, err}
	}
	return nil
}

// build is harness.Build, or what stands for it in a test.
func (s *Session) build(ctx context.Context, cfg harness.Config, use func(context.Context, harness.TestBinary) error) (result.ExitCode, error) {
	return harness.Build(ctx, cfg, use)
}

// run runs gdb to its end. An interactive one has the terminal for itself, with the signals of its keys.
func (g GDB) run(ctx context.Context, args, more []string, dir string, env ...string) error {
	if len(env) == 0 {
		env = os.Environ()
	}
	cmd := exec.CommandContext(ctx, g.Path, args...)
	cmd.Dir, cmd.Env = dir, append(slices.Clone(env), more...)
	cmd.Stdout, cmd.Stderr = g.Stdout, g.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	if !g.Batch {
		tty := int(g.Terminal.Fd())
		cmd.Stdin, cmd.Stdout, cmd.Stderr = g.Terminal, g.Terminal, g.Terminal
		cmd.SysProcAttr = &syscall.SysProcAttr{Foreground: true, Ctty: tty}
		// Afterwards the terminal is taken back, from the background.
		signal.Ignore(syscall.SIGTTOU)
		defer signal.Reset(syscall.SIGTTOU)
		defer func() { _ = unix.IoctlSetPointerInt(tty, unix.TIOCSPGRP, unix.Getpgrp()) }()
	}
	run := func(_ context.Context, cmd *exec.Cmd) error {
		// The death signal comes when the thread that forked ends: nobody else ends this one.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		return cmd.Run()
	}
	if g.start != nil {
		run = g.start
	}
	err := run(ctx, cmd)
	var exit *exec.ExitError
	if err != nil && ctx.Err() == nil && !errors.As(err, &exit) {
		return fmt.Errorf("running gdb: %w", err)
	}
	return nil // its exit code is that of its last command
}
