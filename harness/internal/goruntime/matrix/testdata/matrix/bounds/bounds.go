// Package bounds holds C code that leaves the Go slice or string it was given by one byte.
package bounds

/*
#include <stddef.h>
#include <valgrind/valgrind.h>

static __attribute__((noipa)) char over_read(volatile char *p, size_t n) {
	return p[n]; // BUG OverRead
}

static __attribute__((noipa)) void over_write(volatile char *p, size_t n) {
	p[n] = 'x'; // BUG OverWrite
}

static __attribute__((noipa)) char over_string(volatile const char *p) {
	char c;
	do {
		c = *p++; // BUG OverString
	} while (c);
	return c;
}

static __attribute__((noipa)) char under_read(volatile char *p) {
	return p[-1]; // BUG UnderRead
}

static __attribute__((noipa)) int within(volatile char *p, size_t n) {
	int sum = 0;
	for (size_t i = 0; i < n; i++) {
		sum += p[i];
		p[i] = i;
	}
	return sum;
}

// errors is how many errors memcheck has counted.
static unsigned errors(void) {
	return VALGRIND_COUNT_ERRORS;
}
*/
import "C"

import "unsafe"

// Sizes are those of the slices: each small one, and some that are objects of their own.
func Sizes() []int {
	sizes := []int{65536, 1 << 20, 3<<20 + 1}
	for n := 4096; n > 0; n-- {
		sizes = append(sizes, n)
	}
	return sizes
}

// Errors is how many errors memcheck has counted: it reports an error of the same stack only once.
func Errors() int { return int(C.errors()) }

// OverRead reads the byte behind a slice.
func OverRead(n int) {
	b := make([]byte, n)
	C.over_read((*C.char)(unsafe.Pointer(&b[0])), C.size_t(n))
}

// OverWrite writes it.
func OverWrite(n int) {
	b := make([]byte, n)
	C.over_write((*C.char)(unsafe.Pointer(&b[0])), C.size_t(n))
}

// OverString takes a Go string for a C string, which ends with a zero byte.
func OverString(s string) {
	C.over_string((*C.char)(unsafe.Pointer(unsafe.StringData(s))))
}

// UnderRead reads the byte before a slice.
func UnderRead(n int) {
	const arena = 64 << 20 // bytes by which the Go heap grows: before the first of them may be nothing, which is fatal
	b := make([]byte, n)
	for uintptr(unsafe.Pointer(&b[0]))%arena == 0 {
		b = append(make([]byte, 0, n), b...)
	}
	C.under_read((*C.char)(unsafe.Pointer(&b[0])))
}

// Within reads and writes a slice from its first byte to its last.
func Within(n int) {
	b := make([]byte, n)
	C.within((*C.char)(unsafe.Pointer(&b[0])), C.size_t(n))
}
