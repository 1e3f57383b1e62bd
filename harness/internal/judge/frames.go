package judge

import (
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
)

// tier says how near a frame is to the code under test; a lower one is blamed first.
type tier int

const (
	tierNamed  tier = iota // in a package named on the command line
	tierModule             // in the module of the package under test
	tierOther              // in another module
	tierNone               // never blamed: libc, valgrind, Go's own code, cgo's generated files, test frameworks
)

// frameReader turns memcheck's frames into those of a result, and knows whose code each is.
type frameReader struct {
	cfg   *Config
	files map[string][]string // source lines by path; nil for a file that cannot be read
}

func (r *frameReader) frame(f valgrind.Frame) result.Frame {
	out := result.Frame{Function: goName(f.Function), Line: f.Line, Object: f.Object, File: f.File, Lang: r.lang(f)}
	if f.Dir != "" && f.File != "" && !filepath.IsAbs(f.File) {
		out.File = filepath.Join(f.Dir, f.File)
	}
	if strings.Contains(f.Object, "/vgpreload_") {
		out.File, out.Line, out.Lang = "", 0, "" // known only where valgrind's debug information is installed
	}
	if f.Function == "" {
		out.Offset = f.IP & (pageSize - 1)
	}
	if r.tier(f) != tierNone {
		out.Source = r.source(out.File, out.Line)
	}
	return out
}

// goName leaves out the linker's mark of assembly functions and of wrappers for them.
func goName(function string) string { return strings.TrimSuffix(function, ".abi0") }

// pageSize is the smallest that Linux has: load addresses are multiples of it everywhere.
const pageSize = 4096

// lang tells Go from C. C code in a cgo preamble has the .go file's name and a plain function name.
func (r *frameReader) lang(f valgrind.Frame) result.Lang {
	switch strings.ToLower(path.Ext(f.File)) {
	case ".go", ".s":
		if goPackage(f.Function) != "" {
			return result.Go
		}
		return result.C
	case ".c", ".h":
		return result.C
	case "":
		if f.Object == r.cfg.Binary && goPackage(f.Function) != "" {
			return result.Go
		}
	}
	return ""
}

var cClone = regexp.MustCompile(`^[A-Za-z0-9_$]+\.(constprop|isra|part|cold|lto_priv)(\.|$)`)

