#include "helper.h"
#include "_cgo_export.h"

void __attribute__((noinline)) here(const char *names) {
	goReport((unsigned long)__builtin_return_address(0), (char *)names);
	__asm__ volatile("");
}

static inline int step(int i) {
	if (i == 2)
		here("step helper.c:11,walk helper.c:17,from_file helper.c:22"); // line 11
	return i + 1;
}

static inline void walk(int n) {
	for (int i = 0; i < n;)
		i = step(i); // line 17
}

void from_file(int n) {
	for (int i = 0; i < 1; i++)
		walk(n); // line 22
	__asm__ volatile("");
}
