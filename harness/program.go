package harness

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/cgogrind/cgogrind/harness/internal/allocator"
	"github.com/cgogrind/cgogrind/harness/internal/build"
	"github.com/cgogrind/cgogrind/harness/internal/judge"
	"github.com/cgogrind/cgogrind/harness/internal/shell"
	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
	"github.com/cgogrind/cgogrind/valgrind/memcheck"
)

// Program is a program that RunProgram runs, and how it is connected.
type Program struct {
	// Path is a finished program, looked up in PATH if it has no slash. If it is empty, Config.Patterns names a main
	// package (or its Go files), which is built and run.
	Path string
	Args []string

	Stdin *os.File // nothing if nil
	// Stdout and Stderr receive what the program prints.
	Stdout, Stderr io.Writer

	// Signals are handed on to the program. The second SIGINT or SIGTERM ends it in an orderly way, after it got that
	// one, too, the third at once. With Signals, the context counts until the program starts.
	Signals <-chan os.Signal
	// LeakSignal is not handed on: it asks for a leak check while the program runs. None if nil.
	LeakSignal os.Signal
}

// RunProgram runs one program under memcheck: like Run, with one verdict on the program, named after it. A Rust test
// binary has a verdict for each of its tests, and a Go test binary that Compile made is run as Run runs it. Findings are
// progress messages as they happen. When ctx is done, the program is ended in an orderly way.
func RunProgram(ctx context.Context, cfg Config, p Program, h result.Handler) (result.ExitCode, error) {
	r, err := newRun(cfg, h)
	if err != nil {
		return result.ExitMachine, err
	}
	return r.end(r.program(ctx, p))
}

// BuildProgram builds the main package that Config.Patterns names against the instrumented runtime and saves it as
// output, with its description beside it.
func BuildProgram(ctx context.Context, cfg Config, output string) (result.ExitCode, error) {
	r, err := newRun(cfg, nil)
	if err != nil {
		return result.ExitMachine, err
	}
	return r.end(r.save(ctx, output, func() (*build.Result, error) { return build.Main(ctx, r.buildConfig()) }))
}

// Compile builds test binaries and saves them with their descriptions, as go test -c does: as output, or in that folder
// if it is one; in the working directory if output is empty. A binary and its description run on a machine without Go,
// with RunProgram.
func Compile(ctx context.Context, cfg Config, output string) (result.ExitCode, error) {
	r, err := newRun(cfg, nil)
	if err != nil {
		return result.ExitMachine, err
	}
	return r.end(r.save(ctx, output, func() (*build.Result, error) { return build.Build(ctx, r.buildConfig()) }))
}

// save builds and copies what was built.
func (r *run) save(ctx context.Context, output string, make func() (*build.Result, error)) (result.ExitCode, error) {
	if code, err := r.makeWorkDir(); err != nil {
		return code, err
	}
	built, err := make()
	if err != nil {
		return buildCode(ctx, err), err
	}
	var withBinary []build.Package
	failed := false
	for _, p := range built.Packages {
		if p.Failed != nil {
			fmt.Fprintf(r.cfg.Notes, "%s: %s\n%s\n", p.ImportPath, p.Failed.Reason, p.Failed.Output)
			failed = true
		} else if p.Binary != "" {
			withBinary = append(withBinary, p)
		} else {
			fmt.Fprintf(r.cfg.Notes, "%s: no test files\n", p.ImportPath)
		}
	}
	isDir := output == "" || strings.HasSuffix(output, "/")
	if info, err := os.Stat(output); err == nil && info.IsDir() {
		isDir = true
	}
	switch {
	case len(withBinary) == 0:
		return result.ExitUsage, errors.New("there is nothing to build: no package has tests")
	case len(withBinary) > 1 && !isDir:
		return result.ExitUsage, fmt.Errorf("%d packages do not fit into one file, %s: -o must name a folder (end it with /)",
			len(withBinary), output)
	}
	for _, p := range withBinary {
		to := output
		if isDir {
			if output != "" {
				if err := os.MkdirAll(output, 0o777); err != nil {
					return result.ExitUsage, fmt.Errorf("making the folder for the binaries: %w", err)
				}
			}
			to = filepath.Join(output, filepath.Base(p.Binary))
		}
		if err := built.Save(p, r.cfg.Runtime, to); err != nil {
			return result.ExitUsage, err
		}
		fmt.Fprintf(r.cfg.Notes, "%s and %s: run it with cgogrind exec\n", to, filepath.Base(build.DescriptionFile(to)))
	}
	if failed {
		return result.ExitFail, errors.New("not all packages could be built")
	}
	return 0, nil
}

