// Package endings ends its process in many ways.
package endings

/*
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <valgrind/valgrind.h>

static int __attribute__((noinline, optimize("O0"))) deep(volatile char *p) {
	volatile char room[4096];
	room[0] = p[0];
	return deep(room) + room[0];
}

static void __attribute__((noinline, optimize("O0"))) end(const char *how) {
#define HOW(name) if (strcmp(how, name) == 0)
	HOW("c-exit-0") exit(0);
	HOW("c-exit-1") exit(1);
	HOW("c-_exit-0") _exit(0);
	HOW("c-_exit-1") _exit(1);
	HOW("c-quick_exit-0") quick_exit(0);
	HOW("c-exit_group-0") syscall(SYS_exit_group, 0);
	HOW("c-thread-exit") syscall(SYS_exit, 0);
	HOW("c-pthread_exit") pthread_exit(0);
	HOW("c-abort") abort();
	HOW("c-read-null") { volatile char c = *(volatile char *)8; (void)c; }
	HOW("c-write-null") *(volatile char *)8 = 1;
	HOW("c-jump-null") ((void (*)(void))8)();
	HOW("c-divide") { volatile int zero = 0; volatile int x = 1 / zero; (void)x; }
	HOW("c-illegal") __builtin_trap();
	HOW("c-trap") __asm__ volatile("int3");
	HOW("c-stack") { volatile char c = 0; deep(&c); }
	HOW("c-fork") { pid_t p = fork(); if (p == 0) _exit(0); waitpid(p, 0, 0); }
	HOW("c-fork-orphan") if (fork() == 0) { if (fork() == 0) { usleep(1000); _exit(3); } _exit(0); }
	HOW("c-fork-crash") { pid_t p = fork(); if (p == 0) abort(); waitpid(p, 0, 0); }
	HOW("c-daemon") { if (daemon(1, 1) == 0) _exit(0); }
	HOW("c-close-report") for (int fd = 3; fd < 5000; fd++) close(fd);
	HOW("c-close-output") { close(1); close(2); }
	HOW("c-no-descriptors") { struct rlimit l = {3, 3}; setrlimit(RLIMIT_NOFILE, &l); while (dup(0) >= 0) {} }
	HOW("c-no-file-size") { struct rlimit l = {0, 0}; signal(SIGXFSZ, SIG_IGN); setrlimit(RLIMIT_FSIZE, &l); }
	HOW("c-chroot") { if (chdir("/") != 0 || chroot("/proc") != 0) return; }
	HOW("c-unshare") (void)!unshare(CLONE_FS | CLONE_FILES);
	HOW("c-errors-off") VALGRIND_DISABLE_ERROR_REPORTING;
	HOW("c-options") VALGRIND_CLO_CHANGE("--leak-check=no");
	HOW("c-ignore-usual-signals") { signal(SIGTERM, SIG_IGN); signal(SIGQUIT, SIG_IGN); for (;;) pause(); }
	HOW("c-hang") for (;;) pause();
	HOW("c-spin") for (volatile int i = 0;; i++) {}
}

static void *thread(void *how) {
	end(how);
	return 0;
}

static void end_in_thread(const char *how) {
	pthread_t t;
	pthread_create(&t, 0, thread, (void *)how);
	pthread_join(t, 0);
}

static void __attribute__((noinline, optimize("O0"))) bad(void) {
	volatile char *p = malloc(8);
	volatile char c = p[9];
	free((void *)p);
}
*/
import "C"

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

var signals = map[string]syscall.Signal{
	"hup": syscall.SIGHUP, "int": syscall.SIGINT, "quit": syscall.SIGQUIT, "ill": syscall.SIGILL, "trap": syscall.SIGTRAP,
	"abrt": syscall.SIGABRT, "bus": syscall.SIGBUS, "fpe": syscall.SIGFPE, "kill": syscall.SIGKILL, "usr1": syscall.SIGUSR1,
	"segv": syscall.SIGSEGV, "usr2": syscall.SIGUSR2, "pipe": syscall.SIGPIPE, "alrm": syscall.SIGALRM, "term": syscall.SIGTERM,
	"stkflt": syscall.SIGSTKFLT, "stop": syscall.SIGSTOP, "xcpu": syscall.SIGXCPU, "sys": syscall.SIGSYS,
}

// End ends the process, or hurts it. Some of the ways let it go on.
func End(how string) {
	if name, ok := strings.CutPrefix(how, "signal-"); ok {
		syscall.Kill(os.Getpid(), signals[name])
		time.Sleep(50 * time.Millisecond)
		return
	}
	switch how {
	case "exit-0":
		os.Exit(0)
	case "exit-1":
		os.Exit(1)
	case "exit-3":
		os.Exit(3)
	case "syscall-exit-0":
		syscall.Exit(0)
	case "goexit":
		runtime.Goexit()
	case "log-fatal":
		log.Fatal("fatal")
	case "panic":
		panic("panic")
	case "panic-elsewhere":
		go panic("panic")
		select {}
	case "nil":
		var p *int
		*p = 1
	case "stack":
		var deep func(n int) int
		deep = func(n int) int { return deep(n+1) + n }
		deep(0)
	case "throw":
		new(sync.Mutex).Unlock()
	case "exec":
		err := syscall.Exec("/bin/true", []string{"true"}, os.Environ())
		fmt.Println(err)
	case "hang":
		select {}
	case "spin":
		for i := 0; ; i++ {
		}
	case "temp-gone":
		dirs, _ := filepath.Glob("/proc/self/fd/*")
		for _, fd := range dirs {
			if to, _ := os.Readlink(fd); strings.Contains(to, "/cgogrind-") {
				os.RemoveAll(filepath.Dir(to))
			}
		}
	default:
		text := C.CString(how)
		C.end(text)
		C.free(unsafe.Pointer(text))
	}
}

// EndInThread does it in a thread of C's: the ways of C only.
func EndInThread(how string) {
	text := C.CString(how)
	C.end_in_thread(text)
	C.free(unsafe.Pointer(text))
}

// Bad reads what it must not.
func Bad() { C.bad() }

type box struct{ p unsafe.Pointer }

var sink *box

// Lose leaks memory that only Go's garbage holds.
func Lose() {
	for range 20 {
		sink = &box{C.malloc(77)}
	}
	sink = nil
}
