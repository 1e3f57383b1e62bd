// Package story is the program that cgogrind was first wanted for: it backs up files into librados, keeps its books in
// SQLite, and takes the text of an error for its own memory. README.md tells what happens, and how it is found.
//
// The wrapper with the bug is FreedText; LateText has another one, CopiedText has none. They do harm: outside memcheck the
// tests run CopiedText only. The program itself is in backup, and count runs it many times.
package story

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
)

// workers are how many files are backed up at once.
const workers = 4

// Job is a backup. Each file becomes an object named Prefix and the file's base name, with an entry in the books. The
// note of an entry is what the store said of the object before: how large it was, or that there was none.
type Job struct {
	Store  *Store
	Books  *Books
	Prefix string
	Files  []string
	// Owners has each file read with the rights of its owner. Those are a thread's: each worker has one of its own, and
	// takes it along when it ends.
	Owners bool
}

// Run backs up all files.
func (j *Job) Run(ctx context.Context) error {
	queue := make(chan string, len(j.Files))
	for _, f := range j.Files {
		queue <- f
	}
	close(queue)
	failures := make([]error, workers)
	var running sync.WaitGroup
	for i := range workers {
		running.Go(func() {
			if j.Owners {
				runtime.LockOSThread()
			}
			for f := range queue {
				failures[i] = errors.Join(failures[i], j.backUp(ctx, f))
			}
		})
	}
	running.Wait()
	return errors.Join(failures...)
}

// backUp backs up one file.
func (j *Job) backUp(ctx context.Context, file string) error {
	if j.Owners {
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		if err := syscall.Setfsuid(int(info.Sys().(*syscall.Stat_t).Uid)); err != nil {
			return err
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	object := j.Prefix + filepath.Base(file)
	size, note, err := j.Store.Look(object)
	if err != nil {
		return err
	}
	if note == "" {
		note = fmt.Sprintf("replaces %d bytes", size)
	}
	if err := j.Store.Put(object, data); err != nil {
		return err
	}
	return j.Books.Write(ctx, Entry{object, fmt.Sprintf("%x", sha256.Sum256(data)), note, len(data)})
}

// Check compares the books with the files: each must have its entry.
func (j *Job) Check(ctx context.Context) error {
	entries, err := j.Books.Read(ctx)
	if err != nil {
		return err
	}
	var wrong []string
	for _, f := range j.Files {
		data, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		name := j.Prefix + filepath.Base(f)
		e := entries[name]
		if e.Name != name || e.Size != len(data) || e.Checksum != fmt.Sprintf("%x", sha256.Sum256(data)) || !isNote(e.Note) {
			wrong = append(wrong, fmt.Sprintf("%s: %q", name, e))
		}
	}
	if wrong != nil || len(entries) != len(j.Files) {
		return fmt.Errorf("%d entries for %d files, %d of them wrong\n%s", len(entries), len(j.Files), len(wrong),
			strings.Join(wrong, "\n"))
	}
	return nil
}

// isNote says whether a text is one that the program writes.
func isNote(s string) bool {
	return s == "No such file or directory" || s == "Unknown error -2" || strings.HasPrefix(s, "replaces ")
}
