package valgrind

import (
	"errors"
	"fmt"
)

// ErrTruncated is what errors.Is finds in the error of a report that ends before </valgrindoutput>.
var ErrTruncated = errors.New("report is truncated")

// TruncatedError says where a report ends too early. It matches ErrTruncated.
type TruncatedError struct {
	Offset  int64  // bytes that the report has
	Line    int    // the line, from 1, on which it ends
	Element string // the innermost element that is open, for example "frame"; empty before the root element
}

func (e *TruncatedError) Error() string {
	within := "before its root element"
	if e.Element != "" {
		within = "within <" + e.Element + ">"
	}
	return fmt.Sprintf("valgrind: report is truncated: it ends at byte %d, line %d, %s: memcheck was killed or could not "+
		"write on, so what it saw last is lost", e.Offset, e.Line, within)
}

// Unwrap returns ErrTruncated.
func (e *TruncatedError) Unwrap() error { return ErrTruncated }

// SyntaxError says where a report is damaged other than by ending early.
type SyntaxError struct {
	Offset int64 // bytes from the start of the report
	Line   int   // from 1
	Reason string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("valgrind: report is damaged at byte %d, line %d: %s", e.Offset, e.Line, e.Reason)
}
