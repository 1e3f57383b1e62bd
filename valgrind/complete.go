package valgrind

import (
	"fmt"
	"slices"
	"strings"
)

// Completeness says whether a report is whole, so that the absence of an error in it means something. It is fed with
// what Read yields:
//
//	var whole valgrind.Completeness
//	for e, err := range valgrind.Read(r) {
//		whole.Add(e, err)
//		…
//	}
//	if reason := whole.Reason(); reason != "" {
//		… inconclusive …
//	}
//
// Well-formed XML is not enough: a memcheck that aborts closes all elements and writes FINISHED, and leaves out the
// leaks, <errorcounts> and <suppcounts>. Nor is a fatal signal a reason: memcheck survives it and finishes its report.
// A loop that ends by break has not seen the end, so that Reason does not say whether the report is whole.
//
// The zero value is ready to use. It takes the same little memory for any report.
type Completeness struct {
	err error
	// read is set by any call of Add: no report is not a whole report.
	read, header, running, finished, errorCounts, suppCounts bool

	protocol int
	args     []string // valgrind's

	// A sample of which errors there were and which were counted: all that belong to the final counts; those that
	// memcheck finds at the end and does not count; the final counts.
	counted, extra, final tally
	errors                int
	counts                uint64 // sum of the final counts
	summary               *ErrorSummary
}

// tally is the number of different errors and a sum that hardly any other set of errors has.
type tally struct{ n, sum uint64 }

func (t *tally) add(unique uint64) {
	// The finalizer of MurmurHash3.
	h := unique + 0x9e3779b97f4a7c15
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	t.n++
	t.sum += h ^ h>>33
}

func (t tally) plus(u tally) tally { return tally{t.n + u.n, t.sum + u.sum} }

// maxShown is the number of different errors after which memcheck reports no more, unless --error-limit=no is given.
const maxShown = 1000

// Add takes what Read yields.
func (c *Completeness) Add(e Event, err error) {
	c.read = true
	if err != nil {
		c.err = err
		return
	}
	switch e := e.(type) {
	case Header:
		c.header, c.protocol, c.args = true, e.Protocol, e.ValgrindArgs
	case Status:
		switch e.State {
		case "RUNNING":
			c.running = true
		case "FINISHED":
			c.finished = true
		}
	case *Error:
		c.errors++
		// Leaks and what is found after the end do not go through the list that <errorcounts> shows.
		if c.finished || strings.HasPrefix(string(e.Kind), "Leak_") {
			c.extra.add(e.Unique)
		} else {
			c.counted.add(e.Unique)
		}
	case ErrorCounts:
		// With --verbose there are others before the end.
		c.errorCounts = c.finished
		c.final, c.counts = tally{}, 0
		for _, p := range e {
			c.final.add(p.Unique)
			c.counts += p.Count
		}
	case SuppressionCounts:
		c.suppCounts = c.finished
	case ErrorSummary:
		c.summary = &e
	}
}

// Reason says what is missing from the report that was added, or that it contradicts itself. It is empty if the report
// is whole.
func (c *Completeness) Reason() string {
	switch {
	case c.err != nil:
		return strings.TrimPrefix(c.err.Error(), "valgrind: ")
	case !c.read:
		return "there is no report"
	case !c.header:
		return "the report has no header"
	case c.protocol < 4 || c.protocol > 6:
		return fmt.Sprintf("the report has version %d of the protocol; 4 to 6 are known", c.protocol)
	case !c.running:
		return "the program did not start under memcheck: the report has no <status> RUNNING"
	case !c.finished:
		return "the report has no <status> FINISHED"
	case !c.errorCounts:
		return "memcheck aborted: the report has no <errorcounts> after FINISHED, so that leaks and counts are missing"
	case !c.suppCounts && slices.ContainsFunc(c.args, isQuiet):
		return "the report has no <suppcounts>: -q was given, which makes a whole report look like one that was cut short"
	case !c.suppCounts:
		return "memcheck aborted: the report has no <suppcounts> after FINISHED"
	case c.final != c.counted && c.final != c.counted.plus(c.extra):
		return fmt.Sprintf("the report counts %d different errors but shows %d", c.final.n, c.counted.n)
	case c.summary != nil && c.summary.Errors < c.counts:
		return fmt.Sprintf("the report sums up %d errors but counts %d", c.summary.Errors, c.counts)
	case c.errors >= maxShown && !slices.Contains(c.args, "--error-limit=no"):
		return fmt.Sprintf("memcheck stops reporting after %d different errors: give it --error-limit=no", maxShown)
	}
	return ""
}

func isQuiet(arg string) bool { return arg == "-q" || arg == "--quiet" }
