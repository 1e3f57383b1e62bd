package memcheck

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// TestMemcheckDiesWithTheTool runs itself again as the tool and kills that.
func TestMemcheckDiesWithTheTool(t *testing.T) {
	if exe := os.Getenv("MEMCHECK_TEST_TOOL"); exe != "" {
		p := startUntilReady(t, t.Context(), command(t, exe))
		fmt.Fprintln(os.Stderr, p.PID())
		p.Wait()
		return
	}
	need(t)
	exe := program(t, hang)
	tool := exec.Command(os.Args[0], "-test.run=^TestMemcheckDiesWithTheTool$")
	tool.Env = append(os.Environ(), "MEMCHECK_TEST_TOOL="+exe, "TMPDIR="+t.TempDir())
	stderr, err := tool.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := tool.Start(); err != nil {
		t.Fatal(err)
	}
	pid, err := bufio.NewReader(stderr).ReadString('\n')
	_ = tool.Process.Kill()
	go io.Copy(io.Discard, stderr)
	_ = tool.Wait()
	if err != nil {
		t.Fatal(err)
	}
	awaitGone(t, strings.TrimSpace(pid))
}

// The death signal comes when the thread that forked ends. Many goroutines that leave with their threads must not take
// memcheck along.
func TestThreadsThatEndDoNotKillMemcheck(t *testing.T) {
	c := command(t, program(t, `#include <unistd.h>
int main() { char b; while (read(0, &b, 1) > 0) ; return 8; }`))
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	c.Stdin = in
	var p *Process
	begun := make(chan struct{})
	go func() {
		defer close(begun)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		p, err = Start(t.Context(), c)
	}()
	<-begun
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { runtime.LockOSThread() })
	}
	wg.Wait()
	out.Close()
	r, err := p.Wait()
	if err != nil {
		t.Fatal(err)
	}
	checkEnd(t, r)
	if r.ExitCode != 8 || r.Signal != 0 {
		t.Errorf("%+v, want exit code 8", r)
	}
}
