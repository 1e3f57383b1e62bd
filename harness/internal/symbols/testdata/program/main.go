// Command program prints where it is: a line for each place, with its address and the functions that run there, the
// innermost inlined one first, as FUNCTION FILE:LINE. It imports next to nothing, so that it builds fast in every mode.
package main

/*
#cgo CFLAGS: -O2
#include "helper.h"

static inline void inner(void) {
	here("inner main.go:10,outer main.go:14,preamble main.go:18"); // line 10
}

static inline void outer(void) {
	inner(); // line 14
}

static void __attribute__((noinline)) preamble(void) {
	outer(); // line 18
	__asm__ volatile("");
}
*/
import "C"

import "runtime"

func leaf() {
	var pcs [1]uintptr
	runtime.Callers(1, pcs[:])
	report(pcs[0])
}

func middle[T any](T) { leaf() }

type thing struct{ n int }

func (t *thing) method() { middle(t) }

//go:noinline
func report(pc uintptr) {
	names := ""
	frames := runtime.CallersFrames([]uintptr{pc})
	for {
		f, more := frames.Next()
		if f.Function == "runtime.goexit" || f.Function == "" {
			break
		}
		file := f.File
		for i := range file {
			if f.File[i] == '/' {
				file = f.File[i+1:]
			}
		}
		if names != "" {
			names += ","
		}
		names += f.Function + " " + file + ":" + decimal(f.Line)
		if !more {
			break
		}
	}
	place(pc, names)
}

func decimal(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return decimal(n/10) + string(rune('0'+n%10))
}

// place prints on standard error. A return address belongs to the call before it.
func place(pc uintptr, names string) { println(pc-1, names) }

//export goReport
func goReport(pc C.ulong, names *C.char) { place(uintptr(pc), C.GoString(names)) }

//go:noinline
func inlined() { new(thing).method() }

func main() {
	println(**(**uintptr)(pointer(inlined)), "main.inlined")
	inlined()
	C.preamble()
	C.from_file(3)
}
