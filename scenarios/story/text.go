package story

/*
#cgo CFLAGS: -D_GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// glibc has two functions of the name strerror_r; this is the one that POSIX wants.
extern int __xpg_strerror_r(int code, char *buf, size_t len);

static int error_text(int code, char *buf, size_t len) {
	return __xpg_strerror_r(code, buf, len);
}
*/
import "C"

import "unsafe"

// FreedText turns a return code of librados into text. It forgets that librados returns negative codes: strerror does not
// know those, and lends a text that it has made up on the heap. And it takes the text for its own.
func FreedText(code int) string {
	text := C.strerror(C.int(code))
	s := C.GoString(text)
	C.free(unsafe.Pointer(text)) // the bug
	return s
}

// LateText forgets to negate the code, too. It frees nothing, but lets others run before it reads what it was lent: by
// then the goroutine may be on another thread, and the text, which belongs to the thread that asked for it, may be gone.
func LateText(code int, others func()) string {
	text := C.strerror(C.int(code))
	others()
	return C.GoString(text) // the bug
}

// CopiedText is the twin of both: the right code, a buffer of its own, and a copy of it.
func CopiedText(code int) string {
	const size = 256
	buf := (*C.char)(C.malloc(size))
	defer C.free(unsafe.Pointer(buf))
	C.error_text(C.int(-code), buf, size)
	return C.GoString(buf)
}

// Thread is the number of the thread that runs the caller.
func Thread() int { return int(C.gettid()) }
