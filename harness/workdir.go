package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// workDir is the private folder of a run: test binaries, reports, suppression files, and what the build leaves for a time. It
// is removed even when this process is killed, and the programs that run for it end: a shell in a session of its own waits
// for the end of a pipe that only this process holds open.
type workDir struct {
	path   string
	build  string   // for the go command's and compilers' temporary files; within path, but where GOTMPDIR says
	alive  *os.File // the pipe's writing end
	keeper *exec.Cmd
}

// keeperScript notes process groups as they come ("+ID") and go ("-ID"). Once standard input ends it kills those that are
// left, go and the compilers that it has started for example, and removes its arguments. What dies at the same moment may
// still write there, so it tries for a while. (After -KILL, dash takes -- for a process.)
const keeperScript = `trap '' INT TERM HUP QUIT
groups=' '
while read -r line; do
	id=${line#?}
	case $line in
	+*) groups="$groups$id " ;;
	-*) groups="${groups%% $id *} ${groups#* $id }" ;;
	esac
done
for id in $groups; do kill -9 "-$id"; done 2>/dev/null
n=0
until rm -rf -- "$@" || [ "$n" -ge 100 ]; do n=$((n+1)); sleep 0.1; done 2>/dev/null`

// newWorkDir makes the folder; the build's temporary files go below goTmp if that is not empty.
func newWorkDir(goTmp string) (w *workDir, err error) {
	w = &workDir{}
	tmp, err := filepath.Abs(os.TempDir()) // programs run in other folders
	if err == nil {
		w.path, err = os.MkdirTemp(tmp, "cgogrind-")
	}
	if err != nil {
		return nil, fmt.Errorf("making a temporary folder: %w; TMPDIR can name another place for it", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(w.path), os.RemoveAll(w.build))
		}
	}()
	if goTmp == "" {
		w.build = filepath.Join(w.path, "build")
		err = os.Mkdir(w.build, 0o700)
	} else if goTmp, err = filepath.Abs(goTmp); err == nil {
		w.build, err = os.MkdirTemp(goTmp, "cgogrind-")
	}
	if err != nil {
		return nil, fmt.Errorf("making a folder for the build: %w; GOTMPDIR can name another place for it", err)
	}
	r, alive, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe: %w", err)
	}
	defer r.Close()
	w.keeper = exec.Command("/bin/sh", "-c", keeperScript, "cgogrind-keeper", w.path, w.build)
	w.keeper.Dir = "/"
	w.keeper.Stdin = r
	w.keeper.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := w.keeper.Start(); err != nil {
		alive.Close()
		return nil, fmt.Errorf("starting the process that removes the temporary folder: %w", err)
	}
	w.alive = alive
	return w, nil
}

// remove ends the folder and its keeper.
func (w *workDir) remove() error {
	w.alive.Close()
	err := w.keeper.Wait()
	if _, statErr := os.Lstat(w.path); statErr == nil {
		return errors.Join(fmt.Errorf("the temporary folder %s could not be removed", w.path), err)
	}
	return nil
}

// keep leaves the folder where it is and ends its keeper.
func (w *workDir) keep() error {
	if err := w.keeper.Process.Kill(); err != nil {
		return fmt.Errorf("keeping the temporary folder: %w", err)
	}
	_ = w.keeper.Wait() // says that it was killed
	return errors.Join(w.alive.Close(), os.RemoveAll(w.build))
}

// watch has a process group killed should this process be, until it has ended.
func (w *workDir) watch(group int) (ended func()) {
	tell := func(sign string) { // a line is written in one piece; a keeper that is gone is told nothing
		_, _ = fmt.Fprintf(w.alive, "%s%d\n", sign, group)
	}
	tell("+")
	return func() { tell("-") }
}

// run runs a program in a process group of its own, which is killed when ctx is done, and when this process is.
func (w *workDir) run(ctx context.Context, cmd *exec.Cmd) error {
	const patience = time.Second // with others that still hold the output
	// Linux sends the death signal when the thread that forked ends: nobody else ends this one.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	}
	if cmd.WaitDelay == 0 {
		cmd.WaitDelay = patience
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := w.watch(cmd.Process.Pid)
	defer ended()
	stop := context.AfterFunc(ctx, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer stop()
	err := cmd.Wait()
	if errors.Is(err, exec.ErrWaitDelay) {
		return nil // it has ended well; who still has its output says nothing of interest
	}
	return err
}

// buildEnv is an environment in which the go command and compilers keep their temporary files where they are removed.
func (w *workDir) buildEnv(env []string) []string {
	env = set(slices.Clone(env), "GOTMPDIR", w.build)
	return set(env, "TMPDIR", w.build)
}
