#include "textflag.h"

// func request(code, a1, a2, a3, a4, a5 uintptr) uintptr
TEXT ·request(SB), NOSPLIT, $0-56
	// valgrind reads the code and the arguments from where AX points to, and puts the result into DX. The rotations
	// cancel out; followed by the exchange they are what valgrind recognises.
	LEAQ code+0(FP), AX
	XORL DX, DX
	ROLQ $3, DI
	ROLQ $13, DI
	ROLQ $61, DI
	ROLQ $51, DI
	XCHGQ BX, BX
	MOVQ DX, ret+48(FP)
	RET
