package bounds

import (
	"runtime"
	"strings"
	"testing"
)

// stay keeps a test on its thread: before the first call to C on another one the runtime makes an error itself, to see
// whether memcheck still reports, and that counts.
func stay(t *testing.T) {
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
}

// each calls bug with every size and fails for those at which memcheck saw nothing.
func each(t *testing.T, bug func(int)) {
	stay(t)
	for _, n := range Sizes() {
		before := Errors()
		bug(n)
		if seen := Errors() - before; seen != 1 {
			t.Errorf("MISSED: %d bytes: %d errors, want 1", n, seen)
		}
	}
}

//go:noinline
func first(t *testing.T, bug func(int)) { each(t, func(n int) { bug(n) }) }

//go:noinline
func second(t *testing.T, bug func(int)) { each(t, bug) }

func TestOverReadFirst(t *testing.T)   { first(t, OverRead) }
func TestOverReadSecond(t *testing.T)  { second(t, OverRead) }
func TestOverWriteFirst(t *testing.T)  { first(t, OverWrite) }
func TestOverWriteSecond(t *testing.T) { second(t, OverWrite) }

func overString(n int) { OverString(strings.Repeat("s", n)) }

func TestOverStringFirst(t *testing.T) {
	for _, n := range []int{1, 15, 16, 33, 1000} {
		overString(n)
	}
}

func TestOverStringSecond(t *testing.T) {
	OverString(string(make([]byte, 0)) + strings.Repeat("t", 64))
}

func TestOverStringClean(t *testing.T) {
	for _, n := range []int{1, 15, 16, 33, 1000} {
		OverString(strings.Repeat("s", n) + "\x00")
	}
}

// The byte before a slice is off limits unless something else lies there: the share that is seen is printed.
func under(t *testing.T) {
	stay(t)
	seen := 0
	for _, n := range Sizes() {
		before := Errors()
		UnderRead(n)
		seen += Errors() - before
	}
	t.Logf("UNDERRUN %d of %d", seen, len(Sizes()))
}

func TestUnderReadFirst(t *testing.T)  { under(t) }
func TestUnderReadSecond(t *testing.T) { func() { under(t) }() }

func TestWithinClean(t *testing.T) {
	for _, n := range Sizes() {
		Within(n)
	}
}
