package saved_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cgogrind/cgogrind/harness/internal/saved"
	"github.com/cgogrind/cgogrind/harness/result"
)

// collector keeps messages.
type collector struct{ msgs []result.Message }

func (c *collector) Handle(_ context.Context, m result.Message) error {
	c.msgs = append(c.msgs, m)
	return nil
}

// lines says in short what the messages are.
func (c *collector) lines() (out []string) {
	for _, m := range c.msgs {
		switch {
		case m.Config != nil:
			out = append(out, "config "+m.Config.RunID)
		case m.Plan != nil:
			out = append(out, fmt.Sprintf("plan %s %v", m.Plan.Package, m.Plan.Tests))
		case m.Progress != nil:
			out = append(out, "progress")
		case m.Test != nil:
			out = append(out, fmt.Sprintf("test %s %s %s", m.Test.Package, m.Test.Name, m.Test.Verdict))
		case m.Finding != nil:
			out = append(out, fmt.Sprintf("finding %s %s %v x%d", m.Finding.Fingerprint, m.Finding.Disposition, m.Finding.Tests, m.Finding.Count))
		case m.Summary != nil:
			s := m.Summary
			out = append(out, fmt.Sprintf("summary %d/%d/%d/%d, %d new, %gs", s.Passed, s.Failed, s.Inconclusive, s.Skipped, s.New, s.ElapsedS))
		}
	}
	return out
}

