package cluster

import (
	"errors"
	"net"
	"os"
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
	c, err := start(t.Context(), Options{}, append([]int{port}, monitorPorts()...))
	if errors.Is(err, ErrMissing) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(c.dir + "/mon.a.log")
	if err != nil {
		t.Error(err)
	}
	if !strings.Contains(string(log), "unable to bind") {
		t.Errorf("the monitor's log does not say that it was unable to bind:\n%s", log)
	}
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
}
