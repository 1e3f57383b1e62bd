package input

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Whatever a name leads to, reading it ends.
func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	file, pipe := filepath.Join(dir, "file"), filepath.Join(dir, "pipe")
	if err := os.WriteFile(file, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := ReadFile(file, 10); string(text) != "0123456789" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	for _, c := range []struct{ name, want string }{
		{file, "too large"}, {"/dev/zero", "too large"}, {pipe, "nobody writes to this pipe"}, {dir, "is a directory"},
		{filepath.Join(dir, "none"), "no such file"},
	} {
		if text, err := ReadFile(c.name, 9); text != nil || err == nil || !strings.Contains(err.Error(), c.want) ||
			!strings.Contains(err.Error(), c.name) {
			t.Errorf("%s: %q, %v", c.name, text, err)
		}
	}
	if text, err := ReadFile("/dev/null", 9); len(text) > 0 || err != nil {
		t.Errorf("/dev/null: %q, %v", text, err)
	}
	for _, name := range []string{"/dev/zero", "/dev/null", pipe, dir} {
		if _, err := ReadRegular(name, 9); err == nil || !strings.Contains(err.Error(), "no regular file") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ReadRegular(file, 9); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}

// A pipe with a writer, as the shell's <(…) makes one, is read to its end.
func TestReadPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	go func() {
		defer w.Close()
		w.WriteString("[test]\n")
		w.WriteString("count = 1\n")
	}()
	text, err := ReadFile("/dev/fd/"+strconv.Itoa(int(r.Fd())), 100)
	if string(text) != "[test]\ncount = 1\n" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
}
