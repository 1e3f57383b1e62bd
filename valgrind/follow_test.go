package valgrind_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cgogrind/cgogrind/valgrind"
)

// TestFollow reads a file from before it exists until its writer has ended. Each part is written only when what came
// before has arrived.
func TestFollow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.xml")
	done := make(chan struct{})
	in := valgrind.Follow(t.Context(), path, done)
	defer in.Close()
	events := make(chan valgrind.Event)
	ended := make(chan error, 1)
	go func() {
		var last error
		for e, err := range valgrind.Read(in) {
			if last = err; err == nil {
				events <- e
			}
		}
		ended <- last
	}()

	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	write := func(s string) {
		t.Helper()
		if _, err := file.WriteString(s); err != nil {
			t.Fatal(err)
		}
	}
	write("<valgrindoutput><protocolversion>4</protocolversion><status><state>RUNNING</state>")
	if h := (<-events).(valgrind.Header); h.Protocol != 4 {
		t.Errorf("got %+v", h)
	}
	write("</status>")
	if s := (<-events).(valgrind.Status); s.State != "RUNNING" {
		t.Errorf("got %+v", s)
	}
	write("<clientmsg><text>one</text></clientmsg>")
	if m := (<-events).(valgrind.ClientMessage); m.Text != "one" {
		t.Errorf("got %+v", m)
	}
	// What is there when the writer ends is read, and then it is the end.
	write("<clientmsg><text>two</text></clientmsg><err")
	close(done)
	if m := (<-events).(valgrind.ClientMessage); m.Text != "two" {
		t.Errorf("got %+v", m)
	}
	if err := <-ended; !errors.Is(err, valgrind.ErrTruncated) {
		t.Errorf("got %v", err)
	}
}

func TestFollowNoFile(t *testing.T) {
	done := make(chan struct{})
	close(done)
	in := valgrind.Follow(t.Context(), filepath.Join(t.TempDir(), "report.xml"), done)
	defer in.Close()
	_, reason, err := readAll(in)
	if !errors.Is(err, fs.ErrNotExist) || errors.Is(err, valgrind.ErrTruncated) ||
		!strings.Contains(reason, "report.xml") {
		t.Errorf("got %v, %q", err, reason)
	}
}

func TestFollowOtherError(t *testing.T) {
	in := valgrind.Follow(t.Context(), t.TempDir(), nil)
	defer in.Close()
	if _, err := in.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("reading a folder gives %v", err)
	}
}

// TestFollowStop ends a Read that waits.
func TestFollowStop(t *testing.T) {
	reason := errors.New("enough")
	for name, stop := range map[string]func(io.Closer, context.CancelCauseFunc) error{
		"cancel": func(_ io.Closer, cancel context.CancelCauseFunc) error {
			cancel(reason)
			return reason
		},
		"close": func(in io.Closer, _ context.CancelCauseFunc) error {
			if err := in.Close(); err != nil {
				t.Error(err)
			}
			return os.ErrClosed
		},
	} {
		for _, exists := range []bool{true, false} {
			path := filepath.Join(t.TempDir(), "report.xml")
			if exists {
				if err := os.WriteFile(path, []byte("x"), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			in := valgrind.Follow(ctx, path, nil)
			defer in.Close()
			failed := make(chan error)
			go func() {
				_, err := io.ReadAll(in)
				failed <- err
			}()
			want := stop(in, cancel)
			if err := <-failed; !errors.Is(err, want) {
				t.Errorf("%s: got %v, want %v", name, err, want)
			}
			if _, err := in.Read(make([]byte, 1)); !errors.Is(err, want) {
				t.Errorf("%s: reading on gives %v, want %v", name, err, want)
			}
		}
	}
}
