package build

import (
	"debug/buildinfo"
	"os"
	"path/filepath"
	"testing"
)

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		f := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(f), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestExecName(t *testing.T) {
	for path, want := range map[string]string{
		"example.com/m/v1": "v1", "example.com/m/v0": "v0", "example.com/m/v2": "m", "example.com/m/v10": "m", "v2": "v2",
		"example.com/m/v02": "v02", "example.com/m/v": "v", "example.com/m/v2x": "v2x", "example.com/m": "m",
	} {
		if got := ExecName(path); got != want {
			t.Errorf("%s: %s, not %s", path, got, want)
		}
	}
}

func TestBuild(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"go.mod":      "module example.com/m\n\ngo 1.25\n",
		"a/a.go":      "package a\n\n// int f(void) { return 1; }\nimport \"C\"\n\nfunc F() int { return int(C.f()) }\n",
		"a/a_test.go": "package a\n\nimport \"testing\"\n\nfunc TestF(t *testing.T) { F() }\n",
		"b/b.go":      "package b\n",
		"c/c.go":      "package c\n",
		"c/c_test.go": "package c_test\n\nimport \"testing\"\n\nfunc TestC(t *testing.T) {}\n",
		// One go command cannot write two binaries of one name.
		"d/c/v2/e.go":      "package e\n",
		"d/c/v2/e_test.go": "package e\n\nimport \"testing\"\n\nfunc TestE(t *testing.T) {}\n",
		"d/v1/f_test.go":   "package f\n\nimport \"testing\"\n\nfunc TestF(t *testing.T) {}\n",
	})
	res, err := Build(t.Context(), Config{Patterns: []string{"./..."}, Dir: dir, OutDir: t.TempDir(), CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Packages) != 5 {
		t.Fatalf("%d packages, not 5: %+v", len(res.Packages), res.Packages)
	}
	for i, want := range []struct {
		path       string
		tests, cgo bool
	}{{"example.com/m/a", true, true}, {"example.com/m/b", false, false}, {"example.com/m/c", true, false},
		{"example.com/m/d/c/v2", true, false}, {"example.com/m/d/v1", true, false}} {
		p := res.Packages[i]
		if p.ImportPath != want.path || (p.Binary != "") != want.tests || p.HasCgo != want.cgo || p.ModulePath != "example.com/m" {
			t.Errorf("package %d is %+v, not %+v", i, p, want)
		}
		if p.Binary != "" {
			info, err := buildinfo.ReadFile(p.Binary)
			if err != nil {
				t.Fatal(err)
			}
			if info.Path != p.ImportPath+".test" {
				t.Errorf("the binary of %s is that of %s", p.ImportPath, info.Path)
			}
		}
	}
}
