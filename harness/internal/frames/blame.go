package frames

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
)

// Places are the lines that a finding points people to. Each is nil if there is none.
type Places struct {
	// Blame is the line that a fix is likeliest to change. For a leak it is the line of Go that called C, past functions that
	// only hand an allocation through; for the rest the innermost one of the code under test, C or Go, in all stacks in order.
	Blame *result.Frame
	// Caller is the line of Go that called C, where that is not Blame; or else the line in the module under test, where
	// Blame is in another.
	Caller *result.Frame
	// Other is the second place of a defect that has two: where the memory was freed, or made.
	Other *result.Frame
}

// position is a frame's place in a report.
type position struct{ section, frame int }

// Places says whom a finding points to. It depends on nothing but the report and the code under test.
func (r *Reader) Places(kind valgrind.Kind, sections []valgrind.Section) Places {
	var p Places
	at, ok := r.blame(kind, sections)
	if !ok {
		return p
	}
	p.Blame = r.known(sections[at.section].Stack, at.frame)
	if i := r.callerOf(sections[at.section].Stack, at.frame); i >= 0 {
		p.Caller = r.known(sections[at.section].Stack, i)
	}
	for _, s := range sections[at.section+1:] {
		if p.Other = r.Second(s.Stack, p); p.Other != nil {
			break
		}
	}
	return p
}

// Second returns the frame that answers for memory which was made, or given back, in a stack of a finding, where that is
// neither its blame nor its caller: then the innermost one of the code under test, if that is another. It is nil if there is
// none.
func (r *Reader) Second(stack []valgrind.Frame, p Places) *result.Frame {
	answers, ok := r.madeIn(stack)
	if !ok {
		return nil
	}
	innermost, _ := r.blame("", []valgrind.Section{{Stack: stack}})
	for _, i := range []int{answers, innermost.frame} {
		if f := r.known(stack, i); !isSameLine(f, p.Blame) && !isSameLine(f, p.Caller) {
			return f
		}
	}
	return nil
}

func isSameLine(a, b *result.Frame) bool {
	return b != nil && a.File == b.File && a.Line == b.Line && a.KnownName() == b.KnownName()
}

// known is a frame of a stack, with the name that people know it by.
func (r *Reader) known(stack []valgrind.Frame, i int) *result.Frame {
	f := r.Frame(stack[i])
	f.Name = KnownAs(stack, i)
	return &f
}

func isLeak(kind valgrind.Kind) bool { return strings.HasPrefix(string(kind), "Leak_") }

// blame is the position of the frame that a finding is blamed on.
func (r *Reader) blame(kind valgrind.Kind, sections []valgrind.Section) (position, bool) {
	if isLeak(kind) {
		for n, s := range sections {
			if i, ok := r.madeIn(s.Stack); ok {
				return position{n, i}, true
			}
		}
		return position{}, false
	}
	for want := Module; want < None; want++ {
		for n, s := range sections {
			if i := r.first(s.Stack, func(f valgrind.Frame) bool { return r.Tier(f) == want }); i >= 0 {
				return position{n, i}, true
			}
		}
	}
	return position{}, false
}

// first is the index of the innermost frame that is so, -1 if none is.
func (r *Reader) first(stack []valgrind.Frame, is func(valgrind.Frame) bool) int {
	for i, f := range stack {
		if is(f) {
			return i
		}
	}
	return -1
}

// madeIn returns who answers for memory that was made, or given back, in a stack: the line of Go that called C, past those
// that only hand through what C made for them. Where no Go called, it is the code under test, past allocators' helpers.
func (r *Reader) madeIn(stack []valgrind.Frame) (int, bool) {
	answers := -1
	for i, f := range stack {
		if r.Tier(f) == None || r.Lang(f) != result.Go {
			continue
		}
		answers = i
		if !r.handsThrough(stack, i) {
			break
		}
	}
	if answers >= 0 {
		return answers, true
	}
	for want := Module; want < None; want++ {
		for i, f := range stack {
			if r.Tier(f) != want {
				continue
			}
			answers = i
			if !allocator.MatchString(f.Function) {
				break
			}
		}
		if answers >= 0 {
			return answers, true
		}
	}
	return 0, false
}

// allocator matches the names of functions that C programs have around malloc. What they are is known from the stack, too:
// they lie between malloc and whoever wanted the memory.
var allocator = regexp.MustCompile(`(?i)alloc|strn?dup|memdup|(^|_)new(_|$)`)

