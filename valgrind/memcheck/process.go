package memcheck

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// Command is one program to run under memcheck.
type Command struct {
	Valgrind *Valgrind
	Options  Options

	// Program is the program's path, relative to Dir unless absolute. Valgrind looks a name without a slash up in PATH.
	Program string
	Args    []string // without the program
	Dir     string   // the working directory, this process's own if empty
	Env     []string // NAME=VALUE, this process's own if nil

	// Stdin is /dev/null when nil. The program is in a process group of its own: it would be stopped if it read from
	// the terminal.
	Stdin *os.File

	// Stdout and Stderr receive everything that valgrind, the program and its children write there, until all of them
	// are gone; nil discards. A writer that fails does not disturb the program: Wait returns its error. When both are
	// the same writer, it is called by one goroutine at a time.
	Stdout, Stderr io.Writer

	// Timeout ends the program when it has run for so long; 0 is for ever.
	Timeout time.Duration

	// QuitOnTimeout begins the end after a timeout with SIGQUIT to the program alone: a Go program answers with a dump
	// of its goroutines, which says where it hangs.
	QuitOnTimeout bool

	// Grace is how long a signal may take to have its effect before the next one is sent, DefaultGrace when 0. After
	// SIGTERM memcheck still looks for leaks and writes its report.
	Grace time.Duration
}

// DefaultGrace is the time between the signals that end a program.
const DefaultGrace = 10 * time.Second

// Ending says what ended a program.
type Ending string

// The endings. A program that this package ends may still exit in an orderly way.
const (
	Exited   Ending = "exited"   // by itself, or by a signal from somebody else
	TimedOut Ending = "timeout"  // ended by Command.Timeout
	Canceled Ending = "canceled" // ended because the context was done
)

// Result is how a run went.
type Result struct {
	PID int
	// Args is the command line: valgrind, its options, the program, its arguments.
	Args []string

	Ending Ending
	// ExitCode is the program's, as memcheck hands it on; -1 if a signal killed it. Signal is that signal, 0 if none.
	ExitCode int
	Signal   syscall.Signal

	Elapsed time.Duration
	CPU     time.Duration // user and system, of the process and the children that it waited for
	MaxRSS  int64         // bytes; the larger of the process's own peak and that of this process when it started it

	// Stderr is the end of what was written to standard error, at most 64 KiB; StderrSize is the size of all of it.
	Stderr     []byte
	StderrSize int64

	// Reports are the reports that exist, the program's own (PID) first; it may be missing. The others are those of
	// children.
	Reports []Report

	// Complaints are valgrind's own, from its log and, for what it says before it has one, from standard error. With any of
	// them the run is not to be trusted.
	Complaints []Complaint

	// Log is the end of what valgrind said beside the report, of the processes one after another, at most 64 KiB. Standard
	// error is the program's alone, once valgrind runs.
	Log []byte

	// Changed are the options that the program changed from inside (VALGRIND_CLO_CHANGE), as valgrind names them and in order, but
	// for those that say what valgrind tells of itself and how it can be spoken to. Errors may be missing for the others.
	Changed []string

	// Orphans are the processes that the program left behind in its process group. They were ended.
	Orphans []Orphan

	// OutputHeld: a process that left the process group still held standard output or standard error after Grace; what
	// it writes later is lost.
	OutputHeld bool
}

// Orphan is a process that outlived the program.
type Orphan struct {
	PID  int
	Name string // at most 15 bytes
}

// Process is a program that runs under memcheck.
type Process struct {
	pid     int
	report  string
	vgdb    []string // the command that reaches its gdb server
	tooLong chan struct{}
	expire  sync.Once
	done    chan struct{} // closed when result and err are set
	result  *Result
	err     error
}

// PID returns the id of the process, which is also that of its process group.
func (p *Process) PID() int { return p.pid }

// ReportFile returns the path of the process's own report. Memcheck creates it as it starts.
func (p *Process) ReportFile() string { return p.report }

// TimeOut ends the process as Command.Timeout does.
func (p *Process) TimeOut() { p.expire.Do(func() { close(p.tooLong) }) }

// MonitorCommand returns the command line that gives a command to the process's gdb server and prints its answer:
// https://valgrind.org/docs/manual/manual-core-adv.html#manual-core-adv.valgrind-monitor-commands. The gdb server must
// have been asked for with Options.Vgdb.
func (p *Process) MonitorCommand(command ...string) []string { return slices.Concat(p.vgdb, command) }

