// Package badinput runs the suite of scenarios/rbd where it cannot work: it has to say why, in time, and to leave nothing
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

	t.Run("no cluster", func(t *testing.T) {
		program.NeedCeph(t, cluster.Options{})
		config := filepath.Join(t.TempDir(), "ceph.conf")
		text := "[global]\nmon host = v2:127.0.0.1:1\nclient mount timeout = 2\nkeyring = /dev/null\nauth client required = none\n"
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		suite.Run(t, program.Run{Variables: []string{"CEPH_CONF=" + config, "CI="}, Status: 1,
			Says: []string{"[FAILED]", "[BeforeSuite]", "starting a Ceph cluster: connecting failed", "Ran 0 of "}})
	})

	t.Run("missing programs", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		says := []string{"programs of Ceph are missing: ceph, rados", "./ci/setup"}
		suite.Run(t, program.Run{Variables: []string{"CEPH_CONF=", "CI="}, Says: says})
		suite.Run(t, program.Run{Variables: []string{"CEPH_CONF=", "CI=true"}, Status: 1, Says: says})
	})
}
