package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cgogrind/cgogrind/harness/internal/cli"
	"github.com/cgogrind/cgogrind/harness/result"
)

// FuzzConfiguration: a configuration is taken, or refused with its name and a line that it has, and names no program.
func FuzzConfiguration(f *testing.F) {
	for _, seed := range []string{
		"[test]\npackages = [\"./...\"]\ntimeout = \"45m\"\nv = true\n", "[gate]\ndeny = [\"kind=X\"]\n", "[test]\nvalgrind = \"evil\"\n",
		"count = 1\n", "[tset]\n", "[test]\nrun = { a = 1 }\n", "[run]\nldflags = \"-extld=evil\"\n", "[test]\nC = \".\"\n\"\" = 1\n",
		"[test]\n[[test.run]]\n", "[test]\ncount = [[1]]\n", "[version]\nhelp = true\n",
	} {
		f.Add(seed)
	}
	file := filepath.Join(f.TempDir(), "cgogrind.toml")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		code := cli.Run(t.Context(), cli.Process{
			Args: []string{"cgogrind", "version", "--config", file}, Env: os.Environ(), Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs,
		})
		switch {
		case code == result.ExitPass && errs.Len() == 0 && strings.HasPrefix(out.String(), "cgogrind "):
		case code == result.ExitUsage && strings.HasPrefix(errs.String(), "cgogrind: "+file+":") && out.Len() == 0:
		default:
			t.Errorf("exit code %d, %q, %q", code, out.String(), errs.String())
		}
	})
}
