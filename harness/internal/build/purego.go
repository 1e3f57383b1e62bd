package build

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/cgogrind/cgogrind/harness/internal/shell"
)

// usesCgo is whether the go command compiles C code. Without it there still is C to check: purego, and what is like it, calls
// shared libraries from Go assembly, and has a Go version of runtime/cgo, so that the C library makes the threads.
func (b *builder) usesCgo() bool { return b.goEnv.CgoEnabled == "1" }

// noCgo is the error for packages that call no C because cgo is off.
func (b *builder) noCgo() error {
	if shell.Getenv(b.cfg.Env, "CGO_ENABLED") == "0" {
		return errors.New("CGO_ENABLED=0 is set: C code is what memcheck is for, so unset it; without cgo only packages that " +
			"call C through purego can be checked")
	}
	return fmt.Errorf("%w: %s; install one (apt-get install gcc libc6-dev)", ErrNoCompiler, b.goEnv.CC)
}

// callers remembers which packages call C without being compiled by cgo.
type callers map[*listed]bool

// has is whether a package takes the place of runtime/cgo, or asks for it without C code of its own, as purego does with and
// without cgo.
func (c callers) has(p *listed) bool {
	has, known := c[p]
	if !known {
		has = slices.Contains(p.Imports, "runtime/cgo") || slices.ContainsFunc(p.GoFiles, func(name string) bool {
			// A file that cannot be read is for the go command to complain of.
			text, _ := os.ReadFile(filepath.Join(p.Dir, name))
			return bytes.Contains(text, []byte("//go:linkname _iscgo runtime.iscgo"))
		})
		c[p] = has
	}
	return has
}
