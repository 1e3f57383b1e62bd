// Command call makes calls from Go to C: call DEPTH N. It prints the nanoseconds of each. Under callgrind with
// --collect-atstart=no only the calls are counted.
package main

// #include <valgrind/callgrind.h>
// static void nothing(void) {}
// static void toggle(void) { CALLGRIND_TOGGLE_COLLECT; }
import "C"

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
)

func main() {
	depth, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	n, err := strconv.Atoi(os.Args[2])
	if err != nil {
		panic(err)
	}
	fmt.Println(down(depth, n))
}

// down calls C from a goroutine's stack that is depth frames deep.
//
//go:noinline
func down(depth, n int) float64 {
	var frame [8]uintptr // a frame of a usual size
	frame[depth%8] = uintptr(n)
	if depth > 0 {
		return down(depth-1, n) + float64(frame[(depth+1)%8])
	}
	runtime.LockOSThread() // collecting is a thread's
	C.toggle()
	start := time.Now()
	for range n {
		C.nothing()
	}
	elapsed := time.Since(start)
	C.toggle()
	return float64(elapsed.Nanoseconds()) / float64(max(n, 1))
}
