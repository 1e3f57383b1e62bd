package suppressions

import (
	"fmt"
	"strings"
)

// Problem is what Lint has against an entry.
type Problem struct {
	File string
	Line int // of the entry
	Name string
	Text string
}

func (p Problem) String() string { return fmt.Sprintf("%s:%d: %s: %s", p.File, p.Line, p.Name, p.Text) }

// Lint checks entries that valgrind accepts against the policy in README.md: an entry hides errors, so it says why, and
// hides no more than it must.
func Lint(entries []Entry) []Problem {
	var problems []Problem
	first := map[string]Entry{}
	for _, e := range entries {
		complain := func(format string, args ...any) {
			problems = append(problems, Problem{e.File, e.Line, e.Name, fmt.Sprintf(format, args...)})
		}
		if len(e.Comment) == 0 {
			complain("no comment right above it: say why the entry is needed")
		}
		if len(e.Frames) > 0 && matchesAll(e.Frames[0]) {
			complain("the first frame is %q: it matches errors in any code that is called from the others; "+
				"name the function in which the error is", e.Frames[0])
		}
		for _, f := range e.Frames {
			if f.Kind != Any && f.Pattern == "" {
				complain("frame %q has no pattern", f)
			}
		}
		if other, seen := first[e.Name]; seen {
			complain("the same name as the entry at %s:%d: reports count what each suppressed by its name", other.File,
				other.Line)
		} else {
			first[e.Name] = e
		}
	}
	return problems
}

// matchesAll says whether a frame pattern tells nothing apart.
func matchesAll(f FramePattern) bool {
	return f.Kind == Any || f.Pattern != "" && strings.Trim(f.Pattern, "*") == ""
}
