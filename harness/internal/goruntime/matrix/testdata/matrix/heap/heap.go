// Package heap holds bugs in the use of C memory.
package heap

/*
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static __attribute__((noipa)) char read_after_free(void) {
	volatile char *p = malloc(16);
	p[3] = 'x';
	free((void *)p);
	return p[3]; // BUG ReadAfterFree
}

static __attribute__((noipa)) char read_before_free(void) {
	volatile char *p = malloc(16);
	p[3] = 'x';
	char c = p[3];
	free((void *)p);
	return c;
}

static __attribute__((noipa)) void write_after_free(void) {
	volatile char *p = malloc(16);
	free((void *)p);
	p[3] = 'x'; // BUG WriteAfterFree
}

static __attribute__((noipa)) void write_before_free(void) {
	volatile char *p = malloc(16);
	p[3] = 'x';
	free((void *)p);
}

static __attribute__((noipa)) void double_free(void) {
	void *volatile p = malloc(16);
	free(p);
	free(p); // BUG DoubleFreeInC
}

static __attribute__((noipa)) void single_free(void) {
	void *volatile p = malloc(16);
	free(p);
}

static __attribute__((noipa)) void free_stack(void) {
	char local[64];
	void *volatile p = local;
	free(p); // BUG FreeStack
}

static char data[64];

static __attribute__((noipa)) void free_static(void) {
	void *volatile p = data;
	free(p); // BUG FreeStatic
}

static __attribute__((noipa)) void free_middle(void) {
	char *volatile p = malloc(64);
	char *volatile middle = p + 16;
	free(middle); // BUG FreeMiddle
	free(p);
}

static __attribute__((noipa)) void free_nothing(void) {
	void *volatile p = NULL;
	free(p);
}

static __attribute__((noipa)) void overlap(void) {
	char buf[64];
	volatile size_t n = 32;
	memset(buf, 'x', sizeof buf);
	char *volatile from = buf;
	char *volatile to = buf + 8;
	memcpy(to, from, n); // BUG Overlap
	__asm__ volatile("" : : "r"(buf) : "memory"); // or gcc leaves the copy out
}

static __attribute__((noipa)) void no_overlap(void) {
	char buf[64];
	volatile size_t n = 32;
	memset(buf, 'x', sizeof buf);
	char *volatile from = buf;
	char *volatile to = buf + 8;
	memmove(to, from, n);
	__asm__ volatile("" : : "r"(buf) : "memory"); // or gcc leaves the copy out
}

// deep reads freed memory at the end of a chain of calls, longer than what memcheck compares of two stacks.
static __attribute__((noipa)) char deep(volatile char *p, int n) {
	char c;
	if (n == 0) {
		c = p[3]; // BUG Deep
	} else {
		c = deep(p, n - 1);
	}
	__asm__ volatile("" ::: "memory"); // no tail call
	return c;
}

static __attribute__((noipa)) void deep_after_free(void) {
	volatile char *p = calloc(16, 1);
	free((void *)p);
	deep(p, 8);
}

static __attribute__((noipa)) void deep_before_free(void) {
	volatile char *p = calloc(16, 1);
	deep(p, 8);
	free((void *)p);
}

static __attribute__((noipa)) void write_uninitialised(int fd) {
	void *volatile p = malloc(16);
	if (write(fd, p, 16) < 0) { // BUG WriteUninitialised
		abort();
	}
	free(p);
}

static __attribute__((noipa)) void write_initialised(int fd) {
	void *volatile p = calloc(16, 1);
	if (write(fd, p, 16) < 0) {
		abort();
	}
	free(p);
}

void mismatched_new_free(void);
void mismatched_malloc_delete(void);
void mismatched_array_delete(void);
void matched(void);
void call_back_dangling(void);
void call_back_valid(void);
void call_back_on_thread(int dangling);
*/
import "C"

import (
	"os"
	"unsafe"
)

func ReadAfterFree()   { C.read_after_free() }
func ReadBeforeFree()  { C.read_before_free() }
func WriteAfterFree()  { C.write_after_free() }
func WriteBeforeFree() { C.write_before_free() }

// GoReadAfterFree is Go code that reads C memory which was freed.
func GoReadAfterFree() byte {
	p := (*byte)(C.calloc(16, 1))
	C.free(unsafe.Pointer(p))
	return *p // BUG GoReadAfterFree
}

func GoReadBeforeFree() byte {
	p := (*byte)(C.calloc(16, 1))
	defer C.free(unsafe.Pointer(p))
	return *p
}

// DoubleFree frees memory twice from Go.
func DoubleFree() {
	p := C.malloc(16)
	C.free(p)
	C.free(p) // BUG DoubleFree
}

func SingleFree() {
	C.free(C.malloc(16))
	C.single_free()
}

func DoubleFreeInC() { C.double_free() }

func FreeStack()   { C.free_stack() }
func FreeStatic()  { C.free_static() }
func FreeMiddle()  { C.free_middle() }
func FreeNothing() { C.free_nothing() }

func Overlap()   { C.overlap() }
func NoOverlap() { C.no_overlap() }

func Deep()      { C.deep_after_free() }
func DeepClean() { C.deep_before_free() }

func MismatchedNewFree()      { C.mismatched_new_free() }
func MismatchedMallocDelete() { C.mismatched_malloc_delete() }
func MismatchedArrayDelete()  { C.mismatched_array_delete() }
func Matched()                { C.matched() }

// Uninitialised branches in Go on what nobody wrote in C.
func Uninitialised() string {
	p := (*C.int)(C.malloc(C.sizeof_int))
	defer C.free(unsafe.Pointer(p))
	if *p == 42 { // BUG Uninitialised
		return "42"
	}
	return "not 42"
}

func Initialised() string {
	p := (*C.int)(C.calloc(1, C.sizeof_int))
	defer C.free(unsafe.Pointer(p))
	if *p == 42 {
		return "42"
	}
	return "not 42"
}

func openNull() *os.File {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		panic(err)
	}
	return null
}

func WriteUninitialised() {
	null := openNull()
	defer null.Close()
	C.write_uninitialised(C.int(null.Fd()))
}

func WriteInitialised() {
	null := openNull()
	defer null.Close()
	C.write_initialised(C.int(null.Fd()))
}

// GoWriteUninitialised is Go code that writes out what nobody wrote in C.
func GoWriteUninitialised() {
	null := openNull()
	defer null.Close()
	p := C.malloc(16)
	defer C.free(p)
	null.Write(unsafe.Slice((*byte)(p), 16)) // BUG GoWriteUninitialised
}

func GoWriteInitialised() {
	null := openNull()
	defer null.Close()
	p := C.calloc(16, 1)
	defer C.free(p)
	null.Write(unsafe.Slice((*byte)(p), 16))
}

//export calledBack
func calledBack(p *C.char) C.char {
	return *p // BUG Callback
}

//export calledBackOnThread
func calledBackOnThread(p *C.char) C.char {
	return *p // BUG ThreadCallback
}

// Callback has C call Go with a pointer to memory that is gone.
func Callback()      { C.call_back_dangling() }
func CallbackClean() { C.call_back_valid() }

// ThreadCallback is the same on a thread that C made.
func ThreadCallback()      { C.call_back_on_thread(1) }
func ThreadCallbackClean() { C.call_back_on_thread(0) }
