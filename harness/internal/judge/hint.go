package judge

import (
	"strings"

	"github.com/cgogrind/cgogrind/valgrind"
)

// hint says in one or two sentences what usually causes a finding like this in cgo code, and what to do. It is empty
// where nothing better can be said than memcheck does.
func hint(kind valgrind.Kind, a account) string {
	switch {
	case isFree(kind):
		return freeHint(kind, a)
	case isLeak(kind):
		return leakHint(a)
	case kind == cgoCheck:
		return "C must not hold a pointer to Go memory that the garbage collector may free or move. Pin what it points to " +
			"for as long as C has it (runtime.Pinner), hand out a cgo.Handle in its place, or copy the data into C memory."
	}
	switch a.memory {
	case goCollected:
		return "C still used this memory when nothing in Go did any more. Keep it reachable for as long as C holds the " +
			"pointer (a runtime.Pinner, or runtime.KeepAlive after the last call), or copy it into C memory (C.CBytes, " +
			"C.malloc)."
	case goFreed:
		return "C code gave memory to free that Go made and that belongs to the garbage collector."
	case goPast:
		return "Check the length that C was given: is it in bytes, and is it this memory's? A Go string or slice has no " +
			"zero byte at its end: C code that looks for one needs a copy made by C.CString."
	case goBefore:
		return "C code went below the first byte of memory that Go gave it: is an offset or an index negative?"
	case nearNil:
		return "The pointer was nil: did Go pass it so, or did nobody look whether the function that returned it had failed?"
	case cFreed:
		return "The memory was freed while somebody still held a pointer to it: is a method called after Close, or a " +
			"finalizer run before the last use (runtime.KeepAlive)?"
	}
	return ""
}

func freeHint(kind valgrind.Kind, a account) string {
	switch {
	case a.memory == goInside, a.memory == goCollected, a.memory == goFreed, a.memory == goPast:
		return "Memory that Go made belongs to the garbage collector: never give it to free. If C has to own it, make it " +
			"with C.malloc, C.CString or C.CBytes."
	case kind == "MismatchedFree":
		return "Memory goes back the way it came: malloc with free, new with delete, new[] with delete[], and what a " +
			"library made with the function that the library has for it."
	case a.memory == cFreed:
		return "It was freed before, at the second stack: it needs one owner. Set a pointer to nil when it is freed, and " +
			"make Close do nothing the second time."
	case a.memory == cInside || a.memory == cOutside:
		return "free takes the pointer that malloc returned, not one to somewhere else in the block."
	case a.memory == noBlock:
		return "malloc did not return this pointer. The text that strerror returns belongs to libc: let strerror_r write " +
			"into a buffer of yours, or copy it, and free neither it nor anything that Go made."
	}
	return ""
}

func leakHint(a account) string {
	if len(a.sections) > 0 {
		for _, f := range a.sections[0].Stack {
			_, name, _ := strings.Cut(goName(f.Function), "._Cfunc_")
			switch name {
			case "CString", "CBytes":
				return "C." + name + " makes a copy in C memory, which Go does not free: defer C.free on the next line, unless " +
					"C takes it over."
			case "_CMalloc":
				return "The garbage collector does not free what C.malloc returns: defer C.free on the next line, or free it " +
					"where its owner is closed."
			}
		}
	}
	return "The last pointer to this memory is gone: call what frees it (C.free, or the library's own function) before, " +
		"on every path, or from runtime.AddCleanup if a Go object owns it."
}
