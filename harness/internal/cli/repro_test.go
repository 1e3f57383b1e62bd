package cli_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/cgogrind/cgogrind/harness/result"
)

// SIGINT while gdb has the program: exit code 4, and neither gdb nor memcheck nor the folder is left.
func TestInterruptedInGDB(t *testing.T) {
	needValgrind(t)
	dir := t.TempDir()
	temp := filepath.Join(dir, "tmp")
	files := map[string]string{
		"go.mod":    "module example.com/g\n\ngo 1.25\n",
		"g.go":      "package g\n\n// #include <stdlib.h>\n// static void twice(void) { char *volatile p = malloc(4); free(p); free(p); }\nimport \"C\"\n\nfunc Twice() { C.twice() }\n",
		"g_test.go": "package g\n\nimport \"testing\"\n\nfunc TestTwice(t *testing.T) { Twice() }\n",
		// It says that it runs, and stays.
		"bin/gdb": "#!/bin/sh\necho running >\"$GDB_RUNS\"\nexec sleep 1000\n",
	}
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(temp, 0o777); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "cgogrind") // the name that TestMain knows
	if err := os.Symlink(self, program); err != nil {
		t.Fatal(err)
	}
	runs := filepath.Join(dir, "runs")
	cmd := exec.Command(program, "repro", "--gdb", "--batch", ".", "TestTwice")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+temp, "GDB_RUNS="+runs, "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // its exit code is looked at
		close(ended)
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	for running := false; !running; {
		select {
		case <-ended:
			t.Fatalf("it ended before gdb ran:\n%s", out.String())
		case <-time.After(20 * time.Millisecond):
			_, err := os.Stat(runs)
			running = err == nil
		}
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	<-ended
	if code := cmd.ProcessState.ExitCode(); code != int(result.ExitInconclusive) {
		t.Errorf("exit code %d", code)
	}
	if !bytes.Contains(out.Bytes(), []byte("the run was interrupted")) {
		t.Errorf("it does not say so:\n%s", out.String())
	}
	gone(t, temp)
}
