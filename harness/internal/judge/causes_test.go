package judge

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cgogrind/cgogrind/harness/internal/frames"
	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
)

// told is an error of a test as these tests write it.
type told struct {
	kind     valgrind.Kind
	what     string
	at       []valgrind.Frame // the error's own stack
	sections []valgrind.Section
}

// Places in the code under test, each in a function and a line of its own.
func inGoCode(n uint64) valgrind.Frame {
	return at(100+n, fmt.Sprintf("example.com/m/p.Place%d", n), "P/p.go", int(n))
}

func inC(n uint64) valgrind.Frame { return at(200+n, fmt.Sprintf("c%d", n), "P/p.c", int(n)) }

func inLibrary(n uint64) valgrind.Frame {
	return valgrind.Frame{IP: 300 + n, Function: fmt.Sprintf("lib%d", n), Object: "/usr/lib/librados.so.2"}
}

// heap is what memcheck says about an address in a block that was freed.
func heap(address uint64, offset int, freedAt, madeAt []valgrind.Frame) []valgrind.Section {
	return []valgrind.Section{
		labelled(fmt.Sprintf("Address %#x is %d bytes inside a block of size 64 free'd", address, offset), freedAt...),
		labelled("Block was alloc'd at", madeAt...),
	}
}

// beyond is the same of one behind a block.
func beyond(address uint64, madeAt ...valgrind.Frame) []valgrind.Section {
	return []valgrind.Section{labelled(fmt.Sprintf("Address %#x is 0 bytes after a block of size 64 alloc'd", address), madeAt...)}
}

func unset(how string, madeAt ...valgrind.Frame) []valgrind.Section {
	return []valgrind.Section{labelled("Uninitialised value was created by a "+how, madeAt...)}
}

