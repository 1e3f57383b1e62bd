package cluster_test

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
	"github.com/cgogrind/cgogrind/scenarios/cluster/program"
	"github.com/cgogrind/cgogrind/scenarios/cluster/trace"
)

// startFileSystem starts a cluster with a file system, and stops it in the end.
func startFileSystem(t *testing.T, options cluster.Options) *cluster.Cluster {
	t.Helper()
	t.Setenv("CEPH_CONF", "of some other cluster")
	options.FileSystem = true
	c, err := cluster.Start(t.Context(), options)
	if cluster.MaySkip(err) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Stop() })
	return c
}

func TestClusterWithAFileSystem(t *testing.T) {
	for _, test := range []struct {
		name    string
		options cluster.Options
	}{{"without keys", cluster.Options{}}, {"with keys", cluster.Options{Keys: true}}} {
		t.Run(test.name, func(t *testing.T) {
			traces := watch(t)
			c := startFileSystem(t, test.options)
			if got := command(t, c.ConfigFile(), "ceph", "mds", "stat"); !strings.HasPrefix(got, c.Pool()+":1 {0=a=up:active}") {
				t.Errorf("ceph mds stat: got %q, want one that serves %q", got, c.Pool())
			}
			want := []string{c.Pool(), c.Pool() + "-metadata", c.Pool() + "-data"}
			if got := strings.Fields(command(t, c.ConfigFile(), "rados", "lspools")); !slices.Equal(got, want) {
				t.Errorf("pools: got %q, want %q", got, want)
			}
			if got := command(t, c.ConfigFile(), "ceph", "tell", "mds.a", "version"); !strings.Contains(got, `"version"`) {
				t.Errorf("ceph tell mds.a version: got %q, want a version", got)
			}
			if err := c.WaitForManager(t.Context()); err != nil {
				t.Error(err)
			}
			if got := command(t, c.ConfigFile(), "ceph", "health"); !strings.HasPrefix(got, "HEALTH_OK") {
				t.Errorf("ceph health: got %q, want HEALTH_OK", got)
			}
			remains, err := traces.Look()
			if err != nil {
				t.Fatal(err)
			}
			for _, port := range remains.Ports {
				if !strings.HasPrefix(port, "127.0.0.1:") {
					t.Errorf("a daemon listens on %s", port)
				}
			}
			if !running(t, traces, "ceph-mds -i a") {
				t.Error("there is no metadata server among the processes")
			}
			if err := c.Stop(); err != nil {
				t.Error(err)
			}
			remains, err = traces.Look()
			if err != nil {
				t.Fatal(err)
			}
			if !remains.Empty() {
				t.Errorf("after Stop there remain:\n%v", remains)
			}
		})
	}
}

func TestFileSystemIsMadeOnlyIfAskedFor(t *testing.T) {
	t.Setenv("CEPH_CONF", "")
	traces := watch(t)
	c := startCluster(t)
	if running(t, traces, "ceph-mds") {
		t.Error("a metadata server runs")
	}
	if got := command(t, c.ConfigFile(), "ceph", "fs", "ls"); strings.TrimSpace(got) != "No filesystems enabled" {
		t.Errorf("ceph fs ls: got %q, want none", got)
	}
}

func TestMetadataServerThatIsMissingIsNamedWithTheRemedy(t *testing.T) {
	t.Setenv("CEPH_CONF", "of some other cluster")
	t.Setenv("PATH", fakes(t, map[string]string{
		"ceph": "", "rados": "", "monmaptool": "", "ceph-mon": "", "ceph-mgr": "", "ceph-osd": "",
	}))
	_, err := cluster.Start(t.Context(), cluster.Options{FileSystem: true})
	if !errors.Is(err, cluster.ErrMissing) {
		t.Fatalf("got %v, want ErrMissing", err)
	}
	for _, want := range []string{": ceph-mds;", "./ci/setup", "ceph-common ceph-mds"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "CEPH_CONF") {
		t.Errorf("the error names CEPH_CONF, which would not help: %v", err)
	}
}

func TestMetadataServerThatDoesNotServe(t *testing.T) {
	program.NeedCeph(t, cluster.Options{})
	if _, err := exec.LookPath("ceph-mds"); err != nil && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	// start starts a cluster with a script in the place of the metadata server.
	start := func(ctx context.Context, t *testing.T, script string) (*trace.Trace, error) {
		t.Setenv("CEPH_CONF", "")
		t.Setenv("PATH", fakes(t, map[string]string{"ceph-mds": script})+":"+os.Getenv("PATH"))
		traces := watch(t)
		_, err := cluster.Start(ctx, cluster.Options{FileSystem: true})
		return traces, err
	}
	check := func(t *testing.T, err error, traces *trace.Trace, texts ...string) {
		for _, text := range texts {
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("got %v, want an error that says %q", err, text)
			}
		}
		if err := traces.WaitGone(t.Context()); err != nil {
			t.Error(err)
		}
	}
	t.Run("because it ends", func(t *testing.T) {
		traces, err := start(t.Context(), t, "echo no metadata today; exit 1")
		check(t, err, traces, "failed: a daemon ended", "the end of mds.a.log:\n\tno metadata today")
	})
	t.Run("until nobody waits any longer", func(t *testing.T) {
		mark := filepath.Join(t.TempDir(), "waiting")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ceph, err := exec.LookPath("ceph")
		if err != nil {
			t.Skip(err)
		}
		t.Setenv("PATH", fakes(t, map[string]string{
			"ceph": `case $* in "mds stat"*) : >` + mark + `;; esac; exec ` + ceph + ` "$@"`,
		})+":"+os.Getenv("PATH"))
		go func() {
			for ctx.Err() == nil {
				if _, err := os.Stat(mark); err == nil {
					cancel()
				}
				time.Sleep(10 * time.Millisecond)
			}
		}()
		traces, err := start(ctx, t, "echo the metadata server sleeps; exec sleep 1000")
		check(t, err, traces, "context canceled", "last step: waiting for the metadata server",
			"mds.a.log:\n\tthe metadata server sleeps")
	})
}
