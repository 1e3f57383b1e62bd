package harness

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os/exec"
	"strings"

	"github.com/cgogrind/cgogrind/harness/internal/child"
	"github.com/cgogrind/cgogrind/harness/internal/shell"
)

// runVariables are those in which CI systems say which run a job belongs to. A job of it that is run again, alone, has the
// same values, and the same code: GITHUB_RUN_ATTEMPT is left out, for the other shards would have another one then.
var runVariables = []string{
	"CGOGRIND_RUN", // set by hand
	"GITHUB_RUN_ID", "CI_PIPELINE_ID", "BUILDKITE_BUILD_ID", "CIRCLE_WORKFLOW_ID", "BUILD_TAG",
}

// runKey is what the shards of one run have in common: see result.Config.
func (r *run) runKey() string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q %q %q %q %v %v %s\n", r.cfg.Patterns, r.cfg.Run, r.cfg.Skip, r.cfg.Tags, r.cfg.BuildFlags,
		r.cfg.TestFlags, r.cfg.GCStress, r.cfg.CgoCheck2, r.cfg.Profile)
	for _, name := range runVariables {
		fmt.Fprintf(h, "%s=%s\n", name, shell.Getenv(r.cfg.Env, name))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// repositoryRoot is the folder of the repository that dir is in, or dir.
func repositoryRoot(dir string) string {
	cmd := exec.Command("git", "rev-parse", "--show-toplevel")
	cmd.Dir = dir
	if out, err := child.Output(context.Background(), cmd); err == nil {
		return strings.TrimSuffix(string(out), "\n")
	}
	return dir
}
