package planted

/*
#include <stdlib.h>
#include <string.h>
#include "ownership.h"
#include "planted.h"

// glibc has two functions of the name strerror_r; this is the one that POSIX wants.
extern int __xpg_strerror_r(int code, char *buf, size_t len);

static int error_text(int code, char *buf, size_t len) {
	return __xpg_strerror_r(code, buf, len);
}

struct device {
	int id;
	char name[12];
};

LIBRARY struct device *device_open(int id, const char *name) {
	struct device *d = calloc(1, sizeof *d);
	d->id = id;
	strncpy(d->name, name, sizeof d->name - 1);
	return d;
}

// device_name returns a pointer that is valid as long as the device.
LIBRARY char *device_name(struct device *d) {
	return d->name;
}

LIBRARY void device_close(struct device *d) {
	free(d);
}

// consume takes text over and frees it.
LIBRARY size_t consume(char *text) {
	size_t n = strlen(text);
	free(text); // BUG GoMemoryGivenAway
	return n;
}

// A string of the library: what comes before the characters is nobody's business but its own.
struct string {
	struct string *next;
	char chars[];
};

static struct string *strings;

LIBRARY char *string_new(const char *text) {
	struct string *s = malloc(sizeof *s + strlen(text) + 1);
	s->next = strings;
	strings = s;
	return strcpy(s->chars, text);
}

LIBRARY void string_release(char *chars) {
	for (struct string **s = &strings; *s != NULL; s = &(*s)->next) {
		if ((*s)->chars == chars) {
			struct string *gone = *s;
			*s = gone->next;
			free(gone);
			return;
		}
	}
}

// base returns a pointer into path.
LIBRARY char *base(char *path) {
	char *slash = strrchr(path, '/');
	return slash == NULL ? path : slash + 1;
}
*/
import "C"

import "unsafe"

// ErrorTextFreed turns an error code into text, and takes strerror's result for its own memory. For a code that libc
// knows it points into libc's read-only data.
func ErrorTextFreed(code int) string {
	text := C.strerror(C.int(code))
	s := C.GoString(text)
	C.free(unsafe.Pointer(text)) // BUG ErrorTextFreed
	return s
}

// ErrorTextCopied is the twin: the text is written into the caller's own buffer, and copied.
func ErrorTextCopied(code int) string {
	const size = 256
	buf := (*C.char)(C.malloc(size))
	defer C.free(unsafe.Pointer(buf))
	C.error_text(C.int(code), buf, size)
	return C.GoString(buf)
}

// UnknownTextFreed does the same with what librados returns: a negative code, which strerror does not know. Its text is
// a block that libc frees later: natively it goes wrong then, and somewhere else.
func UnknownTextFreed(returned int) string {
	text := C.strerror(C.int(returned))
	s := C.GoString(text)
	C.free(unsafe.Pointer(text)) // BUG UnknownTextFreed
	return s
}

// KnownTextCopied is the twin: the code is negated, and the text is copied.
func KnownTextCopied(returned int) string {
	return C.GoString(C.strerror(C.int(-returned)))
}

// EnvironmentFreed frees a part of the process's environment.
func EnvironmentFreed(name string) string {
	key := C.CString(name)
	defer C.free(unsafe.Pointer(key))
	value := C.getenv(key)
	s := C.GoString(value)
	C.free(unsafe.Pointer(value)) // BUG EnvironmentFreed
	return s
}

// EnvironmentCopied is the twin: it copies, and frees only what it made.
func EnvironmentCopied(name string) string {
	key := C.CString(name)
	defer C.free(unsafe.Pointer(key))
	return C.GoString(C.getenv(key))
}

// NameFreed frees a string that is a part of the struct that owns it.
func NameFreed(id int, name string) string {
	text := C.CString(name)
	defer C.free(unsafe.Pointer(text))
	d := C.device_open(C.int(id), text)
	defer C.device_close(d)
	own := C.device_name(d)
	s := C.GoString(own)
	C.free(unsafe.Pointer(own)) // BUG NameFreed
	return s
}

// NameCopied is the twin: the name goes with its device.
func NameCopied(id int, name string) string {
	text := C.CString(name)
	defer C.free(unsafe.Pointer(text))
	d := C.device_open(C.int(id), text)
	defer C.device_close(d)
	return C.GoString(C.device_name(d))
}

// Buffer owns C memory.
type Buffer struct{ mem unsafe.Pointer }

// Close frees the memory, each time that it is called.
func (b *Buffer) Close() {
	C.free(b.mem) // BUG ClosedTwice
}

// ClosedTwice closes a buffer by hand, and once more with defer.
func ClosedTwice(size int) {
	b := &Buffer{C.malloc(C.size_t(size))}
	defer b.Close()
	b.Close()
}

// SafeBuffer owns C memory.
type SafeBuffer struct{ mem unsafe.Pointer }

// Close frees the memory, once: freeing nil does nothing.
func (b *SafeBuffer) Close() {
	C.free(b.mem)
	b.mem = nil
}

// ClosedOnce is the twin: a second Close has nothing to do.
func ClosedOnce(size int) {
	b := &SafeBuffer{C.malloc(C.size_t(size))}
	defer b.Close()
	b.Close()
}

// sent are messages that may have to be sent again.
var sent [][]byte

// GoMemoryGivenAway hands a slice of Go's to a function that frees what it gets.
func GoMemoryGivenAway(text string) int {
	b := append([]byte(text), 0)
	sent = append(sent, b)
	return int(C.consume((*C.char)(unsafe.Pointer(&b[0]))))
}

// CopyGivenAway is the twin: what C is to own is made by C.
func CopyGivenAway(text string) int {
	return int(C.consume(C.CString(text)))
}

// NewFreed gives an object that C++ made to free.
func NewFreed(x int) int {
	p := C.point_new(C.int(x), 0)
	got := int(C.point_x(p))
	C.free(unsafe.Pointer(p)) // BUG NewFreed
	return got
}

// NewDeleted is the twin: the library frees what the library made.
func NewDeleted(x int) int {
	p := C.point_new(C.int(x), 0)
	defer C.point_delete(p)
	return int(C.point_x(p))
}

// StringFreed gives a string to free that has a header before its characters.
func StringFreed(text string) string {
	t := C.CString(text)
	defer C.free(unsafe.Pointer(t))
	s := C.string_new(t)
	got := C.GoString(s)
	C.free(unsafe.Pointer(s)) // BUG StringFreed
	return got
}

// StringReleased is the twin: the library knows where its block begins.
func StringReleased(text string) string {
	t := C.CString(text)
	defer C.free(unsafe.Pointer(t))
	s := C.string_new(t)
	defer C.string_release(s)
	return C.GoString(s)
}

// PartOutlivesWhole returns the first letter of a file's name, from a path that it has freed.
func PartOutlivesWhole(path string) byte {
	p := C.CString(path)
	name := C.base(p)
	C.free(unsafe.Pointer(p))
	return byte(*name) // BUG PartOutlivesWhole
}

// PartBeforeWhole is the twin: the path is freed when its part is not needed any more.
func PartBeforeWhole(path string) byte {
	p := C.CString(path)
	defer C.free(unsafe.Pointer(p))
	return byte(*C.base(p))
}
