package judge

import (
	"slices"
	"strings"

	"github.com/cgogrind/cgogrind/valgrind"
)

// probes is what the probes of a process told.
type probes struct {
	asked   bool // the leak check at the end looks for what is definitely lost
	lost    bool // it found the runtime's own block
	silent  map[*test]string
	outside map[string]string // by one of the names in brackets
}

// header takes valgrind's options as the process began.
func (p *probes) header(h valgrind.Header) {
	p.asked = true
	for _, arg := range h.ValgrindArgs {
		if kinds, ok := strings.CutPrefix(arg, "--show-leak-kinds="); ok {
			p.asked = slices.ContainsFunc(strings.Split(kinds, ","), func(k string) bool { return k == "definite" || k == "all" })
		}
		if arg == "--leak-check=no" {
			p.asked = false
		}
	}
}

// silence takes that errors were not reported while a test ran, or none if it is nil.
func (p *Process) silence(m markSilent) {
	reason := "the reporting of errors was switched off in a thread and not on again (VALGRIND_DISABLE_ERROR_REPORTING), so that " +
		"errors may be missing"
	if m.what == "declared" {
		reason = "memory was declared accessible that is not the caller's (VALGRIND_MAKE_MEM_DEFINED?), so that errors may be missing"
	}
	if t := p.byID[m.id]; t != nil {
		if p.probes.silent == nil {
			p.probes.silent = make(map[*test]string)
		}
		p.probes.silent[t] = reason
		return
	}
	if p.probes.outside == nil {
		p.probes.outside = make(map[string]string)
	}
	p.probes.outside[p.outside()] = reason
}

// silenced says of a test in which errors were not reported what happened, "" of others.
func (p *Process) silenced(t *test) string { return p.probes.silent[t] }

// leaksUnseen says whether memcheck did not find at the end what it had to.
func (p *Process) leaksUnseen() bool {
	return p.leaksReady && p.probes.asked && !p.probes.lost
}
