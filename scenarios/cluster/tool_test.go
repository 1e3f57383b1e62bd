package cluster_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cgogrind/cgogrind/scenarios/cluster"
	"github.com/cgogrind/cgogrind/scenarios/cluster/program"
	"github.com/cgogrind/cgogrind/scenarios/cluster/trace"
)

// TestKilledToolOrMemcheckLeavesNothing kills cgogrind, and memcheck below it, in the middle of a suite that has a
// cluster. The suite itself is killed in TestKilledSuiteLeavesNothing.
func TestKilledToolOrMemcheckLeavesNothing(t *testing.T) {
	if os.Getenv("CGOGRIND") != "" {
		t.Skip("under cgogrind itself: the processes that this test looks for would be another one's, too")
	}
	t.Setenv("CEPH_CONF", "")
	program.NeedCeph(t, cluster.Options{})
	if _, err := exec.LookPath("valgrind"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("valgrind is missing: ./ci/setup installs it")
	}
	tool := filepath.Join(t.TempDir(), "cgogrind")
	if out, err := exec.Command("go", "build", "-o", tool, "../../harness/cmd/cgogrind").CombinedOutput(); err != nil {
		t.Fatalf("building cgogrind: %v\n%s", err, out)
	}
	const memcheck = "--tool=memcheck"

	// start runs the suite until its daemons and memcheck are there.
	start := func(t *testing.T) (cmd *exec.Cmd, traces *trace.Trace, ended chan struct{}) {
		traces = watch(t)
		cmd = exec.Command(tool, "test", "../rados")
		var messages strings.Builder
		cmd.Stderr = &messages
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended = make(chan struct{})
		go func() {
			_ = cmd.Wait() // the tests look at ProcessState
			close(ended)
		}()
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			<-ended
		})
		for !running(t, traces, "ceph-osd -i 0 --osd-data") || !running(t, traces, memcheck) {
			select {
			case <-ended:
				t.Fatalf("cgogrind ended before the cluster was up: %s\n%s", cmd.ProcessState, messages.String())
			case <-time.After(20 * time.Millisecond):
			}
		}
		checkFiles(t, traces)
		t.Cleanup(func() {
			if t.Failed() {
				t.Log(messages.String())
			}
		})
		return cmd, traces, ended
	}

	t.Run("cgogrind", func(t *testing.T) {
		cmd, traces, _ := start(t)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := traces.WaitGone(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("memcheck", func(t *testing.T) {
		cmd, traces, ended := start(t)
		remains, err := traces.Look()
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(remains.Processes, func(p string) bool { return strings.Contains(p, memcheck) })
		pid, err := strconv.Atoi(strings.Fields(remains.Processes[i])[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if err := traces.WaitGone(t.Context()); err != nil {
			t.Error(err)
		}
		<-ended
		if code := cmd.ProcessState.ExitCode(); code != 4 {
			t.Errorf("cgogrind ended with %d, want 4: the evidence is incomplete", code)
		}
	})
}

func checkFiles(t *testing.T, traces *trace.Trace) {
	t.Helper()
	remains, err := traces.Look()
	if err != nil {
		t.Fatal(err)
	}
	if len(remains.Files) == 0 || len(remains.Ports) == 0 {
		t.Errorf("nothing to be left behind yet: %s", remains)
	}
}
