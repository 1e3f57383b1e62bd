// Package child asks other programs: versions, settings, libraries. Whatever they are, the answer comes in a time that
// people wait, and nothing that they have started stays.
//
// It is not for programs that run for long: builds and tests have the means of their packages.
package child

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Limit is how long a program may take to answer. Those that are asked take milliseconds: what reaches it hangs.
const Limit = 20 * time.Second

// Output runs a program and returns what it printed on standard output. The error is an *exec.ExitError with the program's
// standard error if it failed, and says so if it did not answer.
func Output(ctx context.Context, cmd *exec.Cmd) ([]byte, error) { return output(ctx, cmd, Limit) }

func output(ctx context.Context, cmd *exec.Cmd, limit time.Duration) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout = &stdout
	if cmd.Stderr == nil {
		cmd.Stderr = &stderr
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = time.Second
	// Linux sends the death signal when the thread that forked ends: nobody else ends this one.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := limited.Err(); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(limited, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer stop()
	err := cmd.Wait()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return stdout.Bytes(), context.Cause(ctx)
	case limited.Err() != nil && err != nil:
		return stdout.Bytes(), fmt.Errorf("%s did not end within %v", cmd.Path, limit)
	case errors.Is(err, exec.ErrWaitDelay): // somebody else has its output
		err = nil
	case errors.As(err, &exit):
		exit.Stderr = stderr.Bytes()
	}
	return stdout.Bytes(), err
}
