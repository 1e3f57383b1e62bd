// Package heap has C memory for tests to live with: they are added to a copy of it.
package heap

// #cgo LDFLAGS: -lpthread
// #include <pthread.h>
// #include <stdlib.h>
// #include <string.h>
//
// void **heapBlocks; // not static: nobody may see that nothing is read
//
// static int fill(long blocks, long size) {
//	heapBlocks = malloc((blocks + 1) * sizeof *heapBlocks);
//	for (long i = 0; heapBlocks && i < blocks; i++)
//		if (!(heapBlocks[i] = malloc(size)))
//			return 0;
//		else
//			memset(heapBlocks[i], 1, size);
//	return heapBlocks != 0;
// }
//
// static void work(long n) {
//	for (long i = 0; i < n; i++) {
//		volatile char *p = malloc(64);
//		p[0] = 1;
//		free((void *)p);
//	}
// }
//
// static void lose(void) { volatile char *p = malloc(17); p[0] = 1; }
// static void *loser(void *unused) { lose(); return unused; }
// static int loseInThread(void) {
//	pthread_t t;
//	return pthread_create(&t, 0, loser, 0) || pthread_join(t, 0);
// }
import "C"

// Fill makes so much C memory, in blocks of a size in bytes, each reached from one table.
func Fill(megabytes, size int) {
	if C.fill(C.long(megabytes<<20/size), C.long(size)) == 0 {
		panic("there is no more memory")
	}
}

// Work makes and frees n blocks.
func Work(n int) { C.work(C.long(n)) }

// Lose loses a block of 17 bytes in the calling thread, and LoseInThread in one of its own.
func Lose() { C.lose() }

// LoseInThread is Lose in a thread that C makes.
func LoseInThread() {
	if C.loseInThread() != 0 {
		panic("there are no more threads")
	}
}