// Wait returns when the process and all that it left in its process group are gone and their output has been read. The
// result is never nil; an error says that a writer failed or that something could not be found out. Wait may be called
// several times and need not be called: the process is looked after without it.
func (p *Process) Wait() (*Result, error) {
	<-p.done
	return p.result, p.err
}

// Run starts the command and waits for its end.
func Run(ctx context.Context, c Command) (*Result, error) {
	p, err := Start(ctx, c)
	if err != nil {
		return nil, err
	}
	return p.Wait()
}

// Start starts the command. When the context is done or the time is over, the process group gets SIGTERM and after
// Grace SIGKILL.
//
// Should this process be killed, memcheck is killed with it. That does not reach the programs that the program has
// started.
//
// Start refuses a report pattern for which there are reports already: they would be taken for those of children.
func Start(ctx context.Context, c Command) (*Process, error) {
	command, pat, err := c.commandLine()
	if err != nil {
		return nil, fmt.Errorf("preparing memcheck: %w", err)
	}
	hard, err := hardDescriptorLimit()
	if err != nil {
		return nil, fmt.Errorf("preparing memcheck: %w", err)
	}
	soft, hard, err := descriptorLimits(hard)
	if err != nil {
		return nil, fmt.Errorf("preparing memcheck: %w", err)
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("starting memcheck: %w", context.Cause(ctx))
	}

	argv := launcher(soft, hard, command)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = c.Dir, c.Env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	grace := c.Grace
	if grace == 0 {
		grace = DefaultGrace
	}
	if c.Stdin != nil {
		cmd.Stdin = c.Stdin
	}
	out, err := connect(cmd, c.Stdout, c.Stderr)
	if err != nil {
		return nil, fmt.Errorf("preparing memcheck: %w", err)
	}

	p := &Process{done: make(chan struct{}), tooLong: make(chan struct{})}
	started := make(chan error)
	go func() {
		// Linux sends the death signal when the thread that forked ends, not the process: this one must live as long as
		// the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		begin := time.Now()
		if err := cmd.Start(); err != nil {
			out.close()
			started <- err
			return
		}
		out.copy()
		p.pid = cmd.Process.Pid
		p.report = pat.file(p.pid)
		p.vgdb = []string{c.Valgrind.vgdb(), fmt.Sprintf("--pid=%d", p.pid)}
		if c.Options.VgdbPrefix != "" {
			p.vgdb = append(p.vgdb, "--vgdb-prefix="+c.Options.VgdbPrefix)
		}
		started <- nil
		s := supervisor{cmd: cmd, group: p.pid, grace: grace}
		p.result, p.err = s.supervise(ctx, c.Timeout, p.tooLong, c.QuitOnTimeout)
		p.result.Args = command
		p.result.Elapsed = time.Since(begin)
		p.err = errors.Join(p.err, out.finish(p.result, grace))
		reports, err := pat.reports(p.pid)
		p.result.Reports = reports
		p.err = errors.Join(p.err, err, p.result.readLogs())
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting memcheck: %w", err)
	}
	return p, nil
}

// commandLine returns valgrind's command line, without the launcher, and the pattern of the reports.
func (c Command) commandLine() ([]string, pattern, error) {
	if c.Program == "" || strings.HasPrefix(c.Program, "-") {
		return nil, pattern{}, fmt.Errorf("program %q: valgrind takes a name that is empty or begins with a dash for an "+
			"option; give a path", c.Program)
	}
	if c.Dir != "" {
		if _, err := os.Stat(c.Dir); err != nil {
			return nil, pattern{}, fmt.Errorf("working directory: %w", err)
		}
	}
	options, err := c.Options.Args()
	if err != nil {
		return nil, pattern{}, err
	}
	pat, err := parsePattern(c.Options.XMLFile)
	if err != nil {
		return nil, pattern{}, err
	}
	old, err := pat.reports(0)
	if err != nil {
		return nil, pattern{}, err
	}
	if len(old) > 0 {
		return nil, pattern{}, fmt.Errorf("report %s exists already: each run needs a pattern of its own", old[0].Path)
	}
	return slices.Concat([]string{c.Valgrind.Path}, options, []string{c.Program}, c.Args), pat, nil
}

