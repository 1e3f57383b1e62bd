package harness

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/cgogrind/cgogrind/harness/internal/build"
	"github.com/cgogrind/cgogrind/harness/result"
)

// TestUncheckedPackage: one binary that cannot be inspected is its package's affair, as long as there are others.
func TestUncheckedPackage(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(t.TempDir(), "x.test")
	if err := os.WriteFile(text, []byte("no program"), 0o755); err != nil {
		t.Fatal(err)
	}
	good, bad := build.Package{ImportPath: "m/good", Binary: self}, build.Package{ImportPath: "m/bad", Binary: text}
	inspect := func(packages ...build.Package) ([]build.Package, result.ExitCode, error) {
		r, err := newRun(Config{AllowUnseen: true}, nil) // this test binary may be static
		if err != nil {
			t.Fatal(err)
		}
		r.built = &build.Result{Packages: packages}
		code, err := r.inspectPackages(t.Context())
		return packages, code, err
	}
	got, code, err := inspect(bad, build.Package{ImportPath: "m/none"}, good)
	if code != 0 || err != nil || got[0].Binary != "" || got[0].Failed == nil || !got[0].Failed.Unchecked || got[2].Binary != self {
		t.Errorf("%+v, exit code %d, %v", got, code, err)
	}
	if _, code, err := inspect(bad, build.Package{ImportPath: "m/none"}); code != result.ExitUsage || err == nil {
		t.Errorf("alone: exit code %d, %v", code, err)
	}
}
