package judge

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/cgogrind/cgogrind/harness/internal/frames"
	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
)

// Several findings may come of one mistake: after one wrong free, whoever still has the block is reported. Which do is
// decided with care, since what is told in few words below another finding is easily overlooked. A finding has the
// cause of an earlier one only if every record of it shares a clue with a record of that one, and if every test that
// hit it hit the earlier one, too.
//
// The clues are: the same block of memory, made and freed in the same calls; blocks that one call from Go to C freed and
// another used; memory that nobody wrote, made in the same call; the same call in the same line, where nothing better is
// known of the memory. That two findings have the same blame, or are about memory that the same function made, is none.

// clue is something that records of one cause have in common.
type clue struct {
	process *Process // in whose addresses it is told; nil for a place in the sources
	text    string
}

// clues are those of one record: what later ones may have in common with it, and what it may have with earlier ones.
type clues struct{ offers, seeks []clue }

func (c *clues) both(in clue) {
	c.offers = append(c.offers, in)
	c.seeks = append(c.seeks, in)
}

// cluesOf looks for clues in an error and what is told of it.
func (p *Process) cluesOf(e *valgrind.Error, a account) clues {
	var c clues
	here := func(format string, args ...any) clue { return clue{p, fmt.Sprintf(format, args...)} }
	call, known := p.judge.frames.CallOf(e.Kind, a.sections)
	inLine := clue{text: fmt.Sprintf("%s by %s", e.Kind, call)}
	if uninit.MatchString(string(e.Kind)) {
		inLine.text = "not written, used by " + call
	}
	if isLeak(e.Kind) {
		if known {
			c.both(inLine) // a library that is not closed leaks all that one call made
		}
		c.seeks = append(c.seeks, p.leakClues(e)...)
		if direct := indirectLoss.FindStringSubmatch(e.What.Text); direct != nil && number(direct[1]) > 0 {
			c.offers = append(c.offers, clue{p, "reached from a lost block"})
		}
		return c
	}
	if i, stack := origin(e); i >= 0 {
		if strings.HasSuffix(e.Sections[i].Text.Text, "heap allocation") {
			c.both(here("not written since %s", stack))
		} else if known { // of a stack only the function is known, not the variable
			c.both(here("not written since %s, used by %s", stack, call))
		}
		return c
	}
	b, at := blockOf(e)
	switch {
	case at < 0 && (access.MatchString(string(e.Kind)) || uninit.MatchString(string(e.Kind))):
		if base, stack := lentBy(e); stack != "" {
			c.both(here("taken back: %#x %s", base, stack))
		} else if known {
			c.both(inLine)
		}
	case at < 0:
	case a.memory == goFreed, a.memory == goInside && isFree(e.Kind):
		// Go memory is never freed by C: what happens to it afterwards comes of that.
		c.both(here("freed by C: %#x %s", b.base, madeAt(e, at, b)))
	case a.memory == goCollected:
		c.both(here("collected: %#x %s", b.base, madeAt(e, at, b)))
	case a.memory == cFreed:
		c.both(here("freed: %#x %s %s", b.base, madeAt(e, at, b), site(e.Sections[at].Stack)))
		if use, end := p.goSite(e.Sections[0].Stack), p.goSite(e.Sections[at].Stack); use != "" && end != "" {
			c.both(here("freed by the call %s, used by the call %s", end, use)) // a library frees more than one block
		}
	case a.memory == cInside && e.Kind == "InvalidFree":
		// The block that was to be freed with this is lost later.
		c.offers = append(c.offers, here("not freed: %s", madeAt(e, at, b)))
	case access.MatchString(string(e.Kind)):
		made := fmt.Sprintf("%#x %s", b.base, madeAt(e, at, b))
		if known {
			c.both(here("%s beyond %s by %s", e.Kind, made, call))
		}
		// What was written where nothing may be is read back there.
		for i := range accessed(e) {
			word := here("written at %#x, beyond %s", b.address+i, made)
			if e.Kind == "InvalidWrite" {
				c.offers = append(c.offers, word)
			} else if i == 0 {
				c.seeks = append(c.seeks, word)
			}
		}
	}
	return c
}

// leakClues are those that a leak shares with what is no leak, or with another kind of leak.
func (p *Process) leakClues(e *valgrind.Error) []clue {
	switch {
	case e.Kind == "Leak_IndirectlyLost":
		return []clue{{p, "reached from a lost block"}}
	case len(e.Sections) > 0:
		return []clue{{p, "not freed: " + site(e.Sections[0].Stack)}}
	}
	return nil
}

// indirectLoss is memcheck's text about a block that others are lost with.
var indirectLoss = regexp.MustCompile(`^[0-9,]+ \([0-9,]+ direct, ([0-9,]+) indirect\) bytes in `)

