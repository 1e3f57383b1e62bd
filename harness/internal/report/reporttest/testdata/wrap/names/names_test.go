package names

import (
	"syscall"
	"testing"
)

func TestClean(t *testing.T) {}

func TestNew(t *testing.T) {
	e := New("a name")
	defer e.Close()
	if e.First() != 'a' {
		t.Error("not a")
	}
}

func TestUseAfterClose(t *testing.T) {
	e := New("b")
	e.Close()
	t.Log(e.First())
}

func TestDecide(t *testing.T) { t.Log(Decide()) }

func TestKilled(t *testing.T) {
	syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
}

func TestAfter(t *testing.T) {}
