// Package suppress makes suppression entries of findings, and tells which entries hide nothing any more.
//
// Input is findings and summaries of result streams. An entry made here matches the finding after a rebuild, on
// another machine and with another version of the libraries, and as little beside it as that allows; whether it does
// is memcheck's decision, so a run with it shows.
package suppress

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/suppressions"
)

// ErrNoEntry is the error for a finding that memcheck cannot suppress.
var ErrNoEntry = errors.New("no suppression can hide it")

// Entry makes an entry of a finding, without a comment.
func Entry(f *result.Finding) (suppressions.Entry, error) {
	e := suppressions.Entry{Name: name(f), Tools: []string{"Memcheck"}}
	var err error
	if e.Kind, e.Extra, err = kind(f); err != nil {
		return e, err
	}
	if strings.HasPrefix(f.Kind, "Fd") {
		e.Tools = []string{"CoreError"}
	}
	if len(f.Stacks) == 0 || len(f.Stacks[0].Frames) == 0 {
		return e, fmt.Errorf("%s: %w: it has no stack", f.Fingerprint, ErrNoEntry)
	}
	e.Frames = frames(f.Stacks[0].Frames, f.Blame)
	return e, nil
}

var notName = regexp.MustCompile(`[^A-Za-z0-9_.()*-]+`)

// name names an entry after its finding: names tell entries apart in what memcheck prints.
func name(f *result.Finding) string {
	words := []string{f.Kind}
	if f.Blame != nil && f.Blame.Function != "" {
		function := f.Blame.KnownName()
		if f.Blame.Lang == result.Go {
			function = path.Base(function)
		}
		if len(function) > 60 {
			function = function[:60]
		}
		words = append(words, function)
	}
	words = append(words, f.Fingerprint[:min(8, len(f.Fingerprint))])
	return strings.Trim(notName.ReplaceAllString(strings.Join(words, "-"), "_"), "_")
}

// kinds are memcheck's names for suppressions by those of its reports, where they do not depend on the message:
// mc_errors.c, is_recognised_suppression.
var kinds = map[string]string{
	"UninitCondition": "Cond", "InvalidJump": "Jump", "InvalidFree": "Free", "MismatchedFree": "Free",
	"Overlap": "Overlap", "InvalidMemPool": "Mempool", "ClientCheck": "User", "FdBadUse": "FdBadUse", "FdBadClose": "FdBadClose",
}

var leakKinds = map[string]string{
	"Leak_DefinitelyLost": "definite", "Leak_IndirectlyLost": "indirect", "Leak_PossiblyLost": "possible",
	"Leak_StillReachable": "reachable",
}

var (
	sizeText  = regexp.MustCompile(`of size ([0-9]+)`)
	paramText = regexp.MustCompile(`^Syscall param (.+?) (?:points to|contains) `)
	fishyText = regexp.MustCompile(`^Argument '(.+?)' of function (\S+) has a fishy`)
)

// kind returns an entry's kind and the line after it.
func kind(f *result.Finding) (string, []string, error) {
	m := sizeText.FindStringSubmatch(f.Message)
	switch k := f.Kind; {
	case kinds[k] != "":
		return kinds[k], nil, nil
	case leakKinds[k] != "":
		return "Leak", []string{"match-leak-kinds: " + leakKinds[k]}, nil
	case (k == "InvalidRead" || k == "InvalidWrite") && m != nil:
		return "Addr" + m[1], nil, nil
	case k == "UninitValue" && m != nil:
		return "Value" + m[1], nil, nil
	case k == "SyscallParam":
		if m := paramText.FindStringSubmatch(f.Message); m != nil {
			return "Param", []string{m[1]}, nil
		}
	case k == "FishyValue":
		if m := fishyText.FindStringSubmatch(f.Message); m != nil {
			return "FishyValue", []string{m[2] + "(" + m[1] + ")"}, nil
		}
	case k == "CgoCheck":
		return "", nil, fmt.Errorf("%s: %w: %s is Go's own check, not memcheck's; take it into the baseline",
			f.Fingerprint, ErrNoEntry, k)
	}
	return "", nil, fmt.Errorf("%s: %w: there is no rule for %s with %q; valgrind --gen-suppressions=all prints an entry, "+
		"or take it into the baseline", f.Fingerprint, ErrNoEntry, f.Kind, f.Message)
}

