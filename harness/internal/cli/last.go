package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cgogrind/cgogrind/harness/internal/artifact"
	"github.com/cgogrind/cgogrind/harness/internal/repository"
	"github.com/cgogrind/cgogrind/harness/result"
)

// keptRuns is how many streams of a module are kept.
const keptRuns = 10

// save writes the result stream into the folder of a run that is saved.
func (o *outputs) save(dir string) {
	i := slices.IndexFunc(formats, func(f format) bool { return f.name == "json" })
	file := &fileOutput{name: filepath.Join(dir, artifact.StreamFile), format: formats[i]}
	o.opened = append(o.opened, file)
	o.handlers = append(o.handlers, file)
}

// lastRun is a Handler that keeps the stream, without its progress, for cgogrind repro: in the user's cache, as one of
// the module's last runs. A run without a home keeps none, and a stream that cannot be kept does not stop a run.
type lastRun struct {
	dir    string
	file   *os.File
	stream *result.Encoder
}

func newLastRun() *lastRun { return &lastRun{dir: lastRunsDir()} }

// lastRunsDir is where the streams of the working directory's module are kept; empty without a place for them.
func lastRunsDir() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	root := moduleRoot()
	if root == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(root))
	if repository.CheckFolder(filepath.Join(cache, "cgogrind")) != nil || repository.CheckFolder(filepath.Join(cache, "cgogrind", "runs")) != nil {
		return "" // the commands in them are run again, and anybody can have put them there
	}
	return filepath.Join(cache, "cgogrind", "runs", filepath.Base(root)+"-"+hex.EncodeToString(sum[:6]))
}

// moduleRoot is the folder of the module or workspace that the working directory is in, or the directory itself.
func moduleRoot() string {
	wd, err := os.Getwd()
	if err != nil {
		return ""
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		for _, name := range []string{"go.work", "go.mod"} {
			if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
				return dir
			}
		}
		if dir == filepath.Dir(dir) {
			return wd
		}
	}
}

// Handle keeps a message. The file appears when it is whole, or as whole as it will be: see close.
func (l *lastRun) Handle(ctx context.Context, m result.Message) error {
	if m.Progress != nil || l.dir == "" {
		return nil
	}
	if l.file == nil {
		if err := os.MkdirAll(l.dir, 0o700); err != nil {
			l.dir = ""
			return nil
		}
		f, err := os.CreateTemp(l.dir, ".new-*")
		if err != nil {
			l.dir = ""
			return nil
		}
		l.file, l.stream = f, result.NewEncoder(f)
	}
	if err := l.stream.Handle(ctx, m); err != nil {
		l.drop()
	}
	return nil
}

// drop gives up.
func (l *lastRun) drop() {
	_ = l.file.Close()
	_ = os.Remove(l.file.Name())
	l.file, l.dir = nil, ""
}

// close puts the stream among the last runs, and drops the oldest.
func (l *lastRun) close() {
	if l.file == nil {
		return
	}
	name := fmt.Sprintf("%s-%d.jsonl", time.Now().UTC().Format("20060102T150405.000000"), os.Getpid())
	if l.file.Close() != nil || os.Rename(l.file.Name(), filepath.Join(l.dir, name)) != nil {
		_ = os.Remove(l.file.Name())
		return
	}
	kept := lastRuns(l.dir)
	for _, old := range kept[min(keptRuns, len(kept)):] {
		_ = os.Remove(old)
	}
	sweep(filepath.Join(l.dir, ".new-*"), 24*time.Hour)               // what killed runs have left
	sweep(filepath.Join(filepath.Dir(l.dir), "*-*"), 30*24*time.Hour) // of modules that nobody tests any more
}

// sweep removes what matches and has not changed for a time.
func sweep(pattern string, age time.Duration) {
	found, _ := filepath.Glob(pattern)
	for _, f := range found {
		if info, err := os.Stat(f); err == nil && time.Since(info.ModTime()) > age {
			_ = os.RemoveAll(f)
		}
	}
}

// lastRuns are the streams that are kept in a folder, the newest first.
func lastRuns(dir string) []string {
	if dir == "" {
		return nil
	}
	entries, _ := os.ReadDir(dir)
	var files []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".jsonl") {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	slices.Reverse(files) // their names begin with the time
	return files
}
