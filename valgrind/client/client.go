// Package client talks to the valgrind that the program runs under: client requests, issued from assembly, without cgo
// and without valgrind's headers. What they make memcheck say appears in its report, which package valgrind reads.
//
// Outside valgrind, and on everything but Linux on amd64 and arm64, the functions do nothing and return zero values; a
// request costs a few cycles there. The request numbers and the instructions that announce a request are those of
// valgrind.h and memcheck.h, which promise not to change them. What is for arm64 builds, but was never run.
package client

import (
	"runtime"
	"unsafe"
)

// Requests of valgrind.h's enum Vg_ClientRequest.
const (
	runningOnValgrind  = 0x1001
	countErrors        = 0x1201
	gdbMonitorCommand  = 0x1202
	printfValistByRef  = 0x1403
	memcheck           = 'M'<<24 | 'C'<<16
	makeMemNoAccess    = memcheck + 0
	makeMemUndefined   = memcheck + 1
	makeMemDefined     = memcheck + 2
	doLeakCheck        = memcheck + 6
	leakCheckFull      = 0
	leakCheckAll       = 0
	leakCheckIncreased = 1
)

// Running says how many valgrinds the program runs under: 0 for none, more than 1 if one valgrind runs under another. It
// is RUNNING_ON_VALGRIND.
func Running() int { return int(request(runningOnValgrind, 0, 0, 0, 0, 0)) }

// Print writes a line of text into valgrind's log. In a report it is a <clientmsg>, in its place among the errors.
// The text ends at a zero byte, if it has one. It is VALGRIND_PRINTF("%s\n", text).
func Print(text string) {
	if Running() == 0 {
		return
	}
	arg := unsafe.Pointer(unsafe.SliceData(cString(text)))
	list := newVaList(unsafe.Pointer(&arg))
	format := cString("%s\n")
	request(printfValistByRef, uintptr(unsafe.Pointer(unsafe.SliceData(format))), uintptr(unsafe.Pointer(&list)), 0, 0, 0)
	runtime.KeepAlive(&arg)
}

// CountErrors returns how many errors there were so far, with repeats that valgrind reports only once, and without what
// is suppressed. It is VALGRIND_COUNT_ERRORS.
func CountErrors() int { return int(request(countErrors, 0, 0, 0, 0, 0)) }

// LeakCheck makes memcheck look for leaks now and report all that it finds, as --leak-check=full and --show-leak-kinds
// ask for at the end of the program. It is VALGRIND_DO_LEAK_CHECK.
func LeakCheck() { request(doLeakCheck, leakCheckFull, leakCheckAll, 0, 0, 0) }

// AddedLeakCheck is LeakCheck, but only for leaks that are new or have grown since the last leak check. It is
// VALGRIND_DO_ADDED_LEAK_CHECK.
func AddedLeakCheck() { request(doLeakCheck, leakCheckFull, leakCheckIncreased, 0, 0, 0) }

// MakeMemNoAccess makes memcheck report any use of the n bytes at p. It is VALGRIND_MAKE_MEM_NOACCESS.
func MakeMemNoAccess(p unsafe.Pointer, n uintptr) {
	request(makeMemNoAccess, uintptr(p), n, 0, 0, 0)
}

// MakeMemUndefined makes memcheck take the n bytes at p for accessible but not set, as after malloc. It is
// VALGRIND_MAKE_MEM_UNDEFINED.
func MakeMemUndefined(p unsafe.Pointer, n uintptr) {
	request(makeMemUndefined, uintptr(p), n, 0, 0, 0)
}

// MakeMemDefined makes memcheck take the n bytes at p for accessible and set. It is VALGRIND_MAKE_MEM_DEFINED.
func MakeMemDefined(p unsafe.Pointer, n uintptr) {
	request(makeMemDefined, uintptr(p), n, 0, 0, 0)
}

// Monitor has valgrind's gdbserver carry out a monitor command, for example "v.info n_errs_found". What the command
// prints goes to valgrind's log and not into an XML report. It returns whether valgrind knows the command. It is
// VALGRIND_MONITOR_COMMAND.
func Monitor(command string) bool {
	if Running() == 0 {
		return false
	}
	c := cString(command)
	return request(gdbMonitorCommand, uintptr(unsafe.Pointer(unsafe.SliceData(c))), 0, 0, 0, 0) == 0
}

// cString is s with a zero byte at its end.
func cString(s string) []byte {
	b := make([]byte, len(s)+1)
	copy(b, s)
	return b
}
