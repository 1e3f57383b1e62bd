//go:build jemalloc

package allocator

// #cgo CFLAGS: -DSTORY_JEMALLOC
// #cgo LDFLAGS: -ljemalloc
import "C"
