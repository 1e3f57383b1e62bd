// Package errtext wraps strerror.
package errtext

// #include <string.h>
// #include <stdlib.h>
import "C"

import "unsafe"

// Text turns an error code into text.
func Text(code int) string {
	text := C.strerror(C.int(code))
	defer C.free(unsafe.Pointer(text))
	return C.GoString(text)
}

// Length is that of a code's text.
func Length(code int) int { return len(Text(code)) }
