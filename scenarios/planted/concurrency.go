package planted

/*
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include "planted.h"

// describe returns a text that the next call, by whichever thread, replaces.
static char *description;

LIBRARY char *describe(int code) {
	free(description);
	description = malloc(32);
	snprintf(description, 32, "code %d", code);
	return description;
}

LIBRARY char *describe_into(int code, char *buf, size_t size) {
	snprintf(buf, size, "code %d", code);
	return buf;
}

// thread_text returns the calling thread's own text, which goes when the thread ends.
static pthread_key_t text_key;

static __attribute__((constructor)) void make_text_key(void) {
	pthread_key_create(&text_key, free);
}

LIBRARY char *thread_text(int code) {
	char *text = pthread_getspecific(text_key);
	if (text == NULL) {
		text = malloc(32);
		pthread_setspecific(text_key, text);
	}
	snprintf(text, 32, "code %d", code);
	return text;
}

// A thread of the library that does something, fails, and ends.
struct failure {
	int code;
	char *text;
	char copy[32];
};

LIBRARY void *fail(void *f) {
	struct failure *failure = f;
	failure->text = thread_text(failure->code);
	snprintf(failure->copy, sizeof failure->copy, "%s", failure->text);
	return NULL;
}

LIBRARY void fail_on_thread(struct failure *f) {
	pthread_t thread;
	if (pthread_create(&thread, NULL, fail, f) != 0) {
		abort();
	}
	pthread_join(thread, NULL);
}

// A session: session_wait returns its value as soon as session_wake is called.
struct session {
	int value;
};

static sem_t waiting, awake;

static __attribute__((constructor)) void make_semaphores(void) {
	sem_init(&waiting, 0, 0);
	sem_init(&awake, 0, 0);
}

LIBRARY struct session *session_open(int value) {
	struct session *s = malloc(sizeof *s);
	s->value = value;
	return s;
}

LIBRARY int session_wait(struct session *s) {
	sem_post(&waiting);
	sem_wait(&awake);
	return s->value; // BUG ClosedDuringCall
}

// session_entered returns when a thread is in session_wait.
LIBRARY void session_entered(void) {
	sem_wait(&waiting);
}

LIBRARY void session_wake(void) {
	sem_post(&awake);
}

LIBRARY void session_close(struct session *s) {
	free(s);
}
*/
import "C"

import (
	"sync"
	"unsafe"
)

// SharedTextReplaced gets a text in one goroutine, and another one asks for the next before the first has read its own.
func SharedTextReplaced(code int) byte {
	text := C.describe(C.int(code))
	var wg sync.WaitGroup
	wg.Go(func() { C.describe(C.int(code + 1)) })
	wg.Wait()
	return byte(*text) // BUG SharedTextReplaced
}

// OwnText is the twin: each goroutine has the text written into a buffer of its own.
func OwnText(code int) string {
	const size = 32
	buf := (*C.char)(C.malloc(size))
	defer C.free(unsafe.Pointer(buf))
	text := C.describe_into(C.int(code), buf, size)
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := (*C.char)(C.malloc(size))
		defer C.free(unsafe.Pointer(buf))
		C.describe_into(C.int(code+1), buf, size)
	})
	wg.Wait()
	return C.GoString(text)
}

// ThreadTextOutlived keeps a text that belongs to a thread, and the thread ends. A goroutine does the same when it moves
// to another thread between a call and the reading.
func ThreadTextOutlived(code int) byte {
	f := (*C.struct_failure)(C.calloc(1, C.sizeof_struct_failure))
	defer C.free(unsafe.Pointer(f))
	f.code = C.int(code)
	C.fail_on_thread(f)
	return byte(*f.text) // BUG ThreadTextOutlived
}

// ThreadTextCopied is the twin: the thread copied its text while it was there.
func ThreadTextCopied(code int) string {
	f := (*C.struct_failure)(C.calloc(1, C.sizeof_struct_failure))
	defer C.free(unsafe.Pointer(f))
	f.code = C.int(code)
	C.fail_on_thread(f)
	return C.GoString(&f.copy[0])
}

// ClosedDuringCall closes a session while a goroutine waits in it.
func ClosedDuringCall(value int) {
	s := C.session_open(C.int(value))
	var wg sync.WaitGroup
	wg.Go(func() { C.session_wait(s) })
	C.session_entered()
	C.session_close(s)
	C.session_wake()
	wg.Wait()
}

// ClosedAfterCall is the twin: it wakes who waits, and closes when nobody is in the session any more.
func ClosedAfterCall(value int) (got int) {
	s := C.session_open(C.int(value))
	defer C.session_close(s)
	var wg sync.WaitGroup
	wg.Go(func() { got = int(C.session_wait(s)) })
	C.session_entered()
	C.session_wake()
	wg.Wait()
	return got
}
