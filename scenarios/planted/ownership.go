// Package planted holds the bugs that cgogrind must find: each is a few lines of cgo as they are really written, beside
// its clean twin that does the same job right. The suite declares with expect.Finding what memcheck has to say to each;
// a bug that stays silent fails its spec, and so does a twin that does not.
//
// The bugs do harm: outside memcheck the suite runs the twins only.
package planted

/*
#include <stdlib.h>
#include <string.h>

// glibc has two functions of the name strerror_r; this is the one that POSIX wants.
extern int __xpg_strerror_r(int code, char *buf, size_t len);

static int error_text(int code, char *buf, size_t len) {
	return __xpg_strerror_r(code, buf, len);
}
*/
import "C"

import "unsafe"

// ErrorTextFreed turns an error code into text, and takes strerror's result for its own memory. For a code that libc
// knows it points into libc's read-only data.
func ErrorTextFreed(code int) string {
	text := C.strerror(C.int(code))
	s := C.GoString(text)
	C.free(unsafe.Pointer(text))
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
