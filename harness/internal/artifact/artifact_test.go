package artifact

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cgogrind/cgogrind/valgrind/memcheck"
)

func TestSecretsAreLeftOut(t *testing.T) {
	kept := []string{"GODEBUG=asyncpreemptoff=1", "HOME=/root", "LD_LIBRARY_PATH=/opt/lib", "OLDPWD=/a", "PATH=/bin", "PWD=/src",
		"URL=https://example.com/a:b@c"}
	secret := []string{"AWS_SECRET_ACCESS_KEY=x", "CGOGRIND_TOKEN=f00d", "CEPH_KEYRING=k", "db_password=x", "GITHUB_TOKEN=x", "MYSQL_PWD=x",
		"REMOTE=https://user:hidden@example.com/x", "PROXY=http://:hidden@h", "CERT=-----BEGIN PRIVATE", "A=ghp_0123456789abcdefghijABCDEF",
		"PROXY2=https://onlyatoken@h/x", "DB=Server=h;User=u;Password=hidden;",
		`OPTIONS={"api_key": "hidden"}`, "HEADER=Authorization: Bearer hidden", "JWT=eyJhbGciOiJIUzI1NiJ9.e30.x", "LINES=a\nSSH=b"}
	got := WithoutSecrets(slices.Concat(kept, secret))
	text := strings.Join(got, "\n")
	for _, kv := range kept {
		if !slices.Contains(got, kv) {
			t.Errorf("%s is not kept", kv)
		}
	}
	for _, kv := range secret {
		name, value, _ := strings.Cut(kv, "=")
		if !slices.Contains(got, name+"="+Dropped) || len(value) > 3 && strings.Contains(text, value) {
			t.Errorf("%s is not left out", kv)
		}
	}
	if len(got) != len(kept)+len(secret) || !slices.IsSorted(got) {
		t.Errorf("%q", got)
	}
}

// program builds a C program against a library of its own.
func program(t *testing.T) (binary, library string) {
	t.Helper()
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	library, binary = filepath.Join(dir, "libown.so.1"), filepath.Join(dir, "p.test")
	buildLibrary(t, library, "int own(void) { return 1; }\n")
	gcc(t, "extern int own(void);\nint main(void) { return own(); }\n", "-o", binary, "-x", "c", "-", "-x", "none", library, "-Wl,-rpath,"+dir)
	return binary, library
}

func buildLibrary(t *testing.T, file, source string) {
	t.Helper()
	gcc(t, source, "-shared", "-fPIC", "-Wl,--build-id", "-Wl,-soname,libown.so.1", "-o", file, "-x", "c", "-")
}

