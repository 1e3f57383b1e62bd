package judge

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/cgogrind/cgogrind/harness/internal/frames"
	"github.com/cgogrind/cgogrind/valgrind"
)

// cgoCheck is the kind of what Go's own checks of the rules for passing pointers find: those at every call to C, and
// with GOEXPERIMENT=cgocheck2 those at every write, too. https://pkg.go.dev/cmd/cgo#hdr-Passing_pointers
const cgoCheck valgrind.Kind = "CgoCheck"

// cgoCheckLine matches what such a check says as it ends the process, in Go 1.25 and later, with or without the place
// before it.
var cgoCheckLine = regexp.MustCompile(
	`^(?:panic: runtime error: |fatal error: )(?:\S+:[0-9]+: )?(.*unpinned Go .*?)(?: \[recovered.*\])?$`)

// addCgoCheck makes a record of the check that ended the process, if one did. The stack is the one that Go printed.
func (p *Process) addCgoCheck() {
	m := cgoCheckLine.FindStringSubmatch(p.output.panics)
	if m == nil {
		return
	}
	e := &valgrind.Error{Kind: cgoCheck, Sections: []valgrind.Section{{Stack: p.failedStack()}}}
	e.What.Text = m[1]
	r := p.newRecord(e)
	p.addRecord(r)
	p.announce(r)
}

var (
	runningGoroutine = regexp.MustCompile(`^goroutine [0-9]+ .*\[running.*\]:$`)
	sourceLine       = regexp.MustCompile(`^\t(.*):([0-9]+)(?: \+0x[0-9a-f]+.*)?$`)
)

// failedStack reads the stack of the goroutine that failed from the dump, without the panic that began it and without
// what the runtime did to find the fault.
func (p *Process) failedStack() []valgrind.Frame {
	lines := p.output.dump
	start := slices.IndexFunc(lines, runningGoroutine.MatchString)
	if start < 0 {
		return nil
	}
	var stack []valgrind.Frame
	for i := start + 1; i+1 < len(lines); i += 2 {
		at := sourceLine.FindStringSubmatch(lines[i+1])
		if at == nil || strings.HasPrefix(lines[i], "created by ") {
			break
		}
		name := lines[i]
		if open := strings.LastIndexByte(name, '('); open >= 0 {
			name = name[:open] // without the arguments
		}
		if name == "panic" {
			stack = nil
			continue
		}
		f := valgrind.Frame{Function: name, Object: p.judge.cfg.Binary}
		f.Dir, f.File = path.Split(at[1])
		f.Dir = strings.TrimSuffix(f.Dir, "/")
		f.Line, _ = strconv.Atoi(at[2]) // digits
		stack = append(stack, f)
	}
	for len(stack) > 1 && frames.GoPackage(stack[0].Function) == "runtime" {
		stack = stack[1:]
	}
	return stack
}