// dropDoubtfulClues takes back what the whole report contradicts, when it has ended: which of several lost blocks others
// are reached from is not known, nor which block a wrong free was meant for if more of its kind were lost.
func (p *Process) dropDoubtfulClues() {
	owners := 0
	freed := make(map[clue]uint64)
	for _, r := range p.records {
		for _, c := range r.clues.offers {
			switch {
			case c.text == "reached from a lost block":
				owners++
			case strings.HasPrefix(c.text, "not freed: "):
				freed[c] += r.count
			}
		}
	}
	for _, r := range p.records {
		r.clues.seeks = slices.DeleteFunc(r.clues.seeks, func(c clue) bool {
			return c.text == "reached from a lost block" && owners != 1 ||
				strings.HasPrefix(c.text, "not freed: ") && freed[c] < r.blocks
		})
	}
}

// findCauses says of each finding which earlier one it has the cause of.
func (j *Judge) findCauses() {
	offering := make(map[clue][]*result.Finding)
	firstOf := make(map[*result.Finding]*result.Finding)
	for _, f := range j.findings {
		firstOf[f] = f
		if earlier := j.explanation(f, offering); earlier != nil {
			firstOf[f] = firstOf[earlier]
			f.Cause = firstOf[earlier].Fingerprint
		}
		for _, c := range j.clues[f] {
			for _, o := range c.offers {
				if all := offering[o]; len(all) == 0 || all[len(all)-1] != f {
					offering[o] = append(all, f)
				}
			}
		}
	}
	clear(j.clues)
}

// explanation returns the earlier finding that has what f has in every record, and all its tests; nil if there is none.
func (j *Judge) explanation(f *result.Finding, offering map[clue][]*result.Finding) *result.Finding {
	records := j.clues[f]
	for _, c := range records[0].seeks {
		for _, earlier := range offering[c] {
			if earlier.Fingerprint == f.Fingerprint || earlier.Cause == f.Fingerprint ||
				slices.ContainsFunc(f.Tests, func(t string) bool { return !j.hit[earlier][t] }) {
				continue
			}
			offers := func(c clue) bool { return slices.Contains(offering[c], earlier) }
			if !slices.ContainsFunc(records, func(r clues) bool { return !slices.ContainsFunc(r.seeks, offers) }) {
				return earlier
			}
		}
	}
	return nil
}

// site identifies a stack within a process: with all its addresses, those that carry a test's identity included.
func site(stack []valgrind.Frame) string {
	var b strings.Builder
	for _, f := range stack {
		fmt.Fprintf(&b, " %x", f.IP)
	}
	return b.String()
}

// goSite is the part of a stack from the line of Go on that called C, "" if the code under test has none there.
func (p *Process) goSite(stack []valgrind.Frame) string {
	for i, f := range stack {
		if p.judge.frames.Tier(f) != frames.None && frames.GoPackage(f.Function) != "" {
			return fmt.Sprint(p.layout.identity(stack), site(stack[i:]))
		}
	}
	return ""
}

// origin returns the section that tells where memory was made that nobody wrote, and its stack; -1 if there is none.
func origin(e *valgrind.Error) (section int, stack string) {
	for i, s := range e.Sections {
		if strings.HasPrefix(s.Text.Text, "Uninitialised value was created by ") && len(s.Stack) > 0 {
			return i, site(s.Stack)
		}
	}
	return -1, ""
}

// placedBlock is a block with its place.
type placedBlock struct {
	block
	address, base uint64
}

// blockOf returns the block that an error is about, and its section; -1 if there is none.
func blockOf(e *valgrind.Error) (placedBlock, int) {
	addr, ok := address(e)
	if !ok {
		return placedBlock{}, -1
	}
	for i, s := range e.Sections {
		b, ok := parseBlock(s.Text.Text)
		if !ok {
			continue
		}
		p := placedBlock{b, addr, addr - b.offset}
		switch b.where {
		case "after":
			p.base -= b.size
		case "before":
			p.base = addr + b.offset
		}
		return p, i
	}
	return placedBlock{}, -1
}

// madeAt is where a block was made: the section at tells of it, or, for one that is freed, the next.
func madeAt(e *valgrind.Error, at int, b placedBlock) string {
	if b.freed {
		at++
	}
	if at >= len(e.Sections) {
		return ""
	}
	return site(e.Sections[at].Stack)
}

// lentBy returns the beginning of memory that a function lent, and the stack of that call, which is empty if it is none.
func lentBy(e *valgrind.Error) (base uint64, stack string) {
	addr, ok := address(e)
	if !ok {
		return 0, ""
	}
	for _, s := range e.Sections {
		if l := parseLent(s.Text.Text); l.where == "inside" {
			return addr - l.offset, site(s.Stack)
		}
	}
	return 0, ""
}

// accessed is how many bytes were read or written, at most the most that one instruction does.
func accessed(e *valgrind.Error) uint64 {
	m := accessSize.FindStringSubmatch(e.What.Text)
	if m == nil {
		return 0
	}
	n, err := strconv.ParseUint(m[1], 10, 64)
	if err != nil {
		return 0
	}
	return min(n, 64)
}
