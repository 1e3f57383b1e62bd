// Package dep stands for a wrapper of a C library that other modules use.
package dep

/*
#include <stdlib.h>
#include <string.h>

// All memory of the library comes from here, as in many of them.
static void *mem_malloc(size_t n) { return malloc(n); }

typedef struct { char *text; } statement;

static statement *prepare(const char *sql) {
	statement *s = mem_malloc(sizeof *s);
	s->text = mem_malloc(strlen(sql) + 1);
	strcpy(s->text, sql);
	return s;
}

static char *expanded(statement *s) {
	char *t = mem_malloc(strlen(s->text) + 2);
	strcpy(t, s->text);
	return strcat(t, ";");
}

static void finalize(statement *s) { free(s->text); free(s); }
static int length(const char *name) { return strlen(name); }
*/
import "C"
import "unsafe"

// Statement is a prepared statement, to be closed.
type Statement struct{ s *C.statement }

// Prepare makes a statement.
func Prepare(sql string) *Statement {
	c := C.CString(sql)
	defer C.free(unsafe.Pointer(c))
	return &Statement{C.prepare(c)}
}

// Expanded loses what the library made for it.
func (s *Statement) Expanded() string {
	return C.GoString(C.expanded(s.s))
}

// Close frees the statement.
func (s *Statement) Close() { C.finalize(s.s) }

// Length loses the copy that it makes in the argument of a call.
func Length(name string) int {
	return int(C.length(C.CString(name)))
}
