package result_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	fast "github.com/segmentio/encoding/json"

	"github.com/cgogrind/cgogrind/harness/result"
)

func config() result.Message {
	return result.Message{Config: &result.Config{
		RunID: "4f2c", Tool: "v0.1.0", ProtocolVersion: result.ProtocolVersion, Go: "go1.26.8", Valgrind: "3.19.0",
		Runtime: result.Instrumented, Allocator: "system", Command: []string{"cgogrind", "test", "./..."}, Dir: "/src",
	}}
}

func test(name string, v result.Verdict) result.Message {
	return result.Message{Test: &result.Test{Package: "example.com/p", Name: name, Verdict: v, ElapsedS: 0.25}}
}

func shard(index, count int) result.Message {
	m := config()
	m.Config.Shard = &result.Shard{Index: index, Count: count}
	return m
}

func plan(names ...string) result.Message {
	return result.Message{Plan: &result.Plan{Package: "example.com/p", Tests: names}}
}

func finding(d result.Disposition) result.Message {
	return result.Message{Finding: &result.Finding{
		Fingerprint: "0123456789abcdef", Kind: "InvalidFree", Package: "example.com/p", Test: "TestA",
		Tests: []string{"TestA"}, Disposition: d, Message: "Invalid free() / delete / delete[] / realloc()",
		Blame:  &result.Frame{Function: "dfree", File: "/src/p.go", Line: 7, Source: `free("<p>"); /* ü */`},
		Stacks: []result.Stack{{Frames: []result.Frame{{Function: "free"}, {Function: "dfree", Line: 7}}}}, Count: 1,
	}}
}

// whole returns messages with the summary that belongs to them.
func whole(t *testing.T, msgs ...result.Message) []result.Message {
	t.Helper()
	var tally result.Tally
	for _, m := range msgs {
		if err := tally.Handle(context.Background(), m); err != nil {
			t.Fatal(err)
		}
	}
	sum := tally.Summary()
	sum.ElapsedS = 1.5
	return append(msgs, result.Message{Summary: &sum})
}

func encode(t testing.TB, msgs ...result.Message) []byte {
	t.Helper()
	var buf bytes.Buffer
	enc := result.NewEncoder(&buf)
	for _, m := range msgs {
		if err := enc.Handle(context.Background(), m); err != nil {
			t.Fatal(err)
		}
	}
	return buf.Bytes()
}

func collect(seq iter.Seq2[result.Message, error]) (msgs []result.Message, err error) {
	for m, e := range seq {
		if e != nil {
			return msgs, e
		}
		msgs = append(msgs, m)
	}
	return msgs, nil
}

