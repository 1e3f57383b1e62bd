package planted

/*
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "planted.h"

LIBRARY int sum(const unsigned char *p, size_t n) {
	int total = 0;
	for (size_t i = 0; i < n; i++) total += p[i]; // BUG OneTooMany
	return total;
}

LIBRARY int ends_with_newline(const char *text) {
	return text[strlen(text) - 1] == '\n'; // BUG BeforeTheFirst
}

LIBRARY int has_newline_at_end(const char *text) {
	size_t n = strlen(text);
	return n > 0 && text[n - 1] == '\n';
}

// copy_text copies n bytes and ends them with a zero byte.
LIBRARY void copy_text(char *to, const char *from, size_t n) {
	memcpy(to, from, n);
	to[n] = 0; // BUG NoRoomForEnd
}

// spaces counts those at the beginning of a text, which ends with a zero byte.
LIBRARY int spaces(const char *text) {
	int n = 0;
	while (text[n] == ' ') n++; // BUG NoEnd
	return n;
}

// newest returns the last of n samples.
LIBRARY int newest(const int *samples, int n) {
	return samples[n - 1]; // BUG LengthInBytes
}

// The library's limits since its version 2. In version 1 there was no field files.
struct limits {
	int memory;
	int threads;
	int files;
};

LIBRARY void get_limits(struct limits *l) {
	l->memory = 512;
	l->threads = 8;
	l->files = 1024; // BUG OlderStruct
}

struct samples {
	int n;
	unsigned char *values;
};

LIBRARY struct samples *samples_new(int n) {
	struct samples *s = malloc(sizeof *s);
	s->n = n;
	s->values = malloc(n);
	memset(s->values, 1, n);
	return s;
}

LIBRARY void samples_free(struct samples *s) {
	free(s->values);
	free(s);
}

// greet writes as much of a greeting as fits, and returns how long the whole of it is.
LIBRARY int greet(char *buf, size_t size, const char *name) {
	return snprintf(buf, size, "good morning, dear %s", name);
}

// payload returns a copy of a message without its header of 8 bytes.
LIBRARY char *payload(const char *message, int n) {
	char *p = malloc(n - 8); // BUG NegativeSize
	if (p != NULL) {
		memcpy(p, message + 8, n - 8);
	}
	return p;
}
*/
import "C"

import (
	"os"
	"slices"
	"unsafe"
)

// OneTooMany counts from 0 to n, both included.
func OneTooMany(n int) int {
	b := make([]byte, n)
	return int(C.sum((*C.uchar)(unsafe.Pointer(&b[0])), C.size_t(n+1)))
}

// NoneTooMany is the twin: the length is the slice's own.
func NoneTooMany(n int) int {
	b := make([]byte, n)
	return int(C.sum((*C.uchar)(unsafe.Pointer(&b[0])), C.size_t(len(b))))
}

// BeforeTheFirst asks of an empty text whether its last byte is a newline.
func BeforeTheFirst(text string) bool {
	t := C.CString(text)
	defer C.free(unsafe.Pointer(t))
	return C.ends_with_newline(t) != 0
}

// FromTheFirst is the twin: an empty text has no last byte.
func FromTheFirst(text string) bool {
	t := C.CString(text)
	defer C.free(unsafe.Pointer(t))
	return C.has_newline_at_end(t) != 0
}

// NoRoomForEnd makes room for a text, and not for the zero byte at its end.
func NoRoomForEnd(text string) string {
	t := C.CString(text)
	defer C.free(unsafe.Pointer(t))
	n := C.size_t(len(text))
	to := (*C.char)(C.malloc(n))
	defer C.free(unsafe.Pointer(to))
	C.copy_text(to, t, n)
	return C.GoStringN(to, C.int(n))
}

// RoomForEnd is the twin.
func RoomForEnd(text string) string {
	t := C.CString(text)
	defer C.free(unsafe.Pointer(t))
	n := C.size_t(len(text))
	to := (*C.char)(C.malloc(n + 1))
	defer C.free(unsafe.Pointer(to))
	C.copy_text(to, t, n)
	return C.GoString(to)
}

// NoEnd hands the bytes of a Go string to C, which looks for a zero byte.
func NoEnd(text string) int {
	b := []byte(text)
	return int(C.spaces((*C.char)(unsafe.Pointer(&b[0]))))
}

