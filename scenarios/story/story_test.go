package story_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/cgogrind/cgogrind/harness/expect"
	"github.com/cgogrind/cgogrind/scenarios/cluster"
	"github.com/cgogrind/cgogrind/scenarios/story"
	"github.com/cgogrind/cgogrind/valgrind/client"
)

var ceph = struct {
	*cluster.Cluster
	err error
}{}

func TestMain(m *testing.M) {
	ceph.Cluster, ceph.err = cluster.Start(context.Background(), cluster.Options{})
	code := m.Run()
	if ceph.err == nil {
		if err := ceph.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// harmful skips a test with a bug where nobody would see it.
func harmful(t *testing.T) {
	t.Helper()
	if client.Running() == 0 {
		t.Skip("the bug does harm outside memcheck")
	}
}

// backup backs up a few files and checks the books.
func backup(t *testing.T, owners bool, text func(int) string) {
	t.Helper()
	if errors.Is(ceph.err, cluster.ErrMissing) && os.Getenv("CI") != "true" {
		t.Skip(ceph.err)
	}
	if ceph.err != nil {
		t.Fatal(ceph.err)
	}
	dir := t.TempDir()
	job := story.Job{Prefix: t.Name() + "-", Owners: owners}
	for n := range 12 {
		file := filepath.Join(dir, fmt.Sprintf("file-%02d", n))
		if err := os.WriteFile(file, bytes.Repeat([]byte("text "), n*100), 0o644); err != nil {
			t.Fatal(err)
		}
		job.Files = append(job.Files, file)
	}
	var err error
	if job.Store, err = story.Open(ceph.ConfigFile(), ceph.Pool(), text); err != nil {
		t.Fatal(err)
	}
	defer job.Store.Close()
	if job.Books, err = story.OpenBooks(t.Context(), filepath.Join(dir, "books.sqlite")); err != nil {
		t.Fatal(err)
	}
	defer job.Books.Close()
	for range 2 { // the second time the objects are there
		if err := job.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := job.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBackupFreed(t *testing.T) {
	harmful(t)
	expect.Finding(t, "InvalidFree", "story.FreedText")
	backup(t, true, story.FreedText)
}

func TestBackupCopied(t *testing.T) {
	backup(t, true, story.CopiedText)
}

// TestLate takes the goroutine to another thread between the call and the reading, and has somebody else ask for a text
// on the first thread.
func TestLate(t *testing.T) {
	harmful(t)
	expect.Finding(t, "InvalidRead", "story.LateText")
	release := func() {}
	story.LateText(-2, func() {
		before := story.Thread()
		release = occupy(before, func() { story.LateText(-3, func() {}) })
		if after := story.Thread(); after == before {
			t.Errorf("the goroutine still is on thread %d", after)
		}
	})
	release()
}

// TestLateCopied: the twin has its own copy, wherever it goes.
func TestLateCopied(t *testing.T) {
	before := story.Thread()
	text := story.CopiedText(-2)
	release := occupy(before, func() { story.CopiedText(-3) })
	if after := story.Thread(); after == before {
		t.Errorf("the goroutine still is on thread %d", after)
	}
	if text != "No such file or directory" {
		t.Error(text)
	}
	release()
}
