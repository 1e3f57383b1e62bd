package memcheck

import (
	"fmt"
	"syscall"
)

const (
	// valgrindDescriptors is the number of file descriptors that valgrind takes for itself from above the soft limit,
	// or from below it when the hard limit leaves no room.
	valgrindDescriptors = 12
	// minDescriptors: with fewer, memcheck aborts or the program cannot load its libraries.
	minDescriptors = 64
	// maxDescriptors is far below the limits of containers (up to 2^30), for which the kernel would have to make a
	// table of gigabytes as valgrind moves its own descriptors to the end of the range, and far above what tests open.
	// See https://bugs.kde.org/show_bug.cgi?id=465435.
	maxDescriptors = 65536
)

// descriptorLimits returns the soft and the hard limit on file descriptors for valgrind, given the hard one that this
// process may use. Valgrind makes the soft limit the hard one of the program, which therefore gets all that is possible
// at once: natively a Go program raises its soft limit to the hard one, too.
func descriptorLimits(hard uint64) (newSoft, newHard uint64, err error) {
	if hard < minDescriptors {
		return 0, 0, fmt.Errorf("the limit on open files is %d, and memcheck needs at least %d: raise it "+
			"(ulimit -n 1024, or LimitNOFILE= of the service)", hard, minDescriptors)
	}
	newHard = min(hard, maxDescriptors+valgrindDescriptors)
	return newHard - valgrindDescriptors, newHard, nil
}

// hardDescriptorLimit is this process's own. Go raises the soft limit of a process at its start and never touches the
// hard one.
func hardDescriptorLimit() (uint64, error) {
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		return 0, fmt.Errorf("reading the limit on open files: %w", err)
	}
	return lim.Max, nil
}

// launcherName is how the shell calls itself in its messages.
const launcherName = "cgogrind"

// launcher returns a command line that sets the limits and becomes the command. A shell in between is the one way that
// sets them for the child alone and before it runs: os/exec cannot, prlimit on the running child comes too late, and
// this process's own limits are those of all its threads.
//
// The limit on core dumps goes to 0, or memcheck leaves a vgcore.PID of the program in its directory. The program can
// raise it again.
//
// Shells may drop environment variables whose names are no identifiers. Debian's valgrind is a shell script, too.
func launcher(soft, hard uint64, command []string) []string {
	script := fmt.Sprintf(`ulimit -S -c 0 && ulimit -S -n %d && ulimit -H -n %d && exec "$@"`, soft, hard)
	return append([]string{"/bin/sh", "-c", script, launcherName}, command...)
}
