package shell

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var commands = []Command{
	{Args: []string{"cgogrind", "test", "-run", "^TestA$/^two (2)$", "example.com/m/p"}},
	{Env: []string{"GODEBUG=a=1,b=2", "CGO_CFLAGS=-O0 -g", "X="}, Args: []string{"cgogrind", "A=b", "it's", "", "tab\tand\nline", `back\slash`, "$HOME", "`ls`", "ä"}},
	{Args: []string{"=", "=x", "A=", "'", "''", "-"}},
}

func TestParseReadsWhatStringWrote(t *testing.T) {
	for _, c := range commands {
		got, err := Parse(c.String())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c, got); diff != "" {
			t.Errorf("%s: %s", c, diff)
		}
	}
}

// The shell is the judge of what a command line means.
func TestAShellReadsTheSame(t *testing.T) {
	for _, c := range commands {
		show := Command{Args: append([]string{"printf", "%s|"}, c.Args...), Env: c.Env}
		out, err := exec.Command("/bin/sh", "-c", show.String()).Output()
		if want := strings.Join(c.Args, "|") + "|"; err != nil || string(out) != want {
			t.Errorf("%s: the shell has %q (%v), want %q", show, out, err, want)
		}
	}
}

func TestParseRefusesWhatIsCut(t *testing.T) {
	for _, line := range []string{"cgogrind 'test", `cgogrind \`} {
		if c, err := Parse(line); err == nil {
			t.Errorf("%s is read as %+v", line, c)
		}
	}
	if c, err := Parse(" \n"); err != nil || len(c.Args)+len(c.Env) > 0 {
		t.Errorf("nothing is read as %+v, %v", c, err)
	}
}

// FuzzParse: a command that is read is written so that it is read the same.
func FuzzParse(f *testing.F) {
	f.Add("CGO_CFLAGS='-O0 -g' cgogrind test -run '^TestA$' ./p")
	f.Add(`a "b c" 'it'\''s' \d`)
	f.Add("A=1 B='\n' c '' =x")
	f.Fuzz(func(t *testing.T, line string) {
		c, err := Parse(line)
		if err != nil {
			return
		}
		again, err := Parse(c.String())
		if err != nil || again.String() != c.String() {
			t.Errorf("%q is written as %q and then as %q (%v)", line, c, again, err)
		}
	})
}
