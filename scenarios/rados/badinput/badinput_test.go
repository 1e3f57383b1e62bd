// Package badinput runs the suite of scenarios/rados where it cannot work: it has to say why, in time, and to leave nothing
// behind.
package badinput

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cgogrind/cgogrind/scenarios/cluster"
	"github.com/cgogrind/cgogrind/scenarios/cluster/trace"
)

// limit is much longer than any of these runs takes: it is there to tell a suite that hangs.
const limit = 3 * time.Minute

// suite builds the suite and returns the program.
func suite(t *testing.T) string {
	t.Helper()
	if os.Getenv("CGOGRIND") != "" {
		t.Skip("under cgogrind: this test builds and runs the suite itself, natively")
	}
	tags, err := exec.Command("go", "run", "../../../harness/cmd/cgogrind", "tags", "..").Output()
	if err != nil {
		t.Fatalf("asking for the build tags: %v", err)
	}
	program := filepath.Join(t.TempDir(), "rados.test")
	if out, err := exec.Command("go", "test", "-c", "-tags="+strings.TrimSpace(string(tags)), "-o", program, "..").
		CombinedOutput(); err != nil {
		t.Fatalf("building the suite: %v\n%s", err, out)
	}
	return program
}

func start(t *testing.T, options cluster.Options) *cluster.Cluster {
	t.Helper()
	t.Setenv("CEPH_CONF", "")
	c, err := cluster.Start(t.Context(), options)
	if errors.Is(err, cluster.ErrMissing) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Stop() }) // that it succeeds is for the tests of Stop to check
	return c
}

// pools lists the pools of a cluster.
func pools(t *testing.T, c *cluster.Cluster) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "rados", "-c", c.ConfigFile(), "lspools").CombinedOutput()
	if err != nil {
		t.Fatalf("rados lspools: %v\n%s", err, out)
	}
	return strings.Fields(string(out))
}

// run runs the suite to its end, does something meanwhile, and returns what it says. It has to fail, in time, and to
// leave neither processes nor files.
func run(t *testing.T, program, config string, meanwhile func(), arguments ...string) string {
	t.Helper()
	dir := t.TempDir()
	traces := trace.New(dir)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	// The ping of a monitor has a race in librados that crashes the process now and then: see scenarios/FOUND.md.
	cmd := exec.CommandContext(ctx, program,
		append([]string{"-ginkgo.no-color", "-ginkgo.skip=Ping of a monitor is answered"}, arguments...)...)
	cmd.Env = append(append(os.Environ(), traces.Env()...), "CEPH_CONF="+config, "CI=")
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if meanwhile != nil {
		meanwhile()
	}
	err := cmd.Wait()
	if ctx.Err() != nil {
		t.Fatalf("the suite hangs: it was killed after %v\n%s", limit, output.String())
	}
	var status *exec.ExitError
	if !errors.As(err, &status) || status.ExitCode() != 1 {
		t.Errorf("the suite ended with %v, want exit status 1\n%s", err, output.String())
	}
	if err := traces.WaitGone(ctx); err != nil {
		t.Error(err)
	}
	return output.String()
}

func says(t *testing.T, output string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(output, text) {
			t.Errorf("the suite does not say %q:\n%s", text, output)
		}
	}
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
	program := suite(t)
	for _, test := range []struct {
		name string
		run  func(t *testing.T, program string)
	}{
		{"no cluster", noCluster},
		{"configuration that does not exist", configurationThatDoesNotExist},
		{"wrong key", wrongKey},
		{"pool that vanishes", poolThatVanishes},
		{"missing programs", missingPrograms},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, program) })
	}
}

func noCluster(t *testing.T, program string) {
	start(t, cluster.Options{}) // only to know that Ceph is installed
	config := write(t, "[global]\nmon host = v2:127.0.0.1:1\nclient mount timeout = 2\nkeyring = /dev/null\n"+
		"auth client required = none\n")
	output := run(t, program, config, nil)
	says(t, output, "[FAILED]", "[BeforeSuite]", "starting a Ceph cluster: connecting failed", "Ran 0 of ")
}

func configurationThatDoesNotExist(t *testing.T, program string) {
	start(t, cluster.Options{})
	output := run(t, program, filepath.Join(t.TempDir(), "missing.conf"), nil)
	says(t, output, "[BeforeSuite]", "starting a Ceph cluster: connecting failed", "Ran 0 of ")
}

func wrongKey(t *testing.T, program string) {
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
	output := run(t, program, write(t, config.String()), nil)
	says(t, output, "[BeforeSuite]", "starting a Ceph cluster: connecting failed", "handle_auth_bad_method", "Ran 0 of ")
	if after := pools(t, c); !slices.Equal(before, after) {
		t.Errorf("the cluster had the pools %q, and has %q", before, after)
	}
}

func poolThatVanishes(t *testing.T, program string) {
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
	output := run(t, program, c.ConfigFile(), vanish)
	says(t, output, "[FAIL")
	if !strings.Contains(output, "No such file or directory") && !strings.Contains(output, "ENOENT") {
		t.Errorf("the suite does not say that the pool is gone:\n%s", output)
	}
	if after := pools(t, c); !slices.Equal(before, after) {
		t.Errorf("the cluster had the pools %q, and has %q", before, after)
	}
}

func missingPrograms(t *testing.T, program string) {
	t.Setenv("PATH", t.TempDir())
	for _, ci := range []string{"", "true"} {
		cmd := exec.CommandContext(t.Context(), program, "-ginkgo.no-color", "-ginkgo.v")
		cmd.Env = append(os.Environ(), "CEPH_CONF=", "CI="+ci)
		out, err := cmd.CombinedOutput()
		if skips := err == nil; skips != (ci == "") {
			t.Errorf("with CI=%q the suite ended with %v", ci, err)
		}
		says(t, string(out), "programs of Ceph are missing: ceph, rados", "./ci/setup")
	}
}
