package cli_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cgogrind/cgogrind/harness/internal/cli"
	"github.com/cgogrind/cgogrind/harness/result"
)

// terminal makes a pseudo-terminal: what is typed, and the side of the program.
func terminal(t *testing.T) (keyboard, tty *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keyboard.Close() })
	fd := int(keyboard.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tty.Close() })
	return keyboard, tty
}

// On a terminal the reason and the day are asked for.
func TestSuppressAsks(t *testing.T) {
	stream := filepath.Join(t.TempDir(), "run.jsonl")
	f, err := os.Create(stream)
	if err != nil {
		t.Fatal(err)
	}
	enc := result.NewEncoder(f)
	for _, m := range []result.Message{
		{Config: &result.Config{RunID: "1", ProtocolVersion: result.ProtocolVersion}},
		{Test: &result.Test{Package: "p", Name: "TestA", Verdict: result.Fail}},
		{Finding: &result.Finding{Fingerprint: "00000000000000f0", Kind: "InvalidFree", Package: "p", Test: "TestA",
			Disposition: result.New, Stacks: []result.Stack{{Frames: []result.Frame{{Function: "f"}}}}}},
		{Summary: &result.Summary{Failed: 1, Findings: 1, New: 1}},
	} {
		if err := enc.Handle(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	keyboard, tty := terminal(t)
	if _, err := keyboard.WriteString("\nupstream bug\n2999-12-31\n"); err != nil { // nothing is no reason
		t.Fatal(err)
	}
	var stdout bytes.Buffer
	code := cli.Run(t.Context(), cli.Process{
		Args: []string{"cgogrind", "suppress", "00000000000000f0", "--from", stream}, Stdin: tty, Stdout: &stdout, Stderr: tty,
	})
	if got := stdout.String(); code != 0 || !strings.Contains(got, "# why: upstream bug\n") ||
		!strings.Contains(got, "# expires: 2999-12-31\n") || !strings.Contains(got, "   Memcheck:Free\n   fun:f\n") {
		t.Errorf("exit code %d\n%s", code, got)
	}
}
