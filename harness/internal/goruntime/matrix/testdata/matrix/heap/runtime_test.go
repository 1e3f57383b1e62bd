package heap

import (
	"os"
	"runtime"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func init() { runtime.LockOSThread() }

// onMainThread is what the process's first thread does while the tests run.
var onMainThread = make(chan func())

func TestMain(m *testing.M) {
	code := 0
	go func() {
		code = m.Run()
		close(onMainThread)
	}()
	for f := range onMainThread {
		f()
	}
	os.Exit(code)
}

// TestMainThreadClean: the stack of the first thread grows while C is called.
func TestMainThreadClean(t *testing.T) {
	got := make(chan byte)
	onMainThread <- func() { got <- Nested(20) }
	if n := <-got; n != 21 {
		t.Errorf("%d levels, want 21", n)
	}
}

// TestSignalClean: a signal's handler runs on a stack of its own.
func TestSignalClean(t *testing.T) {
	if !Signalled(syscall.SIGURG) {
		t.Error("no signal")
	}
}

// TestResolverClean: what the C library keeps for a thread that is still there at the end is not lost.
func TestResolverClean(*testing.T) { ResolveOnThread() }

// TestTimeStampClean: valgrind's processor has RDTSCP; the machine's may not.
func TestTimeStampClean(t *testing.T) {
	runtime.SetBlockProfileRate(1) // which asks the processor for the time whenever a goroutine waits
	defer runtime.SetBlockProfileRate(0)
	c := make(chan bool)
	go close(c)
	<-c
}

// TestBubbleClean: a bubble has a T of its own, with the name of the test, and a clock of its own.
func TestBubbleClean(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		time.Sleep(time.Hour)
		Nested(1)
	})
}
