// Package kept holds C code that keeps a pointer to Go memory longer than the call that it was given it for. Which
// collection takes the memory is a matter of luck: the tests run with a collection after every call to C.
package kept

/*
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static volatile char *kept;

static __attribute__((noipa)) void keep(char *p) {
	kept = p;
}

static __attribute__((noipa)) void tick(void) {
	__asm__ volatile("");
}

static __attribute__((noipa)) char read_kept(void) {
	return kept[5]; // BUG KeptRead
}

static __attribute__((noipa)) void write_kept(void) {
	kept[5] = 'x'; // BUG KeptWrite
}

static __attribute__((noipa)) void write_own(char *p) {
	volatile char *own = p;
	own[5] = 'x';
}

static pthread_t thread;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static __attribute__((noipa)) void *complete(void *p) {
	pthread_mutex_lock(&gate);
	((volatile char *)p)[5] = 'x'; // BUG AsyncWrite
	pthread_mutex_unlock(&gate);
	return NULL;
}

// start_read begins what ends in wait_read: a thread writes into buf in between.
static void start_read(char *buf) {
	pthread_mutex_lock(&gate);
	if (pthread_create(&thread, NULL, complete, buf) != 0) {
		abort();
	}
}

static void wait_read(void) {
	pthread_mutex_unlock(&gate);
	pthread_join(thread, NULL);
}
*/
import "C"

import (
	"runtime"
	"unsafe"
)

const size = 64

func pass(f func(*C.char)) {
	b := make([]byte, size)
	f((*C.char)(unsafe.Pointer(&b[0])))
}

// KeptRead reads from a slice that Go no longer has.
func KeptRead() {
	pass(func(p *C.char) { C.keep(p) })
	C.tick()
	C.read_kept()
}

// KeptWrite writes to it.
func KeptWrite() {
	pass(func(p *C.char) { C.keep(p) })
	C.tick()
	C.write_kept()
}

// KeptAlive is the twin: Go holds the slice, pinned, as long as C does.
func KeptAlive() {
	b := make([]byte, size)
	var pinner runtime.Pinner
	pinner.Pin(&b[0])
	defer pinner.Unpin()
	C.keep((*C.char)(unsafe.Pointer(&b[0])))
	C.tick()
	C.read_kept()
	C.write_kept()
	C.write_own((*C.char)(unsafe.Pointer(&b[0])))
}

// AsyncWrite has a C thread write into a buffer that Go no longer has.
func AsyncWrite() {
	pass(func(p *C.char) { C.start_read(p) })
	C.tick()
	C.wait_read()
}

// AsyncAlive is the twin.
func AsyncAlive() {
	b := make([]byte, size)
	var pinner runtime.Pinner
	pinner.Pin(&b[0])
	defer pinner.Unpin()
	C.start_read((*C.char)(unsafe.Pointer(&b[0])))
	C.tick()
	C.wait_read()
}
