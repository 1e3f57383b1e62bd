package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/cgogrind/cgogrind/harness/internal/goruntime"
	"github.com/cgogrind/cgogrind/harness/internal/shell"
)

// goEnv is what go env says.
type goEnv struct {
	GOROOT, GOVERSION, GOOS, GOARCH, GOMOD, CC string

	CgoEnabled string `json:"CGO_ENABLED"`
}

const noGo = "no test can be built"

// goToolchain looks for Go and makes the instrumented runtime from its sources.
func (e *examination) goToolchain(ctx context.Context) {
	path, err := exec.LookPath("go")
	if err != nil {
		e.bad(Check{
			Name: "go", Status: Missing, Found: "not on PATH", Lacks: noGo,
			Remedy: "install Go 1.25 or later (https://go.dev/dl) and put its bin folder on PATH",
		})
		return
	}
	out, err := e.run(ctx, path, "env", "-json")
	if err == nil {
		err = json.Unmarshal([]byte(out), &e.goEnv)
	}
	if err != nil {
		e.bad(Check{
			Name: "go", Status: Missing, Found: fmt.Sprintf("%s env fails: %v", path, err), Lacks: noGo,
			Remedy: "see what it says: go env",
		})
		return
	}
	e.goRuns = true
	e.good("go", "%s, %s", e.goEnv.GOVERSION, e.goEnv.GOROOT)

	ov, err := goruntime.Make(goruntime.Toolchain{
		GOROOT: e.goEnv.GOROOT, Version: e.goEnv.GOVERSION, GOARCH: e.goEnv.GOARCH,
	}, e.cfg.CacheDir)
	bad := Check{Name: "instrumented runtime", Status: Missing, Lacks: "only --runtime=stock works, with many false errors"}
	var fit *goruntime.FitError
	switch {
	case errors.As(err, &fit):
		bad.Found = fmt.Sprintf("transformation %q does not fit %s: %s: %s", fit.Transformation, fit.Version, fit.File, fit.Detail)
		bad.Remedy = "choose a version of Go that fits, as in: GOTOOLCHAIN=go1.26.0 cgogrind test; or update cgogrind"
	case errors.Is(err, goruntime.ErrUnsupported):
		bad.Found = err.Error()
		bad.Remedy = "choose a version of Go that fits, as in: GOTOOLCHAIN=go1.26.0 cgogrind test; or update cgogrind"
	case err != nil:
		bad.Found = err.Error()
		bad.Remedy = "make that possible, or export XDG_CACHE_HOME=DIR, a folder that can be written to"
	default:
		found := fmt.Sprintf("%d transformations fit %s", len(ov.Applied), e.goEnv.GOVERSION)
		if n := len(ov.Unneeded); n > 0 {
			found += fmt.Sprintf("; not needed there: %s", strings.Join(ov.Unneeded, ", "))
		}
		e.good("instrumented runtime", "%s", found)
		return
	}
	e.bad(bad)
}

// cCompiler compiles and links a small program.
func (e *examination) cCompiler(ctx context.Context) {
	cc, args := "gcc", []string(nil)
	// Words that cannot be read are for the go command to complain of.
	if words, err := shell.Fields(e.goEnv.CC); err == nil && len(words) > 0 {
		cc, args = words[0], words[1:len(words):len(words)]
	}
	remedy := e.system.install(packages{"gcc libc6-dev", "gcc glibc-devel"})
	if e.goRuns && e.goEnv.CgoEnabled == "0" {
		for _, kv := range e.cfg.Env {
			if kv == "CGO_ENABLED=0" {
				e.bad(Check{
					Name: "C compiler", Status: Missing, Found: "CGO_ENABLED=0 is set", Lacks: noGo, Remedy: "unset CGO_ENABLED",
				})
				return
			}
		}
	}
	path, err := exec.LookPath(cc)
	if err != nil {
		e.bad(Check{Name: "C compiler", Status: Missing, Found: cc + " is not on PATH", Lacks: noGo, Remedy: remedy})
		return
	}
	source := filepath.Join(e.tmp, "trial.c")
	err = os.WriteFile(source, []byte("#include <stdlib.h>\n#include <pthread.h>\nint main(void) { return 0; }\n"), 0o600)
	if err == nil {
		_, err = e.run(ctx, path, append(args, "-o", filepath.Join(e.tmp, "trial"), source, "-lpthread")...)
	}
	if err != nil {
		e.bad(Check{
			Name: "C compiler", Status: Missing, Found: fmt.Sprintf("%s cannot build a program: %v", path, err), Lacks: noGo,
			Remedy: remedy,
		})
		return
	}
	out, err := e.run(ctx, path, append(args, "--version")...)
	version, _, _ := strings.Cut(out, "\n")
	if err != nil {
		version = cc
	}
	e.good("C compiler", "%s, %s", version, path)
}
