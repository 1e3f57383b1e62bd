package client

import "unsafe"

// vaList is va_list of the System V ABI for AMD64, section 3.5.7.
type vaList struct {
	gpOffset, fpOffset uint32
	overflowArgArea    unsafe.Pointer
	regSaveArea        unsafe.Pointer
}

// newVaList is a list of the arguments at args. The offsets say that none is in registers.
func newVaList(args unsafe.Pointer) vaList {
	return vaList{gpOffset: 6 * 8, fpOffset: 6*8 + 8*16, overflowArgArea: args}
}
