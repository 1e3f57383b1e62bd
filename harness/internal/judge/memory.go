package judge

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/cgogrind/cgogrind/harness/internal/frames"
	"github.com/cgogrind/cgogrind/valgrind"
)

// account is a report of memcheck as it is told to people. memcheck takes every object of Go's heap for a block that a
// runtime function allocated, and it knows no garbage collector: what it says about such blocks is put into Go's terms.
type account struct {
	message string
	memory  memory
	lent    lent // where memory is lentMemory
	// sections are memcheck's, with labels and without the frames of Go's allocator and collector: a finding is blamed
	// on them, attributed and identified by them.
	sections []valgrind.Section
	raw      []valgrind.Section // the same with those frames, for people who want to see everything
}

// memory says what an error is about, as far as that is known.
type memory int

const (
	unknownMemory memory = iota
	noBlock              // memcheck says so: no block, nor one that was freed recently
	nearNil              // in the first page
	cInside              // in a block in use
	cOutside             // before or after one
	cFreed               // in a block that was freed
	goInside             // in a Go object in use
	goPast               // after the end of one
	goBefore             // before the beginning of one
	goCollected          // in a Go object that the garbage collector has freed
	goFreed              // in a Go object that C code gave to free
	lentMemory           // in memory that a library lent
)

func (a *account) add(label string, stack, all []valgrind.Frame) {
	a.sections = append(a.sections, valgrind.Section{Text: valgrind.Text{Text: label}, Stack: stack})
	a.raw = append(a.raw, valgrind.Section{Text: valgrind.Text{Text: label}, Stack: all})
}

// tell puts a report into Go's terms where it is about Go's memory.
func tell(e *valgrind.Error) account {
	a := account{message: valgrind.Plain(e.What.Text)}
	for i := 0; i < len(e.Sections); i++ {
		text, stack := e.Sections[i].Text.Text, frames.WithoutCgoClosures(e.Sections[i].Stack)
		var next []valgrind.Frame
		if i+1 < len(e.Sections) {
			next = frames.WithoutCgoClosures(e.Sections[i+1].Stack)
		}
		b, isBlock := parseBlock(text)
		switch {
		case notBlock.MatchString(text):
			a.memory = noBlock
			if addr, ok := address(e); ok && addr < frames.PageSize {
				a.memory = nearNil
			}
			a.add(valgrind.Plain(text), stack, stack)
		case isBlock && b.freed && isGoAllocation(next) && isGoRelease(stack):
			a.memory = goCollected
			o := parseGoObject(next)
			a.add(b.inGo(o)+", freed by the Go garbage collector, that was "+o.verb+" at", o.stack, next)
			a.raw = append(a.raw, valgrind.Section{Text: valgrind.Text{Text: "its memory was taken back at"}, Stack: stack})
			i++
		case isBlock && b.freed && isGoAllocation(next):
			a.memory = goFreed
			o := parseGoObject(next)
			a.add(b.inGo(o)+" that C code freed at", stack, stack)
			a.add("that was "+o.verb+" at", o.stack, next)
			i++
		case isBlock && isGoAllocation(stack):
			a.memory = b.goMemory(e)
			o := parseGoObject(stack)
			label := b.inGo(o) + " " + o.verb + " at"
			if a.memory == goCollected {
				label = b.inGo(o) + ", freed by the Go garbage collector, that was " + o.verb + " at"
			}
			a.add(label, o.stack, stack)
		case i > 0 && text == "" && len(stack) == 0:
		case lentText.MatchString(text):
			a.memory, a.lent = lentMemory, parseLent(text)
			if a.lent.where != "inside" { // it is not what was taken back, or is freed
				a.memory = cOutside
			}
			a.add(a.lent.String(), stack, stack)
		default:
			if isBlock {
				a.memory = b.cMemory()
			}
			a.add(valgrind.Plain(text), stack, stack)
		}
	}
	a.message += a.aboutMemory(e)
	return a
}

