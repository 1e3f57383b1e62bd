package cluster

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestMonitorTakesAnotherPortWhenOneIsTaken(t *testing.T) {
	t.Setenv("CEPH_CONF", "")
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	others := monitorPorts()
	c, err := start(t.Context(), Options{}, append([]int{port}, others...))
	if MaySkip(err) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(c.ConfigFile())
	if err != nil {
		t.Error(err)
	}
	// The monitor's log does not always say that it could not bind: it may end before it has written that.
	got, found := portOf(string(config))
	if !found || !slices.Contains(others, got) {
		t.Errorf("the monitor listens on port %d, want one of %v, because %d is taken", got, others, port)
	}
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
}

// portOf finds the monitor's port in a configuration.
func portOf(config string) (port int, found bool) {
	for line := range strings.Lines(config) {
		if _, err := fmt.Sscanf(line, "mon host = v2:127.0.0.1:%d", &port); err == nil {
			return port, true
		}
	}
	return 0, false
}
