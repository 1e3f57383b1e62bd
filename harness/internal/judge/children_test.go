package judge

import (
	"testing"

	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
)

// TestChildThatMarks: a test binary that a test starts again, as helper processes are, marks its tests without a token.
// Its marks are neither obeyed nor told of; what is wrong with it is.
func TestChildThatMarks(t *testing.T) {
	for _, c := range []struct {
		name string
		bug  bool
	}{{"clean", false}, {"with a bug", true}} {
		t.Run(c.name, func(t *testing.T) {
			r := newReport()
			r.events[0] = valgrind.Header{
				Protocol: 4, Tool: "memcheck", PID: 78, ValgrindArgs: []string{"--error-limit=no"}, Args: []string{binary},
			}
			r.events = r.events[:2]
			r.token = ""
			r.mark("start 78")
			r.plan("TestHelper")
			r.begin("TestHelper")
			if c.bug {
				r.error("InvalidFree", stack(identified(1)...))
			}
			r.end("TestHelper", "fail")
			r.done(1)
			r.finish()

			var tests []*result.Test
			j := New(testConfig(t), func(m result.Message) {
				switch {
				case m.Test != nil:
					tests = append(tests, m.Test)
				case m.Progress != nil && !c.bug:
					t.Errorf("progress: %s", m.Progress.Text)
				case m.Plan != nil:
					t.Errorf("plan: %q", m.Plan.Tests)
				}
			})
			child := j.Children().Child()
			for _, ev := range r.events {
				child.Event(ev, nil)
			}
			child.Finish()
			j.Finish()
			if !c.bug {
				if len(tests) != 0 {
					t.Errorf("verdicts of a clean child: %+v", tests[0])
				}
				return
			}
			if len(tests) != 1 || tests[0].Name != "[child p.test]" || tests[0].Verdict != result.Fail {
				t.Errorf("verdicts %+v", tests)
			}
		})
	}
}
