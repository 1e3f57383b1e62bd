// Package leaks holds C memory that nobody frees, and C memory that only looks like it.
package leaks

/*
#include <stdlib.h>

static __attribute__((noipa)) void leak(void) {
	volatile char *p = malloc(100);
	p[0] = 'x';
}

static __attribute__((noipa)) void no_leak(void) {
	volatile char *p = malloc(100);
	p[0] = 'x';
	free((void *)p);
}
*/
import "C"

import (
	"runtime"
	"unsafe"
)

// CString leaks a copy of a string.
func CString() {
	C.CString("leaked") // BUG CString
}

func CStringFreed() {
	C.free(unsafe.Pointer(C.CString("freed")))
}

func LeakInC()   { C.leak() } // BUG LeakInC
func NoLeakInC() { C.no_leak() }

// Owner is a Go object that holds C memory.
type Owner struct {
	name string
	mem  unsafe.Pointer
}

//go:noinline
func newOwner() *Owner {
	return &Owner{"owner", C.malloc(200)} // BUG Dropped
}

//go:noinline
func newChain() *Owner {
	inner := &Owner{"inner", C.malloc(300)} // BUG DroppedChain
	return &Owner{"outer", unsafe.Pointer(inner)}
}

//go:noinline
func newKept() *Owner {
	return &Owner{"kept", C.malloc(400)}
}

// Dropped leaks what an owner holds that is garbage.
func Dropped() { newOwner() }

// DroppedChain leaks what an owner holds that only a dropped owner holds.
func DroppedChain() { newChain() }

// Close frees what an owner holds.
func (o *Owner) Close() {
	C.free(o.mem)
	o.mem = nil
}

var (
	global  *Owner
	byName  = map[string]*Owner{}
	byValue = map[unsafe.Pointer]int{}
	list    []*Owner
	inner   []byte
)

func KeptInGlobal()   { global = newKept() }
func KeptInMap()      { byName["kept"] = newKept() }
func KeptInMapKey()   { byValue[newKept().mem] = 1 }
func KeptInSlice()    { list = append(list, newKept()) }
func KeptByInterior() { inner = unsafe.Slice((*byte)(newKept().mem), 400) }

// KeptOnStack is held by a goroutine that waits for ever.
func KeptOnStack() {
	holds := make(chan bool)
	go func() {
		o := newKept()
		holds <- true
		select {
		case holds <- true:
			o.Close()
		}
	}()
	<-holds
}

// Finalized is freed by the collector.
func Finalized() { runtime.SetFinalizer(newKept(), (*Owner).Close) }

// CleanedUp is, too.
func CleanedUp() {
	o := newKept()
	runtime.AddCleanup(o, func(mem unsafe.Pointer) { C.free(mem) }, o.mem)
}
