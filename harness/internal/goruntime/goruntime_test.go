package goruntime

import (
	"os"
	"os/exec"
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
