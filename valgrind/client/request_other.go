//go:build !(linux && (amd64 || arm64))

package client

import "unsafe"

func request(code, a1, a2, a3, a4, a5 uintptr) uintptr { return 0 }

type vaList struct{}

func newVaList(unsafe.Pointer) vaList { return vaList{} }
