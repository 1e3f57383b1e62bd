package memcheck

import (
	"bufio"
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// need finds valgrind, or skips the test; with CI=true it fails instead.
func need(t *testing.T) *Valgrind {
	t.Helper()
	v, err := Find(t.Context(), "")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return v
}

// program compiles a C program.
func program(t *testing.T, source string) string {
	t.Helper()
	dir := t.TempDir()
	c, exe := filepath.Join(dir, "prog.c"), filepath.Join(dir, "prog")
	if err := os.WriteFile(c, []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("gcc", "-g", "-O0", "-w", "-o", exe, c).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	return exe
}

func command(t *testing.T, exe string, args ...string) Command {
	t.Helper()
	return Command{
		Valgrind: need(t),
		Options:  Options{XMLFile: filepath.Join(t.TempDir(), "memcheck.%p.xml")},
		Program:  exe,
		Args:     args,
		Grace:    5 * time.Second,
	}
}

// run runs a command and checks what holds for every one: it left no process and its own report is named first.
func run(t *testing.T, c Command) *Result {
	t.Helper()
	r, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	checkEnd(t, r)
	return r
}

func checkEnd(t *testing.T, r *Result) {
	t.Helper()
	if left := members(r.PID); len(left) != 0 { // a zombie that nobody reaps yet is no leftover
		t.Errorf("left in process group %d: %v", r.PID, left)
	}
	if err := syscall.Kill(r.PID, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d has not been reaped: %v", r.PID, err)
	}
	if len(r.Reports) == 0 || r.Reports[0].PID != r.PID {
		t.Errorf("reports %v, want that of process %d first; standard error:\n%s", r.Reports, r.PID, r.Stderr)
	}
	if r.Elapsed <= 0 || r.CPU <= 0 || r.MaxRSS < 10<<20 {
		t.Errorf("elapsed %v, CPU %v, memory %d", r.Elapsed, r.CPU, r.MaxRSS)
	}
}

// whole says whether a report ends as one of a run that was not cut short.
func whole(t *testing.T, path string) bool {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for dec := xml.NewDecoder(bytes.NewReader(text)); ; {
		if _, err := dec.Token(); err == io.EOF {
			break
		} else if err != nil {
			return false
		}
	}
	return bytes.Contains(text, []byte("<errorcounts>")) && bytes.Contains(text, []byte("<suppcounts>"))
}

func TestRunExitCodes(t *testing.T) {
	exe := program(t, `#include <stdlib.h>
int main(int c, char **v) { return atoi(v[1]); }`)
	for _, code := range []int{0, 7} {
		r := run(t, command(t, exe, strconv.Itoa(code)))
		if r.Ending != Exited || r.ExitCode != code || r.Signal != 0 || len(r.Complaints) != 0 || len(r.Orphans) != 0 ||
			r.OutputHeld {
			t.Errorf("exit %d: %+v", code, r)
		}
		if len(r.Reports) != 1 || !whole(t, r.Reports[0].Path) {
			t.Errorf("exit %d: reports %v, want one that is whole", code, r.Reports)
		}
		if len(r.Stderr) != 0 {
			t.Errorf("exit %d: standard error %q", code, r.Stderr)
		}
		if !slices.Equal(r.Args[len(r.Args)-2:], []string{exe, strconv.Itoa(code)}) {
			t.Errorf("exit %d: command line %q", code, r.Args)
		}
	}
}

func TestRunFindsErrors(t *testing.T) {
	exe := program(t, `#include <stdlib.h>
char *p; int main() { p = malloc(33); p[33] = 1; p = 0; return 0; }`)
	r := run(t, command(t, exe))
	report, _ := os.ReadFile(r.Reports[0].Path)
	for _, kind := range []string{"InvalidWrite", "Leak_DefinitelyLost"} {
		if !bytes.Contains(report, []byte("<kind>"+kind+"</kind>")) {
			t.Errorf("no %s in the report:\n%s", kind, report)
		}
	}
}

// What stays in the report when leaks are not asked for: --xml=yes forces a leak check.
func TestRunWithoutLeaks(t *testing.T) {
	c := command(t, program(t, `#include <stdlib.h>
char *p; int main() { p = malloc(33); p = 0; return 0; }`))
	c.Options.LeakCheck = LeakNo
	r := run(t, c)
	if report, _ := os.ReadFile(r.Reports[0].Path); bytes.Contains(report, []byte("Leak_")) || !whole(t, r.Reports[0].Path) {
		t.Errorf("want a whole report without leaks:\n%s", report)
	}
}

func TestRunSegfault(t *testing.T) {
	c := command(t, program(t, `int main() { *(volatile int *)0 = 1; return 0; }`))
	c.Dir = t.TempDir()
	r := run(t, c)
	if r.Ending != Exited || r.Signal != syscall.SIGSEGV || r.ExitCode != -1 {
		t.Errorf("%+v, want SIGSEGV", r)
	}
	if left, _ := os.ReadDir(c.Dir); len(left) != 0 {
		t.Errorf("files left in the directory of the program: %v", left)
	}
}

// hang ignores SIGTERM and says so.
const hang = `#include <signal.h>
#include <stdio.h>
#include <unistd.h>
int main() {
	signal(SIGTERM, SIG_IGN);
	puts("ready"); fflush(stdout);
	for (;;) pause();
}`

// startUntilReady starts the command and waits for its first line on standard output.
func startUntilReady(t *testing.T, ctx context.Context, c Command) *Process {
	t.Helper()
	out, in := io.Pipe()
	c.Stdout = in
	p, err := Start(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		<-p.done
		in.Close()
	}()
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	if err != nil || line != "ready\n" {
		r, _ := p.Wait()
		t.Fatalf("first line %q, %v; standard error:\n%s", line, err, r.Stderr)
	}
	go io.Copy(io.Discard, lines)
	return p
}

func TestCancelKillsWhatIgnoresSIGTERM(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := command(t, program(t, hang))
	c.Grace = 200 * time.Millisecond
	p := startUntilReady(t, ctx, c)
	if !strings.HasSuffix(p.ReportFile(), fmt.Sprintf("memcheck.%d.xml", p.PID())) {
		t.Errorf("report file %s of process %d", p.ReportFile(), p.PID())
	}
	cancel()
	r, err := p.Wait()
	if err != nil {
		t.Fatal(err)
	}
	checkEnd(t, r)
	if r.Ending != Canceled || r.Signal != syscall.SIGKILL || r.ExitCode != -1 {
		t.Errorf("%+v, want canceled, by SIGKILL", r)
	}
	if whole(t, p.ReportFile()) {
		t.Error("the report of a killed memcheck is whole")
	}
}

func TestCancelLetsMemcheckFinish(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	exe := program(t, `#include <stdio.h>
#include <unistd.h>
int main() { puts("ready"); fflush(stdout); for (;;) pause(); }`)
	c := command(t, exe)
	c.Grace = time.Minute
	p := startUntilReady(t, ctx, c)
	cancel()
	r, err := p.Wait()
	if err != nil {
		t.Fatal(err)
	}
	checkEnd(t, r)
	if r.Ending != Canceled || r.Signal != syscall.SIGTERM || !whole(t, p.ReportFile()) {
		t.Errorf("%+v, want canceled by SIGTERM with a whole report", r)
	}
}

func TestTimeoutWithSIGQUIT(t *testing.T) {
	c := command(t, program(t, `#include <signal.h>
#include <unistd.h>
void quit(int s) { write(2, "dump\n", 5); _exit(2); }
int main() { signal(SIGQUIT, quit); for (;;) pause(); }`))
	c.Timeout = 3 * time.Second
	c.QuitOnTimeout = true
	r := run(t, c)
	// On a machine that is very busy the program may not have come to its handler.
	if r.Ending != TimedOut || (r.ExitCode != 2 && r.Signal != syscall.SIGQUIT) {
		t.Errorf("%+v, want ended by timeout with exit code 2", r)
	}
	if r.ExitCode == 2 && string(r.Stderr) != "dump\n" {
		t.Errorf("standard error %q", r.Stderr)
	}
}

func TestStartWithDoneContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, command(t, "/bin/true")); !errors.Is(err, context.Canceled) {
		t.Errorf("Start = %v, want the context's error", err)
	}
}

