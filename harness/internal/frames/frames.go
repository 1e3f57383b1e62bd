// Package frames says of the frames in memcheck's stacks whose code they are, what people call them, which of them make a
// finding what it is, and which one it is blamed on.
//
// Input is what is known of the code under test, and memcheck's frames, to which it gives places in the sources; output is
// values. It reads the source files that frames point to, and nothing else.
package frames

import (
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
	Module Tier = iota // in the module of the package under test
	Other              // in another module
	None               // never blamed: libc, valgrind, Go's own code, cgo's generated files, test frameworks
)

// Code is what is known of the code under test.
type Code struct {
	ModulePath, ModuleDir string // of the package under test; empty if it is in none
	ImportPath, Dir       string // of that package
	GOROOT                string
	Binary                string // its path, as memcheck reports it
	Program               bool   // the binary is no Go program
	AllFrames             bool   // show the frames between C and Go code and of Go's runtime, too
}

// Reader turns memcheck's frames into those of a result, and knows whose code each is. It is not safe for concurrent use.
type Reader struct {
	Code  Code
	files map[string][]string // source lines by path; nil for a file that cannot be read
}

// New returns a Reader for the code under test.
func New(code Code) *Reader { return &Reader{Code: code, files: make(map[string][]string)} }

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
		if f.Object == r.Code.Binary && GoPackage(f.Function) != "" {
			return result.Go
		}
	}
	return ""
}

// Tier says whose code a frame is.
func (r *Reader) Tier(f valgrind.Frame) Tier {
	if f.Function == "" || isPlumbing(f) || isGenerated(f.File) {
		return None
	}
	if r.Lang(f) == result.Go {
		return r.goTier(GoPackage(f.Function), f.Dir)
	}
	if r.Code.Program {
		return r.programTier(f)
	}
	if f.Dir == "" || strings.Contains(f.Object, "/vgpreload_") || within(f.Dir, r.Code.GOROOT) ||
		strings.HasSuffix(f.Dir, "runtime/cgo") {
		return None
	}
	switch {
	case f.Dir == r.Code.Dir:
		return Module
	case within(f.Dir, r.Code.ModuleDir) && !within(f.Dir, path.Join(r.Code.ModuleDir, "vendor")):
		return Module
	case f.Object != "" && f.Object == r.Code.Binary && filepath.IsAbs(f.Dir):
		return Other // a C file of another module is compiled into the binary; libraries have objects of their own
	}
	return None
}

func (r *Reader) goTier(pkg, dir string) Tier {
	switch {
	case isPackageIn(pkg, r.Code.ModulePath), isPackageIn(pkg, r.Code.ImportPath), pkg == "main":
		return Module
	case dir != "" && within(dir, r.Code.GOROOT):
		return None
	case isFramework(pkg), isBridge(pkg):
		return None
	case !strings.Contains(strings.SplitN(pkg, "/", 2)[0], ".") && !filepath.IsAbs(dir):
		return None // the standard library, built with -trimpath
	}
	return Other
}

// isPackageIn says whether a package is root or below it, or the external test of root.
func isPackageIn(pkg, root string) bool {
	return root != "" && (pkg == root || pkg == root+"_test" || strings.HasPrefix(pkg, root+"/"))
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

// isBridge names the modules that do what cgo does: they call C for somebody else.
func isBridge(pkg string) bool { return isPackageIn(pkg, "github.com/ebitengine/purego") }

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
	for n := len(stack); n > 1 && stack[n-1].Function == "" && stack[n-1].Object == r.Code.Binary && !r.Code.AllFrames; n-- {
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
	if r.Code.AllFrames || len(clean) == 0 {
		return all
	}
	return clean
}

// Trim leaves out what called the code under test: the library of a test framework or of a language.
func (r *Reader) Trim(stack []valgrind.Frame) []valgrind.Frame {
	for i := len(stack) - 1; i >= 0; i-- {
		if r.Tier(stack[i]) != None {
			return stack[:i+1]
		}
	}
	return stack
}

// source returns the text of a line, trimmed, or "" if it cannot be read.
func (r *Reader) source(file string, line int) string {
	lines := r.lines(file)
	if line <= 0 || line > len(lines) {
		return ""
	}
	return strings.TrimSpace(lines[line-1])
}

// lines returns a source file's lines; none if it cannot be read.
func (r *Reader) lines(file string) []string {
	if !filepath.IsAbs(file) {
		return nil
	}
	lines, ok := r.files[file]
	if !ok {
		if b, err := input.ReadRegular(file, input.SourceLimit); err == nil {
			lines = strings.Split(string(b), "\n")
		}
		r.files[file] = lines
	}
	return lines
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
	case f.Object == r.Code.Binary, !systemObject.MatchString(f.Object):
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
