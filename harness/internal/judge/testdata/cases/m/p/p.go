// Package p has the patterns of bugs that were reported in public.
package p

/*
#cgo LDFLAGS: -lstdc++ -lpthread
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "p.h"

// cgo calls neither variadic functions nor macros, so that most wrappers have helpers like this one.
static char *describe(int n) {
	char *s = malloc(16);
	strcpy(s, n > 0 ? "many" : "none");
	return s;
}

static int attach(char *name) {
	free(name); // it fails, and has freed the name
	return -1;
}

typedef struct cursor { int at; } cursor;
static cursor *cursor_new(void) { return calloc(1, sizeof(cursor)); }
static void cursor_free(cursor *c) { free(c); }

static const char *version(void) { return "1.0"; }

static int *results(int n) {
	int *r = calloc(n, sizeof *r);
	return r;
}

typedef struct { int open; char buffer[64]; } handle;
static handle *handle_open(void) { return calloc(1, sizeof(handle)); }
static int handle_read(volatile handle *h) { return h->buffer[3]; }

static volatile char *bound;
static void set_bound(char *p) { bound = p; }
static int use_bound(void) { return bound[0]; }

static void *xmalloc(size_t n) { void *p = malloc(n); if (!p) abort(); return p; }
static void *work(void *arg) { char *s = xmalloc(24); s[0] = 1; return NULL; }
static void *rest(void *arg) { char *s = xmalloc(40); s[0] = 2; return NULL; }
static void run(int which) {
	pthread_t t;
	pthread_create(&t, NULL, which ? rest : work, NULL);
	pthread_join(t, NULL);
}
*/
import "C"
import (
	"runtime"
	"unsafe"
)

// Entry loses what describe made.
func Entry(n int) string {
	c := C.describe(C.int(n))
	return C.GoString(c)
}

// Cursor loses it, too.
func Cursor(n int) string {
	c := C.describe(C.int(n + 1))
	return C.GoString(c)
}

// Twice loses it in two lines that read the same.
func Twice(n int) string {
	c := C.describe(C.int(n))
	s := C.GoString(c)
	if n > 0 {
		c := C.describe(C.int(n))
		s += C.GoString(c)
	}
	return s
}

// text makes a C string for others.
func text(s string) *C.char {
	return C.CString(s)
}

// First and Second lose what text made for them.
func First() int  { return int(C.strlen(text("first"))) }
func Second() int { return int(C.strlen(text("second"))) }

// Attach frees what a failed call has freed.
func Attach(name string) bool {
	c := C.CString(name)
	ok := C.attach(c) == 0
	C.free(unsafe.Pointer(c))
	return ok
}

// Iterator drops its new cursor and frees the old one twice.
type Iterator struct{ c *C.cursor }

func NewIterator() *Iterator { return &Iterator{C.cursor_new()} }

func (i *Iterator) Reset() {
	C.cursor_free(i.c)
	c := C.cursor_new()
	_ = c
}

func (i *Iterator) Close() { C.cursor_free(i.c) }

// Version frees a constant.
func Version() string {
	v := C.version()
	defer C.free(unsafe.Pointer(v))
	return C.GoString(v)
}

// Sum reads one result too many.
func Sum(n int) int {
	r := C.results(C.int(n))
	defer C.free(unsafe.Pointer(r))
	sum := 0
	for i := 0; i <= n; i++ {
		sum += int(*(*C.int)(unsafe.Add(unsafe.Pointer(r), 4*i)))
	}
	return sum
}

// Handle is read after it was closed.
type Handle struct{ h *C.handle }

func Open() *Handle { return &Handle{C.handle_open()} }

func (h *Handle) Read() int { return int(C.handle_read(h.h)) }

func (h *Handle) Close() { C.free(unsafe.Pointer(h.h)) }

// Name frees what C++ made.
func Name() byte {
	n := C.make_name()
	first := *(*byte)(unsafe.Pointer(n))
	C.free(unsafe.Pointer(n))
	return first
}

// SetBound lets C keep a slice.
func SetBound(b []byte) { C.set_bound((*C.char)(unsafe.Pointer(&b[0]))) }

// Bound uses it.
func Bound() int { return int(C.use_bound()) }

// Run loses what a thread of C made.
func Run(which int) { C.run(C.int(which)) }

// Data is freed by its finalizer.
type Data struct{ h *C.handle }

func NewData() *Data {
	d := &Data{C.handle_open()}
	runtime.SetFinalizer(d, (*Data).free)
	return d
}

func (d *Data) free() { C.free(unsafe.Pointer(d.h)) }

func (d *Data) pointer() *C.handle { return d.h }

func read(h *C.handle) int { return int(C.handle_read(h)) }