// stream encodes messages with the summary that belongs to them.
func stream(t *testing.T, c result.Config, elapsed float64, msgs ...result.Message) string {
	t.Helper()
	c.ProtocolVersion = result.ProtocolVersion
	var buf bytes.Buffer
	var tally result.Tally
	enc := result.NewEncoder(&buf)
	for _, m := range append([]result.Message{{Config: &c}}, msgs...) {
		if err := errors.Join(tally.Handle(t.Context(), m), enc.Handle(t.Context(), m)); err != nil {
			t.Fatal(err)
		}
	}
	sum := tally.Summary()
	sum.ElapsedS = elapsed
	sum.Suppressions = []result.Suppression{{ID: "s", Name: "s", File: "f", Count: 2}}
	if err := enc.Handle(t.Context(), result.Message{Summary: &sum}); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

func plan(pkg string, tests ...string) result.Message {
	return result.Message{Plan: &result.Plan{Package: pkg, Tests: tests}}
}

func verdict(pkg, name string, v result.Verdict) result.Message {
	return result.Message{Test: &result.Test{Package: pkg, Name: name, Verdict: v, ElapsedS: 1}}
}

func finding(fingerprint string, tests ...string) result.Message {
	return result.Message{Finding: &result.Finding{Fingerprint: fingerprint, Kind: "InvalidRead", Package: "p", Test: tests[0], Tests: tests,
		Disposition: result.New, Count: 1, Stacks: []result.Stack{{Frames: []result.Frame{{Function: "f", Line: 3}}}}}}
}

func shard(i, n int) result.Config {
	return result.Config{RunID: fmt.Sprint("run", i), RunKey: "k", Shard: &result.Shard{Index: i, Count: n},
		Started: time.Date(2026, 11, 22, 0, i, 0, 0, time.UTC)}
}

func read(t *testing.T, streams ...string) (*collector, error) {
	t.Helper()
	var inputs []saved.Input
	for i, s := range streams {
		inputs = append(inputs, saved.Input{Name: fmt.Sprintf("dir/%c.jsonl", 'a'+i), Reader: strings.NewReader(s)})
	}
	c := &collector{}
	err := saved.Read(t.Context(), inputs, c)
	// Whatever comes out is a stream: it begins with a config, ends with a summary that agrees, and lacks no verdict.
	if len(c.msgs) > 0 {
		var buf bytes.Buffer
		enc := result.NewEncoder(&buf)
		for _, m := range c.msgs {
			if err := enc.Handle(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		code, codeErr := result.ReadExitCode(&buf)
		if codeErr != nil {
			t.Errorf("the output is no stream: %v", codeErr)
		}
		if err != nil && code == result.ExitPass {
			t.Errorf("a pass in spite of %v", err)
		}
	} else if err == nil {
		t.Error("nothing, and no error")
	}
	return c, err
}

func TestOneStream(t *testing.T) {
	c, err := read(t, stream(t, result.Config{RunID: "r", Shard: &result.Shard{Index: 1, Count: 1}}, 7, plan("p", "A"),
		result.Message{Progress: &result.Progress{Text: "x"}}, verdict("p", "A", result.Fail), finding("f1", "A")))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"config r", "plan p [A]", "test p A fail", "finding f1 new [A] x1", "summary 0/1/0/0, 1 new, 7s"}
	if diff := cmp.Diff(want, c.lines()); diff != "" {
		t.Error(diff)
	}
	if n := len(c.msgs); len(c.msgs[n-1].Summary.Suppressions) != 1 {
		t.Error("the suppressions are lost")
	}
}

func TestShardsAreMerged(t *testing.T) {
	c, err := read(t,
		stream(t, shard(2, 2), 5, plan("p", "B"), plan("q", "C"), verdict("p", "B", result.Fail), verdict("p", "[teardown]", result.Fail),
			verdict("q", "C", result.Pass), finding("f1", "B")),
		stream(t, shard(1, 2), 9, plan("p", "A"), verdict("p", "A", result.Fail), verdict("p", "[teardown]", result.Pass),
			finding("f1", "A"), finding("f2", "A")))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"config run2", "plan p [B]", "plan q [C]", "plan p [A]",
		"test p B fail", "test p [teardown] fail", "test p A fail", "test q C pass",
		"finding f1 new [B A] x2", "finding f2 new [A] x1", "summary 1/3/0/0, 2 new, 9s",
	}
	if diff := cmp.Diff(want, c.lines()); diff != "" {
		t.Error(diff)
	}
	config, sum := c.msgs[0].Config, c.msgs[len(c.msgs)-1].Summary
	if config.Shard != nil || config.Started.Minute() != 1 || config.RunKey != "k" {
		t.Errorf("the config is %+v", config)
	}
	if len(sum.Suppressions) != 1 || sum.Suppressions[0].Count != 4 {
		t.Errorf("the suppressions are %+v", sum.Suppressions)
	}
}

// A finding has the cause of another in the whole run only if it has it in every shard that hit it.
func TestCausesOfShards(t *testing.T) {
	of := func(cause, fingerprint string, tests ...string) result.Message {
		m := finding(fingerprint, tests...)
		m.Finding.Cause = cause
		return m
	}
	c, err := read(t,
		stream(t, shard(1, 2), 1, verdict("p", "A", result.Fail), of("", "f1", "A"), of("f1", "f2", "A"), of("f1", "f3", "A")),
		stream(t, shard(2, 2), 1, verdict("p", "B", result.Fail), of("", "f1", "B"), of("f1", "f2", "B"), of("", "f3", "B")))
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, m := range c.msgs {
		if m.Finding != nil {
			got[m.Finding.Fingerprint] = m.Finding.Cause
		}
	}
	if diff := cmp.Diff(map[string]string{"f1": "", "f2": "f1", "f3": ""}, got); diff != "" {
		t.Error(diff)
	}
}

func TestMissingShard(t *testing.T) {
	c, err := read(t, stream(t, shard(1, 3), 1, verdict("p", "A", result.Pass)), stream(t, shard(3, 3), 1, verdict("p", "B", result.Pass)))
	var damage *saved.DamageError
	if !errors.As(err, &damage) || !strings.Contains(err.Error(), "shard 2 of 3") {
		t.Fatalf("error %v", err)
	}
	want := []string{"config run1", "test p A pass", "test p B pass", "test [report] shard 2 of 3 inconclusive", "summary 2/0/1/0, 0 new, 1s"}
	if diff := cmp.Diff(want, c.lines()); diff != "" {
		t.Error(diff)
	}
}

func TestTruncatedStream(t *testing.T) {
	whole := stream(t, result.Config{RunID: "r"}, 1, plan("p", "A", "B"), verdict("p", "A", result.Pass), verdict("p", "B", result.Pass))
	for n := 1 + strings.Index(whole, "\n"); n < len(whole); n++ {
		c, err := read(t, whole[:n])
		var damage *saved.DamageError
		if !errors.As(err, &damage) {
			t.Fatalf("cut at %d: error %v", n, err)
		}
		if last := c.lines()[len(c.msgs)-2]; last != "test [report] a.jsonl inconclusive" {
			t.Fatalf("cut at %d: %s", n, last)
		}
	}
	c, _ := read(t, whole[:strings.Index(whole, `{"test":{"package":"p","name":"B"`)])
	want := []string{"config r", "plan p [A B]", "test p A pass", "test p B inconclusive", "test [report] a.jsonl inconclusive",
		"summary 1/0/2/0, 0 new, 0s"}
	if diff := cmp.Diff(want, c.lines()); diff != "" {
		t.Error(diff)
	}
}

// A stream that says of itself that it is whole, and is not.
func TestContradiction(t *testing.T) {
	s := stream(t, result.Config{RunID: "r"}, 1, verdict("p", "A", result.Pass), verdict("p", "B", result.Pass))
	lines := strings.SplitAfter(s, "\n")
	c, err := read(t, lines[0]+lines[1]+lines[3])
	if !errors.As(err, new(*saved.DamageError)) || !strings.Contains(err.Error(), "contradicts") {
		t.Errorf("error %v", err)
	}
	if got := c.lines()[2]; got != "test [report] a.jsonl inconclusive" {
		t.Error(got)
	}
}

func TestRefused(t *testing.T) {
	of := func(c result.Config) string { return stream(t, c, 1, verdict("p", "A", result.Pass)) }
	change := func(f func(*result.Config)) string {
		c := shard(2, 2)
		f(&c)
		return of(c)
	}
	one := of(shard(1, 2))
	for _, c := range []struct {
		name    string
		streams []string
		want    error
		says    string
	}{
		{"empty", []string{""}, result.ErrTruncated, "empty"},
		{"one of two is empty", []string{one, ""}, saved.ErrUnreadable, "b.jsonl"},
		{"only a part of the config", []string{one[:20]}, result.ErrTruncated, "a.jsonl"},
		{"newer protocol", []string{strings.Replace(one, `"protocol_version":1`, `"protocol_version":2`, 1)}, result.ErrVersion, "newer"},
		{"one of two is newer", []string{one, strings.Replace(of(shard(2, 2)), `"protocol_version":1`, `"protocol_version":2`, 1)},
			result.ErrVersion, "b.jsonl"},
		{"no stream", []string{"PASS\nok  \tp\t0.1s\n"}, result.ErrMalformed, "a.jsonl"},
		{"other XML", []string{"<html></html>"}, saved.ErrUnreadable, "<html>"},
		{"cut XML", []string{"<?xml version=\"1.0\"?>\n<valgrindoutput>\n"}, saved.ErrUnreadable, "a.jsonl"},
		{"the same stream twice", []string{one, one}, saved.ErrDouble, "run1"},
		{"a shard twice", []string{one, change(func(c *result.Config) { c.Shard.Index = 1 })}, saved.ErrDouble, "shard 1 of 2"},
		{"other key", []string{one, change(func(c *result.Config) { c.RunKey = "l" })}, saved.ErrOtherRun, `"l"`},
		{"no key", []string{one, change(func(c *result.Config) { c.RunKey = "" })}, saved.ErrOtherRun, "run key"},
		{"other number of shards", []string{one, change(func(c *result.Config) { c.Shard.Count = 3 })}, saved.ErrOtherRun, "number"},
		{"other cgogrind", []string{one, change(func(c *result.Config) { c.Tool = "v2" })}, saved.ErrOtherRun, "cgogrind"},
		{"other Go", []string{one, change(func(c *result.Config) { c.Go = "go1.25.1" })}, saved.ErrOtherRun, "Go"},
		{"other valgrind", []string{one, change(func(c *result.Config) { c.Valgrind = "3.27" })}, saved.ErrOtherRun, "valgrind"},
		{"other runtime", []string{one, change(func(c *result.Config) { c.Runtime = "stock" })}, saved.ErrOtherRun, "runtime"},
		{"a shard and a whole run", []string{one, change(func(c *result.Config) { c.Shard = nil })}, saved.ErrOtherRun, "not divided"},
		{"shard 3 of 2", []string{one, change(func(c *result.Config) { c.Shard.Index = 3 })}, saved.ErrUnreadable, "3 of 2"},
		{"a million shards", []string{change(func(c *result.Config) { c.Shard.Count = 1e6 })}, saved.ErrOtherRun, "1000000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := read(t, c.streams...)
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want %v with %q", err, c.want, c.says)
			}
			if len(got.msgs) > 0 {
				t.Errorf("%d messages came", len(got.msgs))
			}
		})
	}
}