func gcc(t *testing.T, source string, args ...string) {
	t.Helper()
	cmd := exec.Command("gcc", args...)
	cmd.Stdin = strings.NewReader(source)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestSavedAndCompared(t *testing.T) {
	binary, library := program(t)
	report := filepath.Join(t.TempDir(), "report.xml")
	if err := os.WriteFile(report, []byte("<valgrindoutput>"), 0o600); err != nil {
		t.Fatal(err)
	}
	output := filepath.Join(t.TempDir(), "output")
	if err := os.WriteFile(output, []byte("said\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "deep", "saved")
	folder, err := Create(dir, Machine{Tool: "v1", Go: "go1.26.8"})
	if err != nil {
		t.Fatal(err)
	}
	p := Process{
		Package: "example.com/m/p", Binary: binary, Command: []string{"valgrind", "-x y"}, Env: append(os.Environ(), "MY_TOKEN=hidden"),
		Output: output, Result: &memcheck.Result{Reports: []memcheck.Report{{PID: 42, Path: report}}, Log: []byte("warned\n")},
	}
	for range 2 {
		if err := folder.Add(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"0.command": "valgrind '-x y'\n", "0.output": "said\n", "0.valgrind": "warned\n", "0.42.xml": "<valgrindoutput>", "1.42.xml": "<valgrindoutput>",
	} {
		if got, err := os.ReadFile(filepath.Join(dir, "example.com/m/p", name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if env, err := os.ReadFile(filepath.Join(dir, "example.com/m/p/environment")); err != nil || strings.Contains(string(env), "hidden") {
		t.Errorf("%v\n%s", err, env)
	}

	m, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	libraries := m.Packages[p.Package].Libraries
	i := slices.IndexFunc(libraries, func(l Library) bool { return l.Name == "libown.so.1" })
	if i < 0 || len(libraries[i].BuildID) != 40 || m.Platform == "" || m.Tool != "v1" {
		t.Fatalf("%+v", m)
	}
	same, err := m.Compare(t.Context(), dir, p.Package, p.Env)
	if err != nil || len(same) != 0 {
		t.Errorf("%q, %v: nothing has changed", same, err)
	}

	m.System, m.Kernel = "Debian 1", ""
	buildLibrary(t, library, "int own(void) { return 2; }\n")
	differ, err := m.Compare(t.Context(), dir, p.Package, p.Env)
	if err != nil || len(differ) != 3 || !strings.HasPrefix(differ[0], "system: Debian 1 there, ") ||
		!strings.Contains(differ[2], "libown.so.1: another build: "+library+" with build id "+libraries[i].BuildID+" there, ") {
		t.Errorf("%q, %v", differ, err)
	}
	if err := os.Remove(library); err != nil {
		t.Fatal(err)
	}
	differ, err = m.Compare(t.Context(), dir, p.Package, p.Env)
	if err != nil || len(differ) != 3 || differ[2] != "libown.so.1: it is not here; there it was "+library {
		t.Errorf("%q, %v", differ, err)
	}
}

func TestFoldersThatWillNotDo(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(full, Machine{}); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Error(err)
	}
	if _, err := Create(filepath.Join(full, "mine"), Machine{}); err == nil {
		t.Error("a file is taken for a folder")
	}
	if _, err := Read(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	damaged := t.TempDir()
	if err := os.WriteFile(filepath.Join(damaged, machineFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if m, err := Read(damaged); err == nil {
		t.Errorf("%+v", m)
	}
	m := &Machine{Packages: map[string]Package{"p": {Binary: "../../bin/sh"}}}
	if _, err := m.Compare(t.Context(), damaged, "p", nil); err == nil || !strings.Contains(err.Error(), "not a file of the folder") {
		t.Error(err)
	}
}

func TestLibrariesOfWhatHasNone(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if l, err := Libraries(t.Context(), text, nil); err == nil {
		t.Errorf("%+v", l)
	}
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip(err)
	}
	static := filepath.Join(t.TempDir(), "static")
	gcc(t, "int main(void) { return 0; }\n", "-static", "-o", static, "-x", "c", "-")
	got, err := Libraries(t.Context(), static, nil)
	if diff := cmp.Diff([]Library(nil), got); diff != "" || err != nil {
		t.Errorf("%s %v", diff, err)
	}
}

// FuzzMachine: the description of a saved run is read or refused by name, and names no file outside of its folder.
func FuzzMachine(f *testing.F) {
	f.Add(`{"go":"go1.26.8","packages":{"p":{"binary":"p/p.test","libraries":[{"name":"libc.so.6"}]}}}`)
	f.Add(`{"packages":{"p":{"binary":"../../bin/sh"}}}`)
	f.Add(`null`)
	f.Add(`{"packages":null}`)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(filepath.Join(dir, machineFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := Read(dir)
		if err != nil {
			if !strings.Contains(err.Error(), dir) {
				t.Error(err)
			}
			return
		}
		for pkg, p := range m.Packages {
			if _, err := m.Compare(t.Context(), dir, pkg, nil); err == nil {
				t.Errorf("%q, which is not in the folder, was compared", p.Binary)
			}
		}
	})
}