// aboutMemory is what a message lacks that is about Go's memory, or about memory that was lent.
func (a *account) aboutMemory(e *valgrind.Error) string {
	switch a.memory {
	case lentMemory:
		if isFree(e.Kind) {
			return " of memory lent by " + a.lent.function
		}
		return " in memory that was lent by " + a.lent.function
	case goInside, goFreed:
		if isFree(e.Kind) {
			return " of Go memory"
		}
	case goCollected:
		if isFree(e.Kind) {
			return " of Go memory"
		}
		return " in Go memory that the garbage collector has freed"
	case goPast:
		return " past the end of Go memory"
	case goBefore:
		return " before the beginning of Go memory"
	}
	return ""
}

func isFree(k valgrind.Kind) bool { return k == "InvalidFree" || k == "MismatchedFree" }

// block is where memcheck places an address: "0 bytes inside a block of size 64 free'd".
type block struct {
	offset, size uint64
	where        string // "inside", "after", "before"
	freed        bool
}

// Blocks that memcheck calls "recently re-allocated" are in use: it found an older block there, too.
var (
	blockText = regexp.MustCompile(`^(?:Address 0x[0-9A-Fa-f]+ is )?([0-9,]+) bytes (inside|after|before) ` +
		`a (?:recently re-allocated )?block of size ([0-9,]+) (alloc'd|free'd)$`)
	notBlock   = regexp.MustCompile(`^Address 0x[0-9A-Fa-f]+ is (not stack'd|in |on |[0-9,]+ bytes inside (data|bss) )`)
	accessSize = regexp.MustCompile(`^Invalid (?:read|write) of size ([0-9]+)$`)
)

func parseBlock(text string) (b block, ok bool) {
	m := blockText.FindStringSubmatch(text)
	if m == nil {
		return block{}, false
	}
	b = block{where: m[2], freed: m[4] == "free'd"}
	for _, n := range []struct {
		to   *uint64
		text string
	}{{&b.offset, m[1]}, {&b.size, m[3]}} {
		var err error
		if *n.to, err = strconv.ParseUint(strings.ReplaceAll(n.text, ",", ""), 10, 64); err != nil {
			return block{}, false
		}
	}
	return b, true
}

// lent is memory that a function lent: see goruntime's README, "Borrowed memory".
type lent struct {
	article, what string // "a", "text"
	function      string // "strerror"
	where         string // "inside"
	offset, size  uint64
}

// lentText is what memcheck makes of the description that the instrumented runtime gives such memory.
var lentText = regexp.MustCompile(`^(?:Address 0x[0-9A-Fa-f]+ is )?([0-9,]+) bytes (inside|after|before) (an?) ` +
	`(.+) lent by (\S+) of size ([0-9,]+) client-defined$`)

func parseLent(text string) lent {
	m := lentText.FindStringSubmatch(text)
	if m == nil {
		return lent{}
	}
	return lent{
		article: m[3], what: m[4], function: m[5], where: m[2], offset: number(m[1]), size: number(m[6]),
	}
}

// String places an address: "0 bytes inside a text of 17 bytes that strerror lent at".
func (l lent) String() string {
	return fmt.Sprintf("%s %s %s %s of %s that %s lent at", plural(int(l.offset), "byte"), l.where, l.article, l.what,
		plural(int(l.size), "byte"), l.function)
}

func (b block) cMemory() memory {
	switch {
	case b.where != "inside":
		return cOutside
	case b.freed:
		return cFreed
	}
	return cInside
}

