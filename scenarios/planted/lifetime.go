package planted

/*
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "planted.h"

extern void progressed(void *data, int percent);

static const char *watched;

// watch keeps buf until the next call.
LIBRARY void watch(const char *buf) {
	watched = buf;
}

LIBRARY char look(void) {
	return watched[5]; // BUG PointerKept
}

// A read that is under way: a thread writes to buf some time between start_read and the end of finish_read.
static pthread_t reader;
static pthread_mutex_t not_yet = PTHREAD_MUTEX_INITIALIZER;

LIBRARY void *complete(void *buf) {
	pthread_mutex_lock(&not_yet);
	*(char *)buf = 'x'; // BUG BufferCollected
	pthread_mutex_unlock(&not_yet);
	return NULL;
}

LIBRARY void start_read(char *buf) {
	pthread_mutex_lock(&not_yet);
	if (pthread_create(&reader, NULL, complete, buf) != 0) {
		abort();
	}
}

LIBRARY void finish_read(void) {
	pthread_mutex_unlock(&not_yet);
	pthread_join(reader, NULL);
}

// A job calls back with the data that it was started with: at the beginning and at its end.
static void *job_data;

LIBRARY void job_start(void *data) {
	job_data = data;
	progressed(data, 0);
}

LIBRARY void job_wait(void) {
	progressed(job_data, 100);
}

struct context {
	int value;
};

LIBRARY struct context *context_new(int value) {
	struct context *c = malloc(sizeof *c);
	c->value = value;
	return c;
}

LIBRARY int context_read(struct context *c) {
	return c->value; // BUG UsedAfterDestroy
}

LIBRARY void context_destroy(struct context *c) {
	free(c);
}

// An iterator over the words of a text. What iterator_next returns is valid until the next call or the end.
struct iterator {
	char *rest;
	char word[32];
};

LIBRARY struct iterator *iterator_open(const char *text) {
	struct iterator *it = calloc(1, sizeof *it);
	it->rest = strdup(text);
	return it;
}

LIBRARY const char *iterator_next(struct iterator *it) {
	size_t n = strcspn(it->rest, " ");
	if (n >= sizeof it->word) {
		n = sizeof it->word - 1;
	}
	memcpy(it->word, it->rest, n);
	it->word[n] = 0;
	return it->word;
}

LIBRARY void iterator_close(struct iterator *it) {
	free(it->rest);
	free(it);
}

LIBRARY int checksum(const unsigned char *p) {
	return p[0]; // BUG FinalizedInUse
}

// A vector of bytes. vector_push may move them.
struct vector {
	unsigned char *data;
	size_t len;
};

LIBRARY struct vector *vector_new(void) {
	return calloc(1, sizeof(struct vector));
}

LIBRARY void vector_push(struct vector *v, unsigned char c) {
	v->data = realloc(v->data, v->len + 1);
	v->data[v->len++] = c;
}

LIBRARY unsigned char *vector_data(struct vector *v) {
	return v->data;
}

LIBRARY void vector_free(struct vector *v) {
	free(v->data);
	free(v);
}
*/
import "C"

import (
	"runtime"
	"runtime/cgo"
	"unsafe"
)

// PointerKept lets C keep a pointer to a slice that nothing in Go holds any more. runtime.GC stands for the collection
// that comes sooner or later.
func PointerKept(b byte) byte {
	watchNew(b)
	runtime.GC()
	return byte(C.look())
}

//go:noinline
func watchNew(b byte) {
	buf := newPage(b)
	C.watch((*C.char)(unsafe.Pointer(&buf[0])))
}

// newPage makes a slice of an unusual size, whose place on the heap will not be used again soon.
func newPage(b byte) []byte {
	buf := make([]byte, 2500)
	buf[5] = b
	return buf
}

// PointerPinned is the twin: the slice is pinned as long as C has the pointer.
func PointerPinned(b byte) byte {
	var pinner runtime.Pinner
	defer pinner.Unpin()
	watchPinned(b, &pinner)
	runtime.GC()
	return byte(C.look())
}

//go:noinline
func watchPinned(b byte, pinner *runtime.Pinner) {
	buf := newPage(b)
	pinner.Pin(&buf[0])
	C.watch((*C.char)(unsafe.Pointer(&buf[0])))
}

// BufferCollected starts a read into a slice and keeps nothing but the hope that it ends well.
func BufferCollected(b byte) {
	startRead(b)
	runtime.GC()
	C.finish_read()
}

//go:noinline
func startRead(b byte) {
	buf := newPage(b)
	C.start_read((*C.char)(unsafe.Pointer(&buf[0])))
}

// BufferPinned is the twin: the slice is pinned until the read has ended.
func BufferPinned(b byte) byte {
	buf := newPage(b)
	var pinner runtime.Pinner
	pinner.Pin(&buf[0])
	defer pinner.Unpin()
	C.start_read((*C.char)(unsafe.Pointer(&buf[0])))
	runtime.GC()
	C.finish_read()
	return buf[0]
}

//export progressed
func progressed(data unsafe.Pointer, percent C.int) {
	limit := (*C.int)(data)
	if percent > *limit { // BUG CallbackDataFreed
		lastProgress = int(percent)
	}
}

var lastProgress int

