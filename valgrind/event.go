// Package valgrind reads what memcheck says: the XML protocol of --xml=yes, versions 4, 5 and 6, as a stream of events.
//
// Input is a report, whole, damaged or still being written; output is one value for each top-level element, in
// document order, and at the end an error that tells how and where the report stopped making sense. The package starts
// no processes and judges nothing but completeness: see Completeness.
//
// The format is documented in valgrind's docs/internals/xml-output-protocol4.txt, …5.txt and …6.txt. What real reports
// do beyond it (texts that are not escaped, stray elements, bytes that XML forbids) is accepted; testdata has samples.
package valgrind

import "strconv"

// An Event is one top-level item of a report, in document order. Its dynamic type is one of Header, Status, Error,
// ClientMessage, FatalSignal, ErrorCounts, SuppressionCounts and ErrorSummary.
type Event interface{ event() }

// Header is everything that memcheck says about itself and the program before the first <status>.
type Header struct {
	Protocol  int    // <protocolversion>: 4, 5 or 6
	Tool      string // <protocoltool>, for example "memcheck"
	Preamble  []string
	PID, PPID int
	// ValgrindArgs and Args are <args>: valgrind's own executable and options, and the program with its arguments.
	ValgrindArgs, Args []string
	UserComments       []string
}

// Status is <status>: RUNNING once the program starts, FINISHED when memcheck ends it. FINISHED alone does not
// mean that the report is complete: memcheck writes it when it aborts, too.
type Status struct {
	State string // "RUNNING", "FINISHED"
	Time  string // elapsed, as memcheck prints it: DD:HH:MM:SS.mmm
}

// Kind is an error kind as memcheck spells it. The set is open: newer versions add kinds, and unknown ones are kept.
type Kind string

// Error is <error>.
type Error struct {
	Unique uint64
	TID    int
	Thread string // <threadname>, empty if none
	Kind   Kind
	What   Text
	// Sections are the stacks in document order, each with the text that introduces it: the first belongs to What
	// (its Text is empty); the others to the <auxwhat> or <xauxwhat> before them. An auxiliary text without a stack
	// is a section without frames, and a stack without a text of its own one with an empty Text. An error that has
	// auxiliary texts but no stack for What has an empty first section.
	Sections []Section
	// Suppression is the text that --gen-suppressions=all printed, without the white space around it; empty if none.
	Suppression string
	// Offset and Line say where the <error> starts in the report: bytes from 0, lines from 1.
	Offset int64
	Line   int
}

// LeakKey tells the leaks of one process apart as memcheck does: by their kind and their whole stacks. Each leak check reports all
// of a leak that it reports, what earlier ones have reported included: of the errors with one key only the last counts.
func (e *Error) LeakKey() string {
	key := []byte(e.Kind)
	for _, s := range e.Sections {
		for _, f := range s.Stack {
			key = strconv.AppendUint(append(key, ' '), f.IP, 16)
		}
	}
	return string(key)
}

// Text is a <what>, <xwhat>, <auxwhat> or <xauxwhat>: the sentence and, from the x forms, the numbers in it.
type Text struct {
	Text         string
	LeakedBytes  uint64
	LeakedBlocks uint64
	// FD and Path are the file descriptor that the Fd… kinds of protocols 5 and 6 are about, and its file if known.
	// memcheck puts both beside the <what>, not into it. For other kinds they are zero.
	FD   int
	Path string
	// File, Dir, Line and ThreadID as far as the x form gives them.
	File     string
	Dir      string
	Line     int
	ThreadID int
}

// Section is one stack of an error and the text that introduces it.
type Section struct {
	Text  Text
	Stack []Frame
}

// Frame is <frame>; any field but IP may be missing.
type Frame struct {
	IP       uint64
	Object   string
	Function string
	Dir      string
	File     string
	Line     int
}

// ClientMessage is <clientmsg>: what the program printed with VALGRIND_PRINTF or VALGRIND_PRINTF_BACKTRACE.
type ClientMessage struct {
	TID    int
	Thread string
	Text   string  // without the white space at its end, to which memcheck adds
	Stack  []Frame // with VALGRIND_PRINTF_BACKTRACE only
}

// FatalSignal is <fatal_signal>.
type FatalSignal struct {
	TID    int
	Thread string
	Signal int
	Name   string // "SIGSEGV"
	Code   int    // si_code, negative for a signal that a process sent with tgkill or sigqueue
	Event  string // "Access not within mapped region", empty if memcheck has no words for the code
	Addr   string // si_addr in hexadecimal, empty if the signal has none
	Stack  []Frame
}

// ErrorCounts is <errorcounts>: how often each error, by Unique, happened. It comes at the end of a whole report,
// and with --verbose in the middle too.
type ErrorCounts []UniqueCount

// UniqueCount is a <pair> of <errorcounts>.
type UniqueCount struct {
	Count  uint64
	Unique uint64
}

// SuppressionCounts is <suppcounts>: how often each suppression matched.
type SuppressionCounts []SuppressionCount

// SuppressionCount is a <pair> of <suppcounts>.
type SuppressionCount struct {
	Count uint64
	Name  string
}

// ErrorSummary is <error_summary>, protocol 6.
type ErrorSummary struct {
	Errors, Contexts, Suppressed, SuppressedContexts uint64
}

func (Header) event()            {}
func (Status) event()            {}
func (*Error) event()            {}
func (ClientMessage) event()     {}
func (FatalSignal) event()       {}
func (ErrorCounts) event()       {}
func (SuppressionCounts) event() {}
func (ErrorSummary) event()      {}
