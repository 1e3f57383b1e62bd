// Package rados_test drives librados through go-ceph on a real cluster, one file per topic. The suites must pass natively
// and have no finding under memcheck: every spec releases what it opened.
//
// Most specs share one connection, because connecting is what costs under memcheck. They do not share objects: each has
// a namespace of its own.
package rados_test

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/ceph/go-ceph/rados"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	"github.com/cgogrind/cgogrind/scenarios/cluster"
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
	var err error
	ceph, err = cluster.Start(ctx, cluster.Options{})
	if errors.Is(err, cluster.ErrMissing) && os.Getenv("CI") != "true" {
		Skip(err.Error())
	}
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(ceph.Stop()).To(Succeed()) })
	conn = connect()
})

// configured returns a connection that knows the cluster and is not connected to it. The caller has to connect it and
// shut it down: go-ceph leaves one that was never connected to the garbage collector.
func configured() *rados.Conn {
	GinkgoHelper()
	c, err := rados.NewConn()
	Expect(err).NotTo(HaveOccurred())
	Expect(c.ReadConfigFile(ceph.ConfigFile())).To(Succeed())
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

// beErrno matches errors of go-ceph with this number: it has names for a few only.
func beErrno(errno syscall.Errno) types.GomegaMatcher {
	return WithTransform(func(err error) syscall.Errno {
		var numbered interface{ ErrorCode() int }
		if !errors.As(err, &numbered) {
			return 0
		}
		return syscall.Errno(-numbered.ErrorCode())
	}, Equal(errno))
}

// content reads a whole object, of at most 4096 bytes.
func content(ioctx *rados.IOContext, object string) string {
	GinkgoHelper()
	buffer := make([]byte, 4096)
	n, err := ioctx.Read(object, buffer, 0)
	Expect(err).NotTo(HaveOccurred())
	return string(buffer[:n])
}