func TestRoundTrip(t *testing.T) {
	want := whole(t, config(), plan("TestA", "TestB"), result.Message{Progress: &result.Progress{Text: "a\nb"}},
		finding(result.New), test("TestA", result.Fail), test("TestB", result.Pass))
	stream := encode(t, want...)
	if n := bytes.Count(stream, []byte("\n")); n != len(want) {
		t.Errorf("%d lines for %d messages", n, len(want))
	}
	got, err := collect(result.Decode(bytes.NewReader(stream)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestStreamWithoutProgressIsValid(t *testing.T) {
	msgs := whole(t, config(), test("TestA", result.Pass))
	code, err := result.ReadExitCode(bytes.NewReader(encode(t, msgs...)))
	if err != nil || code != result.ExitPass {
		t.Errorf("code %d, error %v", code, err)
	}
}

// A stream that was cut anywhere must never read as a pass, and what is decoded before the cut must be right.
func TestCutStreamNeverPasses(t *testing.T) {
	msgs := whole(t, config(), plan("TestA", "TestB"), result.Message{Progress: &result.Progress{Text: "building"}},
		finding(result.Expected), test("TestA", result.Pass), test("TestB", result.Pass))
	stream := encode(t, msgs...)
	if code, err := result.ReadExitCode(bytes.NewReader(stream)); err != nil || code != result.ExitPass {
		t.Fatalf("the whole stream: code %d, error %v", code, err)
	}
	for n := range len(stream) {
		code, err := result.ReadExitCode(bytes.NewReader(stream[:n]))
		if code == result.ExitPass {
			t.Errorf("cut at offset %d of %d: exit code 0", n, len(stream))
		}
		var serr *result.StreamError
		if !errors.Is(err, result.ErrTruncated) || !errors.As(err, &serr) {
			t.Fatalf("cut at offset %d: error %v, want truncated", n, err)
		}
		if want := 1 + bytes.Count(stream[:n], []byte("\n")); serr.Line != want {
			t.Errorf("cut at offset %d: reported for line %d, want %d", n, serr.Line, want)
		}
		got, _ := collect(result.Decode(bytes.NewReader(stream[:n])))
		want := msgs[:bytes.Count(stream[:n], []byte("\n"))]
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("cut at offset %d: %s", n, diff)
		}
	}
}

// Lines that get lost in the middle must not turn a run into a pass either.
func TestStreamWithoutALineNeverPasses(t *testing.T) {
	msgs := whole(t, config(), plan("TestA", "TestB"), finding(result.New), test("TestA", result.Fail),
		test("TestB", result.Pass))
	for i := range msgs {
		without := append(append([]result.Message{}, msgs[:i]...), msgs[i+1:]...)
		if code, err := result.ReadExitCode(bytes.NewReader(encode(t, without...))); code == result.ExitPass {
			t.Errorf("without message %d: exit code 0 (error %v)", i, err)
		}
	}
}

func TestDamagedStreams(t *testing.T) {
	line := func(m ...result.Message) string { return string(encode(t, m...)) }
	start := line(config())
	sum := line(result.Message{Summary: &result.Summary{}})
	for _, c := range []struct {
		name, stream string
		want         error
		line         int
	}{
		{"empty", "", result.ErrTruncated, 1},
		{"only a config", start, result.ErrTruncated, 2},
		{"no config", sum, result.ErrMalformed, 1},
		{"two configs", start + start + sum, result.ErrMalformed, 2},
		{"newer protocol", strings.Replace(start, `"protocol_version":1`, `"protocol_version":2`, 1) + sum,
			result.ErrVersion, 1},
		{"no protocol", strings.Replace(start, `"protocol_version":1,`, ``, 1) + sum, result.ErrVersion, 1},
		{"unknown key", start + "{\"tset\":{}}\n" + sum, result.ErrMalformed, 2},
		{"no key", start + "{}\n" + sum, result.ErrMalformed, 2},
		{"two keys", start + `{"progress":{"text":"a"},"test":{"name":"T"}}` + "\n" + sum, result.ErrMalformed, 2},
		{"one key twice", start + `{"progress":{"text":"a"},"progress":{"text":"b"}}` + "\n" + sum, result.ErrMalformed, 2},
		{"null", start + `{"test":null}` + "\n" + sum, result.ErrMalformed, 2},
		{"two objects", start + `{"progress":{"text":"a"}}{"progress":{"text":"b"}}` + "\n" + sum, result.ErrMalformed, 2},
		{"empty line", start + "\n" + sum, result.ErrMalformed, 2},
		{"array", start + "[]\n" + sum, result.ErrMalformed, 2},
		{"no JSON", start + "PASS\n" + sum, result.ErrMalformed, 2},
		{"wrong type", start + `{"test":{"findings":"many"}}` + "\n" + sum, result.ErrMalformed, 2},
		{"after the summary", start + sum + line(test("TestA", result.Pass)), result.ErrMalformed, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := collect(result.Decode(strings.NewReader(c.stream)))
			var serr *result.StreamError
			if !errors.Is(err, c.want) || !errors.As(err, &serr) {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			if serr.Line != c.line {
				t.Errorf("line %d, want %d", serr.Line, c.line)
			}
			if code, err := result.ReadExitCode(strings.NewReader(c.stream)); code != result.ExitInconclusive || err == nil {
				t.Errorf("exit code %d, error %v", code, err)
			}
		})
	}
}

func TestUnknownFieldsAreSkipped(t *testing.T) {
	stream := string(encode(t, whole(t, config(), test("TestA", result.Pass))...))
	stream = strings.Replace(stream, `"verdict":`, `"colour":"green","verdict":`, 1)
	if code, err := result.ReadExitCode(strings.NewReader(stream)); err != nil || code != result.ExitPass {
		t.Errorf("code %d, error %v", code, err)
	}
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		name string
		msgs []result.Message
		want result.ExitCode
	}{
		{"pass", []result.Message{plan("TestA"), test("TestA", result.Pass)}, result.ExitPass},
		{"expected finding", []result.Message{finding(result.Expected), test("TestA", result.Pass)}, result.ExitPass},
		{"known finding", []result.Message{finding(result.Known), test("TestA", result.Pass)}, result.ExitPass},
		{"skipped only", []result.Message{test("TestA", result.Skip)}, result.ExitPass},
		{"failure", []result.Message{test("TestA", result.Fail), test("TestB", result.Pass)}, result.ExitFail},
		{"finding", []result.Message{finding(result.New), test("TestA", result.Fail)}, result.ExitFindings},
		{"finding of unknown disposition", []result.Message{finding("doubtful"), test("TestA", result.Pass)},
			result.ExitFindings},
		{"inconclusive", []result.Message{test("TestA", result.Inconclusive), test("TestB", result.Pass)},
			result.ExitInconclusive},
		{"unknown verdict", []result.Message{test("TestA", "maybe")}, result.ExitInconclusive},
		{"inconclusive before failure", []result.Message{test("TestA", result.Inconclusive), test("TestB", result.Fail)},
			result.ExitInconclusive},
		{"finding before inconclusive", []result.Message{finding(result.New), test("TestA", result.Inconclusive)},
			result.ExitFindings},
		{"nothing ran", nil, result.ExitInconclusive},
		{"no package ran anything", []result.Message{test(result.Setup, result.Skip)}, result.ExitInconclusive},
		{"a package ran nothing", []result.Message{test(result.Setup, result.Skip), test("TestA", result.Skip)}, result.ExitPass},
		{"a package that does not build", []result.Message{test(result.Setup, result.Fail), test("TestA", result.Pass)},
			result.ExitFail},
		{"lost test", []result.Message{plan("TestA", "TestB"), test("TestA", result.Pass)}, result.ExitInconclusive},
		{"planned twice", []result.Message{plan("TestA", "TestB"), test("TestA", result.Pass), plan("TestB"),
			test("TestB", result.Pass)}, result.ExitPass},
		{"a shard without tests", []result.Message{shard(1, 2), {Plan: &result.Plan{Package: "example.com/p", Whole: 3}}},
			result.ExitPass},
		{"a shard of a run without tests", []result.Message{shard(1, 2), plan()}, result.ExitInconclusive},
		{"the only shard of a run without tests", []result.Message{shard(1, 1), plan()}, result.ExitInconclusive},
		{"a shard without packages", []result.Message{shard(2, 2)}, result.ExitInconclusive},
	} {
		t.Run(c.name, func(t *testing.T) {
			if len(c.msgs) == 0 || c.msgs[0].Config == nil {
				c.msgs = append([]result.Message{config()}, c.msgs...)
			}
			stream := encode(t, whole(t, c.msgs...)...)
			got, err := result.ReadExitCode(bytes.NewReader(stream))
			if err != nil || got != c.want {
				t.Errorf("exit code %d, want %d (error %v)", got, c.want, err)
			}
		})
	}
}

func TestSummaryMustAgree(t *testing.T) {
	stream := encode(t, config(), test("TestA", result.Fail), result.Message{Summary: &result.Summary{Passed: 1}})
	code, err := result.ReadExitCode(bytes.NewReader(stream))
	if code != result.ExitInconclusive || !errors.Is(err, result.ErrContradiction) {
		t.Errorf("exit code %d, error %v", code, err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(string(encode(f, config(), test("TestA", result.Pass), result.Message{Summary: &result.Summary{Passed: 1}})))
	f.Add("{\"progress\":{}}\n")
	f.Fuzz(func(t *testing.T, stream string) {
		msgs, err := collect(result.Decode(strings.NewReader(stream)))
		code, codeErr := result.ReadExitCode(strings.NewReader(stream))
		if err != nil && (code == result.ExitPass || codeErr == nil) {
			t.Errorf("error %v, yet exit code %d with error %v", err, code, codeErr)
		}
		if code == result.ExitPass && (len(msgs) == 0 || msgs[len(msgs)-1].Summary == nil) {
			t.Error("exit code 0 without a summary")
		}
	})
}

// FuzzFinding holds the fast library that reads findings against the standard one.
func FuzzFinding(f *testing.F) {
	f.Add(`{"fingerprint":"1","kind":"Leak_DefinitelyLost","tests":["a\u2028\ud83d\ude00","\ud800"],"count":1e2,"new":{}}`)
	f.Add(`{"Kind":"InvalidRead","kind":null,"sections":[{"stack":[{"function":"f","line":-1}]}]}`)
	f.Add(`{"count":"1"} {}`)
	f.Add(`null`)
	value, err := json.Marshal(finding(result.Expected).Finding)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(value))
	f.Fuzz(func(t *testing.T, value string) {
		if strings.ContainsAny(value, "\r\n") {
			t.Skip("more than one line")
		}
		var want *result.Finding
		wantErr := json.Unmarshal([]byte(value), &want)
		stream := string(encode(t, config())) + `{"finding":` + value + "}\n"
		msgs, err := collect(result.DecodeWith(fast.Unmarshal, strings.NewReader(stream)))
		if len(msgs) < 2 { // not a finding, or one that is followed by something else
			if wantErr == nil && want != nil {
				t.Errorf("not read: %v", err)
			}
			return
		}
		if wantErr != nil {
			t.Fatalf("read, but it is wrong: %v", wantErr)
		}
		if diff := cmp.Diff(want, msgs[1].Finding); diff != "" {
			t.Errorf("read (+) not as the standard library does (-):\n%s", diff)
		}
	})
}
