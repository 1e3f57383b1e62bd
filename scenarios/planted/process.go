package planted

/*
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "planted.h"

// in_child forks, works on text in the child, and returns the child's status. The child frees text if it is told to:
// its own copy of it, as it is with all memory after a fork.
LIBRARY int in_child(char *text, int release) {
	pid_t pid = fork();
	if (pid == 0) {
		size_t n = strlen(text);
		if (release) {
			free(text);
		}
		_exit((int)n);
	}
	int status = -1;
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) {
		return -1;
	}
	return WEXITSTATUS(status);
}

static volatile int *seen;
static struct sigaction before;

static void on_signal(int number) {
	(void)number;
	*seen = 1; // BUG SignalAfterFree
}

// A handler beside Go's needs SA_ONSTACK.
LIBRARY void watch_signals(int *flag) {
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK | SA_RESTART};
	seen = flag;
	sigaction(SIGUSR2, &sa, &before);
}

LIBRARY void unwatch_signals(void) {
	sigaction(SIGUSR2, &before, NULL);
}

LIBRARY void send_signal(void) {
	raise(SIGUSR2);
}

// A worker that counts its jobs in memory which its owner gives it.
static pthread_t worker;
static pthread_mutex_t no_job = PTHREAD_MUTEX_INITIALIZER;

LIBRARY void *work(void *done) {
	pthread_mutex_lock(&no_job);
	*(volatile int *)done = 1; // BUG ThreadOutlivesClose
	pthread_mutex_unlock(&no_job);
	return NULL;
}

LIBRARY void worker_start(int *done) {
	pthread_mutex_lock(&no_job);
	if (pthread_create(&worker, NULL, work, done) != 0) {
		abort();
	}
}

LIBRARY void worker_give_job(void) {
	pthread_mutex_unlock(&no_job);
}

LIBRARY void worker_join(void) {
	pthread_join(worker, NULL);
}

// keep_for_thread takes its argument over: the end of the thread frees it.
static pthread_key_t own;

static __attribute__((constructor)) void make_own(void) {
	pthread_key_create(&own, free);
}

LIBRARY void *keep_for_thread(void *p) {
	pthread_setspecific(own, p);
	return NULL;
}

LIBRARY void run_thread_with(void *p) {
	pthread_t thread;
	if (pthread_create(&thread, NULL, keep_for_thread, p) != 0) {
		abort();
	}
	pthread_join(thread, NULL);
}
*/
import "C"

import "unsafe"

// FreedInChild has the child of a fork free what it got, and thinks that it is done with it.
func FreedInChild(text string) int {
	t := C.CString(text) // BUG FreedInChild
	return int(C.in_child(t, 1))
}

// FreedInParent is the twin: the parent's copy is the parent's to free.
func FreedInParent(text string) int {
	t := C.CString(text)
	defer C.free(unsafe.Pointer(t))
	return int(C.in_child(t, 1))
}

// SignalAfterFree frees what a signal handler writes to, and leaves the handler where it is.
func SignalAfterFree() {
	flag := (*C.int)(C.calloc(1, C.sizeof_int))
	C.watch_signals(flag)
	C.free(unsafe.Pointer(flag))
	C.send_signal()
	C.unwatch_signals()
}

// SignalBeforeFree is the twin: the handler goes first.
func SignalBeforeFree() bool {
	flag := (*C.int)(C.calloc(1, C.sizeof_int))
	defer C.free(unsafe.Pointer(flag))
	C.watch_signals(flag)
	C.send_signal()
	C.unwatch_signals()
	return *flag == 1
}

// ThreadOutlivesClose frees what a worker writes to, and does not wait for the worker. If C code ends the process, the same
// happens to every thread of C that still runs: see package exit.
func ThreadOutlivesClose() {
	done := (*C.int)(C.calloc(1, C.sizeof_int))
	C.worker_start(done)
	C.free(unsafe.Pointer(done))
	C.worker_give_job()
	C.worker_join()
}

// ThreadJoined is the twin: the worker has ended when its memory goes.
func ThreadJoined() bool {
	done := (*C.int)(C.calloc(1, C.sizeof_int))
	defer C.free(unsafe.Pointer(done))
	C.worker_start(done)
	C.worker_give_job()
	C.worker_join()
	return *done == 1
}

// FreedByThreadToo frees what it gave to a thread, whose end has freed it.
func FreedByThreadToo(size int) {
	p := C.malloc(C.size_t(size))
	C.run_thread_with(p)
	C.free(p) // BUG FreedByThreadToo
}

// FreedByThreadOnly is the twin.
func FreedByThreadOnly(size int) {
	C.run_thread_with(C.malloc(C.size_t(size)))
}
