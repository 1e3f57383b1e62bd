package build

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWithoutCgo: where cgo is off, what calls C by itself is built, and the rest is left out, or refused where there is no
// more.
func TestWithoutCgo(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.com/m\n\ngo 1.25\n",
		"fakecgo/iscgo.go": "//go:build !cgo\n\npackage fakecgo\n\nimport _ \"unsafe\"\n\n//go:linkname _iscgo runtime.iscgo\n" +
			"var _iscgo bool = true\n",
		"fakecgo/cgo.go":    "//go:build cgo\n\npackage fakecgo\n\nimport _ \"runtime/cgo\"\n",
		"calls/calls.go":    "package calls\n\nimport _ \"example.com/m/fakecgo\"\n",
		"calls/c_test.go":   "package calls\n\nimport \"testing\"\n\nfunc TestC(t *testing.T) {}\n",
		"pure/pure.go":      "package pure\n",
		"pure/pure_test.go": "package pure\n\nimport \"testing\"\n\nfunc TestP(t *testing.T) {}\n",
		"cgo/cgo.go":        "package cgo\n\nimport \"C\"\n",
		"cgo/cgo_test.go":   "package cgo\n\nimport \"testing\"\n\nfunc TestP(t *testing.T) {}\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list := func(env string, patterns ...string) (calls []string, said string, err error) {
		t.Helper()
		var progress strings.Builder
		cfg := Config{Dir: dir, Env: append(os.Environ(), env), Patterns: patterns, CacheDir: t.TempDir(), Progress: &progress,
			listOnly: true}
		b, err := newBuilder(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		err = b.list(t.Context())
		for _, p := range b.res.Packages {
			if p.HasCgo {
				calls = append(calls, p.ImportPath)
			}
		}
		return calls, progress.String(), err
	}
	calls, said, err := list("CGO_ENABLED=0", "./calls", "./pure")
	if err != nil || len(calls) != 1 || calls[0] != "example.com/m/calls" || !strings.Contains(said, "in example.com/m/pure\n") {
		t.Errorf("%q, %v, said %q", calls, err, said)
	}
	if calls, _, err := list("CGO_ENABLED=1", "./calls", "./pure", "./cgo"); err != nil || len(calls) != 2 {
		t.Errorf("with cgo: %q, %v", calls, err)
	}
	for _, pkg := range []string{"./pure", "./cgo"} {
		if _, _, err := list("CGO_ENABLED=0", pkg); err == nil || !strings.Contains(err.Error(), "unset it") {
			t.Errorf("%s: %v", pkg, err)
		}
	}
	if _, _, err := list("CC=/nowhere/cc", "./pure"); err != nil && !errors.Is(err, ErrNoCompiler) {
		t.Errorf("no compiler: %v", err)
	}
}
