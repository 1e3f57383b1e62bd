package result

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"
)

// FingerprintVersion is the version of what fingerprints are made of: it changes when the same defect gets another one.
// Version 1, of streams and baselines that name none, ended at the first frame of the module under test, in C, too.
const FingerprintVersion = 2

// Fingerprint identifies a defect by its kind and the frames that make it what it is: usually those of the failing
// stack from the innermost to the line of Go under test that called C. What changes without the defect changing has no part in it:
// addresses, line numbers, folders, cgo's hash of the package, the numbers of closures and of compiler clones, what a
// generic Go function was compiled for. A frame's source tells two places in one function apart. It is 16 hexadecimal
// digits.
func Fingerprint(kind string, stacks []Stack) string {
	h := sha256.New()
	writeField(h, kind)
	for _, s := range stacks {
		writeField(h, "") // a function is never empty: this begins a stack
		for _, f := range s.Frames {
			writeField(h, frameIdentity(f))
			writeField(h, strings.Join(strings.Fields(f.Source), " "))
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// writeField writes s with its length before it, so that fields cannot run into each other.
func writeField(w io.Writer, s string) { fmt.Fprintf(w, "%d:%s", len(s), s) }

func frameIdentity(f Frame) string {
	if f.Function == "" {
		if f.Object == "" {
			return "?"
		}
		return fmt.Sprintf("%s+%#x", path.Base(f.Object), f.Offset)
	}
	name := withoutShapes(f.Function)
	for _, r := range symbolNoise {
		name = r.pattern.ReplaceAllString(name, r.with)
	}
	return name
}

// withoutShapes leaves out what a generic Go function was compiled for, as Go's own traces do: Map[go.shape.struct { Name
// string }] becomes Map[...]. That depends on who calls it, and a struct's shape on its fields.
func withoutShapes(name string) string {
	const mark = "[go.shape."
	at := strings.Index(name, mark)
	if at < 0 {
		return name
	}
	for i, depth := at, 0; i < len(name); i++ {
		switch name[i] {
		case '[':
			depth++
		case ']':
			if depth--; depth == 0 { // an inlined closure has several
				return name[:at] + "[...]" + withoutShapes(name[i+1:])
			}
		}
	}
	return name
}

// symbolNoise is what is in a symbol's name and not in the source.
var symbolNoise = []struct {
	pattern *regexp.Regexp
	with    string
}{
	// cgo: _cgo_0123456789ab_Cfunc_free, _cgoexp_0123456789ab_callback
	{regexp.MustCompile(`\b(_cgo|_cgoexp)_[0-9a-f]{12}_`), "${1}_"},
	// Go: pkg.TestX.func2.1, pkg.f.gowrap1, pkg.f.deferwrap2, pkg.f-range1, pkg.init.0: counted from the file's beginning
	{regexp.MustCompile(`\.(func|gowrap|deferwrap)[0-9]+((\.[0-9]+)*)`), ".$1"},
	{regexp.MustCompile(`-range[0-9]+`), "-range"},
	{regexp.MustCompile(`\.init\.[0-9]+`), ".init"},
	// gcc: clones of a function, as the linker and as demanglers name them; glibc: symbol versions
	{regexp.MustCompile(` \[clone [^\]]*\]`), ""},
	{regexp.MustCompile(`\.(constprop|isra|part|cold|lto_priv)(\.[0-9]+)*`), ""},
	{regexp.MustCompile(`@@?[A-Z][A-Za-z0-9_.]*$`), ""},
}
