package build

import (
	"debug/buildinfo"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cgogrind/cgogrind/harness/result"
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

// TestGoFiles: a package may be named by its Go files, those of its tests included.
func TestGoFiles(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"go.mod":        "module example.com/m\n\ngo 1.25\n",
		"sub/a.go":      "package a\n",
		"sub/a_test.go": "package a\n\nimport \"testing\"\n\nfunc TestA(t *testing.T) {}\n",
		"sub/b_test.go": "package a\n\nfunc {\n",
	})
	res, err := Build(t.Context(), Config{Patterns: []string{"sub/a.go", "sub/a_test.go"}, Dir: dir, OutDir: t.TempDir(),
		CacheDir: t.TempDir(), Runtime: result.Stock})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Packages) != 1 || filepath.Base(res.Packages[0].Binary) != "a.test" || res.Packages[0].Dir != filepath.Join(dir, "sub") {
		t.Fatalf("%+v", res.Packages)
	}
	if _, err := os.Stat(res.Packages[0].Binary); err != nil {
		t.Error(err)
	}
}

// TestPackagesThatDoNotBuild: each has a failure of its own with what the go command says about it, and the others are
// built.
func TestPackagesThatDoNotBuild(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{
		"go.mod":           "module example.com/m\n\ngo 1.25\n",
		"undefined/p.go":   "package undefined\n\nvar x = missing\n",
		"dependency/p.go":  "package dependency\n\nimport _ \"example.com/m/undefined\"\n",
		"syntax/p.go":      "package syntax\n\nfunc {\n",
		"test/x_test.go":   "package test\n\nfunc {\n",
		"cycle/p.go":       "package cycle\n\nimport _ \"example.com/m/cycle/b\"\n",
		"cycle/b/p.go":     "package b\n\nimport _ \"example.com/m/cycle\"\n",
		"module/p.go":      "package module\n\nimport _ \"example.com/nowhere\"\n",
		"module/x_test.go": "package module_test\n\nimport _ \"example.com/nowhere/else\"\n",
		"ccode/p.go":       "package ccode\n\n// int f(void) { return nothing; }\nimport \"C\"\n\nfunc F() { C.f() }\n",
		"link/p.go":        "package link\n\n// int nowhere(void);\nimport \"C\"\n\nfunc F() { C.nowhere() }\n",
		"fine/p.go":        "package fine\n",
		"none/p.go":        "package none\n",
	}
	for _, pkg := range []string{"undefined", "dependency", "syntax", "cycle", "cycle/b", "module", "ccode", "link", "fine"} {
		files[pkg+"/p_test.go"] = "package " + filepath.Base(pkg) + "\n\nimport \"testing\"\n\nfunc Test(t *testing.T) {}\n"
	}
	write(t, dir, files)
	cfg := Config{Dir: dir, CacheDir: t.TempDir(), Runtime: result.Stock}
	build := func(patterns ...string) (*Result, error) {
		cfg.Patterns, cfg.OutDir = patterns, t.TempDir()
		return Build(t.Context(), cfg)
	}
	res, err := build("./...", "./gone")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{ // the reason, and parts of the output
		"example.com/m/undefined":  {BuildFailed, "# example.com/m/undefined", "undefined: missing"},
		"example.com/m/dependency": {BuildFailed, "# example.com/m/undefined", "undefined: missing"},
		"example.com/m/syntax":     {BuildFailed, "p.go:3:6: syntax error"},
		"example.com/m/test":       {SetupFailed, "x_test.go:3:6: expected 'IDENT'"},
		"example.com/m/cycle":      {SetupFailed, "imports example.com/m/cycle/b", "import cycle not allowed"},
		"example.com/m/cycle/b":    {SetupFailed, "imports example.com/m/cycle", "import cycle not allowed"},
		"example.com/m/module":     {SetupFailed, "no required module provides package example.com/nowhere;", "nowhere/else"},
		"example.com/m/ccode":      {BuildFailed, "nothing"},
		"example.com/m/link":       {BuildFailed, "# example.com/m/link.test", "undefined reference to `nowhere'"},
		"./gone":                   {SetupFailed, "gone: directory not found"},
	}
	for _, p := range res.Packages {
		switch parts, fails := want[p.ImportPath]; {
		case !fails && p.Failed != nil:
			t.Errorf("%s: %+v", p.ImportPath, p.Failed)
		case !fails && (p.Binary != "") != (p.ImportPath == "example.com/m/fine"):
			t.Errorf("%s: the binary is %q", p.ImportPath, p.Binary)
		case fails && (p.Failed == nil || p.Binary != "" || p.Failed.Reason != parts[0]):
			t.Errorf("%s: %+v, not %s", p.ImportPath, p.Failed, parts[0])
		case fails:
			for _, part := range parts[1:] {
				if !strings.Contains(p.Failed.Output, part) {
					t.Errorf("%s: no %q in\n%s", p.ImportPath, part, p.Failed.Output)
				}
			}
			if strings.Contains(p.Failed.Output, "syntax error") && !strings.HasSuffix(p.ImportPath, "syntax") {
				t.Errorf("%s: it has another's output:\n%s", p.ImportPath, p.Failed.Output)
			}
		}
	}

	// A run without any package is none.
	var failed *Error
	if _, err := build("./undefined", "./dependency", "./none"); !errors.As(err, &failed) ||
		strings.Count(failed.Output, "undefined: missing") != 1 {
		t.Errorf("%v, not one that tells the mistake once", err)
	}
}
