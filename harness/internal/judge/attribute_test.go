package judge

import (
	"testing"

	"github.com/cgogrind/cgogrind/valgrind"
)

// TestManyIdentities: each of many tests has an identity of its own, in one frame or two.
func TestManyIdentities(t *testing.T) {
	l := markLayout{callBase: 0x500000, callStride: 4, callCount: 131072, sledBase: 0x600000 + 131072*4, sledCount: 4096}
	for _, id := range []uint64{1, 76, 1023, 1024, 1100, 100_000, 131_071, 131_072, 131_072 + 76, 7*131_072 + 4, 131_072*4096 - 1} {
		// What memcheck shows is the last byte of the instruction that a caller will not do again.
		frames := []valgrind.Frame{{IP: 1}, {IP: l.callBase + id%l.callCount*4 + 1}}
		if high := id / l.callCount; high > 0 {
			frames = append(frames, valgrind.Frame{IP: l.sledBase + high})
		}
		frames = append(frames, valgrind.Frame{IP: 2})
		if got := l.identity(frames); got != id {
			t.Errorf("identity %d of test %d", got, id)
		}
	}
	none := []valgrind.Frame{{IP: 1}, {IP: l.callBase + 1}, {IP: 2}}
	if got := l.identity(none); got != 0 {
		t.Errorf("identity %d of a goroutine without one", got)
	}
}

// TestTooManyIdentities: the run says from which test on identities are no help.
func TestTooManyIdentities(t *testing.T) {
	r := newReport().plan("TestA", "TestB")
	r.lastID = callCount*sledCount - 2
	for _, name := range []string{"TestA", "TestB"} {
		r.begin(name)
		r.end(name, "pass")
	}
	r.done(0)
	r.mark("leaks ready")
	j := judge(t, r.finish(), whole)
	want := "more than 799 tests in one process: whose an error is that happens in a later one, only its stack tells"
	n := 0
	for _, text := range j.progress {
		if text == want {
			n++
		}
	}
	if n != 1 {
		t.Errorf("said %d times: %q", n, j.progress)
	}
}