// Whole runs of different packages make one report.
func TestSeveralRuns(t *testing.T) {
	c, err := read(t, stream(t, result.Config{RunID: "a"}, 1, plan("p", "A"), verdict("p", "A", result.Pass)),
		stream(t, result.Config{RunID: "b"}, 2, plan("q", "B"), verdict("q", "B", result.Skip)))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"config a", "plan p [A]", "plan q [B]", "test p A pass", "test q B skip", "summary 1/0/0/1, 0 new, 2s"}
	if diff := cmp.Diff(want, c.lines()); diff != "" {
		t.Error(diff)
	}
}

// Every report of the reader's corpus becomes a stream; only one that memcheck finished, without an error, passes.
func TestXML(t *testing.T) {
	files, err := filepath.Glob("../../../valgrind/testdata/*/*/*.xml")
	malformed, err2 := filepath.Glob("../../../valgrind/testdata/malformed/*.xml")
	if err := errors.Join(err, err2); err != nil || len(files) == 0 || len(malformed) == 0 {
		t.Fatalf("no reports (%v)", err)
	}
	verdicts := make(map[string]result.Verdict)
	for _, file := range append(files, malformed...) {
		report, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			c, err := read(t, string(report))
			if err != nil {
				if !errors.Is(err, saved.ErrUnreadable) {
					t.Error(err)
				}
				return
			}
			for _, m := range c.msgs {
				if m.Test != nil {
					verdicts[filepath.Base(filepath.Dir(file))+"/"+filepath.Base(file)] = m.Test.Verdict
				}
			}
		})
	}
	for name, want := range map[string]result.Verdict{
		"3.19.0/clean.xml": result.Pass, "3.19.0/leaks.xml": result.Fail, "3.19.0/invalid.xml": result.Fail,
		"3.19.0/killed.xml": result.Inconclusive, "3.19.0/overlap-aborted.xml": result.Inconclusive, "3.19.0/signal-segv.xml": result.Fail,
		"malformed/counts-differ.xml": result.Inconclusive, "malformed/lost-middle.xml": result.Inconclusive,
	} {
		if got := verdicts[name]; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// leaksOf lists the leaks that a report has.
func leaksOf(t *testing.T, name string, r io.Reader) []string {
	t.Helper()
	c := &collector{}
	if err := saved.Read(t.Context(), []saved.Input{{Name: name, Reader: r}}, c); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range c.msgs {
		if f := m.Finding; f != nil && strings.HasPrefix(f.Kind, "Leak_") {
			got = append(got, fmt.Sprintf("%s %s %d in %d, x%d: %s at %s:%d", f.Test, f.Kind, f.Bytes, f.Blocks, f.Count, f.Message,
				f.Blame.Function, f.Blame.Line))
		}
	}
	return got
}

func corpus(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("../../../valgrind/testdata/corpus/3.19.0/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestXMLFindings(t *testing.T) {
	want := []string{ // still reachable and indirectly lost ones are no errors to memcheck
		"leaks.xml Leak_DefinitelyLost 288 in 3, x1: 288 (144 direct, 144 indirect) bytes in 3 blocks are definitely lost at chain:13",
		"leaks.xml Leak_PossiblyLost 1234 in 1, x1: 1,234 bytes in 1 blocks are possibly lost at main:28",
	}
	if diff := cmp.Diff(want, leaksOf(t, "out/leaks.xml", bytes.NewReader(corpus(t, "leaks.xml")))); diff != "" {
		t.Error(diff)
	}
}

// A program may ask for leak checks while it runs: each tells all that was lost so far, and so does the one at its end.
func TestXMLOfSeveralLeakChecks(t *testing.T) {
	// Both are lost in one function whose source is not here.
	want := []string{"requests.xml Leak_DefinitelyLost 90 in 2, x2: 90 bytes in 2 blocks are definitely lost at main:13"}
	report := corpus(t, "requests.xml")
	if diff := cmp.Diff(want, leaksOf(t, "requests.xml", bytes.NewReader(report))); diff != "" {
		t.Error(diff)
	}
	// By the end the first one has grown.
	last := bytes.LastIndex(report, []byte("40 bytes in 1 blocks"))
	grown := append(report[:last:last], bytes.Replace(bytes.Replace(bytes.Replace(report[last:], []byte("40 bytes in 1 "), []byte("120 bytes in 3 "), 1),
		[]byte("<leakedbytes>40<"), []byte("<leakedbytes>120<"), 1), []byte("<leakedblocks>1<"), []byte("<leakedblocks>3<"), 1)...)
	want[0] = "requests.xml Leak_DefinitelyLost 170 in 4, x2: 170 bytes in 4 blocks are definitely lost at main:13"
	if diff := cmp.Diff(want, leaksOf(t, "requests.xml", bytes.NewReader(grown))); diff != "" {
		t.Error(diff)
	}
}

// FuzzRead: whatever two files hold, what is emitted is a run: a config, then verdicts for all that was planned, and a summary
// that agrees. What is damaged is no pass.
func FuzzRead(f *testing.F) {
	config := `{"config":{"run_id":"%d","protocol_version":1,"run_key":"k","shard":{"index":%[1]d,"count":2}}}` + "\n"
	rest := `{"plan":{"package":"p","tests":["TestA","TestB"]}}` + "\n" + `{"test":{"package":"p","name":"TestA","verdict":"pass"}}` + "\n" +
		`{"finding":{"fingerprint":"1","kind":"Leak_DefinitelyLost","package":"p","test":"TestA","tests":["TestA"],"message":"1 bytes in 1 blocks","bytes":1,"blocks":1}}` + "\n"
	summary := `{"summary":{"passed":1,"failed":0,"inconclusive":0,"skipped":0,"findings":1,"new":1,"known":0,"suppressed":0,"elapsed_s":1}}` + "\n"
	f.Add(fmt.Sprintf(config, 1)+rest+summary, fmt.Sprintf(config, 2)+rest)
	f.Add(fmt.Sprintf(config, 1)+rest+summary, "")
	f.Add(`<?xml version="1.0"?><valgrindoutput><protocolversion>4</protocolversion><protocoltool>memcheck</protocoltool>`+
		`<status><state>RUNNING</state></status><error><unique>0x1</unique><kind>InvalidRead</kind></error>`, "")
	f.Fuzz(func(t *testing.T, one, two string) {
		inputs := []saved.Input{{Name: "one", Reader: strings.NewReader(one)}}
		if two != "" {
			inputs = append(inputs, saved.Input{Name: "two", Reader: strings.NewReader(two)})
		}
		c := &collector{}
		err := saved.Read(t.Context(), inputs, c)
		var damage *saved.DamageError
		if err != nil && !errors.As(err, &damage) {
			if len(c.msgs) > 0 && c.msgs[len(c.msgs)-1].Summary != nil {
				t.Errorf("%v, after a summary", err)
			}
			return
		}
		var buf bytes.Buffer
		enc := result.NewEncoder(&buf)
		for _, m := range c.msgs {
			if err := enc.Handle(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		code, codeErr := result.ReadExitCode(&buf)
		if codeErr != nil {
			t.Errorf("what was emitted is no run: %v", codeErr)
		}
		if damage != nil && code == result.ExitPass {
			t.Errorf("%v, and it passes", damage)
		}
		done := map[string]bool{}
		for _, m := range c.msgs {
			if m.Test != nil {
				done[m.Test.Package+" "+m.Test.Name] = true
			}
		}
		for _, m := range c.msgs {
			if m.Plan == nil {
				continue
			}
			for _, name := range m.Plan.Tests {
				if !done[m.Plan.Package+" "+name] {
					t.Errorf("%q was planned, and has no verdict", name)
				}
			}
		}
	})
}
