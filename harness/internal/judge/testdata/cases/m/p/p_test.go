package p

import (
	"runtime"
	"testing"
	"time"

	"example.com/dep"
)

func TestTrampoline(t *testing.T)   { t.Log(Entry(1), Cursor(2)) }
func TestTwice(t *testing.T)        { t.Log(Twice(1)) }
func TestHandsThrough(t *testing.T) { t.Log(First(), Second()) }
func TestFailedCall(t *testing.T)   { t.Log(Attach("x")) }
func TestVersion(t *testing.T)      { t.Log(Version()) }
func TestResults(t *testing.T)      { t.Log(Sum(3)) }
func TestName(t *testing.T)         { t.Log(Name()) }
func TestThreads(t *testing.T)      { Run(0); Run(1) }

func TestIterator(t *testing.T) {
	i := NewIterator()
	i.Reset()
	i.Close()
}

func TestReadAfterClose(t *testing.T) {
	h := Open()
	done := make(chan int)
	go func() {
		h.Close()
		done <- 0
	}()
	<-done
	go func() { done <- h.Read() }()
	t.Log(<-done)
}

func TestKeptSlice(t *testing.T) {
	func() {
		b := make([]byte, 8000)
		SetBound(b)
	}()
	runtime.GC()
	runtime.GC()
	t.Log(Bound())
}

func TestFinalizer(t *testing.T) {
	h := NewData().pointer()
	for range 5 {
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
	}
	t.Log(read(h))
}

func TestArgument(t *testing.T) { t.Log(dep.Length("name")) }

func TestExpanded(t *testing.T) {
	s := dep.Prepare("select 1")
	t.Log(s.Expanded())
	s.Close()
}

func TestNotClosed(t *testing.T) { dep.Prepare("select 2") }
