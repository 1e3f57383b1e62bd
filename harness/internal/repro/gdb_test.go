package repro

import (
	"os"
	"os/exec"
	"regexp"
	"testing"
)

// A command that lacks its argument says so, and not which line of the script it failed in.
func TestCommandsOfGDBWithoutArguments(t *testing.T) {
	path, err := exec.LookPath("gdb")
	if err != nil {
		t.Skip(err)
	}
	g := GDB{Path: path}
	script, err := g.script(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-nx", "-q", "-batch", "-x", script}
	commands := []string{"block", "bits", "points", "goroutine"}
	for _, c := range commands {
		args = append(args, "-ex", "cgogrind "+c)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "CGOGRIND_GDB_MEMCHECK=1")
	out, _ := cmd.CombinedOutput() // its exit code is that of a command that failed
	if n := len(regexp.MustCompile(`(?m)^Argument required \(expression to compute\)\.$`).FindAll(out, -1)); n != len(commands) {
		t.Errorf("%d of %d say what they lack:\n%s", n, len(commands), out)
	}
}
