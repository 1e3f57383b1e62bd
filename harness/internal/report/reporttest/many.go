package reporttest

import (
	"context"
	"fmt"
	"iter"

	"github.com/cgogrind/cgogrind/harness/result"
)

// Many is a run with n new findings, from the first plan to the summary: as different as those of one code base are, with
// three stacks of four to six frames each, in ten packages, of four kinds, and a test for every ten.
func Many(n int) iter.Seq[result.Message] {
	return func(yield func(result.Message) bool) {
		kinds := []string{"InvalidRead", "InvalidWrite", "InvalidFree", "Leak_DefinitelyLost"}
		var tally result.Tally
		emit := func(m result.Message) bool {
			if m.Summary == nil {
				_ = tally.Handle(context.Background(), m) // it fails for a summary only
			}
			return yield(m)
		}
		pkg := func(i int) string { return fmt.Sprintf("example.com/many/pkg%d", i%10) }
		test := func(i int) string { return fmt.Sprintf("TestNumber%d", i/10) }
		frame := func(i int, function string, line int) result.Frame {
			return result.Frame{
				Function: function, File: fmt.Sprintf("/src/pkg%d/file%d.go", i%10, i%500), Line: line, Lang: result.Go,
				Object: "/tmp/cgogrind-1/many.test", Source: fmt.Sprintf("C.call_%d(unsafe.Pointer(&value[%d]))", i%500, line),
			}
		}
		for i := 0; i < n; i += 10 {
			if !emit(result.Message{Test: &result.Test{Package: pkg(i), Name: test(i), Verdict: result.Fail, ElapsedS: float64(i%97) / 10,
				Reason: "memcheck found it", Findings: 10}}) {
				return
			}
		}
		for i := range n {
			own := frame(i, fmt.Sprintf("example.com/many/pkg%d.function_%d_", i%10, i), 10+i%90)
			var stacks []result.Stack
			for s, label := range []string{"", "Address 0x1234 is 0 bytes inside a block of size 8 free'd", "Block was alloc'd at"} {
				frames := []result.Frame{{Function: "free", Object: "/usr/libexec/valgrind/vgpreload_memcheck-amd64-linux.so"}, own}
				for depth := range 2 + s {
					frames = append(frames, frame(i, fmt.Sprintf("example.com/many/pkg%d.(*Type%d).caller%d", i%10, i%300, depth), 100+depth))
				}
				stacks = append(stacks, result.Stack{Label: label, Frames: frames})
			}
			bytes := uint64(0)
			if kinds[i/10%4] == "Leak_DefinitelyLost" {
				bytes = uint64(16 + i%4096)
			}
			if !emit(result.Message{Finding: &result.Finding{
				Bytes: bytes, Blocks: min(bytes, 1), Fingerprint: fmt.Sprintf("%016x", i), Kind: kinds[i/10%4], Package: pkg(i), Test: test(i), Tests: []string{test(i)},
				Disposition: result.New, Message: fmt.Sprintf("Invalid read of size %d", 1<<(i%4)), Blame: &own, Stacks: stacks,
				Attribution: result.ByIdentity, Count: uint64(1 + i%7), Hint: "The memory was freed while somebody still held a pointer to it.",
				Repro: fmt.Sprintf("cgogrind test -run '^%s$' %s", test(i), pkg(i)),
			}}) {
				return
			}
		}
		sum := tally.Summary()
		sum.ElapsedS = 1234.5
		yield(result.Message{Summary: &sum})
	}
}
