package judge

import (
	"path"
	"regexp"
	"strings"

	"github.com/cgogrind/cgogrind/harness/internal/frames"
	"github.com/cgogrind/cgogrind/harness/internal/symbols"
	"github.com/cgogrind/cgogrind/valgrind"
)

// symbolTable opens the test binary's own debugging information, once; nil if it has none that can be read.
func (j *Judge) symbolTable() *symbols.Table {
	if !j.symbolsTried {
		j.symbolsTried = true
		var err error
		if j.symbols, err = symbols.Open(j.cfg.Binary); err != nil {
			j.progress(err.Error() + ": inlined functions are named as valgrind names them")
		}
	}
	return j.symbols
}

// named returns an error with the frames of the test binary named from its own debugging information where that knows
// better than valgrind.
func (p *Process) named(e *valgrind.Error) *valgrind.Error {
	if p.judge.cfg.Program {
		return e
	}
	t := p.judge.symbolTable()
	if t == nil {
		return e
	}
	bias, ok := t.Bias(callSlots, p.layout.callBase)
	if !ok {
		return e
	}
	out := *e
	out.Sections = make([]valgrind.Section, len(e.Sections))
	for i, s := range e.Sections {
		out.Sections[i] = valgrind.Section{Text: s.Text, Stack: p.namedStack(s.Stack, t, bias)}
	}
	return &out
}

// callSlots is the symbol of the function that holds the call slots: its address tells where the program was loaded.
const callSlots = "runtime.cgogrindCall.abi0"

// namedStack names the frames of one stack. valgrind shows an address once for the function that it is in and once for
// each that is inlined there.
func (p *Process) namedStack(stack []valgrind.Frame, t *symbols.Table, bias uint64) []valgrind.Frame {
	var out []valgrind.Frame
	for len(stack) > 0 {
		n := 1
		for n < len(stack) && stack[n].IP == stack[0].IP && stack[n].Object == stack[0].Object {
			n++
		}
		group := stack[:n]
		stack = stack[n:]
		if group[0].Object == p.judge.cfg.Binary && group[0].IP >= bias {
			group = expanded(group, t.Frames(group[0].IP-bias))
		}
		out = append(out, group...)
	}
	return out
}

// expanded puts the chain that the debugging information gives for an address in the place of valgrind's frames for it,
// if they differ. A function that calls itself may have the address several times.
func expanded(group []valgrind.Frame, chain []symbols.Frame) []valgrind.Frame {
	if len(chain) == 0 {
		return group
	}
	outermost := group[len(group)-1]
	times, of := 0, 0
	for _, f := range group {
		if f.Function == outermost.Function {
			times++
		}
	}
	for _, c := range chain {
		if sameFunction(outermost.Function, c.Function) {
			of++
		}
	}
	times = max(1, times/max(1, of))
	if len(group) == times*len(chain) {
		same := true
		for i, f := range group {
			same = same && sameFrame(f, chain[i%len(chain)])
		}
		if same {
			return group
		}
	}
	var out []valgrind.Frame
	for range times {
		for i, c := range chain {
			f := valgrind.Frame{IP: outermost.IP, Object: outermost.Object, Function: c.Function, Line: c.Line}
			if i == len(chain)-1 && sameFunction(outermost.Function, c.Function) {
				f.Function = outermost.Function // with what the linker's symbol says beside the name
			}
			f.Dir, f.File = path.Split(c.File)
			f.Dir = strings.TrimSuffix(f.Dir, "/")
			out = append(out, f)
		}
	}
	return out
}

func sameFrame(f valgrind.Frame, c symbols.Frame) bool {
	return sameFunction(f.Function, c.Function) && f.File == path.Base(c.File) && f.Line == c.Line
}

var cloneSuffix = regexp.MustCompile(`\.(constprop|isra|part|cold|lto_priv)(\.[0-9]+)*`)

// sameFunction compares a linker's symbol with the name in the source.
func sameFunction(symbol, name string) bool {
	return frames.GoName(symbol) == name || cloneSuffix.ReplaceAllString(symbol, "") == name
}