// handsThrough says whether a line of Go does nothing with the memory that C made but return it: return C.CString(s).
func (r *Reader) handsThrough(stack []valgrind.Frame, i int) bool {
	inner := i - 1
	for inner >= 0 && !strings.Contains(stack[inner].Function, "._Cfunc_") && r.Lang(stack[inner]) == result.Go &&
		r.Tier(stack[inner]) == None {
		inner--
	}
	if inner < 0 {
		return false
	}
	_, callee, ok := strings.Cut(stack[inner].Function, "._Cfunc_")
	if !ok {
		return false
	}
	if callee = GoName(callee); callee == "_CMalloc" {
		callee = "malloc"
	}
	m := returnsCall.FindStringSubmatch(r.Frame(stack[i]).Source)
	if m == nil || m[2] != callee {
		return false
	}
	switch callee {
	case "CString", "CBytes", "malloc", "calloc", "strdup", "strndup":
		return r.hasOwnGo(stack[i+1:])
	}
	return m[1] != "" && r.hasOwnGo(stack[i+1:])
}

// returnsCall matches a line that returns what a function of C returns, converted from one pointer to another at most.
var returnsCall = regexp.MustCompile(`^return ((?:\(\*+[\w.]+\)\(|unsafe\.Pointer\()*)C\.(\w+)\(`)

func (r *Reader) hasOwnGo(stack []valgrind.Frame) bool {
	return r.first(stack, func(f valgrind.Frame) bool { return r.Tier(f) != None && r.Lang(f) == result.Go }) >= 0
}

// callerOf is the index of the line of Go that called C, if that is not the frame i; or else that of the module under test,
// if i is in another; -1 if there is none.
func (r *Reader) callerOf(stack []valgrind.Frame, i int) int {
	isGo := func(f valgrind.Frame) bool { return r.Tier(f) != None && r.Lang(f) == result.Go }
	called := r.first(stack, isGo)
	if r.Lang(stack[i]) != result.Go { // whoever called this function, not what it calls
		if called = r.first(stack[i:], isGo); called >= 0 {
			called += i
		}
	}
	inC := r.first(stack[:max(called, 0)], func(f valgrind.Frame) bool { return r.Lang(f) != result.Go })
	if called >= 0 && called != i && inC >= 0 {
		return called
	}
	if r.Tier(stack[i]) != Other {
		return -1
	}
	return r.first(stack, func(f valgrind.Frame) bool { return r.Tier(f) == Module && r.Lang(f) == result.Go })
}

// Significant returns the frames that make the finding what it is, for its fingerprint: of each stack those from the
// innermost to the first of Go in the module under test, or in the nearest other module, if that has none. A stack of C
// alone ends at the first frame of the code under test, or at the last one for a leak: who lost the memory may be any of
// them. The stack with a frame of the module under test is the last one. What Go's own library does is left out.
func (r *Reader) Significant(kind valgrind.Kind, sections []valgrind.Section) []result.Stack {
	for want := Module; want < None; want++ {
		var stacks []result.Stack
		for _, s := range sections {
			end, whose := r.end(kind, s.Stack)
			stacks = append(stacks, result.Stack{Frames: r.significant(s.Stack, end)})
			if whose <= want {
				return stacks
			}
		}
	}
	if len(sections) == 0 { // memcheck says nothing of a place
		return []result.Stack{{}}
	}
	return []result.Stack{{Frames: r.significant(sections[0].Stack, len(sections[0].Stack))}}
}

// end says how many frames of a stack make a finding what it is, and whose the code is that they end in.
func (r *Reader) end(kind valgrind.Kind, stack []valgrind.Frame) (int, Tier) {
	for want := Module; want < None; want++ {
		for i, f := range stack {
			if r.Tier(f) != want || r.Lang(f) != result.Go || isLeak(kind) && r.handsThrough(stack, i) {
				continue
			}
			if r.first(stack[:i], func(f valgrind.Frame) bool { return r.Tier(f) == Module }) >= 0 {
				return i + 1, Module
			}
			return i + 1, want
		}
	}
	for want := Module; want < None; want++ {
		end := 0
		for i, f := range stack {
			if r.Tier(f) == want && (end == 0 || isLeak(kind)) {
				end = i + 1
			}
		}
		if end > 0 {
			return end, want
		}
	}
	return len(stack), None
}

