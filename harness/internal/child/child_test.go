package child

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestOutput(t *testing.T) {
	out, err := Output(t.Context(), exec.Command("/bin/sh", "-c", "echo said"))
	if string(out) != "said\n" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
	_, err = Output(t.Context(), exec.Command("/bin/sh", "-c", "echo why >&2; exit 3"))
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 || string(exit.Stderr) != "why\n" {
		t.Errorf("%v", err)
	}
	if _, err := Output(t.Context(), exec.Command("/nonexistent")); err == nil {
		t.Error("a program that does not exist")
	}
}

// TestHangs: a program that does not answer ends with those that it has started, which hold its output.
func TestHangs(t *testing.T) {
	const hang = "echo begun; sleep 1000 & sleep 1000"
	out, err := output(t.Context(), exec.Command("/bin/sh", "-c", hang), 200*time.Millisecond)
	if string(out) != "begun\n" || err == nil || !strings.Contains(err.Error(), "/bin/sh did not end within 200ms") {
		t.Errorf("%q, %v", out, err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	time.AfterFunc(100*time.Millisecond, func() { cancel(why) })
	if _, err := Output(ctx, exec.Command("/bin/sh", "-c", hang)); !errors.Is(err, why) {
		t.Errorf("%v", err)
	}
	// What goes on in the background of one that has answered holds up nobody.
	if out, err := Output(t.Context(), exec.Command("/bin/sh", "-c", "setsid sleep 3 & echo done")); string(out) != "done\n" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
}
