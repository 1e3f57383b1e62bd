package trace_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/cgogrind/cgogrind/scenarios/cluster/trace"
)

// TestMain turns the test binary into the program that is watched: it leaves a file, listens, says where, and stays.
func TestMain(m *testing.M) {
	if os.Getenv("TRACE_TEST_STAY") == "" {
		os.Exit(m.Run())
	}
	if err := os.WriteFile(filepath.Join(os.TempDir(), "left"), nil, 0o600); err != nil {
		panic(err)
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr())
	select {}
}

func TestLookFindsWhatAProgramInAnotherSessionLeft(t *testing.T) {
	dir := t.TempDir()
	watch := trace.New(dir)
	remains, err := watch.Look()
	if err != nil {
		t.Fatal(err)
	}
	if !remains.Empty() {
		t.Fatalf("before the program there is already:\n%v", remains)
	}

	// The shell ends at once: the program has another parent and another session then.
	program := exec.Command("setsid", "/bin/sh", "-c", `"$0" & echo $!; exit`, os.Args[0])
	program.Env = append(append(os.Environ(), "TRACE_TEST_STAY=yes"), watch.Env()...)
	output, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	var address string
	if _, err := fmt.Fscan(bufio.NewReader(output), &pid, &address); err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(pid, syscall.SIGKILL) //nolint:errcheck // ended already if the test passes
	if err := program.Wait(); err != nil {
		t.Fatal(err)
	}

	remains, err = watch.Look()
	if err != nil {
		t.Fatal(err)
	}
	if len(remains.Processes) != 1 || !strings.HasPrefix(remains.Processes[0], strconv.Itoa(pid)+" ") {
		t.Errorf("processes: got %q, want one with id %d", remains.Processes, pid)
	}
	if len(remains.Ports) != 1 || remains.Ports[0] != address {
		t.Errorf("ports: got %q, want %q", remains.Ports, address)
	}
	if want := filepath.Join(dir, "left"); len(remains.Files) != 1 || remains.Files[0] != want {
		t.Errorf("files: got %q, want %q", remains.Files, want)
	}

	if err := os.Remove(filepath.Join(dir, "left")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := watch.WaitGone(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestLookIgnoresProgramsWithAnotherMark(t *testing.T) {
	other := exec.Command("sleep", "1000")
	other.Env = append(os.Environ(), trace.New(t.TempDir()).Env()...)
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = other.Process.Kill()
		_ = other.Wait()
	}()
	remains, err := trace.New(t.TempDir()).Look()
	if err != nil {
		t.Fatal(err)
	}
	if !remains.Empty() {
		t.Errorf("found somebody else's:\n%v", remains)
	}
}
