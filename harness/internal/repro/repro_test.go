package repro

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cgogrind/cgogrind/harness"
	"github.com/cgogrind/cgogrind/harness/internal/shell"
	"github.com/cgogrind/cgogrind/harness/result"
)

const (
	printA = "aaaa000000000001"
	printB = "aaaa000000000002"
	printC = "bbbb000000000003"
)

// messages are a run of the package m/p: two processes, a test with subtests, a suite of Ginkgo's.
func messages() []result.Message {
	test := func(name string, v result.Verdict, repro string) result.Message {
		return result.Message{Test: &result.Test{Package: "m/p", Name: name, Verdict: v, Repro: repro}}
	}
	finding := func(print, name, repro string, tests ...string) result.Message {
		return result.Message{Finding: &result.Finding{
			Fingerprint: print, Kind: "InvalidRead", Package: "m/p", Test: name, Tests: append([]string{name}, tests...),
			Disposition: result.New, Repro: repro, Blame: &result.Frame{Function: "m/p.read", File: "/src/p.go", Line: 7},
		}}
	}
	return []result.Message{
		{Config: &result.Config{ProtocolVersion: result.ProtocolVersion, Go: "go1.26.8", Tool: "v1", Dir: "/src"}},
		{Plan: &result.Plan{Package: "m/p", Tests: []string{"TestOld"}}},
		test("TestOld", result.Pass, ""),
		{Plan: &result.Plan{Package: "m/p", Tests: []string{"TestA", "TestB", "TestSubs", "TestSuite", "TestZ"}}},
		test("TestA", result.Pass, ""),
		{Plan: &result.Plan{Package: "m/q", Tests: []string{"TestA"}}},
		{Test: &result.Test{Package: "m/q", Name: "TestA", Verdict: result.Pass}},
		test("TestB", result.Fail, "cgogrind test -run '^TestB$' m/p"),
		test("TestSubs", result.Fail, "cgogrind test -run '^TestSubs$' m/p"),
		test("TestSubs/one", result.Pass, ""),
		test("TestSubs/one/deep", result.Pass, ""),
		test("TestSubs/two", result.Fail, "cgogrind test -run '^TestSubs$/^two$' m/p"),
		test("TestSuite", result.Fail, ""),
		test("[BeforeSuite]", result.Pass, ""),
		test("pools open (twice)", result.Pass, ""),
		test("pools close", result.Fail, "cgogrind test -run '^TestSuite$' m/p -- '-ginkgo.focus=pools close$'"),
		test("TestZ", result.Inconclusive, "GODEBUG=x=1 cgogrind test -short -run '^TestZ$' m/p"),
		finding(printA, "TestSubs/two", "cgogrind test -tags=x -run '^TestSubs$/^two$' m/p"),
		finding(printB, "pools close", "cgogrind test -run '^TestSuite$' m/p -- '-ginkgo.focus=pools close$'", "TestB"),
		finding(printC, "[teardown]", "cgogrind test m/p"),
		{Summary: &result.Summary{}},
	}
}

