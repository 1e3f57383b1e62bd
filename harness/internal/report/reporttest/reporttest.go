// Package reporttest checks the formats of a report: each on the same streams, for the same promises.
//
// The streams in testdata are of real runs, but for versions, folders and times; findings.jsonl and nothing.jsonl were
// written by hand for what a real run seldom has.
package reporttest

import (
	"bytes"
	"embed"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cgogrind/cgogrind/harness/result"
)

//go:embed testdata
var streams embed.FS

// Stream returns the messages of a stream in testdata.
func Stream(t testing.TB, name string) []result.Message {
	t.Helper()
	f, err := streams.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []result.Message
	for m, err := range result.Decode(f) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}

// Write returns what a format makes of messages.
func Write(t testing.TB, msgs []result.Message, make func(io.Writer) result.Handler) string {
	t.Helper()
	var out bytes.Buffer
	h := make(&out)
	for _, m := range msgs {
		if err := h.Handle(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

// Golden compares what a format makes of each stream with testdata/STREAM+suffix in the format's folder, which it rewrites if
// update is set, and hands it to check.
func Golden(t *testing.T, update bool, suffix string, make func(io.Writer) result.Handler, check func(t *testing.T, output string)) {
	t.Helper()
	files, err := fs.Glob(streams, "testdata/*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no streams (%v)", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(path.Base(file), ".jsonl")
		t.Run(name, func(t *testing.T) {
			got := Write(t, Stream(t, name+".jsonl"), make)
			golden := "testdata/" + name + suffix
			if update {
				if err := os.WriteFile(golden, []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s: %s", golden, diff)
			}
			if check != nil {
				check(t, got)
			}
		})
	}
}

// FailingWriter fails after a number of bytes, as a full disk does.
type FailingWriter struct{ Room int }

// Write writes nothing, anywhere.
func (w *FailingWriter) Write(p []byte) (int, error) {
	if w.Room -= len(p); w.Room < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

// FullDisk checks that a format tells when its output cannot be written, wherever that happens.
func FullDisk(t *testing.T, make func(io.Writer) result.Handler) {
	t.Helper()
	msgs := Stream(t, "wrap.jsonl")
	whole := len(Write(t, msgs, make))
	for _, room := range []int{0, whole / 2, whole - 1} {
		h := make(&FailingWriter{room})
		var err error
		for _, m := range msgs {
			if err = h.Handle(t.Context(), m); err != nil {
				break
			}
		}
		if err == nil {
			t.Errorf("no error with room for %d of %d bytes", room, whole)
		}
	}
}

// AllThere checks that a format tells of every new finding, of those that have the cause of another, too.
func AllThere(t *testing.T, make func(io.Writer) result.Handler) {
	t.Helper()
	msgs := Stream(t, "causes.jsonl")
	out, others := Write(t, msgs, make), 0
	for _, m := range msgs {
		f := m.Finding
		if f == nil {
			continue
		}
		if f.Cause != "" {
			others++
		}
		if !strings.Contains(out, f.Fingerprint) {
			t.Errorf("finding %s (%s) is not there", f.Fingerprint, f.Kind)
		}
	}
	if others == 0 {
		t.Error("no finding has the cause of another")
	}
}

// ReadFile reads the sources of the streams: testdata/wrap is /src/wrap.
func ReadFile(name string) ([]byte, error) {
	rel, ok := strings.CutPrefix(name, "/src/")
	if !ok {
		return nil, fs.ErrNotExist
	}
	return streams.ReadFile("testdata/" + rel)
}
