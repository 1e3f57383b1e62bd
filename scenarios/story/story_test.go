package story_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
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

// open opens a store that is closed with the test.
func open(t *testing.T, text func(int) string) *story.Store {
	t.Helper()
	if cluster.MaySkip(ceph.err) {
		t.Skip(ceph.err)
	}
	if ceph.err != nil {
		t.Fatal(ceph.err)
	}
	s, err := story.Open(ceph.ConfigFile(), ceph.Pool(), text)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// backup backs up a few files and checks the books.
func backup(t *testing.T, owners bool, text func(int) string) {
	t.Helper()
	dir := t.TempDir()
	job := story.Job{Store: open(t, text), Prefix: t.Name() + "-", Owners: owners}
	for n := range 12 {
		file := filepath.Join(dir, fmt.Sprintf("file-%02d", n))
		if err := os.WriteFile(file, bytes.Repeat([]byte("text "), n*100), 0o644); err != nil {
			t.Fatal(err)
		}
		job.Files = append(job.Files, file)
	}
	var err error
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

// attributes gives an object three attributes and reads them.
func attributes(t *testing.T, read func(*story.Store, string) (map[string]string, error)) {
	t.Helper()
	s := open(t, story.CopiedText)
	want := map[string]string{"checksum": "0123456789abcdef", "owner": "alice", "empty": ""}
	for name, value := range want {
		if err := s.SetAttribute(t.Name(), name, value); err != nil {
			t.Fatal(err)
		}
	}
	got, err := read(s, t.Name())
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAttributesFreed(t *testing.T) {
	harmful(t)
	expect.Finding(t, "InvalidFree", "story.freedValue")
	attributes(t, (*story.Store).FreedAttributes)
}

func TestAttributes(t *testing.T) {
	attributes(t, (*story.Store).Attributes)
}

// objects writes objects, with names that are longer than what a C++ string has room for in itself, and lists them.
func objects(t *testing.T, list func(*story.Store) ([]string, error)) []string {
	t.Helper()
	s := open(t, story.CopiedText)
	for n := range 5 {
		if err := s.Put(fmt.Sprintf("%s: object number %d of a few", t.Name(), n), []byte("content")); err != nil {
			t.Fatal(err)
		}
	}
	names, err := list(s)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, t.Name()+":") })
}

func TestObjectsLate(t *testing.T) {
	harmful(t)
	expect.Finding(t, "InvalidRead", "story.(*Store).LateObjects")
	objects(t, (*story.Store).LateObjects)
}

func TestObjects(t *testing.T) {
	if names := objects(t, (*story.Store).Objects); len(names) != 5 {
		t.Errorf("%q", names)
	}
}
