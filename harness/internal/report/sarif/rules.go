package sarif

import "strings"

// descriptor is SARIF's reportingDescriptor: a rule.
type descriptor struct {
	ID                   string         `json:"id"`
	ShortDescription     message        `json:"shortDescription"`
	FullDescription      message        `json:"fullDescription"`
	HelpURI              string         `json:"helpUri"`
	Help                 message        `json:"help"`
	DefaultConfiguration configuration  `json:"defaultConfiguration"`
	Properties           ruleProperties `json:"properties"`
}

type configuration struct {
	Level string `json:"level"`
}

// ruleProperties are those that GitHub knows.
type ruleProperties struct {
	Tags      []string `json:"tags"`
	Precision string   `json:"precision"`
	Severity  string   `json:"problem.severity"`
}

// ruleText is what a rule says of a kind of finding.
type ruleText struct{ short, full, cwe string }

const manual = "https://valgrind.org/docs/manual/mc-manual.html"

// rulesByKind has the kinds that memcheck 3.19 to 3.27 reports about memory. Others get a rule that names them.
var rulesByKind = map[string]ruleText{
	"InvalidRead": {"Invalid read", "C code read memory that it must not: freed before, or outside of the block that it was given. " +
		"In cgo code: a method called after Close, a length in the wrong unit, a Go string taken for one that ends with a zero byte, " +
		"or a Go object that the collector freed while C still held it.", "125"},
	"InvalidWrite": {"Invalid write", "C code wrote to memory that it must not: freed before, or outside of the block that it was given. " +
		"In cgo code: a buffer that is too short, or one that Go lent to C for a call that has returned.", "787"},
	"InvalidJump": {"Invalid jump", "The program jumped to an address that is no code: a function pointer that was freed, overwritten or never set.", "119"},
	"InvalidFree": {"Invalid free", "A pointer was given to free that malloc did not return, or that was freed before. In cgo code: two " +
		"owners of one block, a text that belongs to libc or to a library, or memory that Go made.", "590"},
	"MismatchedFree": {"Mismatched free", "Memory was given back in another way than it came: malloc goes with free, new with delete, " +
		"new[] with delete[], and what a library made with the function that the library has for it.", "762"},
	"InvalidMemPool": {"Invalid memory pool", "A memory pool was named to memcheck that it does not know.", ""},
	"UninitCondition": {"Decision depends on uninitialised memory", "What the program does depends on bytes that nobody wrote. In cgo " +
		"code: a result that C leaves unset when it fails, or C.malloc where C.calloc is meant.", "457"},
	"UninitValue": {"Use of uninitialised memory", "Bytes that nobody wrote are used as an address. In cgo code: a result that C leaves " +
		"unset when it fails, or a field that is never filled in.", "457"},
	"SyscallParam": {"System call with uninitialised or invalid memory", "The kernel was handed memory that nobody wrote or that the " +
		"program must not use.", "457"},
	"ClientCheck": {"Check requested by the program failed", "The program asked memcheck whether memory is defined or addressable, and it is not.", ""},
	"Overlap":     {"Overlapping copy", "Source and destination of memcpy, strcpy or the like overlap, which they must not: use memmove.", "475"},
	"FishyValue":  {"Suspicious argument", "A size that is given to an allocation is negative if it is taken for a signed number.", "195"},
	"ReallocZero": {"realloc with size zero", "What realloc does with size zero differs from system to system: it may free the block or not.", ""},
	"BadAlign":    {"Bad alignment", "An alignment was asked for that is no power of two, or not allowed.", ""},
	"BadSize":     {"Bad size", "A size was given to an allocation or deallocation that does not fit.", ""},
	"Leak_DefinitelyLost": {"Memory leak", "The last pointer to a block of C memory is gone, so that it can never be freed. In cgo code: " +
		"C.CString, C.CBytes or C.malloc without C.free, or a library's object that is not closed on every path.", "401"},
	"Leak_IndirectlyLost": {"Memory leak of what a lost block points to", "Only lost blocks point to this block: mend the leak of those.", "401"},
	"Leak_PossiblyLost": {"Possible memory leak", "Only pointers into the middle of the block are left: it is lost, unless the program " +
		"keeps such a pointer on purpose.", "401"},
	"Leak_StillReachable": {"Memory still in use at the end", "The block was never freed, and a pointer to it is still there: usually made " +
		"once and kept for good.", "401"},
	"CgoCheck": {"Go pointer passed to C against cgo's rules", "C must not hold a pointer to Go memory that the garbage collector may " +
		"free or move, nor be given memory that holds such pointers. Pin it (runtime.Pinner), hand out a cgo.Handle, or copy.", ""},
}

func rule(kind string) descriptor {
	text, ok := rulesByKind[kind]
	more := "\n\nThe stacks of a finding run from the C function through cgo to the Go test."
	if ok {
		more += " `cgogrind explain " + kind + "` says more."
	} else {
		text = ruleText{short: kind, full: "memcheck reported an error of kind " + kind + "."}
	}
	d := descriptor{
		ID: kind, ShortDescription: message{Text: text.short}, FullDescription: message{Text: text.full}, HelpURI: manual,
		Help: message{
			Text:     text.full + strings.ReplaceAll(more, "`", ""),
			Markdown: markdown.Replace(text.full) + more,
		},
		DefaultConfiguration: configuration{"error"},
		Properties:           ruleProperties{Tags: []string{"memory", "cgo"}, Precision: "very-high", Severity: "error"},
	}
	if kind == "CgoCheck" {
		d.HelpURI = "https://pkg.go.dev/cmd/cgo#hdr-Passing_pointers"
	}
	if strings.HasPrefix(kind, "Leak_") {
		d.DefaultConfiguration.Level, d.Properties.Severity = "warning", "warning"
	}
	if text.cwe != "" {
		d.Properties.Tags = append(d.Properties.Tags, "external/cwe/cwe-"+text.cwe)
	}
	return d
}

// markdown keeps text from being taken for Markdown or HTML.
var markdown = strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "<", "&lt;", "&", "&amp;")
