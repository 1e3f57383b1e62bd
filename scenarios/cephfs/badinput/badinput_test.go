// Package badinput runs the suite of scenarios/cephfs where it cannot work: it has to say why, in time, and to leave nothing
// behind.
package badinput

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/cgogrind/cgogrind/scenarios/cluster"
	"github.com/cgogrind/cgogrind/scenarios/cluster/program"
)

func TestSuiteThatCannotWork(t *testing.T) {
	suite := program.Build(t)

	t.Run("metadata server that ends", func(t *testing.T) {
		program.NeedCeph(t, cluster.Options{FileSystem: true})
		folder := t.TempDir()
		script := "#!/bin/sh\necho no metadata today\nexit 1\n"
		if err := os.WriteFile(filepath.Join(folder, "ceph-mds"), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
		suite.Run(t, program.Run{Variables: []string{"PATH=" + folder + ":" + os.Getenv("PATH"), "CI="}, Status: 1,
			Says: []string{"[FAILED]", "[BeforeSuite]", "failed: a daemon ended", "no metadata today", "Ran 0 of "}})
	})

	t.Run("missing programs", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		says := []string{"programs of Ceph are missing: ceph, rados", "ceph-mds", "./ci/setup"}
		suite.Run(t, program.Run{Variables: []string{"CI="}, Says: says})
		suite.Run(t, program.Run{Variables: []string{"CI=true"}, Status: 1, Says: says})
	})
}
