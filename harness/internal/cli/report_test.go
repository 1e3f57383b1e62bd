package cli_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/cgogrind/cgogrind/harness/internal/report/reporttest"
	"github.com/cgogrind/cgogrind/harness/result"
)

// manyFindings returns the path of a stream of a hundred thousand findings, and how much memory reporting them may take.
// Without CGOGRIND_FULL it is a tenth of the findings and half of the memory: there the program itself and what the
// collector has not come to yet weigh more, and both differ from machine to machine.
func manyFindings(t *testing.T) (stream string, maxMemory int64) {
	t.Helper()
	if testing.Short() {
		t.Skip("it takes some seconds")
	}
	findings, maxMemory := 10_000, int64(256<<20)
	if os.Getenv("CGOGRIND_FULL") != "" {
		findings, maxMemory = 100_000, 512<<20
	}
	stream = filepath.Join(t.TempDir(), "run.jsonl")
	writeStream(t, stream, findings)
	return stream, maxMemory
}

// Every format is made of a stream of a hundred thousand findings, by a process of its own, in 512 MiB. The times are for
// the reader: on two cores that have nothing else to do each is below ten seconds.
func TestReportOfManyFindings(t *testing.T) {
	dir := t.TempDir()
	stream, maxMemory := manyFindings(t)
	for _, format := range []string{"text", "json", "gotest", "junit", "sarif", "github", "markdown", "html"} {
		t.Run(format, func(t *testing.T) {
			out, err := os.Create(filepath.Join(dir, format))
			if err != nil {
				t.Fatal(err)
			}
			defer out.Close()
			used, took := runSelf(t, out, "report", "--format", format, stream)
			info, err := out.Stat()
			if err != nil || info.Size() == 0 {
				t.Fatalf("no output (%v)", err)
			}
			t.Logf("%d MB in %s with %d MiB", info.Size()/1e6, took.Round(10*time.Millisecond), used>>20)
			if used > maxMemory {
				t.Errorf("it took %d MiB, more than %d", used>>20, maxMemory>>20)
			}
		})
	}
}

// All formats at once keep the findings once.
func TestAllReportsOfManyFindings(t *testing.T) {
	dir := t.TempDir()
	stream, maxMemory := manyFindings(t)
	args := []string{"report", stream}
	for _, format := range []string{"stream", "junit", "sarif", "html", "markdown"} {
		args = append(args, "--"+format, filepath.Join(dir, format))
	}
	out, err := os.Create(filepath.Join(dir, "text"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	used, took := runSelf(t, out, args...)
	t.Logf("%s with %d MiB", took.Round(10*time.Millisecond), used>>20)
	if used > maxMemory {
		t.Errorf("it took %d MiB, more than %d", used>>20, maxMemory>>20)
	}
}

// writeStream writes the stream of a run with many findings.
func writeStream(t *testing.T, name string, findings int) {
	t.Helper()
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(file, 1<<20)
	enc := result.NewEncoder(w)
	err = enc.Handle(t.Context(), result.Message{Config: &result.Config{
		RunID: "1", Tool: "v0.1.0", ProtocolVersion: result.ProtocolVersion, Go: "go1.26.8", Valgrind: "3.19.0", Dir: "/src",
	}})
	for m := range reporttest.Many(findings) {
		if err == nil {
			err = enc.Handle(t.Context(), m)
		}
	}
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("a stream of %d findings, %d MB", findings, info.Size()/1e6)
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

// runSelf runs cgogrind with its output in a file. It returns the most memory that it had, in bytes, and the time.
func runSelf(t *testing.T, out *os.File, args ...string) (memory int64, took time.Duration) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "cgogrind") // by this name the test binary is cgogrind: see TestMain
	if err := os.Symlink(self, link); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), link, args...)
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	start := time.Now()
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != int(result.ExitFindings) {
		t.Fatalf("exit code %d, want %d (%v)", cmd.ProcessState.ExitCode(), result.ExitFindings, err)
	}
	return cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10, time.Since(start)
}
