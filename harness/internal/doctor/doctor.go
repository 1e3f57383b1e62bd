// Package doctor looks at what a machine has and lacks for running Go tests under memcheck, and for finding out about
// what they show: programs, debug information, the Go toolchain and whether the instrumented runtime fits it, limits.
//
// Input is an environment and package patterns; output is a list of checks, each good or with its remedy. It changes
// nothing on the machine, apart from temporary files that are gone when it returns and the cache of the instrumented
// runtime, and it judges no tests.
package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/cgogrind/cgogrind/harness/internal/child"
)

// Config says what to look for.
type Config struct {
	Env      []string // the environment of the go command and the tests; os.Environ() if nil
	Valgrind string   // valgrind's path; looked up in PATH if empty
	// Patterns are packages whose C libraries should have debug symbols.
	Patterns []string
	CacheDir string // where the instrumented runtime is kept; a temporary folder if empty
	Terminal bool   // whether standard output is a terminal
}

// Status says how a check went.
type Status string

// The statuses. Only Missing keeps cgogrind test from running.
const (
	OK      Status = "ok"
	Warning Status = "warning" // something else lacks it, or a report is the poorer
	Missing Status = "missing"
)

// Check is one line: what was looked at, and what to do about it.
type Check struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	Found  string `json:"found"`            // what is there, or what is wrong
	Lacks  string `json:"lacks,omitempty"`  // what does not work without it
	Remedy string `json:"remedy,omitempty"` // a command, or what to do
}

// Examine makes all checks, in the order in which they should be read.
func Examine(ctx context.Context, cfg Config) ([]Check, error) {
	if cfg.Env == nil {
		cfg.Env = os.Environ()
	}
	tmp, err := os.MkdirTemp("", "cgogrind-doctor-")
	if err != nil {
		return []Check{{
			Name: "temporary folder", Status: Missing, Found: err.Error(), Lacks: "cgogrind test builds and runs test binaries there",
			Remedy: "export TMPDIR=DIR, a folder that can be written to",
		}}, nil
	}
	defer os.RemoveAll(tmp)
	e := &examination{cfg: cfg, tmp: tmp, system: readSystem("/etc/os-release")}
	if cfg.CacheDir == "" {
		e.cfg.CacheDir = filepath.Join(tmp, "cache")
	}
	for _, look := range []func(context.Context){
		e.platform, e.valgrind, e.goToolchain, e.cCompiler, e.descriptors, e.disk, // what cgogrind test needs
		e.libc, e.libraries, e.allocator,
		e.gdb, e.vgdb, e.ptrace, e.strace, e.core,
		e.ceph, e.terminal,
	} {
		look(ctx)
		if ctx.Err() != nil {
			return e.checks, fmt.Errorf("examining the machine: %w", context.Cause(ctx))
		}
	}
	return e.checks, nil
}

// examination is one call of Examine.
type examination struct {
	cfg    Config
	tmp    string
	system system
	checks []Check
	goEnv  goEnv
	goRuns bool // goEnv is filled in
}

func (e *examination) good(name, format string, args ...any) {
	e.checks = append(e.checks, Check{Name: name, Status: OK, Found: fmt.Sprintf(format, args...)})
}

func (e *examination) bad(c Check) { e.checks = append(e.checks, c) }

func (e *examination) platform(context.Context) {
	name := e.system.name
	if name == "" {
		name = "an unknown system"
	}
	switch platform := runtime.GOOS + "/" + runtime.GOARCH; platform {
	case "linux/amd64":
		e.good("platform", "%s, %s", platform, name)
	case "linux/arm64":
		e.bad(Check{
			Name: "platform", Status: Warning, Found: platform + ", " + name,
			Lacks:  "the instrumented runtime was never tried on arm64",
			Remedy: "use linux/amd64, or tell us how it went",
		})
	default:
		e.bad(Check{
			Name: "platform", Status: Missing, Found: platform + ", " + name,
			Lacks: "the instrumented runtime needs linux/amd64", Remedy: "use a machine or container with linux/amd64",
		})
	}
}

// program is what is said about a program that has to be on PATH.
type program struct {
	name, version string // version is the argument that makes it print its version
	status        Status // if it is missing
	lacks         string
	packages      packages
}

// look finds a program and the first line that it prints as its version; ok is false when a check says why not.
func (e *examination) look(ctx context.Context, p program) (path, version string, ok bool) {
	path, err := exec.LookPath(p.name)
	if err != nil {
		e.bad(Check{
			Name: p.name, Status: p.status, Found: "not on PATH", Lacks: p.lacks, Remedy: e.system.install(p.packages),
		})
		return "", "", false
	}
	out, err := e.run(ctx, path, p.version)
	if err != nil {
		e.bad(Check{
			Name: p.name, Status: p.status, Found: fmt.Sprintf("%s does not run: %v", path, err), Lacks: p.lacks,
			Remedy: e.system.install(p.packages),
		})
		return path, "", false
	}
	version, _, _ = strings.Cut(out, "\n")
	return path, strings.TrimSpace(version), true
}

// run gives what a program prints on standard output.
func (e *examination) run(ctx context.Context, path string, args ...string) (string, error) {
	cmd := exec.Command(path, args...)
	cmd.Env = e.cfg.Env
	out, err := child.Output(ctx, cmd)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		said, _, _ := strings.Cut(strings.TrimSpace(string(exit.Stderr)), "\n")
		return string(out), errors.New(cmp.Or(said, err.Error()))
	}
	return string(out), err
}
