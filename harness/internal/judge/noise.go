package judge

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/cgogrind/cgogrind/harness/internal/frames"
	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
)

// isNoise says whether a record is no defect of anybody's code: a nil dereference in Go, which Go turns into a panic;
// what the Go runtime does when it prints stacks; or that it gives back an object that C code has given to free, which
// was reported when C did it.
func isNoise(r *frames.Reader, e *valgrind.Error) bool {
	var top *valgrind.Frame
	if len(e.Sections) > 0 && len(e.Sections[0].Stack) > 0 {
		top = &e.Sections[0].Stack[0]
	}
	if top == nil || r.Lang(*top) != result.Go {
		return false
	}
	if e.Kind == "InvalidFree" && isGoRelease(e.Sections[0].Stack) {
		return true
	}
	if e.Kind == "InvalidRead" || e.Kind == "InvalidWrite" {
		if addr, ok := address(e); ok && addr < frames.PageSize {
			return true
		}
	}
	// Goroutine dumps read words that nobody wrote, and unwinding after a panic through a callback reads the system
	// stack where it was left.
	if !strings.HasPrefix(top.Function, "runtime.") {
		return false
	}
	for _, f := range e.Sections[0].Stack {
		if dump.MatchString(f.Function) {
			return true
		}
	}
	return false
}

// isNoise is the function of that name, and knows Go's check for nil: it reads a byte where a pointer points to and does nothing with
// it, so that the slice of no elements at C.malloc(0) is fine.
func (p *Process) isNoise(e *valgrind.Error) bool {
	return isNoise(p.judge.frames, e) || p.isNilCheck(e)
}

func (p *Process) isNilCheck(e *valgrind.Error) bool {
	if e.Kind != "InvalidRead" || p.judge.cfg.Program || len(e.Sections) == 0 || len(e.Sections[0].Stack) == 0 {
		return false
	}
	top := e.Sections[0].Stack[0]
	if p.judge.frames.Lang(top) != result.Go || top.Object != p.judge.cfg.Binary {
		return false
	}
	t := p.judge.symbolTable()
	if t == nil {
		return false
	}
	bias, ok := t.Bias(callSlots, p.layout.callBase)
	return ok && top.IP >= bias && t.IsNilCheck(top.IP-bias)
}

var dump = regexp.MustCompile(`^runtime\.(printhex.*|traceback.*|printpanic.*|dopanic_m|printArgs|\(\*unwinder\)\..*)$`)

var addressText = regexp.MustCompile(`^Address 0x([0-9a-fA-F]+) `)

// address returns the address that an error is about, from its auxiliary text.
func address(e *valgrind.Error) (uint64, bool) {
	for _, s := range e.Sections {
		if m := addressText.FindStringSubmatch(s.Text.Text); m != nil {
			n, err := strconv.ParseUint(m[1], 16, 64)
			return n, err == nil
		}
	}
	return 0, false
}
