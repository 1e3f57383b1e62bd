package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// workDir is the private folder of a run: test binaries, reports, suppression files. It is removed even when this
// process is killed: a shell in a session of its own waits for the end of a pipe that only this process holds open.
type workDir struct {
	path   string
	alive  *os.File // the pipe's writing end
	keeper *exec.Cmd
}

// keeperScript removes "$1" once standard input ends. Processes that die at the same moment may still write there, so
// it tries for a while.
const keeperScript = `trap '' INT TERM HUP QUIT
read -r _
n=0
until rm -rf -- "$1" || [ "$n" -ge 100 ]; do n=$((n+1)); sleep 0.1; done 2>/dev/null`

func newWorkDir() (w *workDir, err error) {
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
			err = errors.Join(err, os.RemoveAll(w.path))
		}
	}()
	r, alive, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe: %w", err)
	}
	defer r.Close()
	w.keeper = exec.Command("/bin/sh", "-c", keeperScript, "cgogrind-keeper", w.path)
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
	return w.alive.Close()
}
