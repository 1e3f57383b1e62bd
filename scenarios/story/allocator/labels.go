// Package allocator shows a bug in memory from an allocator that memcheck cannot see. The library in labels.c lends a
// label that it frees by itself, and the wrapper Freed takes it for its own: the same bug as with strerror.
//
// With the build tag jemalloc the library takes its memory from mallocx of jemalloc, otherwise from malloc.
package allocator

// #include "labels.h"
import "C"

// Freed is the label of a number. It frees what the library has lent.
func Freed(number int) string {
	label := C.label_text(C.int(number))
	s := C.GoString(label)
	C.label_free(label) // the bug
	return s
}

// Copied is the twin: it asks for a copy, and frees that.
func Copied(number int) string {
	label := C.label_copy(C.int(number))
	s := C.GoString(label)
	C.label_free(label)
	return s
}

// Shelf has a name. It has to be closed.
type Shelf struct{ shelf *C.shelf }

// NewShelf makes a shelf.
func NewShelf(number int) Shelf { return Shelf{C.shelf_new(C.int(number))} }

// Name is the name of the shelf.
func (s Shelf) Name() string { return C.GoString(C.shelf_name(s.shelf)) }

// Close frees the shelf.
func (s Shelf) Close() { C.shelf_free(s.shelf) }