// goPackage returns the import path in a Go function's symbol, "" if the symbol is not Go's.
func goPackage(function string) string {
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

// tier says whose code a frame is.
func (r *frameReader) tier(f valgrind.Frame) tier {
	if f.Function == "" || isPlumbing(f) || isGenerated(f.File) {
		return tierNone
	}
	if r.lang(f) == result.Go {
		return r.goTier(goPackage(f.Function), f.Dir)
	}
	if r.cfg.Program {
		return r.programTier(f)
	}
	if f.Dir == "" || strings.Contains(f.Object, "/vgpreload_") || within(f.Dir, r.cfg.GOROOT) ||
		strings.HasSuffix(f.Dir, "runtime/cgo") {
		return tierNone
	}
	for _, p := range r.cfg.Named {
		if p.Dir == f.Dir {
			return tierNamed
		}
	}
	switch {
	case within(f.Dir, r.cfg.ModuleDir) && !within(f.Dir, path.Join(r.cfg.ModuleDir, "vendor")):
		return tierModule
	case f.Object != "" && f.Object == r.cfg.Binary && filepath.IsAbs(f.Dir):
		return tierOther // a C file of another module is compiled into the binary; libraries have objects of their own
	}
	return tierNone
}

func (r *frameReader) goTier(pkg, dir string) tier {
	for _, p := range r.cfg.Named {
		if pkg == p.ImportPath || pkg == p.ImportPath+"_test" {
			return tierNamed
		}
	}
	switch m := r.cfg.ModulePath; {
	case m != "" && (pkg == m || strings.HasPrefix(pkg, m+"/")):
		return tierModule
	case dir != "" && within(dir, r.cfg.GOROOT):
		return tierNone
	case isFramework(pkg):
		return tierNone
	case !strings.Contains(strings.SplitN(pkg, "/", 2)[0], ".") && !filepath.IsAbs(dir):
		return tierNone // the standard library, built with -trimpath
	}
	return tierOther
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
	name := goName(function)
	return name == "runtime.cgogrindCall" || name == "runtime.cgogrindSled"
}

// isLost says whether memcheck lost its way at a frame and took some word of the stack for a return address.
func isLost(f valgrind.Frame) bool { return f.Function == "" && f.Object == "" }

// shown returns what people see of a stack: without the frames that carry identities, and without the plumbing,
// unless everything is asked for or nothing else would be left.
func (r *frameReader) shown(stack []valgrind.Frame) []result.Frame {
	var all, clean []result.Frame
	// Where the visible part of a goroutine's stack ends, memcheck may go on with what looks like a return address.
	for n := len(stack); n > 1 && stack[n-1].Function == "" && stack[n-1].Object == r.cfg.Binary && !r.cfg.AllFrames; n-- {
		stack = stack[:n-1]
	}
	for i, f := range stack {
		if isCarrier(f.Function) || i > 0 && isLost(f) {
			continue
		}
		out := r.frame(f)
		out.Name = knownAs(stack, i)
		all = append(all, out)
		if !isPlumbing(f) && !isFramework(goPackage(f.Function)) {
			clean = append(clean, out)
		}
	}
	if r.cfg.AllFrames || len(clean) == 0 {
		return all
	}
	return clean
}

// withoutCgoClosures leaves out the closures that cgo puts around a call whose arguments it checks: C.free(p) becomes
// func() { … }() on the same line.
func withoutCgoClosures(stack []valgrind.Frame) []valgrind.Frame {
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
	pkg := goPackage(f.Function)
	return ok && pkg != "" && !strings.Contains(number, ".") && f.Line == caller.Line && f.File == caller.File &&
		pkg == goPackage(caller.Function) &&
		(name == caller.Function || strings.HasSuffix(name, "."+goLocalName(caller.Function)))
}

// knownAs is the function that people know a frame by, "" if that is its own. cgo makes of defer C.free(p) a closure that
// returns one that makes the call, p.Text.Text.func1.func2 when they are inlined, and runs when Text returns: on another
// line, so that it is not left out. Nobody knows a C++ function by the whole of its long name.
func knownAs(stack []valgrind.Frame, i int) string {
	f := stack[i]
	pkg := goPackage(f.Function)
	if pkg == "" {
		return result.ShortName(f.Function)
	}
	if i == 0 || !strings.Contains(stack[i-1].Function, "._Cfunc_") {
		return ""
	}
	for _, caller := range stack[i+1:] {
		switch goPackage(caller.Function) {
		case "runtime":
			continue // it runs what is deferred in a loop
		case pkg:
		default:
			return ""
		}
		local := "." + goLocalName(caller.Function) + "."
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

// goLocalName is a Go function's name within its package.
func goLocalName(function string) string {
	_, name, _ := strings.Cut(shortName(function), ".")
	return name
}

// blame returns the frame that a finding is blamed on: in all stacks, in order, the first frame of the code under
// test. It is nil if there is none.
func (r *frameReader) blame(sections []valgrind.Section) *result.Frame {
	for want := tierNamed; want < tierNone; want++ {
		for _, s := range sections {
			for i, f := range s.Stack {
				if r.tier(f) == want {
					out := r.frame(f)
					out.Name = knownAs(s.Stack, i)
					return &out
				}
			}
		}
	}
	return nil
}

// significant returns the frames that make the finding what it is, for its fingerprint: of each stack those from the
// innermost to the first of the module under test (of any other module, if that has none), up to the stack where such
// a frame is found. It does not depend on which packages were named, nor on which test ran.
func (r *frameReader) significant(sections []valgrind.Section) []result.Stack {
	for _, want := range []tier{tierModule, tierOther} {
		var stacks []result.Stack
		for _, s := range sections {
			var frames []result.Frame
			for i, f := range s.Stack {
				if isCarrier(f.Function) || isPlumbing(f) || i > 0 && isLost(f) {
					continue
				}
				frames = append(frames, r.frame(f))
				if t := r.tier(f); t <= want {
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
				frames = append(frames, r.frame(f))
			}
		}
	}
	return []result.Stack{{Frames: frames}}
}

// source returns the text of a line, trimmed, or "" if it cannot be read.
func (r *frameReader) source(file string, line int) string {
	if line <= 0 || !filepath.IsAbs(file) {
		return ""
	}
	lines, ok := r.files[file]
	if !ok {
		if b, err := os.ReadFile(file); err == nil {
			lines = strings.Split(string(b), "\n")
		}
		r.files[file] = lines
	}
	if line > len(lines) {
		return ""
	}
	return strings.TrimSpace(lines[line-1])
}