func TestCauses(t *testing.T) {
	const block = 0x4a3b000
	frames := func(f ...valgrind.Frame) []valgrind.Frame { return f }
	freedAt, elsewhere := frames(vgFree, inC(1), inGoCode(1), testA), frames(vgFree, inC(2), inGoCode(2), testA)
	madeAt, otherwise := frames(libc, inC(3), inGoCode(3), testA), frames(libc, inC(4), inGoCode(4), testA)
	goFreed, sweep := frames(vgFree, inC(1), inGoCode(1), testA), frames(goRequestFrame, goFreeFrame, goSweepFrame)
	inUse := func(offset int) []valgrind.Section {
		return []valgrind.Section{labelled(fmt.Sprintf("Address %#x is %d bytes inside a block of size 64 alloc'd", block+offset, offset),
			madeAt...)}
	}
	lost := func(text string, at ...valgrind.Frame) told { return told{"Leak_DefinitelyLost", text, at, nil} }
	const read8, write4, two = "Invalid read of size 8", "Invalid write of size 4", "40 bytes in 2 blocks are definitely lost"
	for _, c := range []struct {
		name  string
		tests map[string][]told // by test: TestA runs first
		want  []int             // of each finding, which one it has the cause of; its own number for none
	}{
		{"one block, freed too early", map[string][]told{"TestA": {
			{"InvalidRead", read8, frames(inC(5), inGoCode(5), testA), heap(block, 0, freedAt, madeAt)},
			{"InvalidWrite", write4, frames(inC(6), inGoCode(6), testA), heap(block+4, 4, freedAt, madeAt)},
			{"InvalidFree", "Invalid free()", frames(vgFree, inGoCode(7), testA), heap(block, 0, freedAt, madeAt)},
		}}, []int{0, 0, 0}},
		{"two blocks of one function", map[string][]told{"TestA": {
			{"InvalidRead", read8, frames(inC(5), inGoCode(5), testA), heap(block, 0, freedAt, madeAt)},
			{"InvalidWrite", write4, frames(inC(6), inGoCode(6), testA), heap(block+0x1000, 0, freedAt, madeAt)},
		}}, []int{0, 1}},
		{"one address, freed twice by others", map[string][]told{"TestA": {
			{"InvalidRead", read8, frames(inC(5), inGoCode(5), testA), heap(block, 0, freedAt, madeAt)},
			{"InvalidWrite", write4, frames(inC(6), inGoCode(6), testA), heap(block, 0, elsewhere, madeAt)},
			{"InvalidRead", read8, frames(inC(7), inGoCode(7), testA), heap(block, 0, freedAt, otherwise)},
		}}, []int{0, 1, 2}},
		{"what one call freed, in one call", map[string][]told{"TestA": {
			{"InvalidRead", read8, frames(inLibrary(1), inLibrary(9), inGoCode(5), testA),
				heap(block, 0, frames(vgFree, inLibrary(2), inGoCode(1), testA), frames(libc, inLibrary(3)))},
			{"InvalidRead", read8, frames(inLibrary(4), inLibrary(9), inGoCode(5), testA),
				heap(block+0x1000, 0, frames(vgFree, inLibrary(5), inGoCode(1), testA), frames(libc, inLibrary(6)))},
			{"InvalidRead", read8, frames(inLibrary(7), inLibrary(9), inGoCode(6), testA), // in another call
				heap(block+0x2000, 0, frames(vgFree, inLibrary(8), inGoCode(1), testA), frames(libc, inLibrary(8)))},
		}}, []int{0, 0, 2}},
		{"in a test that did not hit the first", map[string][]told{
			"TestA": {
				{"InvalidRead", read8, frames(inC(5), inGoCode(5), testA), heap(block, 0, freedAt, madeAt)},
				{"InvalidWrite", write4, frames(inC(6), inGoCode(6), testA), heap(block, 0, freedAt, madeAt)},
			},
			"TestB": {{"InvalidWrite", write4, frames(inC(6), inGoCode(6), testB), heap(block+0x1000, 0, frames(vgFree, testB), madeAt)}},
		}, []int{0, 1}},
		{"in both tests", map[string][]told{
			"TestA": {
				{"InvalidRead", read8, frames(inC(5), inGoCode(5), testA), heap(block, 0, freedAt, madeAt)},
				{"InvalidWrite", write4, frames(inC(6), inGoCode(6), testA), heap(block, 0, freedAt, madeAt)},
			},
			"TestB": {
				{"InvalidRead", read8, frames(inC(5), inGoCode(5), testB), heap(block+0x1000, 0, frames(vgFree, testB), madeAt)},
				{"InvalidWrite", write4, frames(inC(6), inGoCode(6), testB), heap(block+0x1000, 0, frames(vgFree, testB), madeAt)},
			},
		}, []int{0, 0}},
		{"a finding that has a cause, and once one of its own", map[string][]told{"TestA": {
			{"InvalidRead", read8, frames(inC(5), inGoCode(5), testA), heap(block, 0, freedAt, madeAt)},
			{"InvalidWrite", write4, frames(inC(6), inGoCode(6), testA), heap(block, 0, freedAt, madeAt)},
			{"InvalidWrite", write4, frames(inC(6), inGoCode(6), testAelse), heap(block+0x1000, 0, elsewhere, madeAt)},
		}}, []int{0, 1}},
		{"collected Go memory", map[string][]told{"TestA": {
			{"InvalidRead", read8, frames(inC(5), inGoCode(5), testA), heap(block, 0, sweep, made("runtime.makeslice"))},
			{"InvalidWrite", write4, frames(inC(6), inGoCode(6), testA), heap(block+8, 8, sweep, made("runtime.makeslice"))},
			{"InvalidWrite", write4, frames(inC(7), inGoCode(7), testA), heap(block+0x1000, 0, sweep, made("runtime.makeslice"))},
		}}, []int{0, 0, 2}},
		{"Go memory that C freed", map[string][]told{"TestA": {
			{"MismatchedFree", "Mismatched free()", goFreed, []valgrind.Section{labelled(
				fmt.Sprintf("Address %#x is 0 bytes inside a block of size 64 alloc'd", block), made("runtime.makeslice")...)}},
			{"InvalidRead", read8, frames(inC(5), inGoCode(5), testA), heap(block+8, 8, goFreed, made("runtime.makeslice"))},
		}}, []int{0, 0}},
		{"written behind a block, and read back", map[string][]told{"TestA": {
			{"InvalidWrite", write4, frames(inC(5), inGoCode(5), testA), beyond(block+64, madeAt...)},
			{"InvalidRead", "Invalid read of size 1", frames(inC(6), inGoCode(6), testA), beyond(block+64, madeAt...)},
			{"InvalidWrite", write4, frames(inC(7), inGoCode(7), testA), beyond(block+64, madeAt...)}, // a loop of its own
		}}, []int{0, 0, 2}},
		{"read behind a block, and written", map[string][]told{"TestA": {
			{"InvalidRead", read8, frames(inC(6), inGoCode(6), testA), beyond(block+64, madeAt...)},
			{"InvalidWrite", write4, frames(inC(5), inGoCode(5), testA), beyond(block+64, madeAt...)},
		}}, []int{0, 1}},
		{"one call that runs out of a block twice", map[string][]told{"TestA": {
			{"InvalidRead", read8, frames(inLibrary(1), inLibrary(9), inGoCode(5), testA), beyond(block+64, madeAt...)},
			{"InvalidRead", read8, frames(inLibrary(2), inLibrary(9), inGoCode(5), testA), beyond(block+64, madeAt...)},
			{"InvalidRead", read8, frames(inLibrary(3), inLibrary(9), inGoCode(5), testA), beyond(block+0x1040, otherwise...)},
		}}, []int{0, 0, 2}},
		{"memory from malloc that nobody wrote", map[string][]told{"TestA": {
			{"UninitCondition", "Conditional jump", frames(inC(5), inGoCode(5), testA), unset("heap allocation", madeAt...)},
			{"UninitValue", "Use of", frames(inC(6), inGoCode(6), testA), unset("heap allocation", madeAt...)},
			{"UninitCondition", "Conditional jump", frames(inC(7), inGoCode(7), testA), unset("heap allocation", otherwise...)},
		}}, []int{0, 0, 2}},
		{"variables of one function", map[string][]told{"TestA": {
			{"UninitCondition", "Conditional jump", frames(inLibrary(1), inLibrary(9), inGoCode(5), testA), unset("stack allocation", inC(3))},
			{"UninitValue", "Use of", frames(inLibrary(2), inLibrary(9), inGoCode(5), testA), unset("stack allocation", inC(3))},
			{"UninitCondition", "Conditional jump", frames(inC(6), inGoCode(6), testA), unset("stack allocation", inC(3))},
		}}, []int{0, 0, 2}},
		{"a wild pointer in one call", map[string][]told{"TestA": {
			{"InvalidRead", read8, frames(inLibrary(1), inLibrary(9), inGoCode(5), testA), nil},
			{"InvalidRead", read8, frames(inLibrary(2), inLibrary(9), inGoCode(5), testA), nil},
			{"InvalidRead", read8, frames(inLibrary(3), inLibrary(8), inGoCode(5), testA), nil}, // another call in the line
			{"InvalidWrite", write4, frames(inLibrary(4), inLibrary(9), inGoCode(5), testA), nil},
			{"InvalidRead", read8, frames(inLibrary(3)), nil}, // no code under test
			{"InvalidRead", read8, frames(inLibrary(4)), nil},
		}}, []int{0, 0, 2, 3, 4, 5}},
		{"a leak of all that one call made", map[string][]told{"TestA": {
			lost(two, libc, inLibrary(1), inLibrary(9), inGoCode(5), testA),
			lost(two, libc, inLibrary(2), inLibrary(9), inGoCode(5), testA),
			lost(two, libc, inLibrary(3), inLibrary(8), inGoCode(5), testA),
			lost(two, libc, inLibrary(1), inLibrary(9), inGoCode(6), testA),
		}}, []int{0, 0, 2, 3}},
		{"what is lost with a block", map[string][]told{"TestA": {
			lost("56 (16 direct, 40 indirect) bytes in 1 blocks are definitely lost", libc, inGoCode(5), testA),
			{"Leak_IndirectlyLost", "40 bytes in 2 blocks are indirectly lost", frames(libc, inGoCode(6), testA), nil},
		}}, []int{0, 0}},
		{"what is lost with one of two blocks", map[string][]told{"TestA": {
			lost("56 (16 direct, 40 indirect) bytes in 1 blocks are definitely lost", libc, inGoCode(5), testA),
			lost("56 (16 direct, 40 indirect) bytes in 1 blocks are definitely lost", libc, inGoCode(7), testA),
			{"Leak_IndirectlyLost", "40 bytes in 2 blocks are indirectly lost", frames(libc, inGoCode(6), testA), nil},
		}}, []int{0, 1, 2}},
		{"a block whose inside was freed is lost", map[string][]told{"TestA": {
			{"InvalidFree", "Invalid free()", frames(vgFree, inGoCode(5), testA), inUse(8)},
			lost("64 bytes in 1 blocks are definitely lost", madeAt...),
		}}, []int{0, 0}},
		{"more of them are lost", map[string][]told{"TestA": {
			{"InvalidFree", "Invalid free()", frames(vgFree, inGoCode(5), testA), inUse(8)},
			lost("128 bytes in 2 blocks are definitely lost", madeAt...),
		}}, []int{0, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newReport().plan("TestA", "TestB")
			var leaks []told
			for i, name := range []string{"TestA", "TestB"} {
				r.begin(name)
				for _, e := range c.tests[name] {
					if isLeak(e.kind) {
						leaks = append(leaks, e)
						continue
					}
					id := uint64(i + 1)
					sections := []valgrind.Section{stack(withIdentity(e.at, id)...)}
					for _, s := range e.sections {
						sections = append(sections, labelled(s.Text.Text, withIdentity(s.Stack, id)...))
					}
					r.error(e.kind, sections...).What.Text = e.what
				}
				r.end(name, "pass")
			}
			r.done(0)
			r.add(valgrind.Status{State: "FINISHED"})
			for _, l := range leaks {
				e := r.error(l.kind, stack(withIdentity(l.at, 1)...))
				e.What.Text = l.what
				if _, err := fmt.Sscanf(l.what[strings.Index(l.what, " bytes in ")+len(" bytes in "):], "%d", &e.What.LeakedBlocks); err != nil {
					t.Fatal(err)
				}
			}
			r.add(r.counts, valgrind.SuppressionCounts{})
			j := judge(t, r, whole)
			var got []int
			numberOf := make(map[string]int)
			for i, f := range j.findings {
				numberOf[f.Fingerprint] = i
				first := i
				if f.Cause != "" {
					n, ok := numberOf[f.Cause]
					if !ok || n == i {
						t.Errorf("finding %d has the cause %s, which no earlier one is", i, f.Cause)
					}
					first = n
				}
				got = append(got, first)
				if f.Disposition != result.New {
					t.Errorf("finding %d is %s", i, f.Disposition)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// withIdentity puts a test's identity between the frames of C and those of Go.
func withIdentity(stack []valgrind.Frame, id uint64) []valgrind.Frame {
	for i, f := range stack {
		if i > 0 && frames.GoPackage(f.Function) != "" && frames.GoPackage(stack[0].Function) == "" {
			return slices.Concat(stack[:i], identified(id), stack[i:])
		}
	}
	return stack
}
