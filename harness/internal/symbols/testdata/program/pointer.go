package main

import "unsafe"

func pointer(f func()) unsafe.Pointer { return unsafe.Pointer(&f) }
