// Package badinput runs the suite of scenarios/rados where it cannot work: it has to say why, in time, and to leave nothing
// behind.
package badinput

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cgogrind/cgogrind/scenarios/cluster"
	"github.com/cgogrind/cgogrind/scenarios/cluster/program"
)

func start(t *testing.T, options cluster.Options) *cluster.Cluster {
	t.Helper()
	t.Setenv("CEPH_CONF", "")
	c, err := cluster.Start(t.Context(), options)
	if cluster.MaySkip(err) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Stop() }) // that it succeeds is for the tests of Stop to check
	return c
}

// pools lists the pools of a cluster. On a slow machine librados may have something to say on standard error, too.
func pools(t *testing.T, c *cluster.Cluster) []string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "rados", "-c", c.ConfigFile(), "lspools")
	var messages strings.Builder
	list.Stderr = &messages
	out, err := list.Output()
	if err != nil {
		t.Fatalf("rados lspools: %v\n%s%s", err, out, messages.String())
	}
	return strings.Fields(string(out))
}

// run runs the suite on a cluster that it cannot work with.
func run(t *testing.T, suite program.Program, config string, meanwhile func(), says ...string) string {
	t.Helper()
	// The ping of a monitor has a race in librados that crashes the process now and then: see scenarios/FOUND.md.
	return suite.Run(t, program.Run{Variables: []string{"CEPH_CONF=" + config, "CI="},
		Arguments: []string{"-ginkgo.skip=Ping of a monitor is answered"}, Meanwhile: meanwhile, Status: 1, Says: says})
}

// write writes a configuration and returns its path.
func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "ceph.conf")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestSuiteThatCannotWork(t *testing.T) {
	suite := program.Build(t)
	for _, test := range []struct {
		name string
		run  func(t *testing.T, suite program.Program)
	}{
		{"no cluster", noCluster},
		{"configuration that does not exist", configurationThatDoesNotExist},
		{"wrong key", wrongKey},
		{"pool that vanishes", poolThatVanishes},
		{"missing programs", missingPrograms},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, suite) })
	}
}

func noCluster(t *testing.T, suite program.Program) {
	start(t, cluster.Options{}) // only to know that Ceph is installed
	config := write(t, "[global]\nmon host = v2:127.0.0.1:1\nclient mount timeout = 2\nkeyring = /dev/null\n"+
		"auth client required = none\n")
	run(t, suite, config, nil, "[FAILED]", "[BeforeSuite]", "starting a Ceph cluster: connecting failed", "Ran 0 of ")
}

func configurationThatDoesNotExist(t *testing.T, suite program.Program) {
	start(t, cluster.Options{})
	run(t, suite, filepath.Join(t.TempDir(), "missing.conf"), nil, "[BeforeSuite]", "starting a Ceph cluster: connecting failed", "Ran 0 of ")
}

func wrongKey(t *testing.T, suite program.Program) {
	c := start(t, cluster.Options{Keys: true})
	before := pools(t, c)
	keyring := filepath.Join(t.TempDir(), "keyring")
	if out, err := exec.Command("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "client.admin").
		CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(c.ConfigFile())
	if err != nil {
		t.Fatal(err)
	}
	var config strings.Builder
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "keyring = ") {
			line = "keyring = " + keyring + "\n"
		}
		config.WriteString(line)
	}
	run(t, suite, write(t, config.String()), nil,
		"[BeforeSuite]", "starting a Ceph cluster: connecting failed", "handle_auth_bad_method", "Ran 0 of ")
	if after := pools(t, c); !slices.Equal(before, after) {
		t.Errorf("the cluster had the pools %q, and has %q", before, after)
	}
}

func poolThatVanishes(t *testing.T, suite program.Program) {
	c := start(t, cluster.Options{})
	before := pools(t, c)
	// As soon as the suite has a pool, it is deleted; so are those that it makes later.
	vanish := func() {
		for {
			for _, pool := range pools(t, c) {
				if slices.Contains(before, pool) {
					continue
				}
				if out, err := exec.CommandContext(t.Context(), "ceph", "-c", c.ConfigFile(), "osd", "pool", "rm", pool, pool,
					"--yes-i-really-really-mean-it").CombinedOutput(); err != nil {
					t.Errorf("deleting the pool: %v\n%s", err, out)
				}
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	output := run(t, suite, c.ConfigFile(), vanish, "[FAIL")
	if !strings.Contains(output, "No such file or directory") && !strings.Contains(output, "ENOENT") {
		t.Errorf("the suite does not say that the pool is gone:\n%s", output)
	}
	if after := pools(t, c); !slices.Equal(before, after) {
		t.Errorf("the cluster had the pools %q, and has %q", before, after)
	}
}

func missingPrograms(t *testing.T, suite program.Program) {
	t.Setenv("PATH", t.TempDir())
	says := []string{"programs of Ceph are missing: ceph, rados", "./ci/setup"}
	suite.Run(t, program.Run{Variables: []string{"CEPH_CONF=", "CI="}, Says: says})
	suite.Run(t, program.Run{Variables: []string{"CEPH_CONF=", "CI=true"}, Status: 1, Says: says})
}
