package reporttest

import (
	"strings"

	"github.com/cgogrind/cgogrind/harness/result"
)

// Evil is a name that does harm wherever it is taken for more than text: to a terminal, in HTML, XML, Markdown, and in the
// log of a GitHub workflow.
const Evil = "e\x1b]0;title\x07\x1b[31mvil\x00\x9b\u202e\u2028</script></pre><script>alert(1)</script><img src=x onerror=alert(2)>" +
	"##[add-mask]owned]]>&amp;\"'--><!--|`````\n\n::error file=/etc/passwd,line=1::owned\n::add-mask::*\n## h1\n[x](javascript:alert(3))" +
	"<details>\xff\xfe%0A%25,:\r\n{{.}}${7*7}\uFFFE\uFFFF"

// Controls are the characters of Evil that no output may have: they make a terminal act, or are no text at all.
var Controls = []string{"\x1b", "\x07", "\x00", "\x9b", "\u202e", "\u2028", "\r", "\xff"}

// Hostile is a stream with Evil in the place of every text.
func Hostile() []result.Message {
	frames := []result.Frame{
		{Function: Evil, File: Evil, Line: 1, Object: Evil, Source: Evil, Lang: result.Lang(Evil)},
		{Object: Evil, Offset: 1},
		{Function: Evil, Name: Evil, Line: -1},
		{},
	}
	finding := func(d result.Disposition) *result.Finding {
		return &result.Finding{
			Fingerprint: Evil, Kind: Evil, Package: Evil, Test: Evil, Tests: []string{Evil, Evil + "/sub"}, Disposition: d,
			Message: Evil, Blame: &frames[0], Stacks: []result.Stack{{Frames: frames}, {Label: Evil, Frames: frames[:1]}, {}},
			Attribution: result.Attribution(Evil), Count: 1 << 60, Bytes: 1 << 63, Blocks: 7, Hint: Evil, Repro: Evil, Cause: Evil,
		}
	}
	test := func(v result.Verdict, name string) result.Message {
		return result.Message{Test: &result.Test{
			Package: Evil, Name: name, Verdict: v, Reason: Evil, ElapsedS: 1e18, Findings: -3, Output: Evil, Repro: Evil,
		}}
	}
	msgs := []result.Message{
		{Config: &result.Config{
			RunID: Evil, Tool: Evil, ProtocolVersion: result.ProtocolVersion, Go: Evil, GOROOT: Evil, Valgrind: Evil,
			Runtime: result.Runtime(Evil), Allocator: Evil, Command: []string{Evil}, Configuration: Evil, Dir: Evil, Root: Evil,
			Shard: &result.Shard{Index: -1, Count: 0}, RunKey: Evil,
		}},
		{Progress: &result.Progress{Package: Evil, Text: Evil}},
		{Plan: &result.Plan{Package: Evil, Tests: []string{Evil}, Command: []string{Evil}}},
		{Plan: &result.Plan{}},
		{Finding: finding(result.New)}, // before its tests
		test(result.Fail, Evil), test(result.Pass, Evil+"/sub"), test(result.Skip, "S"+Evil), test(result.Pass, "P"+Evil),
		test(result.Inconclusive, "I"+Evil), test(result.Verdict(Evil), "V"+Evil),
		test(result.Fail, strings.Repeat("long\U0001F40D", 10_000)),
		{Test: &result.Test{}},
		{Finding: finding(result.New)}, // the same again
		{Finding: finding(result.Known)}, {Finding: finding(result.Suppressed)}, {Finding: finding(result.Expected)},
		{Finding: finding(result.Disposition(Evil))},
		{Finding: &result.Finding{}},
		{Finding: &result.Finding{Kind: "InvalidRead", Package: "example.com/p", Disposition: result.New}},
	}
	return append(msgs, result.Message{Summary: &result.Summary{
		Passed: 1 << 40, Failed: -1, Findings: 7, New: 4, Known: 1, Suppressed: 1, ElapsedS: -1e300,
		Suppressions: []result.Suppression{{ID: Evil, Name: Evil, File: Evil, Line: 1, Expires: Evil, Count: 1 << 63}},
	}})
}
