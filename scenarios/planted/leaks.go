package planted

/*
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "planted.h"

// length is what a library might do with a text.
LIBRARY size_t length(const char *text) {
	return strlen(text);
}

// subscribe keeps data until unsubscribe, and hands it to a callback of which there is nothing here.
static void *subscribed;

LIBRARY void subscribe(void *data) {
	subscribed = data;
}

LIBRARY void unsubscribe(void) {
	subscribed = NULL;
}
*/
import "C"

import (
	"runtime/cgo"
	"unsafe"
)

// StringNotFreed makes a C string in passing, and nobody has its pointer.
func StringNotFreed(text string) int {
	return int(C.length(C.CString(text))) // BUG StringNotFreed
}

// StringFreedLater is the twin: free is on the line after CString.
func StringFreedLater(text string) int {
	t := C.CString(text)
	defer C.free(unsafe.Pointer(t))
	return int(C.length(t))
}

// BytesNotFreed copies bytes into C memory, for one call.
func BytesNotFreed(b []byte) int {
	p := C.CBytes(b) // BUG BytesNotFreed
	return int(C.length((*C.char)(p)))
}

// BytesFreedLater is the twin.
func BytesFreedLater(b []byte) int {
	p := C.CBytes(b)
	defer C.free(p)
	return int(C.length((*C.char)(p)))
}

// NotFreedOnError frees its string when all goes well.
func NotFreedOnError(path string) error {
	p := C.CString(path) // BUG NotFreedOnError
	if _, err := C.access(p, C.R_OK); err != nil {
		return err
	}
	C.free(unsafe.Pointer(p))
	return nil
}

// FreedOnError is the twin: deferred, it is freed on every path.
func FreedOnError(path string) error {
	p := C.CString(path)
	defer C.free(unsafe.Pointer(p))
	if _, err := C.access(p, C.R_OK); err != nil {
		return err
	}
	return nil
}

// DeferredTooEarly defers freeing a line before there is one: defer evaluates its arguments at once, and so frees nil.
func DeferredTooEarly(f *C.FILE) string {
	var line *C.char
	var size C.size_t
	defer C.free(unsafe.Pointer(line))
	C.getline(&line, &size, f) // BUG DeferredTooEarly
	return C.GoString(line)
}

// DeferredClosure is the twin: the function that is deferred looks at the variable when it runs.
func DeferredClosure(f *C.FILE) string {
	var line *C.char
	var size C.size_t
	defer func() { C.free(unsafe.Pointer(line)) }()
	C.getline(&line, &size, f)
	return C.GoString(line)
}

// FirstLine opens a file for one of the two and returns what that does.
func FirstLine(path string, read func(*C.FILE) string) string {
	p, mode := C.CString(path), C.CString("r")
	defer C.free(unsafe.Pointer(p))
	defer C.free(unsafe.Pointer(mode))
	f := C.fopen(p, mode)
	if f == nil {
		return ""
	}
	defer C.fclose(f)
	return read(f)
}

// RegistrationDropped ends a subscription and forgets the memory that holds the data of its callback.
func RegistrationDropped(v any) {
	box := C.malloc(C.size_t(unsafe.Sizeof(cgo.Handle(0)))) // BUG RegistrationDropped
	h := cgo.NewHandle(v)
	defer h.Delete()
	*(*cgo.Handle)(box) = h
	C.subscribe(box)
	C.unsubscribe()
}

// RegistrationFreed is the twin: the data goes with the subscription.
func RegistrationFreed(v any) {
	box := C.malloc(C.size_t(unsafe.Sizeof(cgo.Handle(0))))
	defer C.free(box)
	h := cgo.NewHandle(v)
	defer h.Delete()
	*(*cgo.Handle)(box) = h
	C.subscribe(box)
	C.unsubscribe()
}

// HandleNotClosed opens a folder and looks whether there is something in it.
func HandleNotClosed(path string) bool {
	p := C.CString(path)
	defer C.free(unsafe.Pointer(p))
	dir := C.opendir(p) // BUG HandleNotClosed
	return dir != nil && C.readdir(dir) != nil
}

// HandleClosed is the twin.
func HandleClosed(path string) bool {
	p := C.CString(path)
	defer C.free(unsafe.Pointer(p))
	dir := C.opendir(p)
	if dir == nil {
		return false
	}
	defer C.closedir(dir)
	return C.readdir(dir) != nil
}

// Options hold a name in C memory.
type Options struct{ name *C.char }

// SetName forgets the former name.
func (o *Options) SetName(name string) {
	o.name = C.CString(name) // BUG SecondSetLeaks
}

// Close frees the name.
func (o *Options) Close() {
	C.free(unsafe.Pointer(o.name))
	o.name = nil
}

// SecondSetLeaks sets a name twice.
func SecondSetLeaks(first, second string) {
	var o Options
	defer o.Close()
	o.SetName(first)
	o.SetName(second)
}

// SafeOptions hold a name in C memory.
type SafeOptions struct{ name *C.char }

// SetName frees the former name.
func (o *SafeOptions) SetName(name string) {
	o.Close()
	o.name = C.CString(name)
}

// Close frees the name.
func (o *SafeOptions) Close() {
	C.free(unsafe.Pointer(o.name))
	o.name = nil
}

// SecondSetFrees is the twin.
func SecondSetFrees(first, second string) {
	var o SafeOptions
	defer o.Close()
	o.SetName(first)
	o.SetName(second)
}

// ItemsNotFreed makes a list of C strings and frees the list alone.
func ItemsNotFreed(items []string) {
	size := C.size_t(unsafe.Sizeof(uintptr(0)))
	list := C.calloc(C.size_t(len(items)), size)
	for i, item := range items {
		unsafe.Slice((**C.char)(list), len(items))[i] = C.CString(item) // BUG ItemsNotFreed
	}
	C.free(list)
}

// ItemsFreed is the twin: first the items, then the list.
func ItemsFreed(items []string) {
	size := C.size_t(unsafe.Sizeof(uintptr(0)))
	list := C.calloc(C.size_t(len(items)), size)
	defer C.free(list)
	for i, item := range items {
		unsafe.Slice((**C.char)(list), len(items))[i] = C.CString(item)
	}
	for _, item := range unsafe.Slice((**C.char)(list), len(items)) {
		C.free(unsafe.Pointer(item))
	}
}
