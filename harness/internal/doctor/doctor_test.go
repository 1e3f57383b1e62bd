package doctor

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestEveryCheckThatIsNotGoodHasARemedy(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	checks, err := Examine(t.Context(), Config{CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	bad := 0
	for _, c := range checks {
		if c.Status == OK {
			continue
		}
		bad++
		if c.Found == "" || c.Remedy == "" {
			t.Errorf("%+v says too little", c)
		}
	}
	if bad < 6 {
		t.Errorf("only %d things are missing without a PATH: %+v", bad, checks)
	}
}

func TestExamineEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Examine(ctx, Config{CacheDir: t.TempDir()}); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

func TestTemporaryFolderThatIsNotThere(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "none"))
	checks, err := Examine(t.Context(), Config{})
	if err != nil || len(checks) != 1 || checks[0].Status != Missing || !strings.Contains(checks[0].Remedy, "TMPDIR") {
		t.Errorf("%+v, %v", checks, err)
	}
}

func TestSystems(t *testing.T) {
	for _, tt := range []struct{ file, family, install, symbols string }{
		{"PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\n", "debian",
			"apt-get install gdb", "bookworm-debug main' >/etc/apt/sources.list.d/debug.list && apt-get update && apt-get install librados2-dbgsym"},
		{"ID=ubuntu\nID_LIKE=debian\n", "ubuntu", "apt-get install gdb", "https://debuginfod.ubuntu.com"},
		{"ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", "ubuntu", "apt-get install gdb", "https://debuginfod.ubuntu.com"},
		{"ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", "fedora", "dnf install gdb-headless", "dnf debuginfo-install librados2"},
		{"ID=alpine\n", "", "install what Debian calls gdb", "DEBUGINFOD_URLS"},
	} {
		file := filepath.Join(t.TempDir(), "os-release")
		if err := os.WriteFile(file, []byte(tt.file), 0o600); err != nil {
			t.Fatal(err)
		}
		s := readSystem(file)
		if s.family != tt.family {
			t.Errorf("%q is of the family %q, want %q", tt.file, s.family, tt.family)
		}
		if got := s.install(packages{"gdb", "gdb-headless"}); got != tt.install {
			t.Errorf("%q: %q, want %q", tt.file, got, tt.install)
		}
		if got := s.debugSymbols("librados2"); !strings.Contains(got, tt.symbols) {
			t.Errorf("%q: %q has no %q", tt.file, got, tt.symbols)
		}
	}
	if s := readSystem(filepath.Join(t.TempDir(), "none")); s.family != "" {
		t.Errorf("no os-release gives %+v", s)
	}
}

func TestDebugInformationOfALibrary(t *testing.T) {
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	source := filepath.Join(dir, "lib.c")
	if err := os.WriteFile(source, []byte("static int hidden(void) { return 1; }\nint shown(void) { return hidden(); }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		flag string
		want debugInfo
	}{{"-g", fullDebug}, {"-g0", symbolTable}, {"-s", noSymbols}} {
		lib := filepath.Join(dir, "lib"+tt.flag+".so")
		if out, err := exec.Command(gcc, "-shared", "-fPIC", tt.flag, "-o", lib, source).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if got, err := debugOf(lib); got != tt.want || err != nil {
			t.Errorf("%s: %d, %v; want %d", tt.flag, got, err, tt.want)
		}
	}
	if _, err := debugOf(source); err == nil {
		t.Error("C source has debug information")
	}
}
