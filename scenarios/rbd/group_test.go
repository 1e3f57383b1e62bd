package rbd_test

import (
	"github.com/ceph/go-ceph/rbd"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/cgogrind/cgogrind/scenarios/cluster/suite"
)

var _ = Describe("Group", func() {
	// group makes a group that goes with the spec.
	group := func() {
		GinkgoHelper()
		Expect(rbd.GroupCreate(ioctx, "group")).To(Succeed())
		DeferCleanup(func() { Expect(rbd.GroupRemove(ioctx, "group")).To(Succeed()) })
	}

	It("is made, renamed and removed", func() {
		Expect(rbd.GroupList(ioctx)).To(BeEmpty())
		Expect(rbd.GroupCreate(ioctx, "first")).To(Succeed())
		Expect(rbd.GroupCreate(ioctx, "first")).To(MatchError(rbd.ErrExist))
		Expect(rbd.GroupCreate(ioctx, "second")).To(Succeed())
		Expect(rbd.GroupRename(ioctx, "first", "third")).To(Succeed())
		Expect(rbd.GroupList(ioctx)).To(ConsistOf("second", "third"))
		Expect(rbd.GroupRename(ioctx, "first", "fourth")).To(MatchError(rbd.ErrNotFound))
		Expect(rbd.GroupRemove(ioctx, "second")).To(Succeed())
		Expect(rbd.GroupRemove(ioctx, "third")).To(Succeed())
		Expect(rbd.GroupList(ioctx)).To(BeEmpty())
	})

	It("has images, which know it", func() {
		image := open(created())
		group()
		Expect(rbd.GroupImageAdd(ioctx, "group", ioctx, image.GetName())).To(Succeed())
		Expect(rbd.GroupImageAdd(ioctx, "group", ioctx, image.GetName())).To(Succeed(), "once more makes no difference")
		Expect(rbd.GroupImageList(ioctx, "group")).To(ConsistOf(rbd.GroupImageInfo{
			Name: image.GetName(), PoolID: ioctx.GetPoolID(), State: rbd.GroupImageStateAttached,
		}))
		Expect(image.GetGroup()).To(Equal(rbd.GroupInfo{Name: "group", PoolID: ioctx.GetPoolID()}))
		Expect(rbd.GroupImageRemove(ioctx, "group", ioctx, image.GetName())).To(Succeed())
		Expect(rbd.GroupImageList(ioctx, "group")).To(BeEmpty())
		Expect(rbd.GroupImageAdd(ioctx, "group", ioctx, image.GetName())).To(Succeed())
		Expect(rbd.GroupImageRemoveByID(ioctx, "group", ioctx, Must(image.GetId()))).To(Succeed())
	})

	It("takes snapshots of all its images, and gives them back what they held", func() {
		first, second := open(created()), open(created())
		group()
		for _, image := range []*rbd.Image{first, second} {
			Expect(rbd.GroupImageAdd(ioctx, "group", ioctx, image.GetName())).To(Succeed())
			write(image, "before", 0)
		}
		Expect(rbd.GroupSnapCreate(ioctx, "group", "taken")).To(Succeed())
		Expect(rbd.GroupSnapCreate(ioctx, "group", "taken")).To(MatchError(rbd.ErrExist))
		Expect(rbd.GroupSnapRename(ioctx, "group", "taken", "snapshot")).To(Succeed())
		Expect(rbd.GroupSnapList(ioctx, "group")).To(ConsistOf(
			rbd.GroupSnapInfo{Name: "snapshot", State: rbd.GroupSnapStateComplete},
		))
		snapshots := Must(first.GetSnapshotNames())
		Expect(snapshots).To(HaveLen(1))
		Expect(first.GetSnapNamespaceType(snapshots[0].Id)).To(Equal(rbd.SnapNamespaceTypeGroup))
		Expect(first.GetSnapGroupNamespace(snapshots[0].Id)).To(HaveValue(Equal(rbd.SnapGroupNamespace{
			Pool: uint64(ioctx.GetPoolID()), GroupName: "group", GroupSnapName: "snapshot",
		})))

		for _, image := range []*rbd.Image{first, second} {
			write(image, "after!", 0)
			Expect(image.Flush()).To(Succeed())
		}
		calls := 0
		Expect(rbd.GroupSnapRollbackWithProgress(ioctx, "group", "snapshot", func(done, total uint64, data any) int {
			Expect(done).To(BeNumerically("<=", total))
			Expect(data).To(Equal("data"))
			calls++
			return 0
		}, "data")).To(Succeed())
		Expect(calls).To(BeNumerically(">", 0))
		Expect(read(first, 0, 6)).To(Equal("before"))
		Expect(read(second, 0, 6)).To(Equal("before"))
		Expect(rbd.GroupSnapRollback(ioctx, "group", "snapshot")).To(Succeed())
		Expect(rbd.GroupSnapRemove(ioctx, "group", "snapshot")).To(Succeed())
		Expect(rbd.GroupSnapList(ioctx, "group")).To(BeEmpty())
	})

	It("that does not exist cannot be used", func() {
		image := open(created())
		Expect(rbd.GroupImageAdd(ioctx, "missing", ioctx, image.GetName())).To(MatchError(rbd.ErrNotFound))
		Expect(rbd.GroupImageRemove(ioctx, "missing", ioctx, image.GetName())).To(MatchError(rbd.ErrNotFound))
		Expect(rbd.GroupSnapCreate(ioctx, "missing", "snapshot")).To(MatchError(rbd.ErrNotFound))
		Expect(rbd.GroupSnapRollback(ioctx, "missing", "snapshot")).To(MatchError(rbd.ErrNotFound))
		Expect(rbd.GroupSnapRollbackWithProgress(ioctx, "missing", "snapshot", nil, nil)).To(HaveOccurred())
		group()
		Expect(rbd.GroupSnapRemove(ioctx, "group", "missing")).To(MatchError(rbd.ErrNotFound))
		Expect(rbd.GroupImageAdd(ioctx, "group", ioctx, "missing")).To(MatchError(rbd.ErrNotFound))
	})
})
