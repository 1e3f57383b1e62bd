package valgrind_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cgogrind/cgogrind/valgrind"
)

var (
	update     = flag.Bool("update", false, "rewrite the goldens beside the reports in testdata")
	regenerate = flag.Bool("regenerate", false, "make the reports of testdata/corpus anew, with the installed valgrind")
)

// report is one file of testdata.
type report struct {
	name string // its path below testdata
	data []byte
}

// reports are all the reports of testdata: corpus, composed and malformed.
func reports(t testing.TB) []report {
	t.Helper()
	var all []report
	for _, pattern := range []string{"corpus/*/*.xml", "composed/*.xml", "malformed/*.xml"} {
		files, err := filepath.Glob(filepath.Join("testdata", filepath.FromSlash(pattern)))
		if err != nil {
			t.Fatal(err)
		}
		if len(files) == 0 {
			t.Fatalf("no reports match testdata/%s: the corpus is not there", pattern)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name, err := filepath.Rel("testdata", file)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, report{filepath.ToSlash(name), data})
		}
	}
	return all
}

// readAll reads a whole report.
func readAll(r io.Reader) (events []valgrind.Event, whole string, err error) {
	var c valgrind.Completeness
	for e, readErr := range valgrind.Read(r) {
		c.Add(e, readErr)
		if readErr != nil {
			err = readErr
		} else {
			events = append(events, e)
		}
	}
	return events, c.Reason(), err
}

// render shows what was read as text: each event as JSON without what is empty, and how the report ended.
func render(t testing.TB, r io.Reader) []byte {
	t.Helper()
	var b bytes.Buffer
	events, reason, err := readAll(r)
	for _, e := range events {
		raw, jsonErr := json.Marshal(e)
		if jsonErr != nil {
			t.Fatal(jsonErr)
		}
		var v any
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s ", strings.TrimPrefix(strings.TrimPrefix(fmt.Sprintf("%T", e), "*"), "valgrind."))
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(pruned(v)); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Fprintf(&b, "error: %v\nincomplete: %s\n", err, reason)
	return b.Bytes()
}

// pruned is v without empty members.
func pruned(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, member := range v {
			member = pruned(member)
			v[k] = member
			switch member := member.(type) {
			case nil:
				delete(v, k)
			case string:
				if member == "" {
					delete(v, k)
				}
			case json.Number:
				if member == "0" {
					delete(v, k)
				}
			case map[string]any:
				if len(member) == 0 {
					delete(v, k)
				}
			}
		}
	case []any:
		for i := range v {
			v[i] = pruned(v[i])
		}
	}
	return v
}

func TestReports(t *testing.T) {
	if *regenerate {
		makeCorpus(t)
	}
	for _, r := range reports(t) {
		t.Run(r.name, func(t *testing.T) {
			got := render(t, bytes.NewReader(r.data))
			golden := filepath.Join("testdata", strings.TrimSuffix(r.name, ".xml")+".golden")
			if *update {
				if err := os.WriteFile(golden, got, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatalf("%v: run go test -update, and read what it wrote", err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("the events differ from %s (-want +got):\n%s", golden, diff)
			}
		})
	}
}

// sample says how a report of the corpus is made: the program, memcheck's options, the program's arguments.
type sample struct {
	name    string
	source  string
	options []string
	args    []string
}

var samples = []sample{
	{name: "invalid", source: "invalid.c"},
	{name: "free", source: "free.c"},
	{name: "mismatched", source: "mismatched.cc"},
	{name: "uninitialised", source: "uninitialised.c", options: []string{"--track-origins=yes"}},
	{name: "leaks", source: "leaks.c", options: []string{"--leak-check=full", "--show-leak-kinds=all"}},
	{name: "calls", source: "calls.c"},
	{name: "requests", source: "requests.c", options: []string{"--leak-check=full"}},
	{name: "signal-segv", source: "signal.c", args: []string{"segv"}},
	{name: "signal-abort", source: "signal.c", args: []string{"abort"}},
	{name: "signal-term", source: "signal.c", args: []string{"term"}},
	{name: "signal-jump", source: "signal.c", args: []string{"jump"}},
	{name: "signal-kill-self", source: "signal.c", args: []string{"kill-self"}},
	{name: "killed", source: "signal.c", options: []string{"--child-silent-after-fork=yes"}, args: []string{"kill"}},
	{name: "clean", source: "clean.c"},
	{name: "clean-quiet", source: "clean.c", options: []string{"-q"}},
	{name: "clean-verbose", source: "clean.c", options: []string{"-v"}},
	{
		name: "clean-bytes", source: "clean.c",
		options: []string{"--xml-user-comment=<build>a</build> & <b", "--xml-user-comment=again"},
		args:    []string{"control \x01\x1b[1m", "invalid \xff\xc3(", "<a> & 'b' \"c\"", "tab\tnewline\n", ""},
	},
	{name: "fork", source: "fork.c"},
	{name: "gen-suppressions", source: "free.c", options: []string{"--gen-suppressions=all"}},
	{name: "descriptors", source: "descriptors.c", options: []string{"--track-fds=yes"}},
	{name: "symbols", source: "symbols.cc"},
	{name: "threads", source: "threads.c"},
	{name: "frames", source: "frames.c"},
	{name: "overlap-aborted", source: "overlap.c", options: []string{"--leak-check=full"}},
	{name: "many-verbose", source: "many.c", options: []string{"-v"}},
	{name: "suppressed", source: "invalid.c", options: []string{"--suppressions=invalid.supp"}},
}

// makeCorpus makes testdata/corpus/VERSION. The programs are built and run in a folder of a fixed name, because the
// reports contain it.
func makeCorpus(t *testing.T) {
	t.Helper()
	output := func(name string, args ...string) string {
		out, err := exec.Command(name, args...).Output()
		if err != nil {
			t.Fatalf("running %s: %v", name, err)
		}
		return strings.TrimSpace(string(out))
	}
	version := strings.TrimPrefix(output("valgrind", "--version"), "valgrind-")
	corpus, err := filepath.Abs(filepath.Join("testdata", "corpus", version))
	if err != nil {
		t.Fatal(err)
	}
	const dir = "/tmp/memcheck-corpus"
	if err := errors.Join(os.RemoveAll(dir), os.RemoveAll(corpus), os.MkdirAll(corpus, 0o777)); err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "programs"))); err != nil {
		t.Fatal(err)
	}
	for _, s := range samples {
		compiler := "gcc"
		if filepath.Ext(s.source) == ".cc" {
			compiler = "g++"
		}
		program := strings.TrimSuffix(s.source, filepath.Ext(s.source))
		build := exec.Command(compiler, "-g", "-O0", "-fno-builtin", "-w", "-pthread", "-o", program, s.source)
		build.Dir = dir
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("building %s: %v\n%s", s.source, err, out)
		}
		file := s.name + ".xml"
		args := append([]string{"--xml=yes", "--xml-file=" + file, "--vgdb=no"}, s.options...)
		args = append(append(args, "./"+program), s.args...)
		run := exec.Command("valgrind", args...)
		run.Dir = dir
		run.Env = []string{"PATH=" + os.Getenv("PATH")}
		out, err := run.CombinedOutput()
		t.Logf("%s: %v\n%s", s.name, err, out)
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(corpus, file), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}
