// Count runs the programs of the story many times, natively and under cgogrind, and prints where each run went wrong, as a
// table in Markdown. It starts a Ceph cluster of its own, or uses the one that CEPH_CONF names.
//
//	go run ./scenarios/story/count [-runs 50] [-memcheck 5] [-cgogrind PROGRAM]
//
// It has to be started in the module's folder. -memcheck 0 leaves cgogrind out.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/cgogrind/cgogrind/scenarios/cluster"
)

func main() {
	runs := flag.Int("runs", 50, "`number` of native runs of each program")
	checked := flag.Int("memcheck", 5, "`number` of runs of each under cgogrind")
	cgogrind := flag.String("cgogrind", "cgogrind", "the `program`")
	flag.Parse()
	if flag.NArg() != 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := count(ctx, *runs, *checked, *cgogrind); err != nil {
		fmt.Fprintln(os.Stderr, "count:", err)
		os.Exit(1)
	}
}

// count runs everything and prints the tables as they are done.
func count(ctx context.Context, runs, checked int, cgogrind string) error {
	dir, err := os.MkdirTemp("", "cgogrind-story-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ceph, err := cluster.Start(ctx, cluster.Options{})
	if err != nil {
		return err
	}
	defer ceph.Stop()
	// All share the cluster, and each has objects of its own. STORY_HARM has the tests run the bug outside memcheck, too.
	env := append(os.Environ(), "CEPH_CONF="+ceph.ConfigFile(), "STORY_HARM=1")

	backup := filepath.Join(dir, "backup")
	tests := filepath.Join(dir, "allocator.test")
	for _, args := range [][]string{
		{"build", "-o", backup, "./scenarios/story/backup"},
		{"test", "-c", "-vet=off", "-tags=jemalloc", "-o", tests, "./scenarios/story/allocator"},
	} {
		if out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	folder := filepath.Join(dir, "files")
	if err := files(folder); err != nil {
		return err
	}

	for _, text := range []string{"freed", "late", "copied"} {
		t := tally{}
		for n := range runs {
			books := filepath.Join(dir, fmt.Sprintf("%s-%d.sqlite", text, n))
			prefix := fmt.Sprintf("backup-of-host.example.org-%s-%02d-", text, n)
			t.native(ctx, env, backup, "-pool", ceph.Pool(), "-books", books, "-prefix", prefix, "-text="+text,
				fmt.Sprintf("-owners=%t", text != "late"), folder)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		t.print("`backup -text "+text+"`, natively", runs)
	}
	t := tally{}
	for range runs {
		t.native(ctx, env, tests, "-test.run=^TestLabels$", "-test.v")
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	t.print("the labels on jemalloc (TestLabels), natively", runs)
	if checked == 0 {
		return nil
	}
	story, labels := "./scenarios/story", "./scenarios/story/allocator"
	for _, c := range []struct {
		name string
		args []string
	}{
		{"the same program (TestBackupFreed) under cgogrind", []string{"-run=^TestBackupFreed$", story}},
		{"a goroutine that moves (TestLate) under cgogrind", []string{"-run=^TestLate$", story}},
		{"`backup -text copied` (TestBackupCopied) under cgogrind", []string{"-run=^TestBackupCopied$", story}},
		{"the labels on the system's malloc (TestLabels) under cgogrind", []string{"-run=^TestLabels$", labels}},
		{"the labels on jemalloc (TestLabels) under cgogrind", []string{"-tags=jemalloc", "-run=^TestLabels$", labels}},
		{"the labels on jemalloc (TestLabels) under `cgogrind test --allocator=warn`",
			[]string{"-tags=jemalloc", "--allocator=warn", "-run=^TestLabels$", labels}},
	} {
		t := tally{}
		for range checked {
			t.memcheck(ctx, env, cgogrind, append([]string{"test", "--format=json"}, c.args...)...)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		t.print(c.name, checked)
	}
	return nil
}

// files makes what is to be backed up.
func files(folder string) error {
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	for n := range 100 {
		name := filepath.Join(folder, fmt.Sprintf("file-%03d.txt", n))
		if err := os.WriteFile(name, bytes.Repeat([]byte(name), n), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// tally counts outcomes.
type tally map[string]int

func (t tally) print(name string, runs int) {
	fmt.Printf("\n%s, %d runs:\n\n| runs | outcome |\n|---|---|\n", name, runs)
	for _, outcome := range slices.SortedFunc(maps.Keys(t), func(a, b string) int {
		if t[a] != t[b] {
			return t[b] - t[a]
		}
		return strings.Compare(a, b)
	}) {
		fmt.Printf("| %d | %s |\n", t[outcome], outcome)
	}
}

// native runs a program and counts where it ended.
func (t tally) native(ctx context.Context, env []string, program string, args ...string) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	t[outcome(string(out), err)]++
}

var (
	signalText = regexp.MustCompile(`(?m)^(SIG[A-Z]+): |\[signal (SIG[A-Z]+)`)
	libcText   = regexp.MustCompile(`(?m)^((?:free|malloc|realloc|calloc|malloc_consolidate|munmap_chunk)\(\): .*|corrupted .*)$`)
	cFunction  = regexp.MustCompile(`(?m)^\S*\._(?:Cfunc_|cgo_)(\w+)\(`)
	ownText    = regexp.MustCompile(`(?m)^backup: .*|^ +\S+_test\.go:\d+: .*`)
)

// outcome says where a run ended, as far as its output tells.
func outcome(out string, err error) string {
	if err == nil {
		return "ends well"
	}
	said := ""
	if m := libcText.FindStringSubmatch(out); m != nil {
		said = ": `" + m[1] + "`"
	}
	var exit *exec.ExitError
	if m := signalText.FindStringSubmatchIndex(out); m != nil {
		// The first goroutine in the dump is the one that crashed, if it was one.
		_, dump, _ := strings.Cut(out[m[0]:], "\ngoroutine ")
		dump, _, _ = strings.Cut(dump, "\n\n")
		name := strings.Trim(out[m[0]:m[1]], "[]: ")
		name = strings.TrimPrefix(name, "signal ")
		if f := cFunction.FindStringSubmatch(dump); f != nil {
			return fmt.Sprintf("%s in `%s`%s", name, f[1], said)
		}
		return name + " in Go code or in the runtime" + said
	}
	if errors.As(err, &exit) {
		if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() {
			// Go dumps nothing for a signal on a thread that is not its own.
			return fmt.Sprintf("%s on a thread that C has made%s", unix.SignalName(s.Signal()), said)
		}
	}
	return "says: " + numbers.ReplaceAllString(strings.TrimSpace(ownText.FindString(out)), "N")
}

var (
	numbers   = regexp.MustCompile(`[0-9]+`)
	temporary = regexp.MustCompile(`/\S*/cgogrind-[0-9]+/bin/[0-9]+/`)
)

// memcheck runs a test under cgogrind and counts its first finding.
func (t tally) memcheck(ctx context.Context, env []string, program string, args ...string) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t[err.Error()]++
		return
	}
	var first, verdict string
	dec := json.NewDecoder(bytes.NewReader(out))
	for {
		var m struct {
			Finding *struct {
				Kind  string
				Blame *struct {
					Function, File, Source string
					Line                   int
				}
			}
			Test *struct{ Verdict string }
		}
		if dec.Decode(&m) != nil {
			break
		}
		if f := m.Finding; f != nil && first == "" {
			first = f.Kind
			if b := f.Blame; b != nil {
				first += fmt.Sprintf(" in %s, %s:%d: `%s`", b.Function[strings.LastIndexByte(b.Function, '/')+1:],
					path.Base(b.File), b.Line, b.Source)
			}
		}
		if m.Test != nil {
			verdict = m.Test.Verdict
		}
	}
	switch {
	case first != "":
		t["first finding: "+first]++
	case verdict != "":
		t["no finding; verdict: "+verdict]++
	default:
		_, message, _ := strings.Cut(stderr.String(), "cgogrind: ")
		message = temporary.ReplaceAllString(message, "")
		lines := strings.SplitN(strings.TrimSpace(message), "\n", 3)
		t[fmt.Sprintf("exit code %d: %s", cmd.ProcessState.ExitCode(), strings.Join(lines[:min(2, len(lines))], " "))]++
	}
}
