// Package result is the vocabulary of a run: the messages that the engine emits and every output reads. A stream is
// newline-delimited JSON, one Message a line; it stays valid with all progress messages removed.
//
// The package imports nothing of the project and does no work: no processes, no policy, no output format but the
// stream's own encoding.
package result

import (
	"cmp"
	"context"
	"time"
)

// ProtocolVersion is the version of the message stream: it changes when a reader of the former one would misread it.
const ProtocolVersion = 1

// Message is one line of the stream. Exactly one field is set.
type Message struct {
	Config   *Config   `json:"config,omitempty"`
	Plan     *Plan     `json:"plan,omitempty"`
	Progress *Progress `json:"progress,omitempty"`
	Finding  *Finding  `json:"finding,omitempty"`
	Test     *Test     `json:"test,omitempty"`
	Summary  *Summary  `json:"summary,omitempty"`
}

// A Handler receives the messages of a run in order: the config first, the summary last. An error stops the run.
type Handler interface {
	Handle(context.Context, Message) error
}

// Config is the first message of a stream: what ran, with what.
type Config struct {
	RunID           string `json:"run_id"`
	Tool            string `json:"tool"` // cgogrind's version
	ProtocolVersion int    `json:"protocol_version"`
	// Fingerprints is the FingerprintVersion of the stream's findings; 0 if it is the first.
	Fingerprints int      `json:"fingerprints,omitempty"`
	Go           string   `json:"go"` // for example "go1.26.8"
	GOROOT       string   `json:"goroot,omitempty"`
	Valgrind     string   `json:"valgrind"` // for example "3.19.0"
	Runtime      Runtime  `json:"runtime"`
	Profile      string   `json:"profile,omitempty"` // how much time memcheck may take: quick, default, deep
	Allocator    string   `json:"allocator"`         // whose malloc the programs use, and what is not checked: "system"
	Command      []string `json:"command"`           // cgogrind's own command line
	// Configuration is the configuration file that flags came from beside the command line, as an absolute path; empty
	// for none.
	Configuration string `json:"configuration,omitempty"`
	Dir           string `json:"dir"` // its working directory
	// Root is the folder that reports for a repository name files relative to: that of the repository. Dir if empty.
	Root    string    `json:"root,omitempty"`
	Started time.Time `json:"started,omitzero"`
	// Shard is the part of the run that this stream is of; nil if it is all of it.
	Shard *Shard `json:"shard,omitempty"`
	// RunKey is what the shards of one run have in common and no other run has, as far as it can be known: the CI
	// system's number of the run, and what was asked for (patterns, tests, tags, flags). Streams with different keys are
	// never merged as shards of one run, nor are those with different versions of cgogrind, Go, valgrind or the runtime.
	RunKey string `json:"run_key,omitempty"`
}

// Shard says which part of a run this is.
type Shard struct {
	Index int `json:"index"` // from 1
	Count int `json:"count"`
}

// Runtime says which Go runtime the test binaries were built with.
type Runtime string

// The runtimes.
const (
	Instrumented Runtime = "instrumented"
	Stock        Runtime = "stock"
)

// Plan announces the tests that a package will run, so that a lost one is noticed. A package has one Plan for each
// process that runs it; subtests are not planned.
type Plan struct {
	Package string   `json:"package"`
	Tests   []string `json:"tests"`
	// Whole is how many tests all shards of the run have together, where that is more.
	Whole int `json:"whole,omitempty"`
	// Command is the command line of memcheck and the test binary.
	Command []string `json:"command,omitempty"`
}

// Progress is text for people. A stream stays valid with all of these removed.
type Progress struct {
	Package string `json:"package,omitempty"`
	Text    string `json:"text"`
}

// Finding is one defect: what memcheck reported, the tests that hit it, and what was decided about it.
type Finding struct {
	Fingerprint string      `json:"fingerprint"`
	Kind        string      `json:"kind"` // as valgrind spells it; CgoCheck is Go's own check of pointers passed to C
	Package     string      `json:"package"`
	Test        string      `json:"test"`  // the first
	Tests       []string    `json:"tests"` // all that hit it
	Disposition Disposition `json:"disposition"`
	Message     string      `json:"message"`
	// Blame is the line that a fix is likeliest to change: for a leak the line of Go that called C, past what only allocates;
	// for the rest the innermost one of the code under test, C or Go. What was named on the command line has no part in it.
	Blame *Frame `json:"blame,omitempty"`
	// Caller is the line of Go that called C, where that is not Blame; or else the line in the module under test, where
	// Blame is in another module.
	Caller *Frame `json:"caller,omitempty"`
	// Other is the second place of a defect that has two: where the memory was freed before, or made. A double free and a
	// free by the wrong function may be mended in either.
	Other       *Frame      `json:"other,omitempty"`
	Stacks      []Stack     `json:"stacks"`
	Attribution Attribution `json:"attribution,omitempty"`
	Count       uint64      `json:"count"`            // how often it happened, as far as memcheck counted
	Bytes       uint64      `json:"bytes,omitempty"`  // leaked
	Blocks      uint64      `json:"blocks,omitempty"` // leaked
	Hint        string      `json:"hint,omitempty"`
	Repro       string      `json:"repro,omitempty"`
	// Cause is the fingerprint of the finding that came first, where several of the package have one cause; empty for
	// that one itself and for a finding on its own. Whatever else is said about a finding (what was decided, the tests,
	// the exit code) is as without it. The first one may be known, or may have got lost: then the stream has no new
	// finding of that fingerprint.
	Cause string `json:"cause,omitempty"`
}

