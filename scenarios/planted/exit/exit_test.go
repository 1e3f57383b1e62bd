package exit_test

import (
	"os"
	"testing"

	"github.com/cgogrind/cgogrind/scenarios/planted/exit"
)

// ends skips a test that ends its process, but for package check, which looks for that.
func ends(t *testing.T) {
	t.Helper()
	if os.Getenv("PLANTED_EXIT") == "" {
		t.Skip("it ends the process")
	}
}

func TestExitFirst(t *testing.T) {
	ends(t)
	exit.CleanedUpWhileRunning()
}

func TestExitSecond(t *testing.T) {
	ends(t)
	func() { exit.CleanedUpWhileRunning() }()
}

func TestExitClean(t *testing.T) {
	ends(t)
	exit.StoppedBeforeCleaningUp()
}
