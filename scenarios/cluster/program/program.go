// Package program builds a suite and runs it natively where it cannot work, for tests that it says why, in time, and leaves
// nothing behind.
package program

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cgogrind/cgogrind/scenarios/cluster"
	"github.com/cgogrind/cgogrind/scenarios/cluster/trace"
)

// limit is much longer than any of these runs takes: it is there to tell a suite that hangs.
const limit = 3 * time.Minute

// Program is the test binary of a suite.
type Program struct{ path string }

// Build builds the suite of the folder above that of the test, which is skipped under cgogrind.
func Build(t *testing.T) Program {
	t.Helper()
	if os.Getenv("CGOGRIND") != "" {
		t.Skip("under cgogrind: this test builds and runs the suite itself, natively")
	}
	tags, err := exec.Command("go", "run", "github.com/cgogrind/cgogrind/harness/cmd/cgogrind", "tags", "..").Output()
	if err != nil {
		t.Fatalf("asking for the build tags: %v", err)
	}
	p := Program{filepath.Join(t.TempDir(), "suite.test")}
	if out, err := exec.Command("go", "test", "-c", "-tags="+strings.TrimSpace(string(tags)), "-o", p.path, "..").
		CombinedOutput(); err != nil {
		t.Fatalf("building the suite: %v\n%s", err, out)
	}
	return p
}

// NeedCeph skips the test where the programs of Ceph are missing that these options need; with CI=true it fails.
func NeedCeph(t *testing.T, options cluster.Options) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := cluster.Start(ctx, options)
	if cluster.MaySkip(err) {
		t.Skip(err)
	}
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// Run is one run of a suite.
type Run struct {
	Variables []string // more variables of the environment
	Arguments []string // more arguments
	Meanwhile func()   // what happens while it runs, if anything
	Status    int      // the exit status that it has to end with
	Says      []string // what has to be in its output
}

// Run runs the suite to its end, and returns what it printed. It has to end in time, and to leave neither processes nor
// files.
func (p Program) Run(t *testing.T, r Run) string {
	t.Helper()
	traces := trace.New(t.TempDir())
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.path, append([]string{"-ginkgo.no-color", "-ginkgo.v"}, r.Arguments...)...)
	cmd.Env = append(append(os.Environ(), traces.Env()...), r.Variables...)
	var buf strings.Builder
	cmd.Stdout, cmd.Stderr = &buf, &buf
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if r.Meanwhile != nil {
		r.Meanwhile()
	}
	err := cmd.Wait()
	output := buf.String()
	if ctx.Err() != nil {
		t.Fatalf("the suite hangs: it was killed after %v\n%s", limit, output)
	}
	if got := cmd.ProcessState.ExitCode(); got != r.Status {
		t.Errorf("the suite ended with %d (%v), want %d\n%s", got, err, r.Status, output)
	}
	for _, text := range r.Says {
		if !strings.Contains(output, text) {
			t.Errorf("the suite does not say %q:\n%s", text, output)
		}
	}
	if err := traces.WaitGone(ctx); err != nil {
		t.Error(err)
	}
	return output
}
