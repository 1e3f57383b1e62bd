package client

import "unsafe"

// vaList is va_list of the Procedure Call Standard for the Arm 64-bit Architecture, section 10.1.5.
type vaList struct {
	stack        unsafe.Pointer
	grTop, vrTop unsafe.Pointer
	grOffs       int32
	vrOffs       int32
}

// newVaList is a list of the arguments at args. The offsets, which are 0, say that none is in registers.
func newVaList(args unsafe.Pointer) vaList { return vaList{stack: args} }
