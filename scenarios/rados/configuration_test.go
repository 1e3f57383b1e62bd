package rados_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/ceph/go-ceph/rados"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/cgogrind/cgogrind/scenarios/cluster/suite"
)

var _ = Describe("Configuration", func() {
	// One handle for all, because it has to be connected in the end: see created.
	Context("of a handle that is not connected", Ordered, ContinueOnFailure, func() {
		var c *rados.Conn

		BeforeAll(func() {
			c = created()
			DeferCleanup(func() {
				Expect(c.Connect()).To(Succeed())
				c.Shutdown()
			})
		})

		It("is read from a file", func() {
			file := filepath.Join(GinkgoT().TempDir(), "ceph.conf")
			Expect(os.WriteFile(file, []byte("[global]\nrados osd op timeout = 123\n"), 0o600)).To(Succeed())
			Expect(c.ReadConfigFile(file)).To(Succeed())
			Expect(c.GetConfigOption("rados_osd_op_timeout")).To(HavePrefix("123"))
		})

		It("is read from the file that CEPH_CONF names, by default", func() {
			file := filepath.Join(GinkgoT().TempDir(), "default.conf")
			Expect(os.WriteFile(file, []byte("[global]\nclient mount timeout = 89\n"), 0o600)).To(Succeed())
			GinkgoT().Setenv("CEPH_CONF", file)
			Expect(c.ReadDefaultConfigFile()).To(Succeed())
			Expect(c.GetConfigOption("client_mount_timeout")).To(HavePrefix("89"))
		})

		It("reports a default file that cannot be understood", func() {
			file := filepath.Join(GinkgoT().TempDir(), "default.conf")
			Expect(os.WriteFile(file, []byte("[global\nclient mount timeout = 90\n"), 0o600)).To(Succeed())
			GinkgoT().Setenv("CEPH_CONF", file)
			Expect(c.ReadDefaultConfigFile()).To(BeErrno(syscall.EINVAL))
			Expect(c.GetConfigOption("client_mount_timeout")).NotTo(HavePrefix("90"))
		})

		It("reports a file that cannot be understood", func() {
			file := filepath.Join(GinkgoT().TempDir(), "broken.conf")
			Expect(os.WriteFile(file, []byte("[global\nrados osd op timeout\n"), 0o600)).To(Succeed())
			Expect(c.ReadConfigFile(file)).To(BeErrno(syscall.EINVAL))
		})

		It("takes options from CEPH_ARGS", func() {
			GinkgoT().Setenv("CEPH_ARGS", "--client-mount-timeout 78")
			Expect(c.ParseDefaultConfigEnv()).To(Succeed())
			Expect(c.GetConfigOption("client_mount_timeout")).To(HavePrefix("78"))
		})

		It("stays as it is without CEPH_ARGS", func() {
			GinkgoT().Setenv("CEPH_ARGS", "")
			before, err := c.GetConfigOption("client_mount_timeout")
			Expect(err).NotTo(HaveOccurred())
			Expect(c.ParseDefaultConfigEnv()).To(Succeed())
			Expect(c.GetConfigOption("client_mount_timeout")).To(Equal(before))
		})

		It("gives back an option that was set", func() {
			Expect(c.SetConfigOption("rados_mon_op_timeout", "45")).To(Succeed())
			Expect(c.GetConfigOption("rados_mon_op_timeout")).To(HavePrefix("45"))
		})

		It("gives back an empty value", func() {
			Expect(c.SetConfigOption("keyfile", "")).To(Succeed())
			Expect(c.GetConfigOption("keyfile")).To(BeEmpty())
		})

		It("gives back a value that is longer than the first buffer", func() {
			long := strings.Repeat("/long", 2000)
			Expect(c.SetConfigOption("keyfile", long)).To(Succeed())
			Expect(c.GetConfigOption("keyfile")).To(Equal(long))
			Expect(c.SetConfigOption("keyfile", "")).To(Succeed())
		})

		It("does not give back a value that is longer than the largest buffer", func() {
			Expect(c.SetConfigOption("keyfile", strings.Repeat("x", 1<<18))).To(Succeed())
			_, err := c.GetConfigOption("keyfile")
			Expect(err).To(BeErrno(syscall.ENAMETOOLONG))
			Expect(c.SetConfigOption("keyfile", "")).To(Succeed())
		})

		It("takes options from a command line", func() {
			Expect(c.ParseCmdLineArgs([]string{"--client-mount-timeout", "67"})).To(Succeed())
			Expect(c.GetConfigOption("client_mount_timeout")).To(HavePrefix("67"))
		})

		It("takes options from an argument vector, whose first is the program", func() {
			Expect(c.ParseConfigArgv([]string{"--client-mount-timeout=1", "--client-mount-timeout=56"})).To(Succeed())
			Expect(c.GetConfigOption("client_mount_timeout")).To(HavePrefix("56"))
		})

		It("ignores what it does not know on a command line", func() {
			Expect(c.ParseCmdLineArgs([]string{"no option", "--no-such-option=1", ""})).To(Succeed())
		})

		It("reports an option that does not exist", func() {
			_, err := c.GetConfigOption("no_such_option")
			Expect(err).To(MatchError(rados.ErrNotFound))
			Expect(c.SetConfigOption("no_such_option", "1")).To(MatchError(rados.ErrNotFound))
			_, err = c.GetConfigOption("")
			Expect(err).To(BeErrno(syscall.EINVAL))
		})

		It("refuses a value of the wrong type and keeps the old one", func() {
			before, err := c.GetConfigOption("rados_mon_op_timeout")
			Expect(err).NotTo(HaveOccurred())
			Expect(c.SetConfigOption("rados_mon_op_timeout", "soon")).To(BeErrno(syscall.EINVAL))
			Expect(c.GetConfigOption("rados_mon_op_timeout")).To(Equal(before))
		})

		It("reports an empty command line", func() {
			Expect(c.ParseConfigArgv(nil)).To(MatchError(rados.ErrEmptyArgument))
		})

		It("does not let the handle ask the cluster", func() {
			_, err := c.GetClusterStats()
			Expect(err).To(MatchError(rados.ErrNotConnected))
			_, err = c.ListPools()
			Expect(err).To(MatchError(rados.ErrNotConnected))
			_, err = c.GetPoolByName(ceph.Pool())
			Expect(err).To(MatchError(rados.ErrNotConnected))
			_, err = c.GetPoolByID(1)
			Expect(err).To(MatchError(rados.ErrNotConnected))
			_, err = c.OpenIOContext(ceph.Pool())
			Expect(err).To(MatchError(rados.ErrNotConnected))
			Expect(c.WatcherFlush()).To(MatchError(rados.ErrNotConnected))
		})

		It("does not let the handle change pools", func() {
			Expect(c.MakePool(ceph.Pool() + "-never")).To(MatchError(rados.ErrNotConnected))
			Expect(c.DeletePool(ceph.Pool())).To(MatchError(rados.ErrNotConnected))
			Expect(conn.ListPools()).To(ContainElement(ceph.Pool()))
			Expect(conn.ListPools()).NotTo(ContainElement(ceph.Pool() + "-never"))
		})

		It("does nothing when the handle is shut down", func() {
			c.Shutdown()
			Expect(c.GetConfigOption("rados_mon_op_timeout")).To(HavePrefix("45"))
		})
	})
})