// WithEnd is the twin: C.CString copies the string and adds the zero byte.
func WithEnd(text string) int {
	t := C.CString(text)
	defer C.free(unsafe.Pointer(t))
	return int(C.spaces(t))
}

// LengthInBytes gives a number of bytes to a function that wants a number of elements.
func LengthInBytes(samples ...int32) int {
	b := slices.Clone(samples)
	return int(C.newest((*C.int)(unsafe.Pointer(&b[0])), C.int(len(b)*4)))
}

// LengthInElements is the twin.
func LengthInElements(samples ...int32) int {
	b := slices.Clone(samples)
	return int(C.newest((*C.int)(unsafe.Pointer(&b[0])), C.int(len(b))))
}

// limitsV1 was written by hand for an older version of the library.
type limitsV1 struct{ memory, threads int32 }

// OlderStruct lets C fill in a struct that is shorter than C thinks.
func OlderStruct() (memory, threads int) {
	l := new(limitsV1)
	C.get_limits((*C.struct_limits)(unsafe.Pointer(l)))
	return int(l.memory), int(l.threads)
}

// SameStruct is the twin: cgo takes the type from the library's header.
func SameStruct() (memory, threads int) {
	l := new(C.struct_limits)
	C.get_limits(l)
	return int(l.memory), int(l.threads)
}

// SliceTooLong makes a slice of C's array that has one element more than the array.
func SliceTooLong(n int) byte {
	s := C.samples_new(C.int(n))
	defer C.samples_free(s)
	values := unsafe.Slice((*byte)(s.values), n+1)
	return values[n] // BUG SliceTooLong
}

// SliceAsLong is the twin: the length is what C says, and Go checks the index.
func SliceAsLong(n int) byte {
	s := C.samples_new(C.int(n))
	defer C.samples_free(s)
	values := unsafe.Slice((*byte)(s.values), int(s.n))
	return values[n-1]
}

// TruncatedText takes as many bytes as the text would have had, had the buffer been long enough.
func TruncatedText(name string) string {
	who := C.CString(name)
	defer C.free(unsafe.Pointer(who))
	const size = 24
	buf := (*C.char)(C.malloc(size))
	defer C.free(unsafe.Pointer(buf))
	n := C.greet(buf, size, who)
	return C.GoStringN(buf, n) // BUG TruncatedText
}

// WholeText is the twin: it asks for the length, and makes room.
func WholeText(name string) string {
	who := C.CString(name)
	defer C.free(unsafe.Pointer(who))
	size := C.size_t(C.greet(nil, 0, who)) + 1
	buf := (*C.char)(C.malloc(size))
	defer C.free(unsafe.Pointer(buf))
	C.greet(buf, size, who)
	return C.GoString(buf)
}

// ReadIntoLess has room for less than it lets read return.
func ReadIntoLess(f *os.File) int {
	buf := C.calloc(1, 16)
	defer C.free(buf)
	return int(C.read(C.int(f.Fd()), buf, 64)) // BUG ReadIntoLess
}

// ReadIntoEnough is the twin.
func ReadIntoEnough(f *os.File) int {
	const size = 64
	buf := C.calloc(1, size)
	defer C.free(buf)
	return int(C.read(C.int(f.Fd()), buf, size))
}

// CopyOverItself moves a text within its buffer with memcpy.
func CopyOverItself(text string) string {
	t := C.CString(text)
	defer C.free(unsafe.Pointer(t))
	C.memcpy(unsafe.Pointer(t), unsafe.Add(unsafe.Pointer(t), 1), C.size_t(len(text))) // BUG CopyOverItself
	return C.GoString(t)
}

// MoveOverItself is the twin: memmove is made for it.
func MoveOverItself(text string) string {
	t := C.CString(text)
	defer C.free(unsafe.Pointer(t))
	C.memmove(unsafe.Pointer(t), unsafe.Add(unsafe.Pointer(t), 1), C.size_t(len(text)))
	return C.GoString(t)
}

// NegativeSize does not look whether a message is as long as its header.
func NegativeSize(message string) string {
	m := C.CString(message)
	defer C.free(unsafe.Pointer(m))
	p := C.payload(m, C.int(len(message)))
	if p == nil {
		return ""
	}
	defer C.free(unsafe.Pointer(p))
	return C.GoStringN(p, C.int(len(message)-8))
}

// CheckedSize is the twin.
func CheckedSize(message string) string {
	if len(message) <= 8 {
		return ""
	}
	return NegativeSize(message)
}
