package memcheck

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// script writes a program that stands in for valgrind.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "valgrind")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFindVersions(t *testing.T) {
	for _, c := range []struct {
		prints string
		want   Version
	}{
		{"echo valgrind-3.19.0", Version{3, 19, 0, ""}},
		{"echo valgrind-3.27.1", Version{3, 27, 1, ""}},
		{"echo valgrind-3.20.0.GIT; echo noise >&2", Version{3, 20, 0, ".GIT"}},
		{"echo valgrind-3.26.0; echo second line", Version{3, 26, 0, ""}},
	} {
		path := script(t, c.prints)
		got, err := Find(t.Context(), path)
		if err != nil || got.Version != c.want || got.Path != path {
			t.Errorf("Find of %q: %v, %v; want %v", c.prints, got, err, c.want)
		}
	}
}

func TestFindOnPath(t *testing.T) {
	path := script(t, "echo valgrind-3.21.0")
	t.Setenv("PATH", "/nonexistent:"+filepath.Dir(path)+":"+os.Getenv("PATH"))
	got, err := Find(t.Context(), "")
	if err != nil || got.Path != path {
		t.Errorf("Find = %v, %v; want %s", got, err, path)
	}
}

func TestFindRelativePath(t *testing.T) {
	path := script(t, "echo valgrind-3.21.0")
	t.Chdir(filepath.Dir(path))
	got, err := Find(t.Context(), "./valgrind")
	if err != nil || got.Path != path {
		t.Errorf("Find = %v, %v; want %s", got, err, path)
	}
}

func TestFindErrors(t *testing.T) {
	notExecutable := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(notExecutable, []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, path string
		err        error
		says       []string // parts of the message
	}{
		{"missing", "/nonexistent/valgrind", ErrNotFound, []string{"/nonexistent/valgrind", "--valgrind"}},
		{"directory", t.TempDir(), ErrUnusable, []string{"directory"}},
		{"not executable", notExecutable, ErrUnusable, []string{"not executable"}},
		{"old", script(t, "echo valgrind-3.18.1"), ErrTooOld, []string{"3.18.1", "3.19.0", "upgrade"}},
		{"other program", "/bin/ls", ErrUnusable, []string{"valgrind-3.19.0"}},
		{"version alone", script(t, "echo 3.19.0"), ErrUnusable, []string{`"3.19.0"`}},
		{"silent", script(t, ""), ErrUnusable, []string{`""`}},
		{"fails", script(t, "echo broken installation >&2; exit 3"), ErrUnusable, []string{"exit status 3", "broken installation"}},
		{"crashes", script(t, "kill -SEGV $$"), ErrUnusable, []string{"segmentation fault"}},
		{"endless output", script(t, "yes x | head -c 1000000"), ErrUnusable, []string{`"x"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Find(t.Context(), c.path)
			if got != nil || !errors.Is(err, c.err) {
				t.Fatalf("Find = %v, %v; want %v", got, err, c.err)
			}
			var e *FindError
			if !errors.As(err, &e) || e.Path != c.path || e.Remedy == "" {
				t.Errorf("error %#v, want a FindError with path %s and a remedy", err, c.path)
			}
			for _, part := range c.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not say %q", err, part)
				}
			}
		})
	}
}

func TestFindNothingOnPath(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := Find(t.Context(), "")
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "apt-get install valgrind") {
		t.Errorf("Find = %v, want ErrNotFound with the way to install it", err)
	}
}

func TestFindHanging(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	path := script(t, "sleep 1000 & echo $! > "+pidFile+"; wait")
	_, err := find(t.Context(), path, 300*time.Millisecond)
	if !errors.Is(err, ErrUnusable) || !strings.Contains(err.Error(), "did not end") {
		t.Errorf("find = %v, want ErrUnusable because it hangs", err)
	}
	if pid, err := os.ReadFile(pidFile); err == nil { // the shell may have been killed before it could write
		awaitGone(t, strings.TrimSpace(string(pid)))
	}
}

func TestFindCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Find(ctx, script(t, "echo valgrind-3.19.0")); !errors.Is(err, context.Canceled) {
		t.Errorf("Find = %v, want the context's error", err)
	}
}

// awaitGone waits until there is no living process of that id.
func awaitGone(t *testing.T, pid string) {
	t.Helper()
	for {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil {
			return
		}
		if _, _, _, alive := parseStat(stat); !alive {
			return
		}
		select {
		case <-t.Context().Done():
			t.Fatalf("process %s is still there", pid)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