func encode(t *testing.T, ms []result.Message) string {
	t.Helper()
	var b bytes.Buffer
	enc := result.NewEncoder(&b)
	for _, m := range ms {
		if err := enc.Handle(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func stream(t *testing.T) *Stream {
	t.Helper()
	s, err := Read(strings.NewReader(encode(t, messages())), "run.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFind(t *testing.T) {
	streams := []*Stream{{Name: "newer.jsonl"}, stream(t)}
	got, err := Find(streams, "bbbb")
	if err != nil {
		t.Fatal(err)
	}
	want := Target{
		Package: "m/p", Fingerprints: []string{printC}, Title: "InvalidRead in p.read (p.go:7)", Stream: streams[1],
		Command: shell.Command{Args: []string{"cgogrind", "test", "m/p"}},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b *Stream) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	if got, err := Find(streams, printA); err != nil || got.Test != "TestSubs/two" {
		t.Errorf("%+v, %v", got, err)
	}

	for _, tt := range []struct {
		streams []*Stream
		prefix  string
		is      error
		says    string
	}{
		{streams, "aaaa", ErrAmbiguous, "  " + printA + "  InvalidRead in p.read (p.go:7)  m/p TestSubs/two\n  " + printB},
		{streams, "cccc", ErrUnknown, "in the last 2 runs there are\n  " + printA},
		{streams[1:], "cccc", ErrUnknown, "in run.jsonl there are"},
		{streams[:1], "cccc", ErrUnknown, "there are no findings in newer.jsonl"},
		{nil, "cccc", ErrUnknown, "--from FILE"},
		{streams, "aaa", nil, "give 4 digits or more"},
	} {
		_, err := Find(tt.streams, tt.prefix)
		if err == nil || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %q in it", tt.prefix, err, tt.says)
		}
	}
}

func TestFindingWithoutACommandOfOurs(t *testing.T) {
	s := stream(t)
	for _, line := range []string{"", "rm -rf /", "cgogrind test 'open", "cgogrind other"} {
		s.Findings[0].Repro = line
		if _, err := Find([]*Stream{s}, printA); err == nil || !strings.Contains(err.Error(), "written by v1") {
			t.Errorf("%q: %v", line, err)
		}
	}
	for _, line := range []string{"cgogrind run ./cmd/p 'a b'", "cgogrind exec -- ./p"} {
		s.Findings[0].Repro = line
		if _, err := Find([]*Stream{s}, printA); !errors.Is(err, ErrProgram) || !strings.HasSuffix(err.Error(), "\n  "+line) {
			t.Errorf("%q: %v", line, err)
		}
	}
}

func TestStreamsThatAreDamaged(t *testing.T) {
	text := encode(t, messages())
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	cut, err := Read(strings.NewReader(strings.Join(lines[:len(lines)-1], "")+lines[len(lines)-1][:5]), "cut")
	if err != nil || !errors.Is(cut.Cut, result.ErrTruncated) || len(cut.Findings) != 3 {
		t.Errorf("%+v, %v: what is there is of use", cut, err)
	}
	for name, text := range map[string]string{"empty": "", "text": "PASS\n", "version": `{"config":{"protocol_version":99}}` + "\n"} {
		if s, err := Read(strings.NewReader(text), name); err == nil {
			t.Errorf("%s is read as %+v", name, s)
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if _, err := Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), "test --save") {
		t.Error(err)
	}
}

func TestTargetOf(t *testing.T) {
	streams := []*Stream{stream(t)}
	for _, tt := range []struct {
		name    string
		prints  []string
		verdict result.Verdict
		command string
	}{
		{"TestB", []string{printB}, result.Fail, "cgogrind test -run '^TestB$' m/p"},
		{"TestZ", nil, result.Inconclusive, "GODEBUG=x=1 cgogrind test -short -run '^TestZ$' m/p"},
		{"TestA", nil, "", "cgogrind test -tags=x -run '^TestA$' m/p"}, // it passed
		{"TestNew/a+b", nil, "", `cgogrind test -tags=x -run '^TestNew$/^a\+b$' m/p`},
		{"makes a pool", nil, "", "cgogrind test -tags=x m/p -- '-ginkgo.focus=makes a pool$'"},
	} {
		got, err := TargetOf(streams, "m/p", tt.name, []string{"-tags=x"})
		if err != nil || !slices.Equal(got.Fingerprints, tt.prints) || got.Verdict != tt.verdict || got.Command.String() != tt.command {
			t.Errorf("%s: %+v (%s), %v", tt.name, got, got.Command, err)
		}
	}
}

// engine is an engine whose runs are made from the command that was asked for.
type engine func(cfg harness.Config) ([]result.Message, result.ExitCode, error)

func (e engine) run(ctx context.Context, cfg harness.Config, h result.Handler) (result.ExitCode, error) {
	ms, code, err := e(cfg)
	for _, m := range ms {
		if err := h.Handle(ctx, m); err != nil {
			return result.ExitInconclusive, err
		}
	}
	return code, err
}

func (e engine) session(t Target, notes *[]string) *Session {
	return &Session{
		Target: t, Engine: e.run,
		Configure: func(c shell.Command) (harness.Config, error) { return harness.Config{Command: c.Args}, nil },
		Note:      func(format string, args ...any) { *notes = append(*notes, fmt.Sprintf(format, args...)) },
	}
}

func TestOutcomes(t *testing.T) {
	test := func(v result.Verdict, findings int) result.Message {
		return result.Message{Test: &result.Test{Package: "m/p", Name: "TestB", Verdict: v, Findings: findings, Reason: "it says so"}}
	}
	finding := func(print string, d result.Disposition) result.Message {
		return result.Message{Finding: &result.Finding{Fingerprint: print, Kind: "InvalidFree", Disposition: d}}
	}
	byPrint := Target{Package: "m/p", Test: "TestB", Verdict: result.Fail, Fingerprints: []string{printB}}
	byVerdict := Target{Package: "m/p", Test: "TestB", Verdict: result.Fail}
	anything := Target{Package: "m/p", Test: "TestB"}
	for _, tt := range []struct {
		name   string
		target Target
		run    []result.Message
		code   result.ExitCode // the engine's
		want   Outcome
		detail string
		exit   result.ExitCode
	}{
		{"same", byPrint, []result.Message{test(result.Fail, 1), finding(printB, result.New)}, 3, Reproduced, "", 3},
		{"same, expected", byPrint, []result.Message{test(result.Pass, 1), finding(printB, result.Expected)}, 0, Reproduced, "", 3},
		{"other finding", byPrint, []result.Message{test(result.Fail, 1), finding(printC, result.New)}, 3, Different, "InvalidFree  " + printC, 3},
		{"other known finding", byPrint, []result.Message{test(result.Pass, 1), finding(printC, result.Known)}, 0, NotReproduced, "", 0},
		{"fails", byPrint, []result.Message{test(result.Fail, 0)}, 1, Different, "TestB fails: it says so", 1},
		{"fails as before", byVerdict, []result.Message{test(result.Fail, 0)}, 1, Reproduced, "", 1},
		{"passes", byPrint, []result.Message{test(result.Pass, 0)}, 0, NotReproduced, "", 0},
		{"no evidence", byPrint, []result.Message{test(result.Inconclusive, 0)}, 4, Inconclusive, "TestB: it says so", 4},
		{"any failure", anything, []result.Message{test(result.Fail, 1), finding(printC, result.New)}, 3, Reproduced, "InvalidFree  " + printC, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var notes []string
			s := engine(func(harness.Config) ([]result.Message, result.ExitCode, error) { return tt.run, tt.code, nil }).session(tt.target, &notes)
			a, err := s.Try(t.Context(), tt.target.Command)
			if err != nil || a.Outcome != tt.want || a.Detail != tt.detail {
				t.Errorf("%+v, %v; want %s, %q", a, err, tt.want, tt.detail)
			}
			if got := ExitCode([]Attempt{a}); got != tt.exit {
				t.Errorf("exit code %d, want %d", got, tt.exit)
			}
		})
	}
}

func TestRunsThatDoNotStart(t *testing.T) {
	failed := errors.New("it does not build")
	var notes []string
	for _, tt := range []struct {
		run  engine
		is   error
		code result.ExitCode
	}{
		{func(harness.Config) ([]result.Message, result.ExitCode, error) { return nil, result.ExitUsage, failed }, failed, result.ExitUsage},
		{func(harness.Config) ([]result.Message, result.ExitCode, error) {
			return nil, result.ExitInconclusive, nil
		}, ErrNoTest, result.ExitInconclusive},
	} {
		_, err := tt.run.session(Target{Test: "TestGone"}, &notes).Try(t.Context(), shell.Command{})
		var run *RunError
		if !errors.As(err, &run) || !errors.Is(err, tt.is) || run.Code != tt.code {
			t.Errorf("%v, want %v with %d", err, tt.is, tt.code)
		}
	}
}

func TestAnotherBuildIsSaidOnce(t *testing.T) {
	target := Target{Package: "m/p", Test: "TestB", Stream: stream(t)}
	here := result.Config{Go: "go1.27.0", Tool: "v1"}
	run := []result.Message{{Config: &here}, {Test: &result.Test{Package: "m/p", Name: "TestB", Verdict: result.Pass}}}
	var notes []string
	s := engine(func(harness.Config) ([]result.Message, result.ExitCode, error) { return run, 0, nil }).session(target, &notes)
	for range 2 {
		if _, err := s.Try(t.Context(), target.Command); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"another build: go was go1.26.8, and is go1.27.0 here"}, notes); diff != "" {
		t.Error(diff)
	}
}

func TestWhatRanBefore(t *testing.T) {
	s := stream(t)
	for _, tt := range []struct {
		test string
		want []candidates
	}{
		{"TestA", []candidates{{topLevel, nil}}},
		{"TestB", []candidates{{topLevel, []string{"TestA"}}}},
		{"TestSubs/two", []candidates{{subtests, []string{"one"}}, {topLevel, []string{"TestA", "TestB"}}}},
		{"pools close", []candidates{{specs, []string{"pools open (twice)"}}}},
		{"TestZ", []candidates{{topLevel, []string{"TestA", "TestB", "TestSubs", "TestSuite"}}}},
		{"TestGone", nil},
	} {
		if diff := cmp.Diff(tt.want, s.before("m/p", tt.test), cmp.AllowUnexported(candidates{})); diff != "" {
			t.Errorf("%s: %s", tt.test, diff)
		}
	}
	for _, tt := range []struct {
		print string
		level level
		names []string
		want  string
	}{
		{printA, topLevel, []string{"TestA", "TestB"}, "cgogrind test -tags=x -run '^(TestA|TestB|TestSubs)$' m/p"},
		{printA, subtests, []string{"one+"}, `cgogrind test -tags=x -run '^TestSubs$/^(one\+|two)$' m/p`},
		{printB, specs, []string{"pools open (twice)"}, `cgogrind test -run '^TestSuite$' m/p -- '-ginkgo.focus=(pools open \(twice\)|pools close)$'`},
	} {
		target, err := Find([]*Stream{s}, tt.print)
		if err != nil {
			t.Fatal(err)
		}
		if got := target.with(tt.level, tt.names).String(); got != tt.want {
			t.Errorf("%s, want %s", got, tt.want)
		}
		if strings.Contains(target.Command.String(), "|") {
			t.Errorf("the target's own command became %s", target.Command)
		}
	}
}

// Verdicts come when processes have ended: another one of the package may have begun before, after a crash or with
// --split.
func TestWhatRanBeforeInOneOfSeveralProcesses(t *testing.T) {
	plan := func(tests ...string) result.Message {
		return result.Message{Plan: &result.Plan{Package: "m/p", Tests: tests}}
	}
	ms := []result.Message{{Config: &result.Config{ProtocolVersion: result.ProtocolVersion}},
		plan("TestA", "TestB", "TestCrash", "TestSuite", "TestZ"), plan("TestSuite", "TestZ"), plan("TestX", "TestY")}
	for _, name := range []string{"TestX", "TestY", "TestA", "TestB", "TestB/sub", "TestCrash", "TestSuite", "pools open", "pools close", "TestZ"} {
		ms = append(ms, result.Message{Test: &result.Test{Package: "m/p", Name: name}})
	}
	s, err := Read(strings.NewReader(encode(t, ms)), "run.jsonl")
	if !errors.Is(s.Cut, result.ErrTruncated) || err != nil {
		t.Fatal(s.Cut, err)
	}
	for test, want := range map[string][]candidates{
		"TestY":       {{topLevel, []string{"TestX"}}},
		"TestB":       {{topLevel, []string{"TestA"}}},
		"TestB/sub":   {{subtests, nil}, {topLevel, []string{"TestA"}}},
		"TestCrash":   {{topLevel, []string{"TestA", "TestB"}}},
		"pools close": {{specs, []string{"pools open"}}},
		"TestZ":       {{topLevel, []string{"TestSuite"}}},
	} {
		if diff := cmp.Diff(want, s.before("m/p", test), cmp.AllowUnexported(candidates{})); diff != "" {
			t.Errorf("%s: %s", test, diff)
		}
	}
}

// With -count, what stands before the failure counts, each test once, and not the test's own rounds.
func TestWhatRanBeforeInSeveralRounds(t *testing.T) {
	ms := []result.Message{{Config: &result.Config{ProtocolVersion: result.ProtocolVersion}},
		{Plan: &result.Plan{Package: "m/p", Tests: []string{"TestA", "TestB", "TestC"}}}}
	for i, name := range []string{"TestA", "TestC", "TestB", "TestA", "TestC"} {
		test := &result.Test{Package: "m/p", Name: name, Verdict: result.Pass}
		if i == 4 {
			test.Verdict, test.Repro = result.Fail, "cgogrind test -count=2 -run '^TestC$' m/p"
		}
		ms = append(ms, result.Message{Test: test})
	}
	s, err := Read(strings.NewReader(encode(t, ms)), "run.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]candidates{{topLevel, []string{"TestA", "TestB"}}}, s.before("m/p", "TestC"), cmp.AllowUnexported(candidates{})); diff != "" {
		t.Error(diff)
	}
}

// The target takes two of the tests before it, whichever: the reduction finds them.
func TestReduce(t *testing.T) {
	target, err := TargetOf([]*Stream{stream(t)}, "m/p", "TestZ", nil)
	if err != nil {
		t.Fatal(err)
	}
	target.Fingerprints = []string{printA}
	runs := 0
	run := engine(func(cfg harness.Config) ([]result.Message, result.ExitCode, error) {
		runs++
		ms := []result.Message{{Test: &result.Test{Package: "m/p", Name: "TestZ", Verdict: result.Pass}}}
		pattern := strings.Join(cfg.Command, " ")
		if strings.Contains(pattern, "TestA") && strings.Contains(pattern, "TestSubs") {
			ms = append(ms, result.Message{Finding: &result.Finding{Fingerprint: printA, Disposition: result.New}})
		}
		return ms, 0, nil
	})
	var notes []string
	got, err := run.session(target, &notes).Reduce(t.Context())
	if err != nil || got == nil {
		t.Fatal(got, err)
	}
	if want := "GODEBUG=x=1 cgogrind test -short -run '^(TestA|TestSubs|TestZ)$' m/p"; got.Command.String() != want || got.Of != 4 {
		t.Errorf("%s of %d, want %s of 4", got.Command, got.Of, want)
	}
	if len(notes) != runs || notes[0] != "with 4 of the 4 before it: reproduced (0.0s)" {
		t.Errorf("%d runs, and the notes are %q", runs, notes)
	}

	never := engine(func(harness.Config) ([]result.Message, result.ExitCode, error) {
		return []result.Message{{Test: &result.Test{Package: "m/p", Name: "TestZ", Verdict: result.Pass}}}, 0, nil
	})
	if got, err := never.session(target, &notes).Reduce(t.Context()); got != nil || err != nil {
		t.Errorf("%+v, %v: all of them are not enough", got, err)
	}
}

func TestMinimise(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var list, needed []string
		for i := range 1 + rnd.IntN(40) {
			list = append(list, fmt.Sprint(i))
		}
		for _, name := range list {
			if rnd.IntN(len(list)) < 3 {
				needed = append(needed, name)
			}
		}
		if len(needed) == 0 {
			needed = list[:1]
		}
		tests := 0
		got, err := minimise(list, func(names []string) (bool, error) {
			tests++
			return !slices.ContainsFunc(needed, func(n string) bool { return !slices.Contains(names, n) }), nil
		})
		if err != nil || !slices.Equal(got, needed) {
			t.Fatalf("%q of %q, %v; want %q", got, list, err, needed)
		}
		if most := len(needed) * 8; tests > most { // log2(40), and one to see whether it is enough
			t.Fatalf("%d tests for %d of %d", tests, len(needed), len(list))
		}
	}

	// Interrupted, it has what it knows.
	stop, n := errors.New("stop"), 0
	got, err := minimise([]string{"a", "b", "c", "d"}, func(names []string) (bool, error) {
		if n++; n == 2 {
			return false, stop
		}
		return slices.Contains(names, "d"), nil
	})
	if !errors.Is(err, stop) || !slices.Equal(got, []string{"c", "d"}) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestCountsInWords(t *testing.T) {
	for want, c := range map[string]Counts{
		"reproduced 5 of 5": {Reproduced: 5},
		"reproduced 1 of 4, different 1, not reproduced 1, inconclusive 1": {1, 1, 1, 1},
		"not reproduced 2 of 3, inconclusive 1":                            {NotReproduced: 2, Inconclusive: 1},
	} {
		if got := c.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
