package cli_test

import (
	"bufio"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/cgogrind/cgogrind/harness/result"
)

// serverModule is a server that loses memory, says that it is up, and ends in order when it is told to, once or twice.
var serverModule = map[string]string{
	"go.mod": "module example.com/server\n\ngo 1.25\n",
	"main.go": `package main

/*
#include <stdlib.h>
static void early(void) { volatile char *p = malloc(33); p[0] = 1; p = NULL; }
static void late(void) { volatile char *p = malloc(44); p[0] = 1; p = NULL; }
*/
import "C"

import (
	"fmt"
	"os"
	"os/signal"
)

func main() {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals)
	C.early()
	fmt.Println("up")
	for s := range signals {
		fmt.Println("got", s)
		if s == os.Interrupt && len(os.Args) == 1 {
			break
		}
	}
	C.late()
}
`,
}

// server starts cgogrind run on the server and waits until it is up.
func server(t *testing.T, args ...string) (cmd *exec.Cmd, stdout, stderr *bufio.Reader, temp string) {
	t.Helper()
	needValgrind(t)
	cmd, temp = inModule(t, serverModule, append([]string{"run", "."}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	errs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it has ended unless the test failed
	stdout, stderr = bufio.NewReader(out), bufio.NewReader(errs)
	await(t, stdout, "up")
	return cmd, stdout, stderr, temp
}

// await reads until a line has the text.
func await(t *testing.T, r *bufio.Reader, text string) {
	t.Helper()
	var seen strings.Builder
	for {
		line, err := r.ReadString('\n')
		seen.WriteString(line)
		if strings.Contains(line, text) {
			return
		}
		if err != nil {
			t.Fatalf("no %q in:\n%s", text, seen.String())
		}
	}
}

func send(t *testing.T, cmd *exec.Cmd, s syscall.Signal) {
	t.Helper()
	if err := cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// A server is looked at while it runs, gets its signals, and ends in order.
func TestServer(t *testing.T) {
	cmd, stdout, stderr, temp := server(t)
	send(t, cmd, syscall.SIGUSR1)
	await(t, stderr, "33 bytes in 1 blocks are definitely lost, in early (main.go:5) < main.main (main.go:19)")
	await(t, stderr, "leak check: 1 new leak: 33 bytes in 1 block")
	send(t, cmd, syscall.SIGUSR1)
	await(t, stderr, "leak check: nothing new")
	send(t, cmd, syscall.SIGUSR2)
	await(t, stdout, "got user defined signal 2")
	send(t, cmd, syscall.SIGINT)
	await(t, stdout, "got interrupt")
	rest, err := io.ReadAll(stderr)
	if err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // its exit code is looked at
	if code := cmd.ProcessState.ExitCode(); code != int(result.ExitFindings) {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{"44 bytes in 1 blocks", "memcheck found Leak_DefinitelyLost in main.main (main.go:19), Leak_DefinitelyLost in main.main (main.go:27)",
		"findings: 2 new"} {
		if !strings.Contains(string(rest), want) {
			t.Errorf("no %q in:\n%s", want, rest)
		}
	}
	gone(t, temp)
}

// A program that does not heed the first signal is ended by the second: no pass, and nothing stays behind.
func TestServerThatStays(t *testing.T) {
	cmd, stdout, stderr, temp := server(t, "stay")
	send(t, cmd, syscall.SIGINT)
	await(t, stdout, "got interrupt")
	send(t, cmd, syscall.SIGINT)
	await(t, stdout, "got interrupt")
	await(t, stdout, "got terminated")
	send(t, cmd, syscall.SIGINT)
	await(t, stderr, "the run was interrupted")
	if _, err := io.Copy(io.Discard, stderr); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // its exit code is looked at
	if code := cmd.ProcessState.ExitCode(); code != int(result.ExitInconclusive) {
		t.Errorf("exit code %d", code)
	}
	gone(t, temp)
}
