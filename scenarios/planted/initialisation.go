package planted

/*
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "planted.h"

// get_setting stores the value of a setting in *value and returns 0, or returns -1 and leaves *value alone.
LIBRARY int get_setting(const char *name, int *value) {
	if (strcmp(name, "width") != 0) {
		return -1;
	}
	*value = 80;
	return 0;
}

// setting is the wrapper's own helper.
static int setting(const char *name) {
	int value;
	get_setting(name, &value);
	return value;
}

struct entry {
	char kind; // 7 bytes of padding follow
	long size;
};

LIBRARY struct entry *entry_new(char kind, long size) {
	struct entry *e = malloc(sizeof *e);
	e->kind = kind;
	e->size = size;
	return e;
}

LIBRARY struct entry *entry_new_cleared(char kind, long size) {
	struct entry *e = calloc(1, sizeof *e);
	e->kind = kind;
	e->size = size;
	return e;
}

LIBRARY ssize_t save(int fd, const struct entry *e) {
	return write(fd, e, sizeof *e); // BUG PaddingWritten
}

struct job {
	int workers;
	int verbose;
	int level;
};

LIBRARY int start(const struct job *j) {
	return j->verbose ? -1 : j->workers; // BUG FieldUnset
}

static const int weights[4] = {1, 10, 100, 1000};

LIBRARY int weight(const struct job *j) {
	return weights[j->level & 3]; // BUG IndexUnset
}
*/
import "C"

import (
	"os"
	"unsafe"
)

// OutputUnset does not look at what the call returned, and decides by what it did not store.
func OutputUnset(name string) string {
	n := C.CString(name)
	defer C.free(unsafe.Pointer(n))
	if C.setting(n) > 40 { // BUG OutputUnset
		return "wide"
	}
	return "narrow"
}

// OutputChecked is the twin: no value where there was an error.
func OutputChecked(name string) string {
	n := C.CString(name)
	defer C.free(unsafe.Pointer(n))
	var value C.int
	if C.get_setting(n, &value) != 0 {
		return "unknown"
	}
	if value > 40 {
		return "wide"
	}
	return "narrow"
}

// PaddingWritten writes a struct to a file as it is in memory, with bytes between its fields that nobody has set.
func PaddingWritten(f *os.File, kind byte, size int) int {
	e := C.entry_new(C.char(kind), C.long(size))
	defer C.free(unsafe.Pointer(e))
	return int(C.save(C.int(f.Fd()), e))
}

// PaddingCleared is the twin: the whole of the struct is cleared first.
func PaddingCleared(f *os.File, kind byte, size int) int {
	e := C.entry_new_cleared(C.char(kind), C.long(size))
	defer C.free(unsafe.Pointer(e))
	return int(C.save(C.int(f.Fd()), e))
}

// ReadInPart looks for the end of a line in all of a buffer, of which read has filled a part.
func ReadInPart(f *os.File) int {
	const size = 8
	buf := C.malloc(size)
	defer C.free(buf)
	C.read(C.int(f.Fd()), buf, size)
	for i, c := range unsafe.Slice((*byte)(buf), size) {
		if c == '\n' { // BUG ReadInPart
			return i
		}
	}
	return -1
}

// ReadChecked is the twin: it looks at what was read.
func ReadChecked(f *os.File) int {
	const size = 8
	buf := C.malloc(size)
	defer C.free(buf)
	n := C.read(C.int(f.Fd()), buf, size)
	if n < 0 {
		return -1
	}
	for i, c := range unsafe.Slice((*byte)(buf), int(n)) {
		if c == '\n' {
			return i
		}
	}
	return -1
}

// FieldUnset fills in a struct that malloc made, and knows nothing of the field verbose.
func FieldUnset(workers int) {
	j := (*C.struct_job)(C.malloc(C.sizeof_struct_job))
	defer C.free(unsafe.Pointer(j))
	j.workers = C.int(workers)
	C.start(j)
}

// FieldsCleared is the twin: a Go variable begins as zero, and so does what calloc makes.
func FieldsCleared(workers int) int {
	var j C.struct_job
	j.workers = C.int(workers)
	return int(C.start(&j))
}

// IndexUnset has C look up a weight by a level that nobody set.
func IndexUnset() {
	j := (*C.struct_job)(C.malloc(C.sizeof_struct_job))
	defer C.free(unsafe.Pointer(j))
	C.weight(j)
}

// IndexSet is the twin.
func IndexSet(level int) int {
	j := (*C.struct_job)(C.calloc(1, C.sizeof_struct_job))
	defer C.free(unsafe.Pointer(j))
	j.level = C.int(level)
	return int(C.weight(j))
}

// CountersUnset takes malloc's memory for zeros, as a Go programmer may.
func CountersUnset(text string) string {
	counts := (*[256]C.int)(C.malloc(256 * C.sizeof_int))
	defer C.free(unsafe.Pointer(counts))
	for i := range len(text) {
		counts[text[i]]++
	}
	if counts['a'] > 1 { // BUG CountersUnset
		return "many"
	}
	return "few"
}

// CountersCleared is the twin: calloc clears what it returns.
func CountersCleared(text string) string {
	counts := (*[256]C.int)(C.calloc(256, C.sizeof_int))
	defer C.free(unsafe.Pointer(counts))
	for i := range len(text) {
		counts[text[i]]++
	}
	if counts['a'] > 1 {
		return "many"
	}
	return "few"
}
