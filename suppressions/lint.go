package suppressions

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Problem is what Lint has against an entry.
type Problem struct {
	File string
	Line int // of the entry
	Name string
	Text string
}

func (p Problem) String() string { return fmt.Sprintf("%s:%d: %s: %s", p.File, p.Line, p.Name, p.Text) }

// Lint checks entries that valgrind accepts against the policy in README.md: an entry hides errors, so it says why,
// hides no more than it must, and no longer than it says.
func Lint(entries []Entry, now time.Time) []Problem {
	var problems []Problem
	first, same := map[string]Entry{}, map[string]Entry{}
	for _, e := range entries {
		complain := func(format string, args ...any) {
			problems = append(problems, Problem{e.File, e.Line, e.Name, fmt.Sprintf(format, args...)})
		}
		if len(e.Comment) == 0 {
			complain("no comment right above it: say why the entry is needed")
		}
		switch {
		case len(e.Frames) > 0 && matchesAll(e.Frames[0]):
			complain("the first frame is %q: it matches errors in any code that is called from the others; "+
				"name the function in which the error is", e.Frames[0])
		case len(e.Frames) > 0 && !slices.ContainsFunc(e.Frames, namesCode):
			complain("it names only functions that memcheck replaces, as malloc and free: it matches whatever calls them; " +
				"name the function in which the error is")
		}
		for _, f := range e.Frames {
			if f.Kind != Any && f.Pattern == "" {
				complain("frame %q has no pattern", f)
			}
		}
		other, seen := first[e.Name]
		twin, twice := same[e.matchID()]
		switch {
		case twice:
			complain("it matches the same as the entry %s at %s:%d: leave one out", twin.Name, twin.File, twin.Line)
		case strings.HasPrefix(e.Name, "<insert_"):
			complain("that is what --gen-suppressions writes for a name: give it one of its own")
		case seen:
			complain("the same name as the entry at %s:%d: memcheck tells people what hid an error by the name",
				other.File, other.Line)
		}
		if !seen {
			first[e.Name] = e
		}
		if !twice {
			same[e.matchID()] = e
		}
		if day, err := e.Expires(); err != nil {
			complain("%v", err)
		} else if IsOver(day, now) {
			complain("it expired on %s: look whether it is still needed", day.Format(time.DateOnly))
		}
	}
	return problems
}

// matchesAll says whether a frame pattern tells nothing apart.
func matchesAll(f FramePattern) bool {
	return f.Kind == Any || f.Pattern != "" && strings.Trim(f.Pattern, "*") == ""
}

// replaced matches the functions that memcheck replaces with its own, which anybody's code calls.
var replaced = regexp.MustCompile(`^(malloc|calloc|realloc|free|cfree|\*?alloc\*?|memalign|posix_memalign|` +
	`aligned_alloc|valloc|reallocarray|_Z[nd][wal].*|_Z[nd]\*|(__)?(str|mem|stp|wcs|wmem|bcopy|bcmp)[a-z0-9_]*)\*?$`)

// namesCode says whether a frame pattern names somebody's code.
func namesCode(f FramePattern) bool {
	return !matchesAll(f) && f.Pattern != "" && !(f.Kind == Fun && replaced.MatchString(f.Pattern))
}
