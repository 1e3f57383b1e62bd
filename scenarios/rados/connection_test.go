package rados_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/ceph/go-ceph/common/log"
	"github.com/ceph/go-ceph/rados"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/cgogrind/cgogrind/scenarios/cluster/suite"
)

var _ = Describe("Connection", func() {
	It("reports a configuration file that does not exist, and works with one that does", func() {
		c, err := rados.NewConn()
		Expect(err).NotTo(HaveOccurred())
		missing := filepath.Join(GinkgoT().TempDir(), "missing.conf")
		Expect(c.ReadConfigFile(missing)).To(MatchError(rados.ErrNotFound))
		Expect(c.ReadConfigFile(ceph.ConfigFile())).To(Succeed())
		Expect(c.Connect()).To(Succeed())
		defer c.Shutdown()
		Expect(c.ListPools()).To(ContainElement(ceph.Pool()))
	})

	It("is made for a user", func() {
		c, err := rados.NewConnWithUser("admin")
		Expect(err).NotTo(HaveOccurred())
		Expect(c.ReadConfigFile(ceph.ConfigFile())).To(Succeed())
		Expect(c.SetConfigOption("log_file", "/nowhere/$cluster-$name")).To(Succeed())
		Expect(c.GetConfigOption("log_file")).To(Equal("/nowhere/ceph-client.admin"))
		Expect(c.SetConfigOption("log_file", "")).To(Succeed())
		Expect(c.Connect()).To(Succeed())
		c.Shutdown()
	})

	It("is made for a cluster and a user", func() {
		c, err := rados.NewConnWithClusterAndUser("harbour", "client.admin")
		Expect(err).NotTo(HaveOccurred())
		Expect(c.ReadConfigFile(ceph.ConfigFile())).To(Succeed())
		Expect(c.SetConfigOption("log_file", "/nowhere/$cluster-$name")).To(Succeed())
		Expect(c.GetConfigOption("log_file")).To(Equal("/nowhere/harbour-client.admin"))
		Expect(c.SetConfigOption("log_file", "")).To(Succeed())
		Expect(c.Connect()).To(Succeed())
		c.Shutdown()
	})

	It("refuses the name of a user that has no type", func() {
		_, err := rados.NewConnWithClusterAndUser("ceph", "nobody")
		Expect(err).To(BeErrno(syscall.EINVAL))
		_, err = rados.NewConnWithClusterAndUser("ceph", "")
		Expect(err).To(BeErrno(syscall.EINVAL))
	})

	It("fails in time when no monitor answers", func() {
		c := configured() // the collector releases it: go-ceph shuts down only what is connected
		Expect(c.SetConfigOption("mon_host", "v2:127.0.0.1:1")).To(Succeed())
		Expect(c.SetConfigOption("client_mount_timeout", "1")).To(Succeed())
		Expect(c.Connect()).To(BeErrno(syscall.ETIMEDOUT))
	})

	It("knows the version of librados", func() {
		major, minor, patch := rados.Version()
		Expect(major).To(BeNumerically(">=", 1))
		Expect(minor).To(BeNumerically(">=", 0))
		Expect(patch).To(BeNumerically(">=", 0))
	})

	It("knows the cluster's id, as the monitor gives it", func() {
		fsid, err := conn.GetFSID()
		Expect(err).NotTo(HaveOccurred())
		Expect(fsid).To(HaveLen(36))
		Expect(string(monitor("fsid"))).To(ContainSubstring(fsid))
	})

	It("gives what other libraries of Ceph connect with", func() {
		Expect(conn.Cluster()).NotTo(BeZero())
		other := connect()
		Expect(other.Cluster()).NotTo(Equal(conn.Cluster()))
	})

	It("knows the addresses that it talks from", func() {
		loses("rados.(*Conn).GetAddrs")
		for range several {
			Expect(conn.GetAddrs()).To(MatchRegexp(`^\S+:\d+/\d+$`))
		}
	})

	It("has the latest map after waiting for it", func() {
		pool := makePool("mapped")
		Expect(conn.WaitForLatestOSDMap()).To(Succeed())
		Expect(conn.GetPoolByName(pool)).To(BeNumerically(">", 0))
	})

	It("refuses to connect twice", func() {
		Expect(conn.Connect()).To(BeErrno(syscall.EISCONN))
		Expect(conn.ListPools()).To(ContainElement(ceph.Pool()))
	})

	It("has an instance id of its own and can be shut down twice", func() {
		other := connect()
		Expect(other.GetInstanceID()).NotTo(BeZero())
		Expect(other.GetInstanceID()).NotTo(Equal(conn.GetInstanceID()))
		other.Shutdown()
		other.Shutdown()
		Expect(other.ParseCmdLineArgs([]string{"--client-mount-timeout", "67"})).To(MatchError(rados.ErrNotConnected))
	})

	It("is shut down by the collector when it is dropped", func(ctx SpecContext) {
		var warnings atomic.Int32
		log.SetWarnf(func(format string, arguments ...any) {
			if strings.Contains(fmt.Sprintf(format, arguments...), "has not been shut down") {
				warnings.Add(1)
			}
		})
		DeferCleanup(log.SetWarnf, func(string, ...any) {})
		func() {
			c := configured()
			Expect(c.Connect()).To(Succeed())
			Expect(c.ListPools()).To(ContainElement(ceph.Pool()))
		}()
		Eventually(ctx, func() int32 {
			runtime.GC()
			return warnings.Load()
		}).Should(BeNumerically(">=", 1))
	})

	It("is kept by an I/O context when it is dropped", func() {
		ioctx, err := func() (*rados.IOContext, error) {
			c := configured()
			Expect(c.Connect()).To(Succeed())
			return c.OpenIOContext(ceph.Pool())
		}()
		Expect(err).NotTo(HaveOccurred())
		runtime.GC()
		runtime.GC()
		_, err = ioctx.Stat("missing")
		Expect(err).To(MatchError(rados.ErrNotFound))
		ioctx.Destroy()
		runtime.KeepAlive(ioctx)
	})

	It("gives statistics of the cluster", func(ctx SpecContext) {
		Expect(ceph.WaitForManager(ctx)).To(Succeed())
		stat, err := conn.GetClusterStats()
		Expect(err).NotTo(HaveOccurred())
		Expect(stat.Kb).To(BeNumerically(">", 0))
		Expect(stat.Kb_used + stat.Kb_avail).To(BeNumerically("<=", stat.Kb))
	})
})

var _ = Describe("Error", func() {
	It("says what it is", func() {
		_, err := conn.OpenIOContext("cgogrind no such pool")
		Expect(err).To(MatchError("rados: ret=-2, No such file or directory"))
	})

	It("is the same whoever reports it", func() {
		_, first := conn.GetPoolByName("cgogrind no such pool")
		second := open().Delete("missing")
		Expect(errors.Is(first, second)).To(BeTrue())
		Expect(first).To(MatchError(rados.ErrNotFound))
		Expect(first).NotTo(MatchError(rados.ErrPermissionDenied))
		Expect(first).NotTo(MatchError(rados.ErrObjectExists))
	})

	It("has a text of its own on every thread", func() {
		ioctx := open()
		const goroutines = 8
		texts := make(chan string, goroutines)
		for range goroutines {
			meanwhile(func() {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				texts <- fmt.Sprint(ioctx.Delete("missing"))
			})
		}
		for range goroutines {
			Expect(<-texts).To(Equal("rados: ret=-2, No such file or directory"))
		}
	})
})
