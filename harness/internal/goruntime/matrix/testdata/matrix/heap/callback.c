#define _GNU_SOURCE
#include <netdb.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "_cgo_export.h"

void call_back_dangling(void) {
	char *volatile p = calloc(16, 1);
	free(p);
	calledBack(p);
}

void call_back_valid(void) {
	char *volatile p = calloc(16, 1);
	calledBack(p);
	free(p);
}

static void *thread(void *dangling) {
	char *volatile p = calloc(16, 1);
	if (dangling) {
		free(p);
	}
	calledBackOnThread(p);
	if (!dangling) {
		free(p);
	}
	return NULL;
}

void call_back_on_thread(int dangling) {
	pthread_t t;
	if (pthread_create(&t, NULL, thread, dangling ? &t : NULL) != 0) {
		abort();
	}
	pthread_join(t, NULL);
}

int call_nested(int depth) {
	volatile char frame[200];
	frame[depth] = (char)calledNested(depth);
	return frame[depth];
}

static __attribute__((noipa)) char large_frame(void) {
	volatile char frame[300];
	frame[0] = 1;
	return frame[0];
}

// signalled handles a signal between two calls, and returns from no function in between, as it would from kill.
int signalled(int number) {
	long result;
	char before = large_frame();
	__asm__ volatile("syscall" : "=a"(result) : "0"(SYS_tgkill), "D"(getpid()), "S"(syscall(SYS_gettid)), "d"(number)
		: "rcx", "r11", "memory");
	return result == 0 && before == large_frame();
}

static void *resolver(void *resolved) {
	struct addrinfo hints = {.ai_family = AF_INET}, *list;
	if (getaddrinfo("localhost", NULL, &hints, &list) == 0) {
		freeaddrinfo(list);
	}
	sem_post(resolved);
	for (;;) {
		pause();
	}
}

// resolve_on_thread leaves a thread behind to which the C library has lent memory.
void resolve_on_thread(void) {
	static sem_t resolved;
	pthread_t t;
	sem_init(&resolved, 0, 0);
	if (pthread_create(&t, NULL, resolver, &resolved) != 0) {
		abort();
	}
	while (sem_wait(&resolved) != 0) {
	}
}
