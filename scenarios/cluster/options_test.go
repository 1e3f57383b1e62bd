package cluster_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cgogrind/cgogrind/scenarios/cluster"
)

func TestClusterWithKeysWantsThem(t *testing.T) {
	t.Setenv("CEPH_CONF", "of some other cluster")
	c, err := cluster.Start(t.Context(), cluster.Options{Keys: true})
	if cluster.MaySkip(err) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	if err := c.WaitForManager(t.Context()); err != nil {
		t.Error(err)
	}
	if got := strings.Fields(command(t, c.ConfigFile(), "rados", "lspools")); len(got) != 1 || got[0] != c.Pool() {
		t.Errorf("pools: got %q, want %q", got, c.Pool())
	}
	wrong := filepath.Join(t.TempDir(), "keyring")
	if out, err := exec.Command("ceph-authtool", "--create-keyring", wrong, "--gen-key", "-n", "client.admin").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command("rados", "-c", c.ConfigFile(), "--keyring", wrong, "lspools").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "handle_auth_bad_method") {
		t.Errorf("with a wrong key: %v\n%s", err, out)
	}
}

func TestOSDKeepsWhatItStoresWhenStopped(t *testing.T) {
	t.Setenv("CEPH_CONF", "")
	traces := watch(t)
	c := startCluster(t)
	content := filepath.Join(t.TempDir(), "content")
	if err := os.WriteFile(content, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	command(t, c.ConfigFile(), "rados", "-p", c.Pool(), "put", "object", content)
	for range 2 { // a second stop or start makes no difference
		if err := c.StopOSD(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if running(t, traces, "ceph-osd -i 0") {
		t.Error("the OSD runs after it was stopped")
	}
	for range 2 {
		if err := c.StartOSD(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := command(t, c.ConfigFile(), "rados", "-p", c.Pool(), "get", "object", "-"); got != "kept" {
		t.Errorf("after a restart the object holds %q, want %q", got, "kept")
	}
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
	if err := traces.WaitGone(t.Context()); err != nil {
		t.Error(err)
	}
	if err := c.StopOSD(t.Context()); err == nil {
		t.Error("stopping the OSD of a cluster that has ended succeeds")
	}
}

func TestOSDOfABorrowedClusterIsNotStopped(t *testing.T) {
	t.Setenv("CEPH_CONF", "")
	owner := startCluster(t)
	t.Setenv("CEPH_CONF", owner.ConfigFile())
	c := startCluster(t)
	if err := c.StopOSD(t.Context()); !errors.Is(err, cluster.ErrBorrowed) {
		t.Errorf("stopping: got %v, want %v", err, cluster.ErrBorrowed)
	}
	if err := c.StartOSD(t.Context()); !errors.Is(err, cluster.ErrBorrowed) {
		t.Errorf("starting: got %v, want %v", err, cluster.ErrBorrowed)
	}
}
