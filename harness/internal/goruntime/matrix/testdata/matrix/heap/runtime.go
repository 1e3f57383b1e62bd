package heap

/*
int call_nested(int depth);
int signalled(int number);
void resolve_on_thread(void);
*/
import "C"

import "syscall"

// Nested goes through depth calls from Go to C to Go, each with large frames on both stacks.
func Nested(depth int) byte {
	var frame [2000]byte
	frame[depth] = 1
	if depth > 0 {
		frame[depth] += byte(C.call_nested(C.int(depth - 1)))
	}
	return frame[depth]
}

//export calledNested
func calledNested(depth C.int) C.int { return C.int(Nested(int(depth))) }

// Signalled handles a signal in the midst of C code.
func Signalled(number syscall.Signal) bool { return C.signalled(C.int(number)) != 0 }

// ResolveOnThread leaves a thread behind that has called getaddrinfo.
func ResolveOnThread() { C.resolve_on_thread() }
