package goruntime

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func installed(t *testing.T) Toolchain {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT", "GOVERSION").Output()
	if err != nil {
		t.Fatalf("asking go for its root: %v", err)
	}
	f := strings.Fields(string(out))
	return Toolchain{GOROOT: f[0], Version: f[1], GOARCH: runtime.GOARCH}
}

func TestMake(t *testing.T) {
	ov, err := Make(installed(t), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, tr := range transformations {
		if !slices.Contains(ov.Applied, tr.Name) && (len(tr.arch) == 0 || slices.Contains(tr.arch, runtime.GOARCH)) {
			t.Errorf("transformation %q did not apply", tr.Name)
		}
	}
	if len(ov.Unneeded) != 0 {
		t.Errorf("%q are unneeded here: say so in README.md, and take them out when no supported version needs them", ov.Unneeded)
	}
}

// TestReadme: the documentation lists every transformation.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	table, _, _ := strings.Cut(string(text), "\n## ")
	for _, tr := range transformations {
		if !strings.Contains(table, tr.Name) {
			t.Errorf("README.md does not list %q", tr.Name)
		}
	}
}

// TestUnneeded: what a version of Go has mended itself is left alone, and said so.
func TestUnneeded(t *testing.T) {
	tc := installed(t)
	tree := &tree{tc: tc, files: map[string]*source{}}
	for name, mend := range map[string]struct{ file, old, new string }{
		"tiny allocator": {"runtime/malloc.go", "if size < maxTinySize", "if !valgrindenabled && size < maxTinySize"},
		"sweeping": {"runtime/mgcsweep.go", "raceenabled || msanenabled || asanenabled {",
			"raceenabled || msanenabled || asanenabled || valgrindenabled { _ = gc.MallocHeaderSize"},
		"tracebacks": {"runtime/traceback.go", "print(hex(x))", "if valgrindenabled { defined(x) }; print(hex(x))"},
	} {
		src, err := tree.read(mend.file)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(transformations, func(tr transformation) bool { return tr.Name == name })
		if transformations[i].unneeded(tree) {
			t.Errorf("%q is unneeded before Go is mended", name)
		}
		if !strings.Contains(src.text, mend.old) {
			t.Fatalf("%s has no %q", mend.file, mend.old)
		}
		src.text = strings.ReplaceAll(src.text, mend.old, mend.new)
		if !transformations[i].unneeded(tree) {
			t.Errorf("%q is still needed after Go is mended", name)
		}
	}
}

// TestCheck: everything fits the installed Go, on both architectures, and the compiler would take it.
func TestCheck(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		tc, err := ReadToolchain(installed(t).GOROOT, arch)
		if err != nil {
			t.Fatal(err)
		}
		fit, err := Check(tc)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range fit.Misfits {
			t.Error(m)
		}
		for _, name := range fit.Names {
			t.Error(name)
		}
	}
}

// TestCheckTellsAll: every transformation that does not fit is told of, and every name of the runtime that is gone.
func TestCheckTellsAll(t *testing.T) {
	tc, err := ReadToolchain(installed(t).GOROOT, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	src := filepath.Join(tc.GOROOT, "src")
	entries, err := os.ReadDir(src)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(root, "src"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		from, to := filepath.Join(src, e.Name()), filepath.Join(root, "src", e.Name())
		if e.Name() == "runtime" || e.Name() == "testing" {
			err = os.CopyFS(to, os.DirFS(from))
		} else {
			err = os.Symlink(from, to)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	// Two places are gone, and a function that an embedded file calls.
	for file, edit := range map[string][2]string{
		"runtime/mgcsweep.go": {"valgrindFree(unsafe.Pointer(x))", "valgrindGone(unsafe.Pointer(x))"},
		"testing/testing.go":  {"func tRunner(", "func tRun("},
		"runtime/mfinal.go":   {"func blockUntilEmptyFinalizerQueue(", "func waitForFinalizers("},
	} {
		name := filepath.Join(root, "src", filepath.FromSlash(file))
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(b), edit[0], edit[1])
		if text == string(b) {
			t.Fatalf("%s has no %q", file, edit[0])
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tc.GOROOT = root
	fit, err := Check(tc)
	if err != nil {
		t.Fatal(err)
	}
	var misfits []string
	for _, m := range fit.Misfits {
		misfits = append(misfits, m.Transformation)
	}
	if want := []string{"sweeping", "test marks"}; !slices.Equal(misfits, want) {
		t.Errorf("%q do not fit, want %q", misfits, want)
	}
	if !slices.ContainsFunc(fit.Names, func(n string) bool { return strings.Contains(n, "blockUntilEmptyFinalizerQueue") }) {
		t.Errorf("blockUntilEmptyFinalizerQueue is gone, and among %q it is not", fit.Names)
	}
}