const forkExec = `#include <sys/wait.h>
#include <unistd.h>
int main(int c, char **v) {
	if (c > 1) return 5;
	if (fork() == 0) { execl(v[0], v[0], "child", (char *)0); _exit(9); }
	int status;
	wait(&status);
	return WEXITSTATUS(status);
}`

func TestChildIsNotTraced(t *testing.T) {
	r := run(t, command(t, program(t, forkExec)))
	if r.ExitCode != 5 || len(r.Reports) != 1 || !whole(t, r.Reports[0].Path) {
		t.Errorf("%+v, want exit code 5 and one report", r)
	}
}

func TestTraceChildren(t *testing.T) {
	c := command(t, program(t, forkExec))
	c.Options.TraceChildren = true
	r := run(t, c)
	if r.ExitCode != 5 || len(r.Reports) != 2 || !whole(t, r.Reports[0].Path) || !whole(t, r.Reports[1].Path) {
		t.Errorf("%+v, want exit code 5 and two whole reports", r)
	}
}

func TestOrphanThatHoldsOutput(t *testing.T) {
	exe := program(t, `#include <stdio.h>
#include <unistd.h>
int main() {
	if (fork() == 0) { execl("/bin/sh", "sh", "-c", "exec sleep 1000", (char *)0); _exit(9); }
	write(1, "out\n", 4);
	write(2, "err\n", 4);
	return 3;
}`)
	var stdout bytes.Buffer
	c := command(t, exe)
	c.Stdout = &stdout
	r := run(t, c)
	if r.Ending != Exited || r.ExitCode != 3 || r.OutputHeld {
		t.Errorf("%+v, want exit code 3 by itself", r)
	}
	if len(r.Orphans) != 1 {
		t.Fatalf("orphans %v, want one", r.Orphans)
	}
	if stdout.String() != "out\n" || string(r.Stderr) != "err\n" {
		t.Errorf("output %q, %q", stdout.String(), r.Stderr)
	}
	awaitGone(t, strconv.Itoa(r.Orphans[0].PID))
}