// readLogs takes what valgrind said, of the process itself first.
func (r *Result) readLogs() error {
	var errs []error
	found := complaints{found: r.Complaints}
	var said tail
	for _, report := range r.Reports {
		f, err := os.Open(report.Path + logSuffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was killed as it started
		}
		if err == nil {
			_, err = io.Copy(io.MultiWriter(&said, &found), f)
			found.endLine()
			f.Close()
			if report.PID == r.PID {
				r.Changed = found.changed
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("reading valgrind's messages: %w", err))
		}
	}
	r.Complaints, r.Log = found.found, said.bytes()
	return errors.Join(errs...)
}

// supervisor sees a started process to its end.
type supervisor struct {
	cmd   *exec.Cmd
	group int // process group, also the id of its leader
	grace time.Duration
}

func (s *supervisor) supervise(ctx context.Context, timeout time.Duration, expired <-chan struct{}, quit bool) (
	*Result, error) {
	r := &Result{PID: s.group, Ending: Exited}
	var errs []error

	ended := make(chan error, 1)
	go func() { ended <- awaitEnd(s.group) }()
	var tooLong <-chan time.Time
	if timeout > 0 {
		timer := time.NewTimer(timeout)
		defer timer.Stop()
		tooLong = timer.C
	}
	select {
	case err := <-ended:
		errs = append(errs, err)
	case <-ctx.Done():
		r.Ending = Canceled
		errs = append(errs, s.end(ended, false))
	case <-tooLong:
		r.Ending = TimedOut
		errs = append(errs, s.end(ended, quit))
	case <-expired:
		r.Ending = TimedOut
		errs = append(errs, s.end(ended, quit))
	}

	// The leader is a zombie until Wait below reaps it: until then nobody else can get its id, and the signals reach
	// this group or nobody.
	r.Orphans = members(s.group)
	s.endOrphans()

	var exit *exec.ExitError
	if err := s.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		errs = append(errs, fmt.Errorf("waiting for memcheck: %w", err))
	}
	if state := s.cmd.ProcessState; state != nil {
		r.ExitCode = state.ExitCode()
		if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			r.Signal = status.Signal()
		}
		r.CPU = state.UserTime() + state.SystemTime()
		if usage, ok := state.SysUsage().(*syscall.Rusage); ok {
			r.MaxRSS = usage.Maxrss << 10
		}
	}
	return r, errors.Join(errs...)
}

// end ends the process, politely first.
func (s *supervisor) end(ended <-chan error, quit bool) error {
	type step struct {
		target int
		signal syscall.Signal
	}
	steps := []step{{-s.group, syscall.SIGTERM}, {-s.group, syscall.SIGKILL}}
	if quit {
		// Not to the group: programs other than Go's would leave core dumps.
		steps = slices.Insert(steps, 0, step{s.group, syscall.SIGQUIT})
	}
	for _, st := range steps {
		_ = syscall.Kill(st.target, st.signal) // the process is there: it has not been reaped
		if st.signal == syscall.SIGKILL {
			break
		}
		select {
		case err := <-ended:
			return err
		case <-time.After(s.grace):
		}
	}
	return <-ended
}

// endOrphans ends what is left of the group: children under memcheck can write their reports after SIGTERM.
func (s *supervisor) endOrphans() {
	const interval = 20 * time.Millisecond
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		_ = syscall.Kill(-s.group, sig)
		for deadline := time.Now().Add(s.grace); time.Now().Before(deadline); time.Sleep(interval) {
			if len(members(s.group)) == 0 {
				return
			}
		}
	}
}

// awaitEnd waits until process pid, a child, has ended. It does not reap it.
func awaitEnd(pid int) error {
	const pPID = 1 // P_PID of waitid(2)
	var info [128]byte
	for {
		_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, pPID, uintptr(pid), uintptr(unsafe.Pointer(&info)),
			syscall.WEXITED|syscall.WNOWAIT, 0, 0)
		switch errno {
		case 0:
			return nil
		case syscall.EINTR:
		default:
			return fmt.Errorf("waiting for memcheck: %w", os.NewSyscallError("waitid", errno))
		}
	}
}

// members lists the living processes of a group but its leader, from /proc.
func members(group int) []Orphan {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1)
	var found []Orphan
	for _, name := range names {
		if name[0] < '0' || name[0] > '9' {
			continue
		}
		stat, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue // it has ended meanwhile
		}
		if pid, pgrp, comm, alive := parseStat(stat); alive && pgrp == group && pid != group {
			found = append(found, Orphan{pid, comm})
		}
	}
	slices.SortFunc(found, func(a, b Orphan) int { return a.PID - b.PID })
	return found
}