// significant returns those of the first frames of a stack that have a part in a fingerprint, each with what tells it from
// others in its function.
func (r *Reader) significant(stack []valgrind.Frame, end int) []result.Frame {
	var out, standard []result.Frame
	for i, f := range stack[:end] {
		if isCarrier(f.Function) || isPlumbing(f) || i > 0 && isLost(f) {
			continue
		}
		frame := r.Frame(f)
		frame.Function = ownName(stack, i)
		frame.Source = r.told(frame)
		if r.isStandard(f) {
			standard = append(standard, frame)
			continue
		}
		out = append(out, frame)
	}
	if len(out) == 0 {
		return standard
	}
	return out
}

// isStandard says whether a frame is of Go's own library: what it calls there changes from release to release.
func (r *Reader) isStandard(f valgrind.Frame) bool {
	return r.Lang(f) == result.Go && r.Tier(f) == None && !isFramework(GoPackage(f.Function))
}

// ownName is the function that a frame's code is written in. The compiler names a closure that it inlines into another
// function after both: p.TestText.Text.func1 is Text's, whoever calls that.
func ownName(stack []valgrind.Frame, i int) string {
	name := GoName(stack[i].Function)
	pkg := GoPackage(name)
	if pkg == "" {
		return name
	}
	if known := KnownAs(stack, i); known != "" {
		return GoName(known)
	}
	for _, caller := range stack[i+1:] {
		if GoPackage(caller.Function) != pkg {
			continue
		}
		local := LocalName(caller.Function)
		if at := strings.LastIndex(name, "."+local+".func"); at >= 0 {
			return GoName(caller.Function) + name[at+1+len(local):]
		}
	}
	return name
}

// told is the text of a frame's line, with its number among the lines of the function that read the same.
func (r *Reader) told(f result.Frame) string {
	if f.Source == "" {
		return ""
	}
	lines := r.lines(f.File)
	same := 1
	for n := f.Line - 1; n > 0; n-- {
		line := lines[n-1]
		if strings.Join(strings.Fields(line), " ") == strings.Join(strings.Fields(f.Source), " ") {
			same++
		}
		if beginsFunction.MatchString(line) {
			break
		}
	}
	if same == 1 {
		return f.Source
	}
	return fmt.Sprintf("%s #%d", f.Source, same)
}

// beginsFunction matches the first line of a function, in Go, C and in the comment before import "C".
var beginsFunction = regexp.MustCompile(`^(//\s?)?[A-Za-z_][\w\s*.,\[\]]*\(`)

// CallOf names the line that an error's own stack would have the finding blamed on, and the function that it calls. It is
// not known if that stack has no such line.
func (r *Reader) CallOf(kind valgrind.Kind, sections []valgrind.Section) (call string, known bool) {
	if len(sections) == 0 {
		return "", false
	}
	at, ok := r.blame(kind, sections[:1])
	if !ok {
		return "", false
	}
	stack := sections[0].Stack
	line := r.Frame(stack[at.frame])
	if line.Line == 0 {
		return "", false
	}
	callee := ""
	for i := at.frame - 1; i >= 0 && callee == ""; i-- {
		if f := stack[i]; !isCarrier(f.Function) && !isPlumbing(f) && !isLost(f) {
			callee = GoName(f.Function)
		}
	}
	return fmt.Sprintf("%s:%d %s calling %q", line.File, line.Line, line.Function, callee), true
}

// Blamable returns the functions of the code under test in a finding's stacks, from the innermost to the blamed one, or to
// that of the module under test which called it.
func (r *Reader) Blamable(kind valgrind.Kind, sections []valgrind.Section) []string {
	at, ok := r.blame(kind, sections)
	if !ok {
		return nil
	}
	end := at.frame
	if stack := sections[at.section].Stack; r.Tier(stack[end]) == Other {
		end = max(end, r.callerOf(stack, end))
	}
	var out []string
	for n, s := range sections[:at.section+1] {
		for i, f := range s.Stack {
			if n == at.section && i > end {
				break
			}
			if r.Tier(f) == None {
				continue
			}
			out = append(out, GoName(f.Function))
			if known := KnownAs(s.Stack, i); known != "" {
				out = append(out, known)
			}
		}
	}
	return out
}

// Depth says how many addresses of the first stack make a finding what it is; 0 if that stack alone does not.
func (r *Reader) Depth(kind valgrind.Kind, sections []valgrind.Section) int {
	if len(sections) == 0 || len(r.Significant(kind, sections)) > 1 {
		return 0
	}
	end, whose := r.end(kind, sections[0].Stack)
	if whose == None {
		return 0
	}
	n := 0
	for i, f := range sections[0].Stack[:end] {
		if i == 0 || f.IP != sections[0].Stack[i-1].IP {
			n++
		}
	}
	return n
}
