package rados_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"syscall"

	"github.com/ceph/go-ceph/rados"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("Configuration", func() {
	// One handle for all, because it has to be connected in the end: see configured.
	Context("of a handle that is not connected", Ordered, ContinueOnFailure, func() {
		var c *rados.Conn

		BeforeAll(func() {
			c = configured()
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

		It("gives back an option that was set", func() {
			Expect(c.SetConfigOption("rados_mon_op_timeout", "45")).To(Succeed())
			Expect(c.GetConfigOption("rados_mon_op_timeout")).To(HavePrefix("45"))
		})

		It("takes options from a command line", func() {
			Expect(c.ParseCmdLineArgs([]string{"--client-mount-timeout", "67"})).To(Succeed())
			Expect(c.GetConfigOption("client_mount_timeout")).To(HavePrefix("67"))
		})

		It("reports an option that does not exist", func() {
			_, err := c.GetConfigOption("no_such_option")
			Expect(err).To(MatchError(rados.ErrNotFound))
			Expect(c.SetConfigOption("no_such_option", "1")).To(MatchError(rados.ErrNotFound))
		})

		It("refuses a value of the wrong type and keeps the old one", func() {
			before, err := c.GetConfigOption("rados_mon_op_timeout")
			Expect(err).NotTo(HaveOccurred())
			Expect(c.SetConfigOption("rados_mon_op_timeout", "soon")).To(beErrno(syscall.EINVAL))
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
		})

		It("does not let the handle change pools", func() {
			Expect(c.MakePool(ceph.Pool() + "-never")).To(MatchError(rados.ErrNotConnected))
			Expect(c.DeletePool(ceph.Pool())).To(MatchError(rados.ErrNotConnected))
			Expect(conn.ListPools()).To(ContainElement(ceph.Pool()))
			Expect(conn.ListPools()).NotTo(ContainElement(ceph.Pool() + "-never"))
		})
	})
})

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

	It("refuses the name of a user that has no type", func() {
		_, err := rados.NewConnWithClusterAndUser("ceph", "nobody")
		Expect(err).To(beErrno(syscall.EINVAL))
	})

	It("knows the version of librados", func() {
		major, minor, patch := rados.Version()
		Expect(major).To(BeNumerically(">=", 1))
		Expect(minor).To(BeNumerically(">=", 0))
		Expect(patch).To(BeNumerically(">=", 0))
	})

	It("knows the cluster's id, as the monitor gives it", func() {
		command, err := json.Marshal(map[string]string{"prefix": "fsid"})
		Expect(err).NotTo(HaveOccurred())
		answer, _, err := conn.MonCommand(command)
		Expect(err).NotTo(HaveOccurred())
		fsid, err := conn.GetFSID()
		Expect(err).NotTo(HaveOccurred())
		Expect(fsid).To(HaveLen(36))
		Expect(string(answer)).To(ContainSubstring(fsid))
	})

	It("passes on the monitor's refusal of an unknown command", func() {
		command, err := json.Marshal(map[string]string{"prefix": "no such command"})
		Expect(err).NotTo(HaveOccurred())
		_, status, err := conn.MonCommand(command)
		Expect(err).To(beErrno(syscall.EINVAL))
		Expect(status).To(ContainSubstring("command not known"))
	})

	It("refuses to connect twice", func() {
		Expect(conn.Connect()).To(beErrno(syscall.EISCONN))
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

	It("gives statistics of the cluster", func(ctx SpecContext) {
		Expect(ceph.WaitForManager(ctx)).To(Succeed())
		stat, err := conn.GetClusterStats()
		Expect(err).NotTo(HaveOccurred())
		Expect(stat.Kb).To(BeNumerically(">", 0))
		Expect(stat.Kb_used + stat.Kb_avail).To(BeNumerically("<=", stat.Kb))
	})
})
