package valgrind

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"
)

// pollInterval is how often a Follow looks whether its file has grown. Nobody tells: memcheck just writes.
const pollInterval = 20 * time.Millisecond

// Follow reads the file at path while memcheck writes it. Where the file ends, and as long as it does not exist, Read
// waits for more; once done is closed, which says that memcheck has ended, it reads the rest and gives io.EOF, or
// an error that matches fs.ErrNotExist if there never was a file. It gives ctx's cause when ctx is done, and
// os.ErrClosed after Close. Both end a Read that waits.
//
// The file must not be left from another run: its old content would be read before memcheck replaces it.
func Follow(ctx context.Context, path string, done <-chan struct{}) io.ReadCloser {
	return &follower{ctx: ctx, path: path, done: done, closed: make(chan struct{})}
}

type follower struct {
	ctx   context.Context
	path  string
	done  <-chan struct{}
	ended bool // done was closed before the last attempt to read

	close  sync.Once
	closed chan struct{}
	mu     sync.Mutex // guards file
	file   *os.File
}

func (f *follower) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		n, err := f.read(p)
		if n > 0 {
			return n, nil
		}
		waiting := errors.Is(err, io.EOF) || errors.Is(err, fs.ErrNotExist)
		if !waiting || f.ended {
			return 0, err
		}
		poll := time.NewTimer(pollInterval)
		select {
		case <-f.done:
			f.ended = true
		case <-f.ctx.Done():
		case <-f.closed:
		case <-poll.C:
		}
		poll.Stop()
	}
}

// read reads what is there.
func (f *follower) read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.stopped(); err != nil {
		return 0, err
	}
	if f.file == nil {
		file, err := os.Open(f.path)
		if err != nil {
			return 0, err
		}
		f.file = file
	}
	return f.file.Read(p)
}

func (f *follower) stopped() error {
	select {
	case <-f.closed:
		return os.ErrClosed
	case <-f.ctx.Done():
		return fmt.Errorf("following %s: %w", f.path, context.Cause(f.ctx))
	default:
		return nil
	}
}

func (f *follower) Close() error {
	f.close.Do(func() { close(f.closed) })
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}