func TestDaemonThatHoldsOutput(t *testing.T) {
	if _, err := exec.LookPath("setsid"); err != nil {
		t.Skip("setsid (util-linux) is missing")
	}
	pidFile := filepath.Join(t.TempDir(), "pid")
	// The program ends when the daemon has left the group.
	exe := program(t, `#include <stdlib.h>
#include <unistd.h>
int main(int c, char **v) {
	if (fork() == 0) {
		execlp("setsid", "setsid", "sh", "-c", "echo $$ > $0.new; mv $0.new $0; exec sleep 1000", v[1], (char *)0);
		_exit(9);
	}
	while (access(v[1], F_OK) != 0) usleep(10000);
	write(2, "err\n", 4);
	return 3;
}`)
	t.Cleanup(func() {
		text, _ := os.ReadFile(pidFile)
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	c := command(t, exe, pidFile)
	c.Grace = 300 * time.Millisecond
	r := run(t, c)
	if r.ExitCode != 3 || !r.OutputHeld || string(r.Stderr) != "err\n" {
		t.Errorf("%+v, want exit code 3, output held by the daemon, and what was written before", r)
	}
}

func TestMegabyteOnStderr(t *testing.T) {
	exe := program(t, `#include <stdio.h>
int main() { for (int i = 0; i < 1 << 16; i++) fprintf(stderr, "line %010d\n", i); return 0; }`)
	var all bytes.Buffer
	c := command(t, exe)
	c.Stderr = &all
	r := run(t, c)
	const size = 16 << 16
	if all.Len() != size || r.StderrSize != size {
		t.Errorf("%d bytes copied, %d counted, want %d", all.Len(), r.StderrSize, size)
	}
	if len(r.Stderr) != 64<<10 || !bytes.HasSuffix(all.Bytes(), r.Stderr) ||
		!bytes.HasSuffix(r.Stderr, []byte("line 0000065535\n")) {
		t.Errorf("the tail of %d bytes is not the end of what was written", len(r.Stderr))
	}
}

// failing fails after its first write.
type failing struct{ n int }

var errFull = errors.New("disk full")

func (f *failing) Write(p []byte) (int, error) {
	if f.n++; f.n > 1 {
		return 0, errFull
	}
	return len(p), nil
}

func TestWriterThatFails(t *testing.T) {
	exe := program(t, `#include <unistd.h>
int main() { char b[1000]; for (int i = 0; i < 1000; i++) { write(1, b, 1000); write(2, b, 1000); } return 4; }`)
	c := command(t, exe)
	w := new(failing)
	c.Stdout, c.Stderr = w, w
	r, err := Run(t.Context(), c)
	if !errors.Is(err, errFull) {
		t.Errorf("Run = %v, want the writer's error", err)
	}
	if r.ExitCode != 4 || r.StderrSize != 1e6 || len(r.Stderr) != 64<<10 {
		t.Errorf("exit code %d, signal %v, %d bytes; want the program undisturbed", r.ExitCode, r.Signal, r.StderrSize)
	}
}

func TestProgramThatClosesEverything(t *testing.T) {
	exe := program(t, `#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
int main() {
	struct rlimit r;
	getrlimit(RLIMIT_NOFILE, &r);
	for (int i = 0; i < r.rlim_max + 100; i++) close(i);
	char *p = malloc(8); p[8] = 1;
	return 6;
}`)
	r := run(t, command(t, exe))
	report, _ := os.ReadFile(r.Reports[0].Path)
	if r.ExitCode != 6 || !whole(t, r.Reports[0].Path) || !bytes.Contains(report, []byte("InvalidWrite")) {
		t.Errorf("%+v, want exit code 6 and a whole report with the error:\n%s", r, report)
	}
}

func TestStreamsAndEnvironment(t *testing.T) {
	exe := program(t, `#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main() {
	char line[99], dir[4096];
	if (!fgets(line, sizeof line, stdin)) return 1;
	printf("%s%s\n%s\n", line, getenv("GREETING"), getcwd(dir, sizeof dir));
	return 0;
}`)
	in := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(in, []byte("from stdin\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	stdin, err := os.Open(in)
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer stdout.Close()
	c := command(t, exe)
	c.Stdin, c.Stdout, c.Dir = stdin, stdout, t.TempDir()
	c.Env = []string{"GREETING=hello 'world'", "PATH=" + os.Getenv("PATH")}
	if r := run(t, c); r.ExitCode != 0 {
		t.Fatalf("%+v", r)
	}
	got, _ := os.ReadFile(stdout.Name())
	if want := "from stdin\nhello 'world'\n" + c.Dir + "\n"; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What valgrind has to say about system calls that it does not know is no output of the program's: "unhandled syscall 434"
// made five lines in the output of each test that starts a process.
func TestWarningsAreNoOutput(t *testing.T) {
	exe := program(t, `#include <unistd.h>
#include <sys/syscall.h>
#include <fcntl.h>
int main() { syscall(9999); fcntl(0, 9999, 0); write(2, "own\n", 4); return 0; }`)
	r := run(t, command(t, exe))
	if string(r.Stderr) != "own\n" || len(r.Complaints) > 0 || r.ExitCode != 0 {
		t.Errorf("%+v, standard error %q", r, r.Stderr)
	}
	if !strings.Contains(string(r.Log), "9999") {
		t.Errorf("the log is %q", r.Log)
	}
	if last := r.LastMessage(); last != "" {
		t.Errorf("%q is no reason for anything", last)
	}
	if !whole(t, r.Reports[0].Path) {
		t.Error("the report is not whole")
	}
}

func TestLastMessage(t *testing.T) {
	for _, c := range []struct{ log, want string }{
		{"", ""},
		{"--77-- WARNING: unhandled amd64-linux syscall: 434\n--77-- You may be able to write your own handler.\n" +
			"--77-- Read the file README_MISSING_SYSCALL_OR_IOCTL.\n--77-- Nevertheless we consider this a bug.  Please report\n" +
			"--77-- it at http://valgrind.org/support/bug_reports.html.\n", ""},
		{"--77-- WARNING: unhandled amd64-linux syscall: 434\n### unhandled dwarf2 abbrev form code 0x25\n" +
			"==77== Warning: unimplemented fcntl command: 1033\n", "### unhandled dwarf2 abbrev form code 0x25"},
		{"==77== Valgrind: debuginfo reader: ensure_valid failed:\n==77==   exiting now.\n\n", "exiting now."},
	} {
		if got := (&Result{Log: []byte(c.log)}).LastMessage(); got != c.want {
			t.Errorf("%q: %q, want %q", c.log, got, c.want)
		}
	}
}

func TestMemcheckAborts(t *testing.T) {
	header := "/usr/include/valgrind/memcheck.h"
	if _, err := os.Stat(header); err != nil {
		t.Skip(err)
	}
	// Two blocks that overlap: what a Go runtime does that describes its heap and reuses memory.
	exe := program(t, `#include <valgrind/memcheck.h>
static char p[4096];
int main() { VALGRIND_MALLOCLIKE_BLOCK(p+100,100,0,0); VALGRIND_MALLOCLIKE_BLOCK(p+150,100,0,0); return 0; }`)
	r := run(t, command(t, exe))
	if len(r.Complaints) == 0 || r.Complaints[0].Kind != Aborted ||
		!strings.Contains(r.Complaints[0].Text, "the 'impossible' happened") {
		t.Errorf("complaints %+v, want that of the abort; standard error:\n%s", r.Complaints, r.Stderr)
	}
	if whole(t, r.Reports[0].Path) {
		t.Error("the report of an aborted memcheck is whole")
	}
}

func TestValgrindComplains(t *testing.T) {
	dir := t.TempDir()
	badSupp := filepath.Join(dir, "bad.supp")
	if err := os.WriteFile(badSupp, []byte("{\n name\n Memcheck:Nonsense\n}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(*Command)
		kind   ComplaintKind
	}{
		{"no such program", func(c *Command) { c.Program = "/nonexistent/prog" }, BadProgram},
		{"program is a directory", func(c *Command) { c.Program = dir }, BadProgram},
		{"program is not executable", func(c *Command) { c.Program = badSupp }, BadProgram},
		{"option", func(c *Command) { c.Options.Extra = []string{"--nonsense=1"} }, BadOption},
		{"suppressions", func(c *Command) { c.Options.Suppressions = []string{badSupp} }, BadSuppression},
		{"no such valgrind", func(c *Command) { c.Valgrind = &Valgrind{Path: "/nonexistent/valgrind"} }, StartupFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := command(t, "/bin/true")
			c.change(&cmd)
			r, err := Run(t.Context(), cmd)
			if err != nil {
				t.Fatal(err)
			}
			if r.ExitCode == 0 || len(r.Complaints) != 1 || r.Complaints[0].Kind != c.kind {
				t.Errorf("exit code %d, complaints %+v, want one of kind %q; standard error:\n%s", r.ExitCode, r.Complaints,
					c.kind, r.Stderr)
			}
		})
	}
}

func TestStartRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Command)
		says   string
	}{
		{"no program", func(c *Command) { c.Program = "" }, "give a path"},
		{"program like an option", func(c *Command) { c.Program = "-x" }, "give a path"},
		{"options", func(c *Command) { c.Options.XMLFile = "x" }, "absolute"},
		{"no folder for reports", func(c *Command) { c.Options.XMLFile = "/nonexistent/%p" }, "/nonexistent"},
		{"no such directory", func(c *Command) { c.Dir = "/nonexistent" }, "/nonexistent"},
		{"old reports", func(c *Command) {
			if err := os.WriteFile(strings.Replace(c.Options.XMLFile, "%p", "123", 1), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}, "exists already"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := command(t, "/bin/true")
			c.change(&cmd)
			if _, err := Start(t.Context(), cmd); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Start = %v, want an error that says %q", err, c.says)
			}
		})
	}
}

func TestReportNames(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "100%")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a+12%12.xml", "a+7%7.xml", "a+7%8.xml", "aa7%7.xml", "a+300%300.xml", "a+x%x.xml",
		"a+07%07.xml", "a+7%7.xml.core"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p, err := parsePattern(strings.ReplaceAll(dir, "%", "%%") + "/a+%p%%%p.xml")
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.reports(12)
	want := []Report{{12, dir + "/a+12%12.xml"}, {7, dir + "/a+7%7.xml"}, {300, dir + "/a+300%300.xml"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("reports %v, %v; want %v", got, err, want)
	}
}

func TestParseStat(t *testing.T) {
	for _, c := range []struct {
		in    string
		pid   int
		pgrp  int
		comm  string
		alive bool
	}{
		{"12 (sleep) S 1 77 77 0 -1", 12, 77, "sleep", true},
		{"12 (a b) c) R 1 5 5 0", 12, 5, "a b) c", true},
		{"12 (sleep) Z 1 77 77 0 -1", 12, 77, "sleep", false},
		{"", 0, 0, "", false},
		{"12 (sleep", 0, 0, "", false},
		{"12 (sleep) S", 0, 0, "", false},
	} {
		pid, pgrp, comm, alive := parseStat([]byte(c.in))
		if pid != c.pid || pgrp != c.pgrp || comm != c.comm || alive != c.alive {
			t.Errorf("parseStat(%q) = %d, %d, %q, %v", c.in, pid, pgrp, comm, alive)
		}
	}
}