// program runs a program.
func (r *run) program(ctx context.Context, p Program) (result.ExitCode, error) {
	if code, err := r.setUp(ctx); err != nil {
		return code, err
	}
	var s *subject
	if p.Path == "" {
		built, err := build.Main(ctx, r.buildConfig())
		if err != nil {
			return buildCode(ctx, err), err
		}
		r.built = built
		s = &subject{path: built.Packages[0].Binary, again: r.runAgain(p)}
		s.of(built)
		if code, err := r.inspect(ctx, allocator.Program{Path: s.path, Env: r.cfg.Env}, s.label); err != nil {
			return code, err
		}
	} else {
		var code result.ExitCode
		var err error
		if s, code, err = r.finished(ctx, p); err != nil {
			return code, err
		}
		if s == nil {
			return r.runPackages(ctx)
		}
		if r.built == nil {
			r.built, r.cfg.Runtime = &build.Result{}, ""
		}
	}
	if p.Signals != nil {
		ctx = context.WithoutCancel(ctx)
	}
	runCtx, cancel := r.begin(ctx)
	defer cancel()
	if err := r.runSubject(runCtx, cancel, s, p); err != nil {
		r.emit(result.Message{Test: &result.Test{
			Package: s.label, Name: s.name, Verdict: result.Inconclusive, Reason: err.Error(),
		}})
	}
	return r.summarize()
}

// runAgain is the command that builds and runs a main package again.
func (r *run) runAgain(p Program) string {
	c := r.repro(build.Package{})
	return shell.Command{
		Env: c.Env, Args: slices.Concat([]string{"cgogrind", "run"}, c.Flags, r.cfg.Patterns, p.Args),
	}.String()
}

// runSubject runs the program under memcheck and judges it.
func (r *run) runSubject(ctx context.Context, stop context.CancelFunc, s *subject, p Program) error {
	fail := func(err error) error { return fmt.Errorf("running %s: %w", s.label, err) }
	binary, err := filepath.EvalSymlinks(s.path)
	if err != nil {
		return fail(err)
	}
	token := make([]byte, 16)
	rand.Read(token) // never fails
	cfg := s.judge
	cfg.Binary, cfg.Token, cfg.AllFrames, cfg.Dispose = binary, hex.EncodeToString(token), r.cfg.AllFrames, r.cfg.Dispose
	j := judge.New(cfg, func(m result.Message) { r.emit(m) })

	var supps []string
	if shebang(s.path) == "" {
		file, err := r.supps.file(s.path)
		if err != nil {
			return fail(err)
		}
		supps = append(supps, file)
	}
	monitor := newMonitor(r.valgrind, filepath.Join(r.work.path, "vgdb"))
	opts := memcheck.Options{
		XMLFile: memcheck.Literal(r.work.path) + "/000.%p.xml", Suppressions: supps,
		TraceChildren: r.cfg.TraceChildren, Vgdb: monitor.mode(),
		Extra: append([]string{exactCalls, registers(false)}, monitor.options()...),
	}
	r.cfg.Profile.Set(&opts)
	optArgs, err := opts.Args()
	if err != nil {
		return fail(err)
	}
	proc := j.Program(slices.Concat([]string{r.valgrind.Path}, optArgs, []string{s.path}, p.Args), s.name, s.again, s.libtest)
	stdin, closeStdin, err := connectStdin(p.Stdin)
	if err != nil {
		return fail(err)
	}
	defer closeStdin()
	stdout := p.Stdout
	if s.libtest != nil {
		stdout = io.MultiWriter(p.Stdout, s.libtest)
	}
	limit := max(0, r.cfg.Timeout)
	running, err := memcheck.Start(ctx, memcheck.Command{
		Valgrind: r.valgrind, Options: opts, Program: s.path, Args: p.Args, Env: r.programEnv(s.isGo, cfg.Token),
		Stdin: stdin, Stdout: stdout, Stderr: io.MultiWriter(p.Stderr, proc.Output()),
		Timeout: limit, QuitOnTimeout: s.isGo,
	})
	if err != nil {
		return fail(err)
	}

	defer r.work.watch(running.PID())()
	var mu sync.Mutex // guards proc
	signals := func(ended <-chan struct{}) {
		var checks sync.WaitGroup
		defer checks.Wait()
		ends := 0
		for {
			var sig os.Signal
			select {
			case <-ended:
				return
			case sig = <-p.Signals:
			}
			if sig == p.LeakSignal {
				checks.Go(func() {
					text, err := monitor.leakCheck(ctx, running.PID())
					if err != nil {
						r.note("no leak check: %v", err)
						return
					}
					mu.Lock()
					defer mu.Unlock()
					r.note("leak check: %s", proc.Leaks(text))
				})
				continue
			}
			forward(running.PID(), sig)
			if sig == os.Interrupt || sig == syscall.SIGTERM {
				switch ends++; ends {
				case 2:
					stop()
				case 3:
					_ = syscall.Kill(-running.PID(), syscall.SIGKILL) // it may have ended
				}
			}
		}
	}
	res, err := follow(ctx, running, signals, func(ev valgrind.Event, err error) {
		mu.Lock()
		defer mu.Unlock()
		proc.Event(ev, err)
	})
	o := r.outcome(res, err)
	if res.Ending == memcheck.TimedOut {
		o.Stopped = fmt.Sprintf("the program took longer than %s", limit)
	}
	o.Elapsed = res.Elapsed
	proc.Finish(o)
	r.judgeChildren(j.Children(), res)
	j.Finish()
	r.supps.count(j.Suppressed())
	return nil
}

