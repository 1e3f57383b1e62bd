package rados_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"syscall"

	"github.com/ceph/go-ceph/rados"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/cgogrind/cgogrind/scenarios/cluster"
	. "github.com/cgogrind/cgogrind/scenarios/cluster/suite"
)

var _ = Describe("Key", Ordered, ContinueOnFailure, func() {
	var (
		guarded *cluster.Cluster
		admin   *rados.Conn
	)

	// user returns a handle for a user of the cluster that wants keys, with the configuration's keyring.
	user := func(name string) *rados.Conn {
		GinkgoHelper()
		c := Must(rados.NewConnWithUser(name))
		Expect(c.ReadConfigFile(guarded.ConfigFile())).To(Succeed())
		Expect(c.SetConfigOption("client_mount_timeout", "60")).To(Succeed())
		return c
	}

	// key has the cluster make a user and returns its key.
	key := func(name string, caps ...string) string {
		GinkgoHelper()
		text := Must(json.Marshal(map[string]any{
			"prefix": "auth get-or-create-key", "entity": "client." + name, "caps": caps, "format": "json",
		}))
		answer, status, err := admin.MonCommand(text)
		Expect(err).NotTo(HaveOccurred(), status)
		var made []struct{ Key string }
		if json.Unmarshal(answer, &made) == nil && len(made) == 1 {
			return made[0].Key
		}
		var one struct{ Key string }
		Expect(json.Unmarshal(answer, &one)).To(Succeed(), "%s", answer)
		return one.Key
	}

	BeforeAll(func(ctx SpecContext) {
		var err error
		guarded, err = cluster.Start(ctx, cluster.Options{Keys: true})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { Expect(guarded.Stop()).To(Succeed()) })
		admin = user("admin")
		Expect(admin.Connect()).To(Succeed())
		DeferCleanup(admin.Shutdown)
	})

	It("that is right opens the cluster", func() {
		Expect(admin.ListPools()).To(ConsistOf(guarded.Pool()))
		ioctx := Must(admin.OpenIOContext(guarded.Pool()))
		defer ioctx.Destroy()
		Expect(ioctx.WriteFull("object", []byte("content"))).To(Succeed())
		Expect(content(ioctx, "object")).To(Equal("content"))
	})

	It("may be given as an option or in a file of its own", func() {
		secret := key("other", "mon", "allow r", "osd", "allow rw")
		c := user("other")
		Expect(c.SetConfigOption("keyring", "")).To(Succeed())
		Expect(c.SetConfigOption("key", secret)).To(Succeed())
		Expect(c.Connect()).To(Succeed())
		c.Shutdown()

		file := filepath.Join(GinkgoT().TempDir(), "key")
		Expect(os.WriteFile(file, []byte(secret+"\n"), 0o600)).To(Succeed())
		c = user("other")
		Expect(c.SetConfigOption("keyring", "")).To(Succeed())
		Expect(c.SetConfigOption("keyfile", file)).To(Succeed())
		Expect(c.Connect()).To(Succeed())
		c.Shutdown()
	})

	It("that is wrong does not open it", func() {
		c := user("admin")
		Expect(c.SetConfigOption("key", "AQAAAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAA==")).To(Succeed())
		Expect(c.Connect()).To(BeErrno(syscall.EACCES))
	})

	It("that is no key does not open it", func() {
		c := user("admin")
		Expect(c.SetConfigOption("key", "no key")).To(Succeed())
		Expect(c.Connect()).To(HaveOccurred())
	})

	It("that is missing does not open it", func() {
		c := user("admin")
		Expect(c.SetConfigOption("keyring", filepath.Join(GinkgoT().TempDir(), "missing"))).To(Succeed())
		Expect(c.Connect()).To(MatchError(rados.ErrNotFound))
	})

	It("of another user does not open it", func() {
		secret := key("other", "mon", "allow r", "osd", "allow rw")
		c := user("admin")
		Expect(c.SetConfigOption("key", secret)).To(Succeed())
		Expect(c.Connect()).To(BeErrno(syscall.EACCES))
	})

	It("of a user who may only read lets nothing be written", func() {
		ioctx := Must(admin.OpenIOContext(guarded.Pool()))
		defer ioctx.Destroy()
		Expect(ioctx.WriteFull("readable", []byte("content"))).To(Succeed())

		c := user("reader")
		Expect(c.SetConfigOption("key", key("reader", "mon", "allow r", "osd", "allow r"))).To(Succeed())
		Expect(c.Connect()).To(Succeed())
		defer c.Shutdown()
		reader := Must(c.OpenIOContext(guarded.Pool()))
		defer reader.Destroy()
		Expect(content(reader, "readable")).To(Equal("content"))
		Expect(reader.WriteFull("readable", []byte("mine"))).To(MatchError(rados.ErrPermissionDenied))
		Expect(reader.Delete("readable")).To(MatchError(rados.ErrPermissionDenied))
		Expect(c.MakePool("never")).To(MatchError(rados.ErrPermissionDenied))
		Expect(content(ioctx, "readable")).To(Equal("content"))
	})
})
