// Package unmapped holds the use of memory that was given back to the system: the process goes down with it.
package unmapped

/*
#include <stdlib.h>
#include <sys/mman.h>

static __attribute__((noipa)) char unmapped(void) {
	volatile char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) {
		abort();
	}
	munmap((void *)p, 4096);
	return p[5]; // BUG Unmapped
}

static __attribute__((noipa)) char mapped(void) {
	volatile char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) {
		abort();
	}
	char c = p[5];
	munmap((void *)p, 4096);
	return c;
}
*/
import "C"

func Unmapped() { C.unmapped() }
func Mapped()   { C.mapped() }
