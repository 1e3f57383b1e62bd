// Package memcheck finds valgrind and runs one program under its tool memcheck: the options to an argument list, the
// limits that memcheck needs, one process group with an orderly end, and the XML reports that it leaves, one for each
// process.
//
// Input is a path or the PATH, options, and a program. The package reads no report (package valgrind does) and decides
// nothing about what memcheck found. It works on Linux.
package memcheck

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Valgrind is an installed valgrind of an accepted version.
type Valgrind struct {
	Path    string // absolute
	Version Version
}

// What is wrong with valgrind; a *FindError wraps one of them.
var (
	ErrNotFound = errors.New("valgrind not found")
	ErrTooOld   = errors.New("valgrind is too old")
	ErrUnusable = errors.New("not a working valgrind")
)

// FindError says why there is no valgrind to work with, and what to do.
type FindError struct {
	Path    string // as asked for or found; empty when PATH was searched in vain
	Version string // as the program printed it, empty if it printed none
	Err     error  // ErrNotFound, ErrTooOld or ErrUnusable
	Detail  string // what happened, empty if Err says it all
	Remedy  string // what to do
}

func (e *FindError) Error() string {
	s := e.Err.Error()
	if e.Path != "" {
		s = e.Path + ": " + s
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s + "; " + e.Remedy
}

func (e *FindError) Unwrap() error { return e.Err }

const (
	remedyInstall = "install valgrind (Debian, Ubuntu: apt-get install valgrind; Fedora: dnf install valgrind) or name " +
		"its program with --valgrind"
	remedyPath    = "name a valgrind program with --valgrind, or leave that out to take the one on PATH"
	remedyUpgrade = "upgrade it (Debian 12 and Ubuntu 22.10 have 3.19 or later, sources are at " +
		"https://valgrind.org/downloads) and name its program with --valgrind if it is not the first on PATH"
)

// answerTimeout bounds valgrind --version, which takes milliseconds: only a program that hangs reaches it.
const answerTimeout = 30 * time.Second

// Find finds valgrind and asks it for its version. Path names the program; when it is empty, PATH is searched for
// "valgrind". The error is a *FindError, or the context's.
func Find(ctx context.Context, path string) (*Valgrind, error) {
	return find(ctx, path, answerTimeout)
}

func find(ctx context.Context, path string, timeout time.Duration) (*Valgrind, error) {
	name, remedy := path, remedyPath
	if path == "" {
		name, remedy = "valgrind", remedyInstall
	}
	found, err := exec.LookPath(name)
	if err == nil {
		found, err = filepath.Abs(found)
	}
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return nil, &FindError{Path: path, Err: ErrNotFound, Remedy: remedy}
	case errors.Is(err, fs.ErrPermission):
		return nil, &FindError{Path: path, Err: ErrUnusable, Detail: "it is not executable", Remedy: remedyPath}
	case err != nil:
		detail := err
		if inner := errors.Unwrap(err); inner != nil {
			detail = inner // without the name, which FindError has already
		}
		return nil, &FindError{Path: path, Err: ErrUnusable, Detail: detail.Error(), Remedy: remedyPath}
	}

	answer, err := askVersion(ctx, found, timeout)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("asking %s for its version: %w", found, context.Cause(ctx))
	}
	if err != nil {
		return nil, &FindError{Path: found, Version: answer, Err: ErrUnusable, Detail: err.Error(), Remedy: remedyPath}
	}
	version, err := ParseVersion(answer)
	if err != nil || !strings.HasPrefix(answer, "valgrind-") {
		return nil, &FindError{Path: found, Version: answer, Err: ErrUnusable,
			Detail: fmt.Sprintf("with --version it printed %q and not something like \"valgrind-3.19.0\"", answer),
			Remedy: remedyPath}
	}
	if version.Compare(Oldest) < 0 {
		return nil, &FindError{Path: found, Version: answer, Err: ErrTooOld,
			Detail: fmt.Sprintf("it is %s, and at least %s is needed", version, Oldest), Remedy: remedyUpgrade}
	}
	return &Valgrind{Path: found, Version: version}, nil
}

// askVersion returns the first line that the program prints when it is asked for its version.
func askVersion(ctx context.Context, path string, timeout time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var stdout, stderr head
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	answer, _, _ := strings.Cut(strings.TrimSpace(string(stdout)), "\n")
	answer = strings.TrimSpace(answer)
	if ctx.Err() != nil {
		return answer, fmt.Errorf("with --version it did not end within %v", timeout)
	}
	if err != nil {
		said, _, _ := strings.Cut(strings.TrimSpace(string(stderr)), "\n")
		if said != "" {
			said = fmt.Sprintf(" (%s)", said)
		}
		return answer, fmt.Errorf("running it with --version: %w%s", err, said)
	}
	return answer, nil
}

// head keeps the beginning of what is written to it: the program may be anything.
type head []byte

func (h *head) Write(p []byte) (int, error) {
	const limit = 4 << 10
	*h = append(*h, p[:min(len(p), limit-len(*h))]...)
	return len(p), nil
}

// vgdb is the program that comes with valgrind and talks to its gdb server.
func (v *Valgrind) vgdb() string { return filepath.Join(filepath.Dir(v.Path), "vgdb") }
