package valgrind

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
	// is a section without frames.
	Sections []Section
	// Suppression is the text that --gen-suppressions=all printed, empty if none.
	Suppression string
	// Offset and Line say where the <error> starts in the report: bytes from 0, lines from 1.
	Offset int64
	Line   int
}

// Text is a <what>, <xwhat>, <auxwhat> or <xauxwhat>: the sentence and, from the x forms, the numbers in it.
type Text struct {
	Text         string
	LeakedBytes  uint64
	LeakedBlocks uint64
	// FD, File, Dir, LineNumber and ThreadID as far as the x form gives them.
	FD       int
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

// ClientMessage is <clientmsg>: what the program printed with VALGRIND_PRINTF.
type ClientMessage struct {
	TID    int
	Thread string
	Text   string
}

// FatalSignal is <fatal_signal>.
type FatalSignal struct {
	TID    int
	Thread string
	Signal int
	Name   string // "SIGSEGV"
	Code   int
	Event  string
	Addr   string
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
