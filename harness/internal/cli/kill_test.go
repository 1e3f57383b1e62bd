package cli_test

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cgogrind/cgogrind/harness/result"
)

// hangingModule is a package whose first test passes and whose second says that it hangs, and does.
var hangingModule = map[string]string{
	"go.mod": "module example.com/h\n\ngo 1.25\n",
	"h.go":   "package h\n\nimport \"C\"\n",
	"h_test.go": `package h

import (
	"fmt"
	"testing"
)

func TestPass(t *testing.T)  {}
func TestHang(t *testing.T)  { fmt.Println("hanging"); select {} }
func TestNever(t *testing.T) {}
`,
}

// inModule is cgogrind with arguments in a module with these files, and the temporary folder that it gets.
func inModule(t *testing.T, files map[string]string, args ...string) (cmd *exec.Cmd, temp string) {
	t.Helper()
	dir := t.TempDir()
	temp = filepath.Join(dir, "tmp")
	if err := os.Mkdir(temp, 0o777); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "cgogrind") // the name that TestMain knows
	if err := os.Symlink(self, program); err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	return cmd, temp
}

// hang starts cgogrind test on the hanging module, waits until it hangs, and returns it with its temporary folder.
func hang(t *testing.T, stdout io.Writer, args ...string) (cmd *exec.Cmd, temp string) {
	t.Helper()
	needValgrind(t)
	cmd, temp = inModule(t, hangingModule, append([]string{"test", "-v", "--format=json"}, args...)...)
	cmd.Stdout = stdout
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it has ended unless the test failed
	var seen strings.Builder
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		seen.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "hanging") {
			go func() { _, _ = io.Copy(io.Discard, stderr) }()
			return cmd, temp
		}
	}
	t.Fatalf("it ended:\n%s", seen.String())
	return nil, ""
}

// gone waits until the temporary folder is empty and no process mentions it any more.
func gone(t *testing.T, temp string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		left, err := os.ReadDir(temp)
		if err != nil {
			t.Fatal(err)
		}
		running := processes(t, temp, "")
		if len(left) == 0 && len(running) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left behind: %v, processes: %v", left, running)
		}
	}
}

// An interrupt ends a run in an orderly way: a verdict for each test, a summary, exit code 4.
func TestInterrupted(t *testing.T) {
	var stdout bytes.Buffer
	stream := filepath.Join(t.TempDir(), "result.jsonl")
	cmd, temp := hang(t, &stdout, "--stream", stream)
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // its exit code is looked at
	if code := cmd.ProcessState.ExitCode(); code != int(result.ExitInconclusive) {
		t.Errorf("exit code %d", code)
	}
	saved, err := os.ReadFile(stream)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(saved, stdout.Bytes()) {
		t.Error("the stream in the file is another than on standard output")
	}
	verdicts := make(map[string]result.Verdict)
	for m, err := range result.Decode(&stdout) {
		if err != nil {
			t.Fatal(err)
		}
		if m.Test != nil {
			verdicts[m.Test.Name] = m.Test.Verdict
		}
	}
	for name, want := range map[string]result.Verdict{
		// What passed leaves no orderly end in which memcheck could look for its leaks.
		"TestPass": result.Inconclusive, "TestHang": result.Inconclusive, "TestNever": result.Inconclusive,
	} {
		if verdicts[name] != want {
			t.Errorf("%s: %q, want %q", name, verdicts[name], want)
		}
	}
	gone(t, temp)
}

// SIGKILL leaves no process and no folder, and a stream that is no pass.
func TestKilled(t *testing.T) {
	var stdout bytes.Buffer
	cmd, temp := hang(t, &stdout)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // says that it was killed
	gone(t, temp)
	if code, err := result.ReadExitCode(&stdout); code != result.ExitInconclusive || err == nil {
		t.Errorf("the stream's exit code %d, error %v", code, err)
	}
}

