package repro

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cgogrind/cgogrind/harness"
	"github.com/cgogrind/cgogrind/harness/result"
)

// Strace is how to list system calls.
type Strace struct {
	Path string // strace's
	// All shows those of Go's scheduler and memory management, and of the programs that the test binary started, too.
	All    bool
	Stdout io.Writer
}

// traced is a system call, a signal, or a mark of the test.
type traced struct {
	at     float64 // seconds
	thread int
	pid    int    // of the thread, for the kernel
	name   string // of the system call; empty for others
	text   string
}

// Trace runs the target without memcheck under strace and lists the system calls between the marks of the test.
func (s *Session) Trace(ctx context.Context, st Strace) (Attempt, error) {
	cfg, err := s.Configure(s.Target.Command)
	if err != nil {
		return Attempt{}, &RunError{result.ExitUsage, err}
	}
	var a Attempt
	begin := time.Now()
	code, err := harness.Build(ctx, cfg, func(ctx context.Context, p harness.TestBinary) error {
		file := filepath.Join(p.Work, "strace")
		args := append([]string{"-f", "-ttt", "-y", "-s", "1024", "-o", file, "--", p.Binary}, p.Args...)
		cmd := exec.Command(st.Path, args...)
		cmd.Dir, cmd.Env = p.Dir, p.Env
		var said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &said, &said
		runErr := p.Run(ctx, cmd)
		f, err := os.Open(file)
		if err != nil {
			return fmt.Errorf("strace did not run the program (%v): %w: %s", runErr, ErrPtrace, strings.TrimSpace(said.String()))
		}
		defer f.Close()
		calls, err := readTrace(f)
		switch {
		case err != nil:
			return err
		case len(calls) == 0:
			return fmt.Errorf("strace did not run the program (%v): %w: %s", runErr, ErrPtrace, strings.TrimSpace(said.String()))
		}
		a.Outcome = NotReproduced
		if runErr != nil && ctx.Err() == nil {
			a.Outcome, a.Detail, a.code = Different, "natively the test fails: "+runErr.Error(), result.ExitFail
		}
		return s.writeTrace(st, calls)
	})
	a.ElapsedS = time.Since(begin).Seconds()
	return a, traceError(ctx, code, err)
}

var (
	traceLine  = regexp.MustCompile(`^([0-9]+) +([0-9]+\.[0-9]+) (.*)$`)
	callName   = regexp.MustCompile(`^([a-z_][a-z0-9_]*)\(`)
	resumed    = regexp.MustCompile(`^<\.\.\. [a-z0-9_]+ resumed>(.*)$`)
	unfinished = " <unfinished ...>"
)

// readTrace reads what strace -f -ttt -o wrote. A call that others interrupt is put together where it began.
func readTrace(r io.Reader) ([]traced, error) {
	var calls []traced
	open := map[int]int{}    // thread to the index of the call that it is in
	threads := map[int]int{} // by process id, numbered from 1
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		m := traceLine.FindStringSubmatch(lines.Text())
		if m == nil {
			continue // a line that was cut when the process was killed
		}
		pid, _ := strconv.Atoi(m[1])
		at, _ := strconv.ParseFloat(m[2], 64)
		if threads[pid] == 0 {
			threads[pid] = len(threads) + 1
		}
		thread, text := threads[pid], m[3]
		if rest := resumed.FindStringSubmatch(text); rest != nil {
			if i, ok := open[thread]; ok {
				calls[i].text += rest[1]
				delete(open, thread)
			}
			continue
		}
		c := traced{at: at, thread: thread, pid: pid, text: text}
		if name := callName.FindStringSubmatch(text); name != nil {
			c.name = name[1]
		}
		if before, ok := strings.CutSuffix(text, unfinished); ok {
			c.text = before
			open[thread] = len(calls)
		}
		calls = append(calls, c)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading strace's output: %w", err)
	}
	return calls, nil
}

// newThread is a call that made a thread of the same process: clone(…CLONE_THREAD…) = 4711, clone3 alike.
var newThread = regexp.MustCompile(`^clone3?\(.*CLONE_THREAD.*\) = ([0-9]+)$`)

