// Package planted holds the bugs that cgogrind must find: each is a few lines of cgo as they are really written, beside
// its clean twin that does the same job right. There is a file for each class of them.
//
// Bugs says what memcheck has to say to each. The suite declares it with expect.Finding: a bug that stays silent fails
// its specs, and so does a twin that does not. Package check runs the suite and compares what is found, to the line.
//
// Each caller of a bug causes one error: after a hundred errors, memcheck takes those for the same that have only their
// two innermost frames in common.
//
// The bugs do harm: outside memcheck the suite runs the twins only.
package planted

// Bug is a planted bug and the one finding that it must lead to, in the line that ends with "// BUG" and its name.
type Bug struct {
	Class string // ownership, lifetime, … : the file's name
	Name  string // the function with the bug
	Twin  string // the function that does it right
	Does  string // what it does wrong, for the names of its specs

	Kind  string // of the finding, as valgrind spells it
	Blame string // the function to blame, in Go from the package's name on
	// Blocks is what each of the two callers leaks, and Bytes how many bytes; 0 if libc decides.
	Blocks, Bytes uint64

	Page string // of cgogrind explain
	// Hint is the page that the finding names, if that is another: several bugs look the same in a report.
	Hint string
}

// Bugs are all of them.
var Bugs = []Bug{
	{Class: "ownership", Name: "ErrorTextFreed", Twin: "ErrorTextCopied", Does: "frees the text of an error code",
		Kind: "InvalidFree", Blame: "planted.ErrorTextFreed", Page: "strerror"},
	{Class: "ownership", Name: "UnknownTextFreed", Twin: "KnownTextCopied", Does: "frees the text of an unknown code",
		Kind: "InvalidFree", Blame: "planted.UnknownTextFreed", Page: "strerror"},
	{Class: "ownership", Name: "EnvironmentFreed", Twin: "EnvironmentCopied", Does: "frees what getenv returns",
		Kind: "InvalidFree", Blame: "planted.EnvironmentFreed", Page: "borrowed"},
	{Class: "ownership", Name: "NameFreed", Twin: "NameCopied", Does: "frees a name that is a part of its owner",
		Kind: "InvalidFree", Blame: "planted.NameFreed", Page: "inside-block"},
	{Class: "ownership", Name: "ClosedTwice", Twin: "ClosedOnce", Does: "frees a buffer with each Close",
		Kind: "InvalidFree", Blame: "planted.(*Buffer).Close", Page: "double-free"},
	{Class: "ownership", Name: "GoMemoryGivenAway", Twin: "CopyGivenAway", Does: "gives Go memory to C code that frees it",
		Kind: "MismatchedFree", Blame: "consume", Page: "go-memory-freed"},
	{Class: "ownership", Name: "NewFreed", Twin: "NewDeleted", Does: "gives memory that new made to free",
		Kind: "MismatchedFree", Blame: "planted.NewFreed", Page: "wrong-free"},
	{Class: "ownership", Name: "StringFreed", Twin: "StringReleased", Does: "gives a library's string to free",
		Kind: "InvalidFree", Blame: "planted.StringFreed", Page: "inside-block"},
	{Class: "ownership", Name: "PartOutlivesWhole", Twin: "PartBeforeWhole",
		Does: "reads a part of a string that was freed",
		Kind: "InvalidRead", Blame: "planted.PartOutlivesWhole", Page: "dangling-part", Hint: "use-after-free"},

	{Class: "lifetime", Name: "PointerKept", Twin: "PointerPinned", Does: "lets C keep a pointer to a slice",
		Kind: "InvalidRead", Blame: "look", Page: "kept-pointer"},
	{Class: "lifetime", Name: "BufferCollected", Twin: "BufferPinned",
		Does: "drops the buffer of a read that is under way",
		Kind: "InvalidWrite", Blame: "complete", Page: "kept-pointer"},
	{Class: "lifetime", Name: "CallbackDataFreed", Twin: "CallbackDataKept",
		Does: "frees a callback's data before the last call",
		Kind: "InvalidRead", Blame: "planted.progressed", Page: "callback-data"},
	{Class: "lifetime", Name: "HandleDeletedTwice", Twin: "HandleDeletedOnce", Does: "deletes a cgo.Handle twice",
		Kind: "InvalidRead", Blame: "planted.deleteHandle", Page: "handle", Hint: "use-after-free"},
	{Class: "lifetime", Name: "UsedAfterDestroy", Twin: "UsedBeforeDestroy", Does: "uses a context after its end",
		Kind: "InvalidRead", Blame: "context_read", Page: "use-after-free"},
	{Class: "lifetime", Name: "EntryAfterClose", Twin: "EntryBeforeClose", Does: "keeps an entry longer than its iterator",
		Kind: "InvalidRead", Blame: "planted.EntryAfterClose", Page: "use-after-free"},
	{Class: "lifetime", Name: "FinalizedInUse", Twin: "KeptAliveInUse", Does: "is finalized while C works on it",
		Kind: "InvalidRead", Blame: "checksum", Page: "keepalive"},
	{Class: "lifetime", Name: "ViewOfGrown", Twin: "ViewAfterGrowing", Does: "keeps a view of a buffer that has moved",
		Kind: "InvalidRead", Blame: "planted.ViewOfGrown", Page: "moved-buffer"},
	{Class: "lifetime", Name: "ResultOverwritten", Twin: "ResultsApart", Does: "keeps what the next call overwrites",
		Kind: "InvalidRead", Blame: "planted.ResultOverwritten", Page: "overwritten-result"},

	{Class: "bounds", Name: "OneTooMany", Twin: "NoneTooMany", Does: "reads one element too many",
		Kind: "InvalidRead", Blame: "sum", Page: "off-by-one"},
	{Class: "bounds", Name: "BeforeTheFirst", Twin: "FromTheFirst", Does: "looks before the first byte of an empty string",
		Kind: "InvalidRead", Blame: "ends_with_newline", Page: "off-by-one"},
	{Class: "bounds", Name: "NoRoomForEnd", Twin: "RoomForEnd", Does: "has no room for a string's last zero",
		Kind: "InvalidWrite", Blame: "copy_text", Page: "terminator"},
	{Class: "bounds", Name: "NoEnd", Twin: "WithEnd", Does: "takes a Go string for a C string",
		Kind: "InvalidRead", Blame: "spaces", Page: "terminator"},
	{Class: "bounds", Name: "LengthInBytes", Twin: "LengthInElements", Does: "counts bytes where C counts elements",
		Kind: "InvalidRead", Blame: "newest", Page: "length-unit", Hint: "off-by-one"},
	{Class: "bounds", Name: "OlderStruct", Twin: "SameStruct", Does: "has an older idea of a struct",
		Kind: "InvalidWrite", Blame: "get_limits", Page: "struct-size"},
	{Class: "bounds", Name: "SliceTooLong", Twin: "SliceAsLong", Does: "makes a slice longer than C's array",
		Kind: "InvalidRead", Blame: "planted.SliceTooLong", Page: "unsafe-slice"},
	{Class: "bounds", Name: "TruncatedText", Twin: "WholeText", Does: "takes the length that a text would have had",
		Kind: "InvalidRead", Blame: "planted.TruncatedText", Page: "wanted-length"},
	{Class: "bounds", Name: "ReadIntoLess", Twin: "ReadIntoEnough", Does: "lets the kernel write behind a buffer",
		Kind: "SyscallParam", Blame: "planted.ReadIntoLess", Page: "wanted-length"},
	{Class: "bounds", Name: "CopyOverItself", Twin: "MoveOverItself", Does: "copies between places that overlap",
		Kind: "Overlap", Blame: "planted.CopyOverItself", Page: "overlapping-copy"},
	{Class: "bounds", Name: "NegativeSize", Twin: "CheckedSize", Does: "asks for a negative number of bytes",
		Kind: "FishyValue", Blame: "payload", Page: "negative-size"},

	{Class: "initialisation", Name: "OutputUnset", Twin: "OutputChecked", Does: "uses an output of a call that failed",
		Kind: "UninitCondition", Blame: "planted.OutputUnset", Page: "unset-output"},
	{Class: "initialisation", Name: "PaddingWritten", Twin: "PaddingCleared", Does: "writes out a struct's padding",
		Kind: "SyscallParam", Blame: "save", Page: "padding"},
	{Class: "initialisation", Name: "ReadInPart", Twin: "ReadChecked", Does: "uses more than was read",
		Kind: "UninitCondition", Blame: "planted.ReadInPart", Page: "partial-read", Hint: "not-cleared"},
	{Class: "initialisation", Name: "FieldUnset", Twin: "FieldsCleared", Does: "leaves a field of a struct out",
		Kind: "UninitCondition", Blame: "start", Page: "not-cleared"},
	{Class: "initialisation", Name: "IndexUnset", Twin: "IndexSet", Does: "lets C look up what nobody set",
		Kind: "UninitValue", Blame: "weight", Page: "not-cleared"},
	{Class: "initialisation", Name: "CountersUnset", Twin: "CountersCleared", Does: "counts from what malloc left",
		Kind: "UninitCondition", Blame: "planted.CountersUnset", Page: "not-cleared"},

	{Class: "leaks", Name: "StringNotFreed", Twin: "StringFreedLater", Does: "never frees a C.CString",
		Kind: "Leak_DefinitelyLost", Blame: "planted.StringNotFreed", Blocks: 1, Bytes: 7, Page: "cstring"},
	{Class: "leaks", Name: "BytesNotFreed", Twin: "BytesFreedLater", Does: "never frees C.CBytes",
		Kind: "Leak_DefinitelyLost", Blame: "planted.BytesNotFreed", Blocks: 1, Bytes: 6, Page: "cstring"},
	{Class: "leaks", Name: "NotFreedOnError", Twin: "FreedOnError", Does: "returns an error and frees nothing",
		Kind: "Leak_DefinitelyLost", Blame: "planted.NotFreedOnError",
		Blocks: 1, Bytes: 14, Page: "error-path", Hint: "cstring"},
	{Class: "leaks", Name: "DeferredTooEarly", Twin: "DeferredClosure", Does: "defers freeing what is nil yet",
		Kind: "Leak_DefinitelyLost", Blame: "planted.DeferredTooEarly",
		Blocks: 1, Page: "defer-too-early", Hint: "missing-close"},
	{Class: "leaks", Name: "RegistrationDropped", Twin: "RegistrationFreed", Does: "drops the data of a callback",
		Kind: "Leak_DefinitelyLost", Blame: "planted.RegistrationDropped",
		Blocks: 1, Bytes: 8, Page: "registration", Hint: "cstring"},
	{Class: "leaks", Name: "HandleNotClosed", Twin: "HandleClosed", Does: "never closes what it opened",
		Kind: "Leak_DefinitelyLost", Blame: "planted.HandleNotClosed", Blocks: 1, Page: "missing-close"},
	{Class: "leaks", Name: "SecondSetLeaks", Twin: "SecondSetFrees", Does: "loses the former value at the second call",
		Kind: "Leak_DefinitelyLost", Blame: "planted.(*Options).SetName",
		Blocks: 1, Bytes: 5, Page: "overwritten", Hint: "cstring"},
	{Class: "leaks", Name: "ItemsNotFreed", Twin: "ItemsFreed", Does: "frees a list and not its items",
		Kind: "Leak_DefinitelyLost", Blame: "planted.ItemsNotFreed",
		Blocks: 2, Bytes: 8, Page: "overwritten", Hint: "cstring"},

	{Class: "concurrency", Name: "SharedTextReplaced", Twin: "OwnText",
		Does: "calls a function that is not safe for threads",
		Kind: "InvalidRead", Blame: "planted.SharedTextReplaced", Page: "not-thread-safe", Hint: "close-during-call"},
	{Class: "concurrency", Name: "ThreadTextOutlived", Twin: "ThreadTextCopied",
		Does: "reads a thread's text after the thread's end",
		Kind: "InvalidRead", Blame: "planted.ThreadTextOutlived", Page: "thread-local"},
	{Class: "concurrency", Name: "ClosedDuringCall", Twin: "ClosedAfterCall",
		Does: "closes what another goroutine is using",
		Kind: "InvalidRead", Blame: "session_wait", Page: "close-during-call"},

	{Class: "process", Name: "FreedInChild", Twin: "FreedInParent", Does: "frees memory in a forked child only",
		Kind: "Leak_DefinitelyLost", Blame: "planted.FreedInChild",
		Blocks: 1, Bytes: 5, Page: "fork", Hint: "cstring"},
	{Class: "process", Name: "SignalAfterFree", Twin: "SignalBeforeFree", Does: "leaves a signal handler its freed data",
		Kind: "InvalidWrite", Blame: "on_signal", Page: "signal", Hint: "use-after-free"},
	{Class: "process", Name: "ThreadOutlivesClose", Twin: "ThreadJoined", Does: "frees what a C thread still uses",
		Kind: "InvalidWrite", Blame: "work", Page: "running-thread"},
	{Class: "process", Name: "FreedByThreadToo", Twin: "FreedByThreadOnly", Does: "frees what a thread's end has freed",
		Kind: "InvalidFree", Blame: "planted.FreedByThreadToo", Page: "thread-local"},
}