// SIGKILL while a compiler runs ends the go command and all that it has started, which would go on building in a folder that
// it makes anew.
func TestKilledDuringBuild(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds with cgo")
	}
	cmd, temp := inModule(t, map[string]string{
		"go.mod":    "module example.com/slow\n\ngo 1.25\n",
		"slow.go":   "package slow\n\n// int slow(void);\nimport \"C\"\n\nfunc F() { C.slow() }\n",
		"slow.c":    "int slow(void) { return 1; }\n",
		"s_test.go": "package slow\n\nimport \"testing\"\n\nfunc TestF(t *testing.T) { F() }\n",
		"valgrind":  "#!/bin/sh\necho valgrind-3.24.0\n",
		// It leaves a file where compilers do.
		"cc": "#!/bin/sh\ncase \"$*\" in *slow.c*) touch \"$TMPDIR/cc.s\"; echo compiling >\"$STARTED\"; while :; do sleep 1; done ;; esac\n" +
			"exec gcc \"$@\"\n",
	}, "test", "--runtime=stock")
	for _, program := range []string{"valgrind", "cc"} {
		if err := os.Chmod(filepath.Join(cmd.Dir, program), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	started := filepath.Join(cmd.Dir, "started")
	if err := syscall.Mkfifo(started, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(cmd.Env, "PATH="+cmd.Dir+":"+os.Getenv("PATH"), "CC="+filepath.Join(cmd.Dir, "cc"), "STARTED="+started)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
		if f, err := os.OpenFile(started, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil { // whoever waits below goes on
			_ = f.Close()
		}
	}()
	if said, err := os.ReadFile(started); err != nil || string(said) != "compiling\n" {
		<-ended
		t.Fatalf("the compiler did not start: %v\n%s", err, stderr.String())
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
	gone(t, temp)
	if left := processes(t, cmd.Dir, "slow.c"); len(left) > 0 {
		t.Errorf("compilers go on: %v", left)
	}
}

// memcheck killed from outside: the test that ran has no evidence, the others get another process.
func TestMemcheckKilled(t *testing.T) {
	var stdout bytes.Buffer
	cmd, temp := hang(t, &stdout, "--test-timeout=1s") // the test that hangs is tried alone
	pids := processes(t, temp, "h.test")
	if len(pids) == 0 {
		t.Fatal("memcheck does not run")
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	}
	_ = cmd.Wait() // its exit code is looked at
	if code := cmd.ProcessState.ExitCode(); code != int(result.ExitInconclusive) {
		t.Errorf("exit code %d", code)
	}
	want := map[string]result.Verdict{
		"TestPass": result.Pass, "TestHang": result.Inconclusive, "TestNever": result.Pass,
	}
	for m, err := range result.Decode(&stdout) {
		if err != nil {
			t.Fatal(err)
		}
		if m.Test != nil && m.Test.Verdict != want[m.Test.Name] {
			t.Errorf("%+v, want %q", m.Test, want[m.Test.Name])
		}
	}
	gone(t, temp)
}

// processes lists those that have both texts in their command line.
func processes(t *testing.T, folder, program string) []int {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(files) == 0 {
		t.Fatalf("reading /proc: %v", err)
	}
	var out []int
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil || !bytes.Contains(b, []byte(folder)) || !bytes.Contains(b, []byte(program)) {
			continue // another's, or it has ended
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, pid)
	}
	return out
}

// The first signal ends what reads files: there is nothing to end in an orderly way, and reading may never end.
func TestFirstSignalEndsReading(t *testing.T) {
	cmd, _ := inModule(t, nil, "report", "-")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it has ended unless the test failed
	// Progress, which is no report: as much as fits into a pipe shows that it is being read.
	line := []byte(`{"progress":{"text":"` + strings.Repeat("x", 4000) + "\"}}\n")
	for n := range 1 << 18 {
		if _, err := stdin.Write(line); err != nil {
			break
		}
		if n == 1000 {
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = stdin.Close() // it may be closed
	_ = cmd.Wait()    // the state says how it ended
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGINT {
		t.Errorf("it ended with %v", cmd.ProcessState)
	}
}
