package harness

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestInterpreter(t *testing.T) {
	for line, want := range map[string]string{
		"/bin/sh": "/bin/sh", " /bin/sh -e": "/bin/sh", "": "", "  ": "",
		"/usr/bin/env python3": "python3", "/usr/bin/env -S python3": "python3", "/usr/bin/env -Spython3 -u": "python3",
		"/usr/bin/env -S python3 -u -X dev": "python3", "/usr/bin/env -vS python3": "python3",
		"/usr/bin/env --split-string=python3 -u": "python3", "/usr/bin/env --split-string python3": "python3",
		"/usr/bin/env VAR=x python3": "python3", "/usr/bin/env -S VAR=x OTHER= python3 -u": "python3",
		"/usr/bin/env -i python3": "python3", "/usr/bin/env -iu SHELL python3": "python3", "/usr/bin/env -uSHELL python3": "python3",
		"/usr/bin/env -u SHELL -C / -S python3": "python3", "/usr/bin/env --unset SHELL --chdir=/ python3": "python3",
		"/usr/bin/env -- python3": "python3", `/usr/bin/env -S "python3" -u`: "python3", "/usr/bin/env": "/usr/bin/env",
		"/usr/bin/env -S": "/usr/bin/env", "/usr/bin/environment x": "/usr/bin/environment",
	} {
		if got := interpreter(line); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

// FuzzShebang: whatever a file begins with, what is found is a word of its first line, and nothing for what is no script.
func FuzzShebang(f *testing.F) {
	for _, seed := range []string{
		"#!/bin/sh\n", "#!/usr/bin/env -S python3\n", "#!/usr/bin/env -S A=b -u c -- prog\n", "#! \n", "#!", "\x7fELF", "",
		"#!/usr/bin/env -\xffS x\n", "#!" + strings.Repeat("x", 600),
	} {
		f.Add([]byte(seed))
	}
	file := filepath.Join(f.TempDir(), "script")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		got := shebang(file)
		line, _, _ := strings.Cut(string(text), "\n")
		switch {
		case !strings.HasPrefix(line, "#!") && got != "":
			t.Errorf("%q is the interpreter of what is no script", got)
		case !strings.Contains(line, got), strings.ContainsAny(got, " \t\n"):
			t.Errorf("%q is no word of %q", got, line)
		}
	})
}
