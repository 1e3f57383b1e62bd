// Package input reads small files that somebody else may have written: configuration, baselines, descriptions, sources
// that a report names. Whatever the name leads to, reading ends: there is a limit on the size, and nobody waits for a pipe
// that nobody writes to.
package input

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// Limits on the sizes of files, in bytes: far more than such files have, and little enough to be read at once.
const (
	Settings    = 4 << 20  // configuration, suppressions, descriptions
	Baseline    = 64 << 20 // 100,000 findings are 40 MB
	SourceLimit = 16 << 20 // a file with code
)

// ErrTooLarge says that a file has more than the limit.
var ErrTooLarge = errors.New("it is too large to be what it is taken for")

// ReadFile reads a file of at most limit bytes. A pipe that has a writer is read to its end; one without is an error, as is
// a folder.
func ReadFile(name string, limit int64) ([]byte, error) {
	// With O_NONBLOCK, opening a named pipe does not wait for a writer.
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Read(f, limit)
}

// ReadRegular is ReadFile for what must be a file on a disk: the name comes from somebody else.
func ReadRegular(name string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: cmp.Or(err, errors.New("it is no regular file"))}
	}
	return Read(f, limit)
}

// Read reads an open file of at most limit bytes.
func Read(f *os.File, limit int64) ([]byte, error) {
	fail := func(err error) ([]byte, error) { return nil, &fs.PathError{Op: "read", Path: f.Name(), Err: err} }
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	tooLarge := fmt.Errorf("%w: more than %d MiB", ErrTooLarge, limit>>20)
	switch mode := info.Mode(); {
	case mode.IsDir():
		return fail(syscall.EISDIR)
	case mode.IsRegular() && info.Size() > limit:
		return fail(tooLarge)
	}
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(text)) > limit:
		return fail(tooLarge)
	case len(text) == 0 && info.Mode()&fs.ModeNamedPipe != 0:
		return fail(errors.New("nobody writes to this pipe"))
	}
	return text, nil
}
