package repro

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
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

// Whatever a program's memory and its language are like, nobody sees an exception of the scripts.
func TestScriptsOfGDBHideNoAnswerBehindExceptions(t *testing.T) {
	path, err := exec.LookPath("gdb")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	source, exe := filepath.Join(dir, "p.c"), filepath.Join(dir, "p")
	if err := os.WriteFile(source, []byte("struct gostring { const char *str; long len; } text = { (char *)1, 5 };\nint main() { return 0; }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("gcc", "-g", "-o", exe, source).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	// A pretty-printer like that of Go's script for strings, whose memory is not there.
	printer := filepath.Join(dir, "printer.py")
	if err := os.WriteFile(printer, []byte(`
class Text:
    def __init__(self, value):
        self.value = value
    def to_string(self):
        return self.value["str"].string("utf-8", "ignore", int(self.value["len"]))
    def display_hint(self):
        return "string"
gdb.objfiles()[0].pretty_printers.append(lambda v: Text(v) if str(v.type) == "struct gostring" else None)
be_careful()
be_careful()
print("word %d, function %r, and %r" % (int(unsigned(2**64 - 8)), function_at(0xfffffffffffffff0), signal_name(40) if "signal_name" in globals() else ""))
`), 0o600); err != nil {
		t.Fatal(err)
	}
	g := GDB{Path: path}
	script, err := g.script(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"CGOGRIND_GDB_MEMCHECK=1", "CGOGRIND_GDB_CORE=" + exe, "CGOGRIND_GDB_MEMCHECK="} {
		cmd := exec.Command(path, "-nx", "-q", "-batch", "-x", script, "-x", printer, "-ex", "print text", "-ex", "set language go",
			"-ex", "cgogrind bits 0x1000 16", "-ex", "cgogrind points 0x1000 2*(3+1)", "-ex", "cgogrind bits 0x1000 none", "-ex", "cgogrind block text",
			"-ex", "cgogrind goroutine 1", "-ex", "cgogrind where", "-ex", "cgogrind core", "-ex", "cgogrind memory", exe)
		cmd.Env = append(os.Environ(), mode, "CGOGRIND_GDB_ADDRESS=0x1000")
		out, _ := cmd.CombinedOutput() // its exit code is that of a command that failed
		text := string(out)
		wants := []string{"<Cannot access memory at address 0x1>", "word 18446744073709551608, function '', and 'signal 40'"}
		if strings.HasSuffix(mode, "MEMCHECK=1") {
			wants = append(wants, "get_vbits 0x1000 16: ", "who_points_at 0x1000 8: ", `No symbol "none" in current context.`,
				"== defined bits there (cgogrind bits)", "== pointers to it (cgogrind points)")
		}
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in:\n%s", mode, want, text)
			}
		}
		for _, wrong := range []string{"Python", "Traceback", "typedef", "No symbol \"long\""} {
			if strings.Contains(text, wrong) {
				t.Errorf("%s: %q in:\n%s", mode, wrong, text)
			}
		}
	}
}
