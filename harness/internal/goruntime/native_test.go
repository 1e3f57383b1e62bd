package goruntime

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// asanSkips are tests of package runtime that cannot pass with the red zones of the overlay. Go skips the same ones with
// -asan, for the same reasons; the tests themselves cannot know of us.
var asanSkips = map[string]string{
	"TestTinyAlloc":           "no tiny allocator, so that memcheck sees every object on its own",
	"TestTinyAllocIssue37262": "the same",
	"TestEmptySlice":          "wants two objects side by side, without a red zone between them",
	"TestEmptyString":         "the same",
}

// TestStandardLibraryNatively runs tests of the standard library with the overlay, outside memcheck: what they pass
// without it they pass with it.
func TestStandardLibraryNatively(t *testing.T) {
	if os.Getenv("CGOGRIND_FULL") == "" {
		t.Skip("slow: ./ci/test --full runs it")
	}
	var skips []string
	for name := range asanSkips {
		skips = append(skips, name)
	}
	for name, args := range map[string][]string{
		"packages": {"bytes", "strings", "reflect", "hash/maphash", "sync", "os/signal", "testing"},
		"runtime":  {"-skip=^(" + strings.Join(skips, "|") + ")$", "runtime"},
		"cgo":      {"cmd/cgo/internal/test"},
	} {
		t.Run(name, func(t *testing.T) {
			testNatively(t, filepath.Join(installed(t).GOROOT, "src"), append([]string{"-short", "-timeout=30m"}, args...)...)
		})
	}
}

// TestBorrowedMemoryNatively: outside memcheck the guard of borrowed memory hands out what the library does. The second
// package has no C code but the standard library's, and so Go's own linker.
func TestBorrowedMemoryNatively(t *testing.T) {
	testNatively(t, "matrix/testdata/matrix", "-run=Clean$", "./borrowed")
	testNatively(t, filepath.Join(installed(t).GOROOT, "src"), "-short", "os/user")
}

// testNatively runs go test with the overlay, outside memcheck.
func testNatively(t *testing.T, dir string, args ...string) {
	t.Helper()
	tc := installed(t)
	ov, err := Make(tc, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(map[string]any{"Replace": ov.Replace})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(overlay, data, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"test", "-vet=off", "-overlay=" + overlay,
		"-tags=" + strings.Join(ov.Tags, ",")}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOEXPERIMENT=nodwarf5", "GOFLAGS=")
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}