// How much of the innermost code is kept of a stack that goes deep into a library.
const (
	maxHead  = 5 // frames that are kept whole
	keptHead = 3
)

// frames returns the patterns for a stack: from the innermost frame to the one that is blamed, or to where C code was
// called if that is not in it. What is between C and Go code was left out of the stack, and is any number of frames
// here. Of a library the innermost frames are kept, and the function that was called.
func frames(stack []result.Frame, blame *result.Frame) []suppressions.FramePattern {
	end := slices.IndexFunc(stack, func(f result.Frame) bool { return blame != nil && sameFrame(f, *blame) })
	firstGo := slices.IndexFunc(stack, func(f result.Frame) bool { return f.Lang == result.Go })
	if end < 0 {
		if end = firstGo; end < 0 {
			end = len(stack) - 1
		}
	}
	stack = stack[:end+1]
	if firstGo < 0 || firstGo > len(stack) {
		firstGo = len(stack)
	}
	some := suppressions.FramePattern{Kind: suppressions.Any}
	var out []suppressions.FramePattern
	add := func(p suppressions.FramePattern) {
		if p != some || len(out) > 0 && out[len(out)-1] != some {
			out = append(out, p)
		}
	}
	for i, f := range stack {
		if firstGo > maxHead && i >= keptHead && i < firstGo-1 {
			add(some)
			continue
		}
		if i > 0 && (f.Lang == result.Go) != (stack[i-1].Lang == result.Go) {
			add(some)
		}
		add(Pattern(f))
	}
	const most = 24 // valgrind: VG_MAX_SUPP_CALLERS
	if len(out) > most {
		out = append(append(out[:most-2], some), out[len(out)-1])
	}
	return out
}

func sameFrame(a, b result.Frame) bool {
	return a.Function == b.Function && a.File == b.File && a.Line == b.Line && a.Object == b.Object
}

// noise is what is in a symbol's name and not in the source: as result.Fingerprint leaves it out.
var noise = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`\b(_cgo|_cgoexp)_[0-9a-f]{12}_`), "${1}_*_"},
	{regexp.MustCompile(`\.(func|gowrap|deferwrap)[0-9]+(\.[0-9]+)*`), ".$1*"},
	{regexp.MustCompile(`-range[0-9]+`), "-range*"},
	{regexp.MustCompile(`\[go\.shape\..*\]`), "[go.shape.*]"},
	{regexp.MustCompile(`\.init\.[0-9]+`), ".init*"},
	{regexp.MustCompile(`\.(constprop|isra|part|cold|lto_priv)(\.[0-9]+)*$`), "*"},
	{regexp.MustCompile(`@@?[A-Z][A-Za-z0-9_.]*$`), "*"},
}

var library = regexp.MustCompile(`^(.*\.so)(\..*)?$`)

// Pattern returns the pattern that matches a frame in every build.
func Pattern(f result.Frame) suppressions.FramePattern {
	if f.Function == "" {
		if f.Object == "" {
			return suppressions.FramePattern{Kind: suppressions.Any}
		}
		base := path.Base(f.Object)
		if m := library.FindStringSubmatch(base); m != nil {
			base = m[1] + "*"
		}
		return suppressions.FramePattern{Kind: suppressions.Obj, Pattern: "*/" + base}
	}
	function := f.Function
	switch {
	case f.Lang != result.Go && strings.ContainsAny(function, ":<(~ "):
		function = mangled(function)
	default:
		for _, n := range noise {
			function = n.pattern.ReplaceAllString(function, n.with)
		}
		if strings.HasSuffix(f.File, ".s") {
			function += "*" // the linker's .abi0
		}
	}
	return suppressions.FramePattern{Kind: suppressions.Fun, Pattern: function}
}

