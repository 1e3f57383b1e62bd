// Package exit holds the planted bug that ends its process, which therefore is no part of the suite in package planted:
// exit while a thread of C runs. Go's own end, os.Exit or the return from main, runs no C code. But a C library that gives
// up calls C's exit, and that cleans up all libraries under the threads that still run.
package exit

/*
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include "../planted.h"

// A library with a thread that counts what it has done. The library is cleaned up at the end of the process.
static int *counter;
static pthread_t worker;
static sem_t jobs, done;
static volatile int stopped;

LIBRARY void *work(void *counter) {
	for (;;) {
		sem_wait(&jobs);
		if (stopped) {
			return NULL;
		}
		*(volatile int *)counter = 1; // BUG CleanedUpWhileRunning
		sem_post(&done);
	}
}

// clean_up frees what the thread uses. Where the thread is, and that it has another job just then, is bad luck.
LIBRARY void clean_up(void) {
	free(counter);
	counter = NULL;
	if (!stopped) {
		sem_post(&jobs);
		sem_wait(&done);
	}
}

LIBRARY void library_start(void) {
	counter = calloc(1, sizeof *counter);
	stopped = 0;
	sem_init(&jobs, 0, 0);
	sem_init(&done, 0, 0);
	if (atexit(clean_up) != 0 || pthread_create(&worker, NULL, work, counter) != 0) {
		abort();
	}
}

LIBRARY void library_stop(void) {
	stopped = 1;
	sem_post(&jobs);
	pthread_join(worker, NULL);
}

// library_give_up ends the process, as libraries do that have no other answer to an error.
LIBRARY void library_give_up(void) {
	exit(1);
}
*/
import "C"

// CleanedUpWhileRunning ends the process while the library's thread runs.
func CleanedUpWhileRunning() {
	C.library_start()
	C.library_give_up()
}

// StoppedBeforeCleaningUp is the twin: the thread has ended before.
func StoppedBeforeCleaningUp() {
	C.library_start()
	C.library_stop()
	C.library_give_up()
}