// CallbackDataFreed frees the data of a callback while the job that calls it is under way.
func CallbackDataFreed(limit int) {
	data := (*C.int)(C.malloc(C.sizeof_int))
	*data = C.int(limit)
	C.job_start(unsafe.Pointer(data))
	C.free(unsafe.Pointer(data))
	C.job_wait()
}

// CallbackDataKept is the twin: the data goes when nobody calls back any more.
func CallbackDataKept(limit int) int {
	data := (*C.int)(C.malloc(C.sizeof_int))
	defer C.free(unsafe.Pointer(data))
	*data = C.int(limit)
	C.job_start(unsafe.Pointer(data))
	C.job_wait()
	return lastProgress
}

// newHandle makes C memory for a handle: what a C library gets as user data.
func newHandle(v any) unsafe.Pointer {
	box := C.malloc(C.size_t(unsafe.Sizeof(cgo.Handle(0))))
	*(*cgo.Handle)(box) = cgo.NewHandle(v)
	return box
}

func deleteHandle(box unsafe.Pointer) {
	h := *(*cgo.Handle)(box) // BUG HandleDeletedTwice
	h.Delete()
	C.free(box)
}

// HandleDeletedTwice gives a handle and its memory back twice. Go panics at the second Delete of a handle, unless that
// was given out again meanwhile: then it deletes somebody else's.
func HandleDeletedTwice(v any) (panicked any) {
	defer func() { panicked = recover() }()
	box := newHandle(v)
	deleteHandle(box)
	deleteHandle(box)
	return nil
}

// HandleDeletedOnce is the twin: one place deletes, and once.
func HandleDeletedOnce(v any) any {
	box := newHandle(v)
	defer deleteHandle(box)
	return (*(*cgo.Handle)(box)).Value()
}

// UsedAfterDestroy reads from a context that was destroyed.
func UsedAfterDestroy(value int) int {
	c := C.context_new(C.int(value))
	C.context_destroy(c)
	return int(C.context_read(c))
}

// UsedBeforeDestroy is the twin.
func UsedBeforeDestroy(value int) int {
	c := C.context_new(C.int(value))
	defer C.context_destroy(c)
	return int(C.context_read(c))
}

// EntryAfterClose keeps what an iterator returned and closes the iterator.
func EntryAfterClose(text string) byte {
	t := C.CString(text)
	defer C.free(unsafe.Pointer(t))
	it := C.iterator_open(t)
	word := C.iterator_next(it)
	C.iterator_close(it)
	return byte(*word) // BUG EntryAfterClose
}

// EntryBeforeClose is the twin: it copies what it wants to keep.
func EntryBeforeClose(text string) string {
	t := C.CString(text)
	defer C.free(unsafe.Pointer(t))
	it := C.iterator_open(t)
	defer C.iterator_close(it)
	return C.GoString(C.iterator_next(it))
}

// Block is a Go object that owns C memory. Its finalizer frees that.
type Block struct {
	mem  *C.uchar
	gone chan struct{}
}

func newBlock(first byte) *Block {
	b := &Block{mem: (*C.uchar)(C.malloc(16)), gone: make(chan struct{})}
	*b.mem = C.uchar(first)
	runtime.SetFinalizer(b, func(b *Block) {
		C.free(unsafe.Pointer(b.mem))
		close(b.gone)
	})
	return b
}

// FinalizedInUse takes the memory out of a block and does not need the block any more. The collection and the finalizer
// come at the worst time.
func FinalizedInUse(first byte) int {
	b := newBlock(first)
	mem, gone := b.mem, b.gone
	for collected := false; !collected; {
		runtime.GC()
		select {
		case <-gone:
			collected = true
		default:
			runtime.Gosched()
		}
	}
	return int(C.checksum(mem))
}

// KeptAliveInUse is the twin: the block is held until C has ended.
func KeptAliveInUse(first byte) int {
	b := newBlock(first)
	mem := b.mem
	runtime.GC()
	sum := int(C.checksum(mem))
	runtime.KeepAlive(b)
	return sum
}

// ViewOfGrown keeps a slice of a vector's memory, and the vector grows.
func ViewOfGrown(first, second byte) byte {
	v := C.vector_new()
	defer C.vector_free(v)
	C.vector_push(v, C.uchar(first))
	view := unsafe.Slice((*byte)(C.vector_data(v)), 1)
	C.vector_push(v, C.uchar(second))
	return view[0] // BUG ViewOfGrown
}

// ViewAfterGrowing is the twin: it asks for the memory again.
func ViewAfterGrowing(first, second byte) byte {
	v := C.vector_new()
	defer C.vector_free(v)
	C.vector_push(v, C.uchar(first))
	C.vector_push(v, C.uchar(second))
	view := unsafe.Slice((*byte)(C.vector_data(v)), 2)
	return view[0]
}

// ResultOverwritten asks for two times and looks at the first one: localtime has one struct for all its results.
func ResultOverwritten(from, to int64) int {
	first, second := C.time_t(from), C.time_t(to)
	begin := C.localtime(&first)
	C.localtime(&second)
	return int(begin.tm_year) // BUG ResultOverwritten
}

// ResultsApart is the twin: localtime_r writes to a struct of the caller's.
func ResultsApart(from, to int64) (years [2]int) {
	for i, t := range []C.time_t{C.time_t(from), C.time_t(to)} {
		var tm C.struct_tm
		C.localtime_r(&t, &tm)
		years[i] = int(tm.tm_year)
	}
	return years
}
