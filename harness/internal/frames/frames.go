// Package frames says of the frames in memcheck's stacks whose code they are, what people call them, which of them make a
// finding what it is, and which one it is blamed on.
//
// Input is what is known of the code under test, and memcheck's frames, to which it gives places in the sources; output is
// values. It reads the source files that frames point to, and nothing else.
package frames

import (
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/cgogrind/cgogrind/harness/internal/input"
	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
)

// Tier says how near a frame is to the code under test; a lower one is blamed first.
type Tier int

// The tiers.
const (
	Named  Tier = iota // in a package named on the command line
	Module             // in the module of the package under test
	Other              // in another module
	None               // never blamed: libc, valgrind, Go's own code, cgo's generated files, test frameworks
)

// Code is what is known of the code under test.
type Code struct {
	ModulePath, ModuleDir string    // of the package under test
	Named                 []Package // that the run was asked for, this one included
	GOROOT                string
	Binary                string // its path, as memcheck reports it
	Program               bool   // the binary is no Go program
	AllFrames             bool   // show the frames between C and Go code and of Go's runtime, too
}

// Package is a package of Go code and its folder.
type Package struct{ ImportPath, Dir string }

// Reader turns memcheck's frames into those of a result, and knows whose code each is. It is not safe for concurrent use.
type Reader struct {
	code  Code
	files map[string][]string // source lines by path; nil for a file that cannot be read
}

// New returns a Reader for the code under test.
func New(code Code) *Reader { return &Reader{code: code, files: make(map[string][]string)} }

// Frame is a frame as it stands in a result.
func (r *Reader) Frame(f valgrind.Frame) result.Frame {
	out := result.Frame{Function: GoName(f.Function), Line: f.Line, Object: f.Object, File: f.File, Lang: r.Lang(f)}
	if f.Dir != "" && f.File != "" && !filepath.IsAbs(f.File) {
		out.File = filepath.Join(f.Dir, f.File)
	}
	if strings.Contains(f.Object, "/vgpreload_") {
		out.File, out.Line, out.Lang = "", 0, "" // known only where valgrind's debug information is installed
	}
	if f.Function == "" {
		out.Offset = f.IP & (PageSize - 1)
	}
	if r.Tier(f) != None {
		out.Source = r.source(out.File, out.Line)
	}
	return out
}

// GoName leaves out the linker's mark of assembly functions and of wrappers for them.
func GoName(function string) string { return strings.TrimSuffix(function, ".abi0") }

// PageSize is the smallest that Linux has: load addresses are multiples of it everywhere.
const PageSize = 4096