// goMemory says what an error is about whose address is in or near a Go object. The whole of an object in use is
// accessible: an object that is not has been collected, and its slot has not been used again.
func (b block) goMemory(e *valgrind.Error) memory {
	switch b.where {
	case "after":
		return goPast
	case "before":
		return goBefore
	}
	switch e.Kind {
	case "InvalidRead", "InvalidWrite":
		if m := accessSize.FindStringSubmatch(e.What.Text); m != nil {
			if n, err := strconv.ParseUint(m[1], 10, 64); err == nil && b.offset+n > b.size {
				return goPast
			}
		}
		return goCollected
	}
	if strings.Contains(e.What.Text, "unaddressable") { // SyscallParam, ClientCheck: the first such byte
		return goCollected
	}
	return goInside
}

// inGo places the address in or near a Go object: "0 bytes after a Go slice of 100 bytes".
func (b block) inGo(o goObject) string {
	return fmt.Sprintf("%s %s a %s of %s", plural(int(b.offset), "byte"), b.where, o.noun, plural(int(b.size), "byte"))
}

// goObject is what is known of an object on Go's heap from the stack of its allocation.
type goObject struct {
	noun, verb string
	stack      []valgrind.Frame // without the allocator
}

// The frames with which Go's runtime tells memcheck of an object, and of its end.
const (
	goRequest  = "runtime.valgrindClientRequest"
	goAnnounce = "runtime.valgrindMalloc"
	goRelease  = "runtime.valgrindFree"
)

func isGoAllocation(stack []valgrind.Frame) bool { return isRequest(stack, goAnnounce) }
func isGoRelease(stack []valgrind.Frame) bool    { return isRequest(stack, goRelease) }

func isRequest(stack []valgrind.Frame, of string) bool {
	return len(stack) > 1 && frames.GoName(stack[0].Function) == goRequest && frames.GoName(stack[1].Function) == of
}

// makers are the functions that compiled code and the standard library call for an object, and what becomes of it. The
// outermost one says most; an allocation by none of them is an object.
var makers = []struct {
	function   *regexp.Regexp
	noun, verb string
}{
	{regexp.MustCompile(`^(raw|concat|int)string.*|^slice(byte|rune)tostring$|^gostring.*`), "Go string", "made"},
	{regexp.MustCompile(`^(rawbyteslice|stringtoslicebyte|concatbyte.*|gobytes|.*MakeNoZero)$`), "Go []byte", "made"},
	{regexp.MustCompile(`^(reflect_)?growslice.*`), "Go slice", "grown"},
	{regexp.MustCompile(`^makeslice.*|^rawruneslice$|^stringtoslicerune$`), "Go slice", "made"},
	{regexp.MustCompile(`^newarray$|^(reflect_)?unsafe_NewArray$`), "Go array", "made"},
	{regexp.MustCompile(`^(reflect_)?makechan.*`), "Go channel", "made"},
}

// parseGoObject reads the stack of an allocation: what was made, and by whom.
func parseGoObject(stack []valgrind.Frame) goObject {
	o := goObject{noun: "Go object", verb: "made", stack: stack}
	n := 0
	for n < len(stack) && isAllocator(frames.GoName(stack[n].Function)) {
		name := frames.GoName(stack[n].Function)
		if strings.HasPrefix(name, "internal/runtime/maps.") {
			o.noun = "part of a Go map"
		}
		for _, m := range makers {
			if m.function.MatchString(name[strings.LastIndexByte(name, '.')+1:]) {
				o.noun, o.verb = m.noun, m.verb
				break
			}
		}
		n++
	}
	if n < len(stack) { // otherwise the runtime made it for itself
		o.stack = stack[n:]
	}
	return o
}

// isAllocator says whether a function in the stack of an allocation is the runtime's or belongs to what compiled code
// and the standard library reach it by.
func isAllocator(function string) bool {
	switch pkg := frames.GoPackage(function); {
	case pkg == "runtime", pkg == "internal/bytealg", strings.HasPrefix(pkg, "internal/runtime/"):
		return true
	case pkg == "reflect":
		return strings.HasPrefix(path.Ext(function), ".unsafe_New") || function == "reflect.growslice"
	}
	return false
}
