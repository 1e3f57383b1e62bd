package judge

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
)

// Known findings fail nobody: not the test, nor one around it, nor what happened outside, nor a test in which memcheck
// only counted a repeat. Without the knowledge, Otherwise says what it would have changed.
func TestKnownFindings(t *testing.T) {
	make := func() *report {
		r := newReport().plan("TestA", "TestB", "TestOwn")
		r.error("InvalidFree", stack(vgFree, goFree))
		r.begin("TestA")
		r.begin("TestA/sub")
		r.error("InvalidRead", stack(libc, testA))
		r.end("TestA/sub", "pass")
		r.end("TestA", "pass")
		r.begin("TestB")
		r.fold(1)
		r.end("TestB", "pass")
		r.begin("TestOwn")
		r.error("InvalidWrite", stack(libc, testA))
		r.end("TestOwn", "fail")
		r.done(0)
		return r.finish(freed(2, testA))
	}
	cfg := testConfig(t)
	stranger := judgeConfig(t, cfg, make(), Outcome{ExitCode: 1})
	stranger.check(t, result.ExitFindings, verdicts{
		"TestA": result.Fail, "TestA/sub": result.Fail, "TestB": result.Fail, "TestOwn": result.Fail, result.Setup: result.Fail,
	})
	otherwise := map[string]result.Verdict{}
	for name, m := range stranger.tests {
		otherwise[name] = m.Otherwise
	}
	want := map[string]result.Verdict{
		"TestA": result.Pass, "TestA/sub": result.Pass, "TestB": result.Pass, "TestOwn": "", result.Setup: result.Pass,
	}
	if diff := cmp.Diff(want, otherwise); diff != "" {
		t.Errorf("verdicts if all was known (-want +got):\n%s", diff)
	}

	known := map[string]bool{}
	for _, f := range stranger.findings {
		known[f.Fingerprint] = true
	}
	cfg.Dispose = func(f result.Finding) result.Disposition {
		if known[f.Fingerprint] && f.Package == cfg.ImportPath {
			return result.Known
		}
		return result.New
	}
	friend := judgeConfig(t, cfg, make(), Outcome{ExitCode: 1})
	friend.check(t, result.ExitFail, verdicts{
		"TestA": result.Pass, "TestA/sub": result.Pass, "TestB": result.Pass, "TestOwn": result.Fail,
	})
	for _, f := range friend.findings {
		if f.Disposition != result.Known {
			t.Errorf("%s in %v is %s", f.Kind, f.Tests, f.Disposition)
		}
	}
	for name, m := range friend.tests {
		if m.Otherwise != "" {
			t.Errorf("%s: otherwise %q", name, m.Otherwise)
		}
	}
}

// Dispose sees how much a package's tests have leaked so far, so that a limit can be set.
func TestDisposeSeesLeaksSum(t *testing.T) {
	r := newReport().plan("TestA", "TestB")
	for _, name := range []string{"TestA", "TestB"} {
		r.begin(name)
		r.end(name, "pass")
	}
	r.done(0)
	cfg := testConfig(t)
	var blocks []uint64
	cfg.Dispose = func(f result.Finding) result.Disposition {
		blocks = append(blocks, f.Blocks)
		if f.Blocks > 2 {
			return result.New
		}
		return result.Known
	}
	j := judgeConfig(t, cfg, r.finish(freed(1, testA), freed(2, testB)), whole)
	j.check(t, result.ExitFindings, verdicts{"TestA": result.Pass, "TestB": result.Fail})
	if len(j.findings) != 2 || blocks[len(blocks)-1] != 4 {
		t.Errorf("%d findings; blocks %d", len(j.findings), blocks)
	}
}

func TestSuppressedIsCounted(t *testing.T) {
	j := New(testConfig(t), func(result.Message) {})
	for range 2 {
		p := j.Process(nil)
		p.Event(valgrind.SuppressionCounts{{Count: 3, Name: "a"}, {Count: 1, Name: "b"}}, nil)
	}
	if diff := cmp.Diff(map[string]uint64{"a": 6, "b": 2}, j.Suppressed()); diff != "" {
		t.Error(diff)
	}
}
