package frames

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
)

// GoName leaves out the linker's mark of assembly functions and of wrappers for them.
func GoName(function string) string { return strings.TrimSuffix(function, ".abi0") }

// ShortName leaves the last element of a Go function's import path.
func ShortName(function string) string {
	if GoPackage(function) == "" {
		return function
	}
	head, _, _ := strings.Cut(function, "[")
	return function[strings.LastIndexByte(head, '/')+1:]
}

var cClone = regexp.MustCompile(`^[A-Za-z0-9_$]+\.(constprop|isra|part|cold|lto_priv)(\.|$)`)

// GoPackage returns the import path in a Go function's symbol, "" if the symbol is not Go's.
func GoPackage(function string) string {
	name, _, _ := strings.Cut(function, "[") // type arguments have paths of their own
	name, _, _ = strings.Cut(name, "(")      // so have receivers: pkg.(*T).M
	if strings.ContainsAny(name, ": <>") || cClone.MatchString(name) {
		return ""
	}
	slash := strings.LastIndexByte(name, '/') + 1
	dot := strings.IndexByte(name[slash:], '.')
	if dot <= 0 {
		return ""
	}
	pkg, err := url.PathUnescape(name[:slash+dot])
	if err != nil {
		return ""
	}
	return pkg
}

// WithoutCgoClosures leaves out the closures that cgo puts around a call whose arguments it checks: C.free(p) becomes
// func() { … }() on the same line.
func WithoutCgoClosures(stack []valgrind.Frame) []valgrind.Frame {
	var out []valgrind.Frame
	for i, f := range stack {
		if i+1 < len(stack) && isCgoClosure(f, stack[i+1]) {
			continue
		}
		out = append(out, f)
	}
	return out
}

// isCgoClosure says whether f is a closure of its caller and begins on the line where that calls it. Inlined, the
// closure has the outer function's name before that of the inner: p.TestText.Text.func1.
func isCgoClosure(f, caller valgrind.Frame) bool {
	name, number, ok := cutLast(f.Function, ".func")
	pkg := GoPackage(f.Function)
	return ok && pkg != "" && !strings.Contains(number, ".") && f.Line == caller.Line && f.File == caller.File &&
		pkg == GoPackage(caller.Function) &&
		(name == caller.Function || strings.HasSuffix(name, "."+LocalName(caller.Function)))
}

// KnownAs is the function that people know a frame by, "" if that is its own. cgo makes of defer C.free(p) a closure that
// returns one that makes the call, p.Text.Text.func1.func2 when they are inlined, and runs when Text returns: on another
// line, so that it is not left out. Nobody knows a C++ function by the whole of its long name.
func KnownAs(stack []valgrind.Frame, i int) string {
	f := stack[i]
	pkg := GoPackage(f.Function)
	if pkg == "" {
		return result.ShortName(f.Function)
	}
	if i == 0 || !strings.Contains(stack[i-1].Function, "._Cfunc_") {
		return ""
	}
	for _, caller := range stack[i+1:] {
		switch GoPackage(caller.Function) {
		case "runtime":
			continue // it runs what is deferred in a loop
		case pkg:
		default:
			return ""
		}
		local := "." + LocalName(caller.Function) + "."
		at := strings.LastIndex(f.Function, local)
		if at >= 0 && (cgoClosures.MatchString(f.Function[at+len(local):]) || f.Line == caller.Line && f.File == caller.File) {
			return caller.Function
		}
		return ""
	}
	return ""
}

var cgoClosures = regexp.MustCompile(`^(func)?[0-9]+\.(func)?[0-9]+$`)

func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// LocalName is a Go function's name within its package.
func LocalName(function string) string {
	_, name, _ := strings.Cut(ShortName(function), ".")
	return name
}
