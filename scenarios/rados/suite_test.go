// Package rados_test drives librados through go-ceph on a real cluster, one file per topic. The suites must pass natively
// and have no finding under memcheck: every spec releases what it opened.
//
// Most specs share one connection, because connecting is what costs under memcheck. They do not share objects: each has
// a namespace of its own.
package rados_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/ceph/go-ceph/rados"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	"github.com/cgogrind/cgogrind/harness/expect"
	"github.com/cgogrind/cgogrind/scenarios/cluster"
	. "github.com/cgogrind/cgogrind/scenarios/cluster/suite"
)

var (
	ceph *cluster.Cluster
	conn *rados.Conn // connected

	namespaces int // that specs were given
)

func TestRados(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "librados")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	ceph = StartCluster(ctx, cluster.Options{})
	conn = connect()
})

// created returns a connection that has read the cluster's configuration. The caller has to connect it and shut it down:
// go-ceph leaves one that was never connected to the garbage collector.
func created() *rados.Conn {
	GinkgoHelper()
	c, err := rados.NewConn()
	Expect(err).NotTo(HaveOccurred())
	Expect(c.ReadConfigFile(ceph.ConfigFile())).To(Succeed())
	return c
}

// configured returns a connection as created does, whose operations fail after a while.
func configured() *rados.Conn {
	GinkgoHelper()
	c := created()
	LimitWaits(c.SetConfigOption)
	return c
}

// connect returns a connection that ends with the spec or suite.
func connect() *rados.Conn {
	GinkgoHelper()
	c := configured()
	Expect(c.Connect()).To(Succeed())
	DeferCleanup(c.Shutdown)
	return c
}

// open returns an I/O context on the suite's pool, in a namespace that nobody else uses. It ends with the spec.
func open() *rados.IOContext {
	GinkgoHelper()
	ioctx := openPool(ceph.Pool())
	namespaces++
	ioctx.SetNamespace(fmt.Sprintf("spec-%d", namespaces))
	return ioctx
}

// openPool returns an I/O context on a pool. It ends with the spec.
func openPool(pool string) *rados.IOContext {
	GinkgoHelper()
	ioctx, err := conn.OpenIOContext(pool)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(ioctx.Destroy)
	return ioctx
}

// command encodes a command for a daemon: its prefix, then names and values of arguments in turn.
func command(prefix string, arguments ...string) []byte {
	GinkgoHelper()
	all := map[string]string{"prefix": prefix, "format": "json"}
	for i := 0; i < len(arguments); i += 2 {
		all[arguments[i]] = arguments[i+1]
	}
	text, err := json.Marshal(all)
	Expect(err).NotTo(HaveOccurred())
	return text
}

// monitor asks the monitor for something and returns what it says.
func monitor(prefix string, arguments ...string) []byte {
	GinkgoHelper()
	answer, status, err := conn.MonCommand(command(prefix, arguments...))
	Expect(err).NotTo(HaveOccurred(), "%s: %s", prefix, status)
	return answer
}

// makePool makes a pool that goes with the spec or container, unless it has gone before.
func makePool(suffix string) string {
	GinkgoHelper()
	pool := ceph.Pool() + "-" + suffix
	Expect(conn.MakePool(pool)).To(Succeed())
	DeferCleanup(func() {
		if err := conn.DeletePool(pool); !errors.Is(err, rados.ErrNotFound) {
			Expect(err).NotTo(HaveOccurred())
		}
	})
	return pool
}

// vanish returns an I/O context whose pool has been deleted. It ends with the spec or container.
func vanish(suffix string) *rados.IOContext {
	GinkgoHelper()
	pool := makePool(suffix)
	ioctx := openPool(pool)
	Expect(conn.DeletePool(pool)).To(Succeed())
	Expect(conn.WaitForLatestOSDMap()).To(Succeed())
	return ioctx
}

// several is how often a spec loses something that must be found: an old copy of a pointer, left on the stack of a thread of
// librados for example, may make memcheck believe that one block is in use.
const several = 5

// loses declares that the spec loses C memory in a function of go-ceph, which no caller can prevent: scenarios/FOUND.md
// says why.
func loses(function string) {
	GinkgoHelper()
	expect.Finding(GinkgoT(), "Leak_DefinitelyLost", function)
}

// beWrapped matches the error of an operation that has one with this number for itself.
func beWrapped(errno syscall.Errno) types.GomegaMatcher {
	return WithTransform(func(err error) error {
		var failure rados.OperationError
		_ = errors.As(err, &failure) // or it has no error for itself
		return failure.OpError
	}, BeErrno(errno))
}

// content reads a whole object, of at most 4096 bytes.
func content(ioctx *rados.IOContext, object string) string {
	GinkgoHelper()
	buffer := make([]byte, 4096)
	n, err := ioctx.Read(object, buffer, 0)
	Expect(err).NotTo(HaveOccurred())
	return string(buffer[:n])
}
