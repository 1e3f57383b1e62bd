// Command call makes calls from Go to C: call DEPTH N. It prints the nanoseconds of each.
package main

// static void nothing(void) {}
import "C"

import (
	"fmt"
	"os"
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
	start := time.Now()
	for range n {
		C.nothing()
	}
	return float64(time.Since(start).Nanoseconds()) / float64(max(n, 1))
}
