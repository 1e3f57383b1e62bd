package cli_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/cgogrind/cgogrind/harness/internal/cli"
	"github.com/cgogrind/cgogrind/harness/result"
)

var update = flag.Bool("update", false, "rewrite the expected output in testdata/script")

// TestMain makes the test binary the cgogrind that the scripts run.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"cgogrind": func() {
			os.Exit(int(cli.Main(cli.Process{Args: os.Args, Env: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr})))
		},
	})
}

// The scripts in testdata/script need Go and no valgrind; those in testdata/valgrind need gcc and valgrind, too.
func TestScripts(t *testing.T) { run(t, "testdata/script") }

func TestScriptsUnderValgrind(t *testing.T) {
	needValgrind(t)
	run(t, "testdata/valgrind")
}

// The scripts in testdata/slow take minutes.
func TestSlowScripts(t *testing.T) {
	if os.Getenv("CGOGRIND_FULL") == "" {
		t.Skip("slow: ./ci/test --full runs them")
	}
	needValgrind(t)
	run(t, "testdata/slow")
}

// needValgrind skips a test where valgrind or gcc is missing, but in CI.
func needValgrind(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds an instrumented runtime")
	}
	for _, program := range []string{"valgrind", "gcc"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
}

func run(t *testing.T, dir string) {
	if scripts, err := filepath.Glob(dir + "/*.txtar"); err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts in %s (%v)", dir, err)
	}
	testscript.Run(t, testscript.Params{
		Dir:           dir,
		UpdateScripts: *update,
		Condition: func(name string) (bool, error) {
			switch name {
			case "cargo": // that of rustup may be there without a toolchain
				return exec.Command("cargo", "--version").Run() == nil, nil
			case "full":
				return os.Getenv("CGOGRIND_FULL") != "", nil
			}
			return false, fmt.Errorf("unknown condition %s", name)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"code":        code,
			"fingerprint": fingerprint,
			"nothing":     nothing,
			"scrub":       scrub,
			"verdicts":    verdicts,
		},
		Setup: func(env *testscript.Env) error {
			// The caches are shared: a run with empty ones builds the standard library anew.
			for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOROOT", "GOPROXY", "GOFLAGS"} {
				out, err := exec.Command("go", "env", name).Output()
				if err != nil {
					return err
				}
				env.Setenv(name, strings.TrimSpace(string(out)))
			}
			cache, err := os.UserCacheDir()
			if err != nil {
				return err
			}
			env.Setenv("XDG_CACHE_HOME", cache)
			root, err := filepath.Abs("../../..")
			if err != nil {
				return err
			}
			env.Setenv("REPOSITORY", root)
			env.Setenv("GOTOOLCHAIN", "local")
			if home, err := os.UserHomeDir(); err == nil && os.Getenv("RUSTUP_HOME") == "" {
				env.Setenv("RUSTUP_HOME", filepath.Join(home, ".rustup")) // where cargo finds itself, if rustup installed it
			}
			return nil
		},
	})
}

// code runs a program and checks its exit code: code N PROGRAM ARG….
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N program [argument…]")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}

// fingerprint sets FINGERPRINT to that of the first finding of a kind in a stream, in a test whose name begins so if that
// is given: fingerprint KIND FILE [TEST].
func fingerprint(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: fingerprint kind file [test]")
	}
	test := ""
	if len(args) == 3 {
		test = args[2]
	}
	for m, err := range result.Decode(strings.NewReader(ts.ReadFile(args[1]))) {
		ts.Check(err)
		if m.Finding != nil && m.Finding.Kind == args[0] && strings.HasPrefix(m.Finding.Test, test) {
			ts.Setenv("FINGERPRINT", m.Finding.Fingerprint)
			return
		}
	}
	ts.Fatalf("no finding is %s", args[0])
}

// verdicts compares the verdicts in streams, sorted by name and a line each, with a file: verdicts WANT STREAM….
func verdicts(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: verdicts want stream…")
	}
	var got []string
	for _, stream := range args[1:] {
		for m, err := range result.Decode(strings.NewReader(ts.ReadFile(stream))) {
			ts.Check(err)
			if m.Test != nil {
				got = append(got, m.Test.Name+" "+string(m.Test.Verdict))
			}
		}
	}
	slices.Sort(got)
	want := strings.Split(strings.TrimSpace(ts.ReadFile(args[0])), "\n")
	if diff := cmp.Diff(want, got); diff != "" {
		ts.Fatalf("verdicts (-want +got):\n%s", diff)
	}
}

// nothing checks that the temporary folder has nothing of cgogrind's left.
func nothing(ts *testscript.TestScript, _ bool, _ []string) {
	left, err := filepath.Glob(filepath.Join(ts.Getenv("TMPDIR"), "cgogrind-*"))
	ts.Check(err)
	if len(left) > 0 {
		ts.Fatalf("left behind: %s", left)
	}
}

// scrubbed is what differs from run to run and from machine to machine.
var scrubbed = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`^cgogrind .*`), "cgogrind VERSIONS"},
	{regexp.MustCompile(`\(([0-9]+h)?([0-9]+m)?[0-9.]+m?s\)`), "(TIME)"},
	{regexp.MustCompile(`(?m)  [0-9a-f]{16}$`), "  FINGERPRINT"},
	{regexp.MustCompile(`(?m)^        │ PC=.*\n(        │ .*\n)*`), "        │ DUMP\n"},
	{regexp.MustCompile(`mapped file \S+/libc\S* segment`), "mapped file LIBC segment"},
	{regexp.MustCompile(`vg_replace_malloc.c:[0-9]+`), "vg_replace_malloc.c"},
}

// scrub writes the last standard output, scrubbed, to a file: scrub FILE.
func scrub(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: scrub file")
	}
	text := ts.ReadFile("stdout")
	for _, s := range scrubbed {
		text = s.pattern.ReplaceAllString(text, s.with)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o666))
}