// judgeChildren judges the programs that a program started, which were run under memcheck, too.
func (r *run) judgeChildren(c *judge.Children, res *memcheck.Result) {
	if !r.cfg.TraceChildren {
		return
	}
	for _, report := range res.Reports {
		if report.PID == res.PID {
			continue
		}
		f, err := os.Open(report.Path)
		if err != nil {
			c.Lost(report.PID, err)
			continue
		}
		child := c.Child()
		for ev, err := range valgrind.Read(f) {
			child.Event(ev, err)
		}
		child.Finish()
		_ = f.Close() // it was read only
	}
}

// forward hands a signal on. Those that a terminal sends go to the whole process group, as the terminal would send them.
func forward(pid int, sig os.Signal) {
	s, ok := sig.(syscall.Signal)
	if !ok {
		return
	}
	if s == syscall.SIGINT || s == syscall.SIGQUIT {
		pid = -pid
	}
	_ = syscall.Kill(pid, s) // it may have ended
}

// programEnv is the environment of a program.
func (r *run) programEnv(isGo bool, token string) []string {
	if isGo {
		env := set(r.memcheckEnv(r.testEnv(build.Package{}, token)), "PWD", r.cfg.Dir)
		if r.cfg.Runtime == result.Stock { // which does not take it out again
			env = slices.DeleteFunc(env, func(kv string) bool { return strings.HasPrefix(kv, "CGOGRIND_") })
		}
		return env
	}
	return set(slices.Clone(r.cfg.Env), "CGOGRIND", "1")
}

// monitor asks a memcheck that runs for leaks, through its gdb server.
type monitor struct {
	vgdb   string // the program; empty if it is not there
	prefix string // of the names of its pipes
}

func newMonitor(v *memcheck.Valgrind, prefix string) monitor {
	path, err := exec.LookPath(filepath.Join(filepath.Dir(v.Path), "vgdb"))
	if err != nil {
		path = ""
	}
	return monitor{path, prefix}
}

func (m monitor) mode() memcheck.Vgdb {
	if m.vgdb == "" {
		return memcheck.VgdbNo
	}
	return memcheck.VgdbYes
}

func (m monitor) options() []string {
	if m.vgdb == "" {
		return nil
	}
	// Whole paths in the answers of the monitor.
	return []string{"--vgdb-prefix=" + m.prefix, "--fullpath-after="}
}

// leakCheckTimeout is how long memcheck may take to look through memory.
const leakCheckTimeout = 5 * time.Minute

func (m monitor) leakCheck(ctx context.Context, pid int) (string, error) {
	if m.vgdb == "" {
		return "", errors.New("there is no vgdb beside valgrind")
	}
	ctx, cancel := context.WithTimeout(ctx, leakCheckTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, m.vgdb, fmt.Sprintf("--pid=%d", pid), "--vgdb-prefix="+m.prefix,
		"leak_check", "full", "definiteleak", "any")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		said := strings.TrimSpace(stderr.String())
		return "", fmt.Errorf("asking memcheck with vgdb: %w: %s", err, said[strings.LastIndexByte(said, '\n')+1:])
	}
	return string(out), nil
}

// connectStdin gives the program a standard input. It is in a process group of its own, which must not read from the
// terminal: what is typed there is handed on through a pipe.
func connectStdin(from *os.File) (*os.File, func(), error) {
	if from == nil || !term.IsTerminal(int(from.Fd())) {
		return from, func() {}, nil
	}
	in, out, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("making a pipe: %w", err)
	}
	done := make(chan struct{})
	go func() {
		defer out.Close()
		copyTerminal(out, int(from.Fd()), done)
	}()
	return in, func() { close(done); _ = in.Close() }, nil
}

// copyTerminal copies what is typed until done is closed or the input ends. It reads only while this process is in the
// foreground: it would be stopped otherwise.
func copyTerminal(to io.Writer, fd int, done <-chan struct{}) {
	const interval = 100 // milliseconds
	buf := make([]byte, 4096)
	for {
		select {
		case <-done:
			return
		default:
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, interval)
		if errors.Is(err, unix.EINTR) || err == nil && n == 0 {
			continue
		}
		if group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP); err != nil || group != unix.Getpgrp() {
			time.Sleep(interval * time.Millisecond)
			continue
		}
		n, err = unix.Read(fd, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return // the program closed it
		}
	}
}