// ofTest is what the test binary's own process did, without the programs that it started.
func ofTest(calls []traced) []traced {
	if len(calls) == 0 {
		return nil
	}
	own := map[int]bool{calls[0].pid: true}
	// A thread's first calls may stand before the end of the call that made it.
	for grown := true; grown; {
		grown = false
		for _, c := range calls {
			m := newThread.FindStringSubmatch(c.text)
			if m == nil || !own[c.pid] {
				continue
			}
			if pid, err := strconv.Atoi(m[1]); err == nil && !own[pid] {
				own[pid], grown = true, true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(calls), func(c traced) bool { return !own[c.pid] })
}

// schedulers are calls of Go's scheduler and memory management, of which there are many in any program.
var schedulers = []string{
	"futex", "nanosleep", "clock_nanosleep", "sched_yield", "epoll_pwait", "epoll_wait", "rt_sigprocmask", "rt_sigreturn",
	"rt_sigaction", "sigaltstack", "tgkill", "gettid", "getpid", "madvise", "timer_create", "timer_settime", "timer_delete",
	"rseq", "set_robust_list", "restart_syscall", "membarrier",
}

// mark is what testing writes with -test.v=test2json: "\26=== RUN   TestX\n", "\26    --- PASS: TestX/sub (0.00s)\n".
var mark = regexp.MustCompile(`^write\(1<[^>]*>, "(?:\\26)? *(=== RUN|--- PASS:|--- FAIL:|--- SKIP:) +((?:[^ "\\]|\\[0-7]{1,3}|\\["\\])+)`)

// markOf reads a mark and the name of its test; both are empty for another call.
func markOf(c traced) (word, test string) {
	m := mark.FindStringSubmatch(c.text)
	if m == nil {
		return "", ""
	}
	return m[1], escape.ReplaceAllStringFunc(m[2], func(e string) string {
		if n, err := strconv.ParseUint(e[1:], 8, 8); err == nil {
			return string([]byte{byte(n)})
		}
		return e[1:]
	})
}

// escape is how strace writes a byte that is not plain ASCII.
var escape = regexp.MustCompile(`\\(?:[0-7]{1,3}|.)`)

// longString is one of which the beginning is enough; the names of tests need more.
var longString = regexp.MustCompile(`"((?:[^"\\]|\\.){160})(?:[^"\\]|\\.)+"(?:\.\.\.)?`)

// dumpBegins is the first thing that Go writes about a crash, of some hundred pieces.
var dumpBegins = regexp.MustCompile(`^write\(2<[^>]*>, "(SIG[A-Z]+: |fatal error: |unexpected fault address |panic: )`)

// writeTrace writes what happened between the marks of the target's test.
func (s *Session) writeTrace(st Strace, calls []traced) error {
	name := s.Target.Test
	if top, _, _ := strings.Cut(name, "/"); !goTest.MatchString(top) {
		name = s.Target.runs() // a spec: the test of its suite
	}
	if !st.All {
		calls = ofTest(calls)
	}
	from, to := -1, len(calls)
	for i, c := range calls {
		word, test := markOf(c)
		switch {
		case word == "" || name != "" && test != name:
		case word == "=== RUN" && from < 0:
			from = i
		case word != "=== RUN" && from >= 0 && to == len(calls) && name != "": // all of a package's have no end
			to = i
		}
	}
	if from < 0 {
		return fmt.Errorf("%w: %s did not begin", ErrNoTest, name)
	}
	related := s.relatedCall()
	var b strings.Builder
	shown, hidden, dump := 0, 0, false
	var threads []int
	start := calls[from].at
	for i, c := range calls[from:min(to+1, len(calls))] {
		signal := strings.HasPrefix(c.text, "--- ") && !strings.Contains(c.text, "SIGURG") && !strings.Contains(c.text, "SIGCHLD")
		text, sign := longString.ReplaceAllString(c.text, `"$1"...`), " "
		switch word, test := markOf(c); {
		case word != "":
			text, sign = word+" "+test, "="
		case signal || strings.HasPrefix(c.text, "+++ killed"):
			sign = "!"
		case c.name == "" || !st.All && slices.Contains(schedulers, c.name):
			hidden++
			continue
		case strings.HasPrefix(c.text, "write(2<") && (dump || dumpBegins.MatchString(c.text)):
			if dump {
				continue
			}
			dump, text = true, "Go writes what its goroutines were doing"
		case c.name == related:
			sign = ">"
		}
		if i > 0 && c.name != "" && sign != "=" {
			shown++
		}
		if !slices.Contains(threads, c.thread) {
			threads = append(threads, c.thread)
		}
		fmt.Fprintf(&b, "%s %10.6f  T%-3d %s\n", sign, c.at-start, c.thread, text)
	}
	if name == "" {
		name = "all tests of " + s.Target.Package
	}
	title := fmt.Sprintf("system calls of %s, without memcheck: %d in %d threads", name, shown, len(threads))
	if hidden > 0 && !st.All {
		title += fmt.Sprintf("; %d of Go's scheduler are left out (--all shows them)", hidden)
	}
	if related != "" {
		title += fmt.Sprintf("; > is %s, which the finding is about", related)
	}
	_, err := fmt.Fprintf(st.Stdout, "%s\n\n%s", title, b.String())
	return err
}

// runs is the top-level test that the target's command runs; empty for all.
func (t Target) runs() string {
	i := slices.Index(t.Command.Args, "-run")
	if i < 0 || i+1 >= len(t.Command.Args) {
		return ""
	}
	return strings.Trim(t.Command.Args[i+1], "^$")
}

var syscallParam = regexp.MustCompile(`^Syscall param ([a-z0-9_]+)`)

// relatedCall is the system call that the finding is about; empty if it is about none.
func (s *Session) relatedCall() string {
	if s.Target.Stream == nil {
		return ""
	}
	for _, f := range s.Target.Stream.Findings {
		if m := syscallParam.FindStringSubmatch(f.Message); m != nil && slices.Contains(s.Target.Fingerprints, f.Fingerprint) {
			return m[1]
		}
	}
	return ""
}
