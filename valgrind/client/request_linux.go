//go:build amd64 || arm64

package client

// request issues a client request. It returns 0 outside valgrind.
func request(code, a1, a2, a3, a4, a5 uintptr) uintptr
