package frames

import (
	"strings"

	"github.com/cgogrind/cgogrind/valgrind"
)

// The instrumented runtime does something wrong itself now and then, to see whether memcheck still counts it, and loses a
// block at its end. Both are in each report, and are nobody's.
const (
	touch = "runtime.cgogrindTouch"
	lose  = "runtime.cgogrindLose"
)

// IsProbe says whether an error is one that the instrumented runtime makes on purpose. The functions are its own: a C
// function has no such name.
func IsProbe(e *valgrind.Error) bool {
	if IsLostProbe(e) {
		return true
	}
	return e.Kind == "InvalidRead" && len(e.Sections) > 0 && len(e.Sections[0].Stack) > 0 && e.Sections[0].Stack[0].Function == touch
}

// IsLostProbe says whether a leak is the block that the instrumented runtime loses on purpose.
func IsLostProbe(e *valgrind.Error) bool {
	if !strings.HasPrefix(string(e.Kind), "Leak_") || len(e.Sections) == 0 {
		return false
	}
	stack := e.Sections[0].Stack
	for _, f := range stack[:min(len(stack), 4)] { // the function that makes the request is the innermost
		if f.Function == lose {
			return true
		}
	}
	return false
}
