package goruntime

import (
	"os/exec"
	"runtime"
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
	if len(ov.Applied) != len(transformations) {
		t.Errorf("%d of %d transformations applied", len(ov.Applied), len(transformations))
	}
}
