// Package names keeps names in C memory.
package names

/*
#include <stdlib.h>
#include <string.h>

typedef struct { char *name; } entry;

static entry *entry_new(const char *name) {
	entry *e = malloc(sizeof *e);
	e->name = strdup(name);
	return e;
}

static void entry_free(entry *e) {
	free(e);
}

static int entry_first(entry *e) { return e->name[0]; }

static int decide(int *where) { return *where > 3 ? 1 : 2; }
*/
import "C"

import "unsafe"

// Entry is a name.
type Entry struct{ e *C.entry }

// New makes an entry.
func New(name string) *Entry {
	c := C.CString(name)
	return &Entry{C.entry_new(c)}
}

// First is the first character.
func (e *Entry) First() byte { return byte(C.entry_first(e.e)) }

// Close frees it.
func (e *Entry) Close() { C.entry_free(e.e) }

// Decide looks at memory that nobody wrote.
func Decide() int {
	p := (*C.int)(C.malloc(4))
	defer C.free(unsafe.Pointer(p))
	return int(C.decide(p))
}
