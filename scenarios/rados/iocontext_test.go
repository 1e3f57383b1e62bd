package rados_test

import (
	"strings"
	"syscall"

	"github.com/ceph/go-ceph/rados"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/cgogrind/cgogrind/scenarios/cluster/suite"
)

var _ = Describe("I/O context", func() {
	var ioctx *rados.IOContext

	BeforeEach(func() { ioctx = open() })

	It("knows its pool", func() {
		id, err := conn.GetPoolByName(ceph.Pool())
		Expect(err).NotTo(HaveOccurred())
		Expect(ioctx.GetPoolID()).To(Equal(id))
		Expect(ioctx.GetPoolName()).To(Equal(ceph.Pool()))
	})

	It("knows its namespace", func() {
		ioctx.SetNamespace("another")
		Expect(ioctx.GetNamespace()).To(Equal("another"))
		ioctx.SetNamespace("")
		Expect(ioctx.GetNamespace()).To(BeEmpty())
	})

	It("keeps objects of the same name apart by namespace", func() {
		other := open()
		Expect(ioctx.WriteFull("object", []byte("mine"))).To(Succeed())
		Expect(other.WriteFull("object", []byte("theirs"))).To(Succeed())
		Expect(content(ioctx, "object")).To(Equal("mine"))
		Expect(content(other, "object")).To(Equal("theirs"))
	})

	It("finds an object that was placed with a locator only with it", func() {
		ioctx.SetLocator("key")
		Expect(ioctx.WriteFull("object", []byte("placed"))).To(Succeed())
		Expect(content(ioctx, "object")).To(Equal("placed"))
		ioctx.SetLocator("")
		// The same name without the locator is another object, whatever placement group it is in.
		_, err := ioctx.Stat("object")
		Expect(err).To(MatchError(rados.ErrNotFound))
	})

	It("counts the versions of what it writes", func() {
		Expect(ioctx.WriteFull("object", []byte("1"))).To(Succeed())
		first, err := ioctx.GetLastVersion()
		Expect(err).NotTo(HaveOccurred())
		Expect(ioctx.WriteFull("object", []byte("2"))).To(Succeed())
		second, err := ioctx.GetLastVersion()
		Expect(err).NotTo(HaveOccurred())
		Expect(second).To(BeNumerically(">", first))
	})

	It("gives statistics of its pool", func(ctx SpecContext) {
		Expect(ceph.WaitForManager(ctx)).To(Succeed())
		Expect(ioctx.WriteFull("counted", []byte("12345"))).To(Succeed())
		Eventually(ctx, func() (uint64, error) {
			stat, err := ioctx.GetPoolStats()
			return stat.Num_objects, err
		}).Should(BeNumerically(">", 0))
	})

	It("knows a long namespace, and none that is too long", func() {
		long := strings.Repeat("n", 2000)
		ioctx.SetNamespace(long)
		Expect(ioctx.GetNamespace()).To(Equal(long))
		Expect(ioctx.WriteFull("object", []byte("x"))).To(BeErrno(syscall.ENAMETOOLONG))
		ioctx.SetNamespace(strings.Repeat("n", 8192))
		_, err := ioctx.GetNamespace()
		Expect(err).To(BeErrno(syscall.ERANGE))
	})

	It("gives what other libraries of Ceph work with", func() {
		Expect(ioctx.Pointer()).NotTo(BeNil())
		Expect(ioctx.Pointer()).NotTo(Equal(open().Pointer()))
	})

	It("can be told to try in spite of a full pool", func() {
		Expect(ioctx.SetPoolFullTry()).To(Succeed())
		Expect(ioctx.WriteFull("object", []byte("x"))).To(Succeed())
		Expect(ioctx.UnsetPoolFullTry()).To(Succeed())
		Expect(content(ioctx, "object")).To(Equal("x"))
	})

	It("takes hints about the size of objects", func() {
		Expect(ioctx.SetAllocationHint("object", 4096, 512, rados.AllocHintSequentialWrite|rados.AllocHintImmutable)).
			To(Succeed())
		Expect(ioctx.WriteFull("object", []byte("hinted"))).To(Succeed())
		Expect(content(ioctx, "object")).To(Equal("hinted"))
		Expect(ioctx.SetAllocationHint(strings.Repeat("n", 5000), 1, 1, rados.AllocHintNoHint)).
			To(BeErrno(syscall.ENAMETOOLONG))
	})

	It("needs no alignment on a replicated pool", func() {
		Expect(ioctx.RequiresAlignment()).To(BeFalse())
		Expect(ioctx.Alignment()).To(BeZero())
	})

	It("needs the stripe's alignment on an erasure-coded pool", func() {
		pool := ceph.Pool() + "-erasure"
		monitor("osd erasure-code-profile set", "name", pool)
		DeferCleanup(func() { monitor("osd erasure-code-profile rm", "name", pool) })
		monitor("osd pool create", "pool", pool, "pool_type", "erasure", "erasure_code_profile", pool)
		DeferCleanup(func() { Expect(conn.DeletePool(pool)).To(Succeed()) })
		Expect(conn.WaitForLatestOSDMap()).To(Succeed())
		coded := openPool(pool)
		Expect(coded.RequiresAlignment()).To(BeTrue())
		Expect(coded.Alignment()).To(BeNumerically(">=", 4096))
	})

	It("that was never opened is refused", func() {
		never := &rados.IOContext{}
		Expect(never.UnsetPoolFullTry()).To(MatchError(rados.ErrInvalidIOContext))
		_, err := never.GetLastVersion()
		Expect(err).To(MatchError(rados.ErrInvalidIOContext))
		_, err = never.GetNamespace()
		Expect(err).To(MatchError(rados.ErrInvalidIOContext))
		Expect(never.Create("object", rados.CreateIdempotent)).To(MatchError(rados.ErrInvalidIOContext))
		Expect(never.SetPoolFullTry()).To(MatchError(rados.ErrInvalidIOContext))
	})

	Context("whose pool is gone", Ordered, ContinueOnFailure, func() {
		var gone *rados.IOContext

		BeforeAll(func() { gone = vanish("vanished") })

		It("still knows which pool it was", func() {
			Expect(gone.GetPoolID()).To(BeNumerically(">", 0))
			_, err := gone.GetPoolName()
			Expect(err).To(MatchError(rados.ErrNotFound))
		})

		It("says nothing about the pool", func() {
			_, err := gone.GetPoolStats()
			Expect(err).To(MatchError(rados.ErrNotFound))
			_, err = gone.RequiresAlignment()
			Expect(err).To(MatchError(rados.ErrNotFound))
			_, err = gone.Alignment()
			Expect(err).To(MatchError(rados.ErrNotFound))
		})

		It("does not write", func() {
			Expect(gone.Create("object", rados.CreateIdempotent)).To(MatchError(rados.ErrNotFound))
			Expect(gone.Write("object", []byte("x"), 0)).To(MatchError(rados.ErrNotFound))
			Expect(gone.WriteFull("object", []byte("x"))).To(MatchError(rados.ErrNotFound))
			Expect(gone.Append("object", []byte("x"))).To(MatchError(rados.ErrNotFound))
			Expect(gone.Truncate("object", 1)).To(MatchError(rados.ErrNotFound))
			Expect(gone.SetXattr("object", "name", []byte("x"))).To(MatchError(rados.ErrNotFound))
			Expect(gone.SetOmap("object", map[string][]byte{"k": []byte("v")})).To(MatchError(rados.ErrNotFound))
			Expect(gone.SetAllocationHint("object", 1, 1, rados.AllocHintNoHint)).To(MatchError(rados.ErrNotFound))
		})

		It("does not read", func() {
			_, err := gone.Read("object", make([]byte, 10), 0)
			Expect(err).To(MatchError(rados.ErrNotFound))
			_, err = gone.Stat("object")
			Expect(err).To(MatchError(rados.ErrNotFound))
			_, err = gone.ListXattrs("object")
			Expect(err).To(MatchError(rados.ErrNotFound))
		})

		It("does not lock", func() {
			_, err := gone.LockExclusive("object", "lock", "cookie", "", 0, nil)
			Expect(err).To(MatchError(rados.ErrNotFound))
			_, err = gone.LockShared("object", "lock", "cookie", "", "", 0, nil)
			Expect(err).To(MatchError(rados.ErrNotFound))
			_, err = gone.ListLockers("object", "lock")
			Expect(err).To(MatchError(rados.ErrNotFound))
		})

		It("does not watch or notify", func() {
			_, err := gone.Watch("object")
			Expect(err).To(MatchError(rados.ErrNotFound))
			_, _, err = gone.Notify("object", nil)
			Expect(err).To(MatchError(rados.ErrNotFound))
		})

		It("does not list", func() {
			listed := 0
			Expect(gone.ListObjects(func(string) { listed++ })).To(MatchError(rados.ErrNotFound))
			Expect(listed).To(BeZero())
		})
	})
})
