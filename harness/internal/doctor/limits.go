package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// minDescriptors is what memcheck and a program with some libraries need at least.
const minDescriptors = 64

func (e *examination) descriptors(context.Context) {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		e.bad(Check{Name: "open files", Status: Warning, Found: err.Error()})
		return
	}
	switch {
	case lim.Max < minDescriptors:
		e.bad(Check{
			Name: "open files", Status: Missing, Found: fmt.Sprintf("the limit is %d", lim.Max),
			Lacks: fmt.Sprintf("memcheck needs %d", minDescriptors), Remedy: "ulimit -n 1024, or LimitNOFILE= of the service",
		})
	case lim.Max < 1024:
		e.bad(Check{
			Name: "open files", Status: Warning, Found: fmt.Sprintf("the limit is %d", lim.Max),
			Lacks: "tests with many connections may run out of descriptors", Remedy: "ulimit -n 1024, or LimitNOFILE= of the service",
		})
	default:
		e.good("open files", "the limit is %s", limit(lim.Max))
	}
}

func limit(n uint64) string {
	if n == unix.RLIM_INFINITY {
		return "unlimited"
	}
	return fmt.Sprint(n)
}

func (e *examination) core(context.Context) {
	const lacks = "no core dump of a native crash to read later"
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &lim); err != nil {
		e.bad(Check{Name: "core dumps", Status: Warning, Found: err.Error(), Lacks: lacks})
		return
	}
	pattern, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	to := strings.TrimSpace(string(pattern))
	switch {
	case lim.Max == 0:
		e.bad(Check{
			Name: "core dumps", Status: Warning, Found: "the hard limit is 0", Lacks: lacks,
			Remedy: "docker run --ulimit core=-1, LimitCORE=infinity of the service, or /etc/security/limits.conf",
		})
	case lim.Cur == 0:
		e.bad(Check{
			Name: "core dumps", Status: Warning, Found: "the limit is 0", Lacks: lacks,
			Remedy: "ulimit -c unlimited, and GOTRACEBACK=crash for the tests",
		})
	case err != nil || to == "":
		e.good("core dumps", "the limit is %s", limit(lim.Cur))
	default:
		e.good("core dumps", "the limit is %s, written to %s", limit(lim.Cur), to)
	}
}

// ptrace tries it: a container's seccomp filter is in no file that could be read.
func (e *examination) ptrace(context.Context) {
	const lacks = "gdb and strace cannot start programs: cgogrind repro --native --gdb and --strace"
	err := tryPtrace()
	scope, readErr := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope")
	yama := strings.TrimSpace(string(scope))
	switch {
	case err == nil && readErr == nil:
		e.good("ptrace", "permitted for programs that gdb and strace start (yama: %s)", yama)
	case err == nil:
		e.good("ptrace", "permitted")
	case errors.Is(err, unix.EPERM) && yama == "3":
		e.bad(Check{
			Name: "ptrace", Status: Warning, Found: "forbidden: kernel.yama.ptrace_scope is 3", Lacks: lacks,
			Remedy: "set kernel.yama.ptrace_scope=1 in /etc/sysctl.d and boot: 3 cannot be undone in a running system",
		})
	case errors.Is(err, unix.EPERM) && yama == "2":
		e.bad(Check{
			Name: "ptrace", Status: Warning, Found: "forbidden: kernel.yama.ptrace_scope is 2", Lacks: lacks,
			Remedy: "sysctl kernel.yama.ptrace_scope=1",
		})
	case errors.Is(err, unix.EPERM):
		e.bad(Check{
			Name: "ptrace", Status: Warning, Found: "forbidden, as in a container without the capability", Lacks: lacks,
			Remedy: "docker run --cap-add=SYS_PTRACE --security-opt seccomp=unconfined; Kubernetes: " +
				"securityContext.capabilities.add: [SYS_PTRACE]",
		})
	default:
		e.bad(Check{Name: "ptrace", Status: Warning, Found: "trying it failed: " + err.Error(), Lacks: lacks})
	}
}

// tryPtrace starts a program that stops for its tracer, this process, and ends it.
func tryPtrace() error {
	// Only the thread that started the program is its tracer.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.Command("/bin/sh", "-c", ":")
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // says that it was killed
	return nil
}

// Free space: a test binary with debug information has some ten megabytes, and go build's cache of an instrumented
// standard library some hundred.
const (
	neededSpace = 100 << 20
	wantedSpace = 1 << 30
)

func (e *examination) disk(context.Context) {
	e.space("temporary folder", os.TempDir(), "export TMPDIR=DIR", true)
	cache, err := os.UserCacheDir()
	if err != nil {
		e.bad(Check{
			Name: "cache folder", Status: Warning, Found: err.Error(),
			Lacks: "the instrumented runtime is made anew for each run", Remedy: "export HOME=DIR or XDG_CACHE_HOME=DIR",
		})
		return
	}
	e.space("cache folder", cache, "export XDG_CACHE_HOME=DIR", false)
}

// space looks at the file system of a folder, whose programs have to run if programs is set.
func (e *examination) space(name, dir, remedy string, programs bool) {
	existing := dir
	var st unix.Statfs_t
	err := unix.Statfs(existing, &st)
	for errors.Is(err, unix.ENOENT) && existing != "/" {
		existing = filepath.Dir(existing) // the folder will be made
		err = unix.Statfs(existing, &st)
	}
	if err != nil {
		e.bad(Check{Name: name, Status: Missing, Found: dir + ": " + err.Error(), Remedy: remedy})
		return
	}
	free := st.Bavail * uint64(st.Bsize)
	c := Check{Name: name, Found: fmt.Sprintf("%s, %s free", dir, size(free))}
	switch {
	case unix.Access(existing, unix.W_OK) != nil:
		c.Status, c.Found, c.Remedy = Missing, dir+" cannot be written to", remedy
	case programs && st.Flags&unix.ST_NOEXEC != 0:
		c.Status, c.Found = Missing, dir+" is mounted noexec"
		c.Lacks, c.Remedy = "test binaries are built and run there", remedy+", a folder that programs may run from"
	case free < neededSpace:
		c.Status, c.Lacks, c.Remedy = Missing, "builds need some "+size(neededSpace), "make room (go clean -cache), or "+remedy
	case free < wantedSpace:
		c.Status, c.Lacks, c.Remedy = Warning, "the build of an instrumented standard library may not fit", "make room, or "+remedy
	default:
		c.Status = OK
	}
	e.bad(c)
}

func size(n uint64) string {
	if n >= 1<<30 {
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

func (e *examination) terminal(context.Context) {
	if e.cfg.Terminal {
		e.good("terminal", "standard output is one: colours and progress, and gdb can be interactive")
		return
	}
	e.good("terminal", "none: no colours, a line for each step; cgogrind repro --gdb prints text and ends")
}
