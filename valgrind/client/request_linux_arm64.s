#include "textflag.h"

// func request(code, a1, a2, a3, a4, a5 uintptr) uintptr
TEXT ·request(SB), NOSPLIT, $0-56
	// valgrind reads the code and the arguments from where R4 points to, and puts the result into R3. The rotations
	// cancel out; followed by the ORR they are what valgrind recognises.
	MOVD $code+0(FP), R4
	MOVD ZR, R3
	ROR $3, R12
	ROR $13, R12
	ROR $51, R12
	ROR $61, R12
	ORR R10, R10
	MOVD R3, ret+48(FP)
	RET