// Attribution says how the tests of a finding were found. Where several ways agree, it is the first of them.
type Attribution string

// The attributions, from the surest to the vaguest.
const (
	ByIdentity Attribution = "identity" // the instrumented runtime put the test's identity into the stack
	ByStack    Attribution = "stack"    // the test's function is in the stack
	ByRunning  Attribution = "running"  // no other test was running
	// Asynchronous is ByRunning for an error in a thread that C made: what caused it may have been an earlier test.
	Asynchronous Attribution = "asynchronous"
	// ByAppearance is for leaks that no stack tells the test of: a leak check found it right after that test.
	ByAppearance Attribution = "appearance"
	OneOf        Attribution = "one of"  // one of the tests named: they ran side by side
	Outside      Attribution = "outside" // no test was running: the test is one of the names in brackets
)

// The names that stand for what happens in a package outside its tests.
const (
	Setup    = "[setup]"         // before its first test: package initialisation, TestMain
	Between  = "[between tests]" // when no test was running, and more were to come
	Teardown = "[teardown]"      // after its last test, the leak check at the exit included
)

// Disposition is what was decided about a finding.
type Disposition string

// The dispositions. Only New makes a test fail.
const (
	New        Disposition = "new"
	Known      Disposition = "known"
	Suppressed Disposition = "suppressed"
	Expected   Disposition = "expected"
)

// Stack is one of a finding's stacks, innermost frame first. The first has no label; the others say what they are:
// "block was free'd at", "block was alloc'd at", …
type Stack struct {
	Label  string  `json:"label,omitempty"`
	Frames []Frame `json:"frames"`
}

// Frame is a place in the program. Any field may be missing.
type Frame struct {
	Function string `json:"function,omitempty"`
	// Name is what people call the function, where the compiler made up another name: a call of C that is deferred is in
	// the function that defers it; a long C++ name is told without what it was instantiated with.
	Name   string `json:"name,omitempty"`
	File   string `json:"file,omitempty"` // the whole path, as the compiler saw it
	Line   int    `json:"line,omitempty"`
	Object string `json:"object,omitempty"` // the file that holds the code
	// Offset is set where Function is empty: the offset of the code in its page of the object. More is not known from
	// a report, as load addresses differ from run to run; pages do not.
	Offset uint64 `json:"offset,omitempty"`
	Lang   Lang   `json:"lang,omitempty"`
	Source string `json:"source,omitempty"` // the line's text, trimmed
}

// KnownName is the name that people know the function by, empty if there is none.
func (f *Frame) KnownName() string { return cmp.Or(f.Name, f.Function) }

// Lang is the language that a frame was written in.
type Lang string

// The languages that are told apart; others are left empty.
const (
	C  Lang = "c"
	Go Lang = "go"
)

// Test is the verdict on one test.
type Test struct {
	Package string  `json:"package"`
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason,omitempty"`
	// Otherwise is the verdict that the test would have if all findings of the run were known ones, where it differs.
	Otherwise Verdict `json:"otherwise,omitempty"`
	ElapsedS  float64 `json:"elapsed_s"`
	Findings  int     `json:"findings,omitempty"` // that it hit, known and expected ones included
	Output    string  `json:"output,omitempty"`   // its tail, when not passed
	Repro     string  `json:"repro,omitempty"`
}

// Verdict is how a test ended.
type Verdict string

// The verdicts. Inconclusive means that the evidence is incomplete; it is never a pass.
const (
	Pass         Verdict = "pass"
	Fail         Verdict = "fail"
	Inconclusive Verdict = "inconclusive"
	Skip         Verdict = "skip"
)

// Summary is the last message of a stream. A stream without one is truncated and never a pass.
type Summary struct {
	Passed       int     `json:"passed"`
	Failed       int     `json:"failed"`
	Inconclusive int     `json:"inconclusive"`
	Skipped      int     `json:"skipped"`
	Findings     int     `json:"findings"`
	New          int     `json:"new"`
	Known        int     `json:"known"`
	Suppressed   int     `json:"suppressed"`
	ElapsedS     float64 `json:"elapsed_s"`
	// Suppressions are the entries that memcheck was given, shipped ones and users', in their order, those that hid
	// nothing included. What memcheck's own files hide is not counted.
	Suppressions []Suppression `json:"suppressions,omitempty"`
}

// Suppression says how often an entry of a suppression file hid an error.
type Suppression struct {
	ID      string `json:"id"` // of the entry's name and patterns: the same wherever it stands in whichever file
	Name    string `json:"name"`
	File    string `json:"file"` // as it was named to cgogrind
	Line    int    `json:"line"`
	Expires string `json:"expires,omitempty"` // the day after which it is not to be used, as 2006-01-02
	Count   uint64 `json:"count"`
}
