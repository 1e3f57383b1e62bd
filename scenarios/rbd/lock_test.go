package rbd_test

import (
	"syscall"

	"github.com/ceph/go-ceph/rbd"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/cgogrind/cgogrind/scenarios/cluster/suite"
)

var _ = Describe("Lock", func() {
	It("that is exclusive has one holder, who is known", func() {
		image := open(created())
		tag, lockers, err := image.ListLockers()
		Expect(err).NotTo(HaveOccurred())
		Expect(tag).To(BeEmpty())
		Expect(lockers).To(BeEmpty())

		Expect(image.LockExclusive("cookie")).To(Succeed())
		_, lockers, err = image.ListLockers()
		Expect(err).NotTo(HaveOccurred())
		Expect(lockers).To(HaveLen(1))
		Expect(lockers[0].Client).To(MatchRegexp(`^client\.\d+$`))
		Expect(lockers[0].Cookie).To(Equal("cookie"))
		Expect(lockers[0].Addr).To(ContainSubstring("127.0.0.1:"))
		Expect(image.LockExclusive("cookie")).To(MatchError(rbd.ErrExist))
		Expect(image.LockExclusive("other")).To(BeErrno(syscall.EBUSY))
		Expect(image.LockShared("other", "tag")).To(BeErrno(syscall.EBUSY))
		Expect(image.Unlock("other")).To(MatchError(rbd.ErrNotFound))
		Expect(image.Unlock("cookie")).To(Succeed())
		_, lockers, err = image.ListLockers()
		Expect(err).NotTo(HaveOccurred())
		Expect(lockers).To(BeEmpty())
	})

	It("that is shared has several holders, with one tag", func() {
		image := open(created())
		Expect(image.LockShared("first", "tag")).To(Succeed())
		Expect(image.LockShared("second", "tag")).To(Succeed())
		Expect(image.LockShared("third", "another tag")).To(BeErrno(syscall.EBUSY))
		tag, lockers, err := image.ListLockers()
		Expect(err).NotTo(HaveOccurred())
		Expect(tag).To(HavePrefix("tag"))
		Expect([]string{lockers[0].Cookie, lockers[1].Cookie}).To(ConsistOf("first", "second"))
		Expect(image.Unlock("first")).To(Succeed())
		Expect(image.Unlock("second")).To(Succeed())
	})

	It("is broken by somebody else who knows its holder, who is shut out then", func(ctx SpecContext) {
		name := created()
		holder := Must(rbd.OpenImage(openPool(connect()), name, rbd.NoSnapshot))
		Expect(holder.LockExclusive("cookie")).To(Succeed())
		image := open(name)
		Expect(image.LockExclusive("cookie")).To(BeErrno(syscall.EBUSY))
		_, lockers, err := image.ListLockers()
		Expect(err).NotTo(HaveOccurred())
		Expect(image.BreakLock("client.4242", "cookie")).To(MatchError(rbd.ErrNotFound))
		Expect(image.BreakLock("nobody", "cookie")).To(BeErrno(syscall.EINVAL))
		Expect(image.BreakLock(lockers[0].Client, "cookie")).To(Succeed())
		Expect(image.LockExclusive("cookie")).To(Succeed())
		Expect(image.Unlock("cookie")).To(Succeed())
		Eventually(ctx, func() error {
			_, err := holder.WriteAt([]byte("x"), 0)
			return err
		}).Should(BeErrno(syscall.ESHUTDOWN))
		Expect(holder.Close()).To(Or(Succeed(), BeErrno(syscall.ESHUTDOWN)))
	})

	It("of librbd's own is acquired, owned and released", func() {
		image := open(created(exclusive))
		Expect(image.LockGetOwners()).To(BeEmpty())
		Expect(image.LockIsExclusiveOwner()).To(BeFalse())
		Expect(image.LockAcquire(rbd.LockModeExclusive)).To(Succeed())
		Expect(image.LockIsExclusiveOwner()).To(BeTrue())
		owners := Must(image.LockGetOwners())
		Expect(owners).To(HaveLen(1))
		Expect(owners[0].Mode).To(Equal(rbd.LockModeExclusive))
		Expect(owners[0].Owner).NotTo(BeEmpty())
		Expect(image.LockAcquire(rbd.LockModeShared)).To(BeErrno(syscall.EOPNOTSUPP))
		Expect(image.LockBreak(rbd.LockModeExclusive, "somebody else")).To(HaveOccurred())
		Expect(image.LockRelease()).To(Succeed())
		Expect(image.LockIsExclusiveOwner()).To(BeFalse())
	})

	It("of librbd's own goes to another who wants to write", func() {
		name := created(exclusive)
		image := open(name)
		write(image, "first", 0)
		Expect(image.LockIsExclusiveOwner()).To(BeTrue())
		other := open(name)
		write(other, "other", 0)
		Expect(other.LockIsExclusiveOwner()).To(BeTrue())
		Expect(image.LockIsExclusiveOwner()).To(BeFalse())
		Expect(other.Flush()).To(Succeed())
		Expect(read(image, 0, 5)).To(Equal("other"))
	})
})

var _ = Describe("Watcher", func() {
	It("is everybody who has the image open", func() {
		name := created(exclusive)
		image := open(name)
		watchers := Must(image.ListWatchers())
		Expect(watchers).To(HaveLen(1))
		Expect(watchers[0].Addr).To(ContainSubstring("127.0.0.1:"))
		Expect(watchers[0].Id).To(BeNumerically(">", 0))
		Expect(watchers[0].Cookie).NotTo(BeZero())
		open(name)
		Expect(image.ListWatchers()).To(HaveLen(2))
	})

	It("hears of changes until it ends", func(ctx SpecContext) {
		name := created(exclusive)
		image := open(name)
		heard := make(chan any, 100)
		watch := Must(image.UpdateWatch(func(data any) { heard <- data }, "changed"))
		other := open(name)
		snapshot(other, "snapshot")
		Eventually(ctx, heard).Should(Receive(Equal("changed")))
		Expect(watch.Unwatch()).To(Succeed())
		Expect(image.Close()).To(Succeed())
		Expect(watch.Unwatch()).To(MatchError(rbd.ErrImageNotOpen))
		_, err := image.UpdateWatch(func(any) {}, nil)
		Expect(err).To(MatchError(rbd.ErrImageNotOpen))
		Expect(new(rbd.Watch).Unwatch()).To(MatchError(rbd.ErrImageNotOpen))
	})
})