// mangled returns a pattern for a C++ or Rust function of which the report has the name as people write it: memcheck
// compares the linker's name, in which every identifier comes after its length. That begins with _Z, or with _R for Rust,
// whose names have no parameters.
// https://itanium-cxx-abi.github.io/cxx-abi/abi.html#mangling
// https://doc.rust-lang.org/rustc/symbol-mangling/v0.html
func mangled(function string) string {
	if strings.HasPrefix(function, "operator new") {
		return "_Zn*"
	}
	if strings.HasPrefix(function, "operator delete") {
		return "_Zd*"
	}
	var out strings.Builder
	out.WriteString("_")
	if strings.Contains(function, "(") {
		out.WriteString("Z")
	}
	out.WriteString("*")
	depth, word := 0, strings.Builder{}
	last := ""
	flush := func() {
		w := word.String()
		word.Reset()
		switch {
		case w == "" || w == "const" || w == "std":
			return
		case strings.HasPrefix(w, "{{"): // as _Z names tell it; {closure#0} of _R names is a number there
			out.WriteString(strings.Trim(w, "{}") + "*")
		case strings.HasPrefix(w, "{"):
			return
		case strings.HasPrefix(w, "~"):
			out.WriteString("D*")
		case w == last:
			out.WriteString("C*")
		default:
			fmt.Fprintf(&out, "%d%s*", len(w), w)
		}
		last = w
	}
	// The name ends where its parameters begin; what a template is made for is left out.
scan:
	for i, r := range function {
		if op, is := strings.CutPrefix(function[i:], "operator"); is && depth == 0 && word.Len() == 0 && !isIdentifier(op) {
			out.WriteString(operator(op) + "*")
			return out.String()
		}
		switch {
		case r == '<':
			depth++
		case r == '>':
			depth--
		case depth > 0:
		case r == '(':
			if !strings.HasPrefix(function[i:], "(anonymous namespace)") {
				break scan
			}
			depth++ // until its end
		case r == ')':
		case r == ' ':
			word.Reset() // that was the type of the result
		case r == ':':
			flush()
		case r != utf8.RuneError:
			word.WriteRune(r)
		}
		if r == ')' && depth > 0 {
			depth--
		}
	}
	flush()
	return out.String()
}

func isIdentifier(rest string) bool {
	return rest != "" && (rest[0] == '_' || rest[0] >= '0' && rest[0] <= '9' || rest[0] >= 'A' && rest[0] <= 'Z' ||
		rest[0] >= 'a' && rest[0] <= 'z')
}

// operators are the linker's names of C++ operators, those first that begin with another.
var operators = []struct{ text, code string }{
	{" new[]", "na"}, {" new", "nw"}, {" delete[]", "da"}, {" delete", "dl"}, {" ", "cv"},
	{"<<=", "lS"}, {">>=", "rS"}, {"<=>", "ss"}, {"->*", "pm"}, {"()", "cl"}, {"[]", "ix"}, {"->", "pt"},
	{"<<", "ls"}, {">>", "rs"}, {"==", "eq"}, {"!=", "ne"}, {"<=", "le"}, {">=", "ge"}, {"&&", "aa"}, {"||", "oo"}, {"++", "pp"}, {"--", "mm"},
	{"+=", "pL"}, {"-=", "mI"}, {"*=", "mL"}, {"/=", "dV"}, {"%=", "rM"}, {"&=", "aN"}, {"|=", "oR"}, {"^=", "eO"},
	{"=", "aS"}, {"<", "lt"}, {">", "gt"}, {"+", "pl"}, {"-", "mi"}, {"*", "ml"}, {"/", "dv"}, {"%", "rm"}, {"&", "an"},
	{"|", "or"}, {"^", "eo"}, {"~", "co"}, {"!", "nt"}, {",", "cm"},
}

// operator returns the linker's name of the operator that a text begins with, "" if there is none.
func operator(text string) string {
	for _, o := range operators {
		if strings.HasPrefix(text, o.text) {
			return o.code
		}
	}
	return ""
}

// Unused sorts entries by what runs say of them: those that hid nothing in any, and those that no run was given.
func Unused(entries []suppressions.Entry, runs []result.Suppression) (idle, absent []suppressions.Entry) {
	counts := make(map[string]uint64)
	given := make(map[string]bool)
	for _, s := range runs {
		given[s.ID] = true
		counts[s.ID] += s.Count
	}
	for _, e := range entries {
		switch id := e.ID(); {
		case !given[id]:
			absent = append(absent, e)
		case counts[id] == 0:
			idle = append(idle, e)
		}
	}
	return idle, absent
}
