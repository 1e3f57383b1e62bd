package allocator_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/cgogrind/cgogrind/harness"
	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind/client"
	"github.com/cgogrind/cgogrind/valgrind/memcheck"
)

// outcome is what a run found and decided.
type outcome struct {
	findings []result.Finding
	verdicts map[string]result.Verdict
}

func (o *outcome) Handle(_ context.Context, m result.Message) error {
	if m.Finding != nil {
		o.findings = append(o.findings, *m.Finding)
	}
	if m.Test != nil {
		o.verdicts[m.Test.Name] = m.Test.Verdict
	}
	return nil
}

// runWithJemalloc runs the package's tests of labels under memcheck, with the library's memory from jemalloc.
func runWithJemalloc(t *testing.T, allowUnseen bool) (result.ExitCode, *outcome, error) {
	t.Helper()
	if client.Running() > 0 {
		t.Skip("memcheck under memcheck")
	}
	if testing.Short() {
		t.Skip("it builds a test binary and runs it under memcheck")
	}
	_, err := memcheck.Find(t.Context(), "")
	if err == nil {
		probe := exec.Command("gcc", "-E", "-x", "c", "-")
		probe.Stdin = strings.NewReader("#include <jemalloc/jemalloc.h>\n")
		err = probe.Run()
	}
	if err != nil && os.Getenv("CI") != "true" {
		t.Skipf("it needs valgrind, gcc and libjemalloc-dev: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	o := &outcome{verdicts: map[string]result.Verdict{}}
	notes := new(strings.Builder)
	code, err := harness.Run(t.Context(), harness.Config{
		Tags: []string{"jemalloc"}, Run: "^TestLabels", AllowUnseen: allowUnseen, Notes: notes,
	}, o)
	t.Logf("%s", notes)
	return code, o, err
}

// TestJemallocRefused: memory that memcheck cannot see is refused, with the name of the function that it comes from.
func TestJemallocRefused(t *testing.T) {
	code, o, err := runWithJemalloc(t, false)
	if code != result.ExitUsage || err == nil || !strings.Contains(err.Error(), "mallocx") {
		t.Errorf("exit code %d, error %v", code, err)
	}
	if len(o.verdicts) != 0 || len(o.findings) != 0 {
		t.Errorf("it ran: %v", o)
	}
}

// TestJemallocMissed is why: the bug has wrecked the shelves, and memcheck has nothing to say.
func TestJemallocMissed(t *testing.T) {
	code, o, err := runWithJemalloc(t, true)
	if err != nil {
		t.Fatal(err)
	}
	if len(o.findings) != 0 {
		t.Errorf("memcheck sees this memory: %v", o.findings)
	}
	if code != result.ExitFail || o.verdicts["TestLabels"] != result.Fail || o.verdicts["TestLabelsCopied"] != result.Pass {
		t.Errorf("exit code %d, verdicts %v", code, o.verdicts)
	}
}
