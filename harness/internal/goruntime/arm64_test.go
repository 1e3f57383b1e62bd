package goruntime

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestARM64 builds what the overlay touches for linux/arm64. It cannot run here, and never ran anywhere.
func TestARM64(t *testing.T) {
	if os.Getenv("CGOGRIND_FULL") == "" {
		t.Skip("slow: ./ci/test --full runs it")
	}
	tc := installed(t)
	tc.GOARCH = "arm64"
	ov, err := Make(tc, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(ov.Applied, "mirrored stack") {
		t.Error("the mirrored stack is for amd64 only")
	}
	// Without a C compiler for arm64 there is no runtime/cgo, which package testing has from us.
	for name := range ov.Replace {
		if strings.HasPrefix(name, filepath.Join(tc.GOROOT, "src/testing/")) {
			delete(ov.Replace, name)
		}
	}
	data, err := json.Marshal(map[string]any{"Replace": ov.Replace})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(overlay, data, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{
		{"build"},
		// What Go's own sources are full of, and its own checks leave out, too.
		{"vet", "-unsafeptr=false", "-asmdecl=false"},
	} {
		cmd := exec.CommandContext(t.Context(), "go", append(command, "-overlay="+overlay, "-tags="+strings.Join(ov.Tags, ","),
			"runtime", "internal/bytealg")...)
		cmd.Env = append(os.Environ(), "GOARCH=arm64", "CGO_ENABLED=0", "GOFLAGS=",
			"GOEXPERIMENT=nodwarf5")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("go %q: %v\n%s", command, err, out)
		}
	}
}
