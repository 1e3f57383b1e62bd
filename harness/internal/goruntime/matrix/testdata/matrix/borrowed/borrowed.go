// Package borrowed holds bugs with memory that belongs to a library: freed by the borrower, or read after the library has
// taken it back.
package borrowed

/*
#cgo LDFLAGS: -ldl
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <grp.h>
#include <locale.h>
#include <pthread.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static __attribute__((noipa)) void use(const char *text) {
	volatile char first = *text;
	(void)first;
}

static __attribute__((noipa)) void free_error_text(void) {
	char *volatile text = strerror(-2);
	free(text); // BUG FreeErrorText
}

static __attribute__((noipa)) void free_loader_error(void) {
	dlopen("/no/such/library.so", RTLD_NOW);
	char *volatile text = dlerror();
	free(text); // BUG FreeLoaderError
}

static __attribute__((noipa)) void free_signal_text(void) {
	char *volatile text = strsignal(1000);
	free(text); // BUG FreeSignalText
}

static __attribute__((noipa)) void free_user(void) {
	struct passwd *volatile entry = getpwuid(0);
	free(entry->pw_name); // BUG FreeUser
}

static __attribute__((noipa)) void old_error_text(void) {
	const char *volatile text = strerror(-2);
	use(strerror(-3));
	volatile char first = *text; // BUG OldErrorText
	(void)first;
}

static __attribute__((noipa)) void old_time(void) {
	time_t then = 0, now = time(NULL);
	volatile struct tm *a = gmtime(&then), *b = localtime(&now);
	volatile int year = a->tm_year; // BUG OldTime
	year = b->tm_year;
	(void)year;
}

static __attribute__((noipa)) void old_address(void) {
	struct in_addr home = {0x0100007f}, any = {0};
	const char *volatile a = inet_ntoa(home), *volatile b = inet_ntoa(any);
	use(b);
	volatile char first = *a; // BUG OldAddress
	(void)first;
}

static void *ask(void *text) {
	*(const char *volatile *)text = strerror(-2);
	return NULL;
}

static __attribute__((noipa)) void ended_thread(void) {
	const char *volatile text = NULL;
	pthread_t thread;
	if (pthread_create(&thread, NULL, ask, (void *)&text) != 0) {
		abort();
	}
	pthread_join(thread, NULL);
	volatile char first = *text; // BUG EndedThread
	(void)first;
}

static const char *error_text(int code) { return strerror(code); }

// need ends the process if something is not as it must be.
#define need(condition) do { if (!(condition)) abort(); } while (0)

// keep uses everything as it may be used.
static __attribute__((noipa)) void keep(void) {
	// An error of the loader's waits until it is told.
	need(dlopen("/no/such/library.so", RTLD_NOW) == NULL);
	use(strerror(ENOENT));
	use(inet_ntoa((struct in_addr){0}));
	need(getpwuid(0) != NULL);
	need(dlerror() != NULL && dlerror() == NULL);

	// Constants stay, whatever is asked for later.
	const char *constant = strerror(ENOENT), *hup = strsignal(1);
	const char *text = strerror(-2), *sig = strsignal(1000);
	need(strcmp(strerror(EIO), "Input/output error") == 0 && strcmp(strsignal(2), "Interrupt") == 0);
	need(strcmp(constant, "No such file or directory") == 0 && strcmp(hup, "Hangup") == 0);
	// Nobody else has made up a text on this thread.
	need(strcmp(text, "Unknown error -2") == 0 && strcmp(sig, "Unknown signal 1000") == 0);
	locale_t c = newlocale(LC_ALL_MASK, "C", 0);
	need(strcmp(strerror_l(-5, c), "Unknown error -5") == 0 && strcmp(strerror_l(EIO, c), "Input/output error") == 0);
	freelocale(c);

	errno = EINTR;
	need(strerror(-3) != NULL && errno == EINTR);

	need(dlopen("/no/such/library.so", RTLD_NOW) == NULL);
	const char *why = dlerror();
	need(why != NULL && strstr(why, "/no/such/library.so") != NULL);
	need(dlerror() == NULL);

	time_t then = 86400;
	struct tm *tm = gmtime(&then);
	char *date = asctime(tm);
	need(strcmp(date, "Fri Jan  2 00:00:00 1970\n") == 0);
	date[24] = '\0'; // it is writable
	need(tm->tm_year == 70 && tm->tm_mday == 2);
	char copy[26];
	memcpy(copy, asctime(tm), sizeof copy);
	need(strlen(ctime(&then)) == 25);
	need(localtime(&then)->tm_year == 70);

	struct in_addr home = {0x0100007f};
	char address[INET_ADDRSTRLEN];
	memcpy(address, inet_ntoa(home), sizeof address); // its buffer is larger than the text
	need(strcmp(address, "127.0.0.1") == 0);

	struct passwd *root = getpwuid(0), *named = getpwnam("root"); // buffers of their own
	need(strcmp(root->pw_name, "root") == 0 && named->pw_uid == 0);
	need(getpwnam("no such user") == NULL);
	struct group *group = getgrgid(0);
	need(strcmp(group->gr_name, "root") == 0 && getgrnam("root")->gr_gid == 0 && group->gr_mem[0] == NULL);
	need(getgrnam("no such group") == NULL);
	errno = 0;
	need(ttyname(-1) == NULL && errno == EBADF);
}

static void *keep_thread(void *unused) {
	int n;
	for (n = 0; n < 1100; n++) { // more than there is room for at once
		const char *text = strerror(-n - 1);
		need(strncmp(text, "Unknown error -", 15) == 0 && atoi(text + 14) == -n - 1);
	}
	return unused;
}

// keep_threads uses texts on threads that have others in the meantime.
static __attribute__((noipa)) void keep_threads(void) {
	const char *mine = strerror(-77);
	pthread_t threads[4];
	int i;
	for (i = 0; i < 4; i++) need(pthread_create(&threads[i], NULL, keep_thread, NULL) == 0);
	for (i = 0; i < 4; i++) need(pthread_join(threads[i], NULL) == 0);
	need(strcmp(mine, "Unknown error -77") == 0);
}
*/
import "C"

import (
	"runtime"
	"unsafe"
)

func FreeErrorText()   { C.free_error_text() }
func FreeLoaderError() { C.free_loader_error() }
func FreeSignalText()  { C.free_signal_text() }
func FreeUser()        { C.free_user() }
func OldErrorText()    { C.old_error_text() }
func OldTime()         { C.old_time() }
func OldAddress()      { C.old_address() }
func EndedThread()     { C.ended_thread() }
func Keep()            { C.keep() }
func KeepThreads()     { C.keep_threads() }

// GoFreeErrorText frees in Go.
func GoFreeErrorText() {
	text := C.error_text(-2)
	C.free(unsafe.Pointer(text)) // BUG GoFreeErrorText
}

// GoOldErrorText reads in Go what the thread has made room of.
func GoOldErrorText() string {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	text := C.error_text(-2)
	C.error_text(-3)
	first := *text // BUG GoOldErrorText
	return string(rune(first))
}

// GoKeep copies at once.
func GoKeep() string {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	text := C.GoString(C.error_text(-2))
	C.error_text(-3)
	return text
}