// Lang tells Go from C. C code in a cgo preamble has the .go file's name and a plain function name.
func (r *Reader) Lang(f valgrind.Frame) result.Lang {
	switch strings.ToLower(path.Ext(f.File)) {
	case ".go", ".s":
		if GoPackage(f.Function) != "" {
			return result.Go
		}
		return result.C
	case ".c", ".h":
		return result.C
	case "":
		if f.Object == r.code.Binary && GoPackage(f.Function) != "" {
			return result.Go
		}
	}
	return ""
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

// Tier says whose code a frame is.
func (r *Reader) Tier(f valgrind.Frame) Tier {
	if f.Function == "" || isPlumbing(f) || isGenerated(f.File) {
		return None
	}
	if r.Lang(f) == result.Go {
		return r.goTier(GoPackage(f.Function), f.Dir)
	}
	if r.code.Program {
		return r.programTier(f)
	}
	if f.Dir == "" || strings.Contains(f.Object, "/vgpreload_") || within(f.Dir, r.code.GOROOT) ||
		strings.HasSuffix(f.Dir, "runtime/cgo") {
		return None
	}
	for _, p := range r.code.Named {
		if p.Dir == f.Dir {
			return Named
		}
	}
	switch {
	case within(f.Dir, r.code.ModuleDir) && !within(f.Dir, path.Join(r.code.ModuleDir, "vendor")):
		return Module
	case f.Object != "" && f.Object == r.code.Binary && filepath.IsAbs(f.Dir):
		return Other // a C file of another module is compiled into the binary; libraries have objects of their own
	}
	return None
}

func (r *Reader) goTier(pkg, dir string) Tier {
	for _, p := range r.code.Named {
		if pkg == p.ImportPath || pkg == p.ImportPath+"_test" {
			return Named
		}
	}
	switch m := r.code.ModulePath; {
	case m != "" && (pkg == m || strings.HasPrefix(pkg, m+"/")):
		return Module
	case dir != "" && within(dir, r.code.GOROOT):
		return None
	case isFramework(pkg):
		return None
	case !strings.Contains(strings.SplitN(pkg, "/", 2)[0], ".") && !filepath.IsAbs(dir):
		return None // the standard library, built with -trimpath
	}
	return Other
}

// within says whether dir is root or below it.
func within(dir, root string) bool {
	if root == "" {
		return false
	}
	root = strings.TrimSuffix(root, "/")
	return dir == root || strings.HasPrefix(dir, root+"/")
}

// isFramework names the modules that run tests: their frames say nothing about a defect.
func isFramework(pkg string) bool {
	for _, m := range []string{"github.com/onsi/ginkgo/v2", "github.com/onsi/gomega", "github.com/stretchr/testify"} {
		if pkg == m || strings.HasPrefix(pkg, m+"/") {
			return true
		}
	}
	return false
}

// isGenerated says whether cgo wrote the file.
func isGenerated(file string) bool {
	base := path.Base(file)
	return strings.HasPrefix(base, "_cgo_") || strings.HasPrefix(base, "cgo-") ||
		strings.HasSuffix(base, ".cgo1.go") || strings.HasSuffix(base, ".cgo2.c")
}

// plumbing matches what lies between C and Go code, and beneath a test: the same in every stack.
var plumbing = regexp.MustCompile(`^(` +
	`_cgo_[0-9a-f]{12}_.*|_cgoexp_[0-9a-f]{12}_.*|crosscall[12]|crosscall_amd64|x_cgo_.*|threadentry|` +
	`.*\._Cfunc_.*|.*\._cgoexp_.*|.*\._cgo_.*|` +
	`runtime\.(asmcgocall.*|cgocall|cgocallback.*|systemstack.*|mstart.*|mcall|morestack.*|goexit.*|main|rt0_go.*|` +
	`callCgo.*|cgogrind.*|call[0-9]+|reflectcall)(\.abi0)?|_rt0_.*|runtime/cgo\..*|` +
	`testing\.(tRunner.*|\(\*[MTBF]\)\.(Run|run|runTests)(\..*)?|run[A-Z].*)` +
	`)$`)

func isPlumbing(f valgrind.Frame) bool {
	return f.File == "_testmain.go" || plumbing.MatchString(f.Function)
}

// isCarrier says whether a frame is there only to carry an identity.
func isCarrier(function string) bool {
	name := GoName(function)
	return name == "runtime.cgogrindCall" || name == "runtime.cgogrindSled"
}

// isLost says whether memcheck lost its way at a frame and took some word of the stack for a return address.
func isLost(f valgrind.Frame) bool { return f.Function == "" && f.Object == "" }

// Shown returns what people see of a stack: without the frames that carry identities, and without the plumbing,
// unless everything is asked for or nothing else would be left.
func (r *Reader) Shown(stack []valgrind.Frame) []result.Frame {
	var all, clean []result.Frame
	// Where the visible part of a goroutine's stack ends, memcheck may go on with what looks like a return address.
	for n := len(stack); n > 1 && stack[n-1].Function == "" && stack[n-1].Object == r.code.Binary && !r.code.AllFrames; n-- {
		stack = stack[:n-1]
	}
	for i, f := range stack {
		if isCarrier(f.Function) || i > 0 && isLost(f) {
			continue
		}
		out := r.Frame(f)
		out.Name = KnownAs(stack, i)
		all = append(all, out)
		if !isPlumbing(f) && !isFramework(GoPackage(f.Function)) {
			clean = append(clean, out)
		}
	}
	if r.code.AllFrames || len(clean) == 0 {
		return all
	}
	return clean
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

// Blame returns the frame that a finding is blamed on: in all stacks, in order, the first frame of the code under
// test. It is nil if there is none.
func (r *Reader) Blame(sections []valgrind.Section) *result.Frame {
	for want := Named; want < None; want++ {
		for _, s := range sections {
			for i, f := range s.Stack {
				if r.Tier(f) == want {
					out := r.Frame(f)
					out.Name = KnownAs(s.Stack, i)
					return &out
				}
			}
		}
	}
	return nil
}

// Significant returns the frames that make the finding what it is, for its fingerprint: of each stack those from the
// innermost to the first of the module under test (of any other module, if that has none), up to the stack where such
// a frame is found. It does not depend on which packages were named, nor on which test ran.
func (r *Reader) Significant(sections []valgrind.Section) []result.Stack {
	for _, want := range []Tier{Module, Other} {
		var stacks []result.Stack
		for _, s := range sections {
			var frames []result.Frame
			for i, f := range s.Stack {
				if isCarrier(f.Function) || isPlumbing(f) || i > 0 && isLost(f) {
					continue
				}
				frames = append(frames, r.Frame(f))
				if t := r.Tier(f); t <= want {
					return append(stacks, result.Stack{Frames: frames})
				}
			}
			stacks = append(stacks, result.Stack{Frames: frames})
		}
	}
	// No code under test anywhere: the failing stack alone.
	var frames []result.Frame
	if len(sections) > 0 {
		for i, f := range sections[0].Stack {
			if !isCarrier(f.Function) && !isPlumbing(f) && (i == 0 || !isLost(f)) {
				frames = append(frames, r.Frame(f))
			}
		}
	}
	return []result.Stack{{Frames: frames}}
}

// source returns the text of a line, trimmed, or "" if it cannot be read.
func (r *Reader) source(file string, line int) string {
	if line <= 0 || !filepath.IsAbs(file) {
		return ""
	}
	lines, ok := r.files[file]
	if !ok {
		if b, err := input.ReadRegular(file, input.SourceLimit); err == nil {
			lines = strings.Split(string(b), "\n")
		}
		r.files[file] = lines
	}
	if line > len(lines) {
		return ""
	}
	return strings.TrimSpace(lines[line-1])
}

// programTier is the tier of a frame of a program that is not written in Go: the program's own code is what has
// debugging information and is no part of the system or of a language's library.
func (r *Reader) programTier(f valgrind.Frame) Tier {
	switch {
	case f.Function == "" || f.Dir == "" || !filepath.IsAbs(f.Dir) || strings.Contains(f.Object, "/vgpreload_"):
		return None
	case systemSource.MatchString(f.Dir):
		return None
	case dependencySource.MatchString(f.Dir):
		return Other
	case f.Object == r.code.Binary, !systemObject.MatchString(f.Object):
		return Module
	}
	return None
}

var (
	// Where the standard libraries of C, C++ and Rust were compiled, or have their headers.
	systemSource = regexp.MustCompile(`^/(rustc/|build/|usr/(include|src|lib|share)/|usr/local/include/)|/rustlib/src/|` +
		`/include/c\+\+/|/lib/gcc/`)
	dependencySource = regexp.MustCompile(`/\.?cargo/(registry|git)/`)
	systemObject     = regexp.MustCompile(`^/(usr/)?(lib|lib32|lib64|libx32|libexec)/`)
)

// ShortName leaves the last element of a Go function's import path.
func ShortName(function string) string {
	if GoPackage(function) == "" {
		return function
	}
	head, _, _ := strings.Cut(function, "[")
	return function[strings.LastIndexByte(head, '/')+1:]
}

// CallOf names the line of the code under test that an error's own stack comes from, and the function that it calls. It
// is not known if that stack has no such line.
func (r *Reader) CallOf(sections []valgrind.Section) (call string, known bool) {
	if len(sections) == 0 || r.Blame(sections[:1]) == nil {
		return "", false
	}
	stacks := r.Significant(sections[:1])
	frames := stacks[len(stacks)-1].Frames
	line := frames[len(frames)-1]
	callee := ""
	if len(frames) > 1 {
		callee = frames[len(frames)-2].Function
	}
	if line.Line == 0 {
		return "", false
	}
	return fmt.Sprintf("%s:%d %s calling %q", line.File, line.Line, line.Function, callee), true
}

// Blamable returns the functions of the code under test in a finding's stacks, from the innermost to the blamed one.
func (r *Reader) Blamable(sections []valgrind.Section) []string {
	blame := r.Blame(sections)
	if blame == nil {
		return nil
	}
	var out []string
	for _, s := range sections {
		for i, f := range s.Stack {
			if r.Tier(f) == None {
				continue
			}
			name := GoName(f.Function)
			out = append(out, name)
			if known := KnownAs(s.Stack, i); known != "" {
				out = append(out, known)
			}
			if name == blame.Function && f.Line == blame.Line {
				return out
			}
		}
	}
	return out
}

// Depth says the how-many-th address of a stack the blamed frame is at, from 1; 0 if it is not there.
func (r *Reader) Depth(stack []valgrind.Frame, blame *result.Frame) int {
	if blame == nil {
		return 0
	}
	n := 0
	for i, f := range stack {
		if i == 0 || f.IP != stack[i-1].IP {
			n++
		}
		if f.Line == blame.Line && GoName(f.Function) == blame.Function && r.Tier(f) != None {
			return n
		}
	}
	return 0
}