// parseStat reads a process's id, group and name from /proc/PID/stat: "PID (NAME) STATE PPID PGRP …", where the name
// may have blanks and parentheses. Zombies are not alive.
func parseStat(stat []byte) (pid, pgrp int, comm string, alive bool) {
	from, to := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if from < 0 || to < from {
		return 0, 0, "", false
	}
	var state string
	var ppid int
	if _, err := fmt.Sscan(string(stat[:from]), &pid); err != nil {
		return 0, 0, "", false
	}
	if _, err := fmt.Sscan(string(stat[to+1:]), &state, &ppid, &pgrp); err != nil {
		return 0, 0, "", false
	}
	return pid, pgrp, string(stat[from+1 : to]), state != "Z" && state != "X"
}

// output carries the two streams of a process to where they go.
type output struct {
	sinks      []*sink
	ours       []*os.File // ends of pipes that we read
	childs     []*os.File // ends of pipes that the process writes to
	copied     sync.WaitGroup
	tail       tail
	complaints complaints
}

// connect gives the command its streams.
func connect(cmd *exec.Cmd, stdout, stderr io.Writer) (*output, error) {
	o := new(output)
	lock := new(sync.Mutex)
	w, err := o.pipe(&sink{lock: lock, to: stderr, also: func(p []byte) {
		o.tail.write(p)
		o.complaints.write(p)
	}})
	if err != nil {
		return nil, err
	}
	cmd.Stderr = w
	switch f, isFile := stdout.(*os.File); {
	case stdout == nil:
	case isFile:
		cmd.Stdout = f // the program writes to it directly
	default:
		if !same(stdout, stderr) {
			lock = new(sync.Mutex)
		}
		w, err := o.pipe(&sink{lock: lock, to: stdout})
		if err != nil {
			o.close()
			return nil, err
		}
		cmd.Stdout = w
	}
	return o, nil
}

func (o *output) pipe(s *sink) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe: %w", err)
	}
	o.sinks, o.ours, o.childs = append(o.sinks, s), append(o.ours, r), append(o.childs, w)
	return w, nil
}

func (o *output) close() {
	for _, f := range slices.Concat(o.ours, o.childs) {
		f.Close()
	}
}

// copy begins to read, once the process has its ends.
func (o *output) copy() {
	for _, w := range o.childs {
		w.Close()
	}
	for i, r := range o.ours {
		o.copied.Go(func() {
			defer r.Close()
			_, err := io.Copy(o.sinks[i], r)
			if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
				o.sinks[i].fail(err)
			}
		})
	}
}

// finish reads the rest and fills in what the streams said. It gives up after grace when somebody keeps them open.
func (o *output) finish(r *Result, grace time.Duration) error {
	timer := time.AfterFunc(grace, func() {
		for _, f := range o.ours {
			_ = f.SetReadDeadline(time.Now()) // fails for one that is closed, which is as good
		}
	})
	o.copied.Wait()
	r.OutputHeld = !timer.Stop()

	o.complaints.endLine()
	r.Stderr, r.StderrSize = o.tail.bytes(), o.tail.size
	r.Complaints = o.complaints.found
	var errs []error
	for _, s := range o.sinks {
		if s.err != nil {
			errs = append(errs, fmt.Errorf("handing on the output of the program: %w", s.err))
		}
	}
	return errors.Join(errs...)
}

func same(a, b io.Writer) bool {
	return a != nil && b != nil && reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.TypeOf(a).Comparable() && a == b
}

// sink writes to a writer that may be nil until that fails, and from then on to nobody: a pipe that is not read stops
// the program, and one that is closed kills it.
type sink struct {
	lock *sync.Mutex
	to   io.Writer
	also func([]byte)
	err  error
}

func (s *sink) Write(p []byte) (int, error) {
	if s.also != nil {
		s.also(p)
	}
	if s.to != nil && s.err == nil {
		s.lock.Lock()
		defer s.lock.Unlock()
		_, err := s.to.Write(p)
		s.fail(err)
	}
	return len(p), nil
}

func (s *sink) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// tail keeps the last bytes of a stream.
type tail struct {
	kept []byte
	size int64
}

const tailSize = 64 << 10

// Write never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.write(p)
	return len(p), nil
}

func (t *tail) write(p []byte) {
	t.size += int64(len(p))
	t.kept = append(t.kept, p...)
	if len(t.kept) > 2*tailSize {
		t.kept = append(t.kept[:0], t.kept[len(t.kept)-tailSize:]...)
	}
}

func (t *tail) bytes() []byte {
	return slices.Clone(t.kept[max(0, len(t.kept)-tailSize):])
}
