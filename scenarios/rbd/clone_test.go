package rbd_test

import (
	"syscall"

	"github.com/ceph/go-ceph/rbd"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/cgogrind/cgogrind/scenarios/cluster/suite"
)

// One parent for all: making one costs more than the rest. Each spec takes its snapshot.
var _ = Describe("Clone", Ordered, ContinueOnFailure, func() {
	var (
		parent *rbd.Image
		taken  *rbd.Snapshot
	)

	BeforeAll(func() { parent = open(created()) })

	BeforeEach(func() {
		write(parent, "of the parent", 0)
		taken = snapshot(parent, "snapshot")
		DeferCleanup(func() {
			Expect(parent.SetSnapshot(rbd.NoSnapshot)).To(Succeed())
			removeSnapshots(parent)
		})
		Expect(taken.Protect()).To(Succeed())
		write(parent, "changed later", 0)
	})

	// cloned clones the parent's snapshot in a format, 1 or 2, and opens the clone.
	cloned := func(format uint64) *rbd.Image {
		GinkgoHelper()
		name, rio := unused(), options()
		Expect(rio.SetUint64(rbd.ImageOptionCloneFormat, format)).To(Succeed())
		Expect(rbd.CloneImage(ioctx, parent.GetName(), "snapshot", ioctx, name, rio)).To(Succeed())
		return open(name)
	}

	It("reads what the parent's snapshot holds, and writes into itself", func() {
		clone := cloned(1)
		Expect(read(clone, 0, 13)).To(Equal("of the parent"))
		write(clone, "of the clone", 0)
		Expect(read(clone, 0, 13)).To(Equal("of the clonet"))
		Expect(parent.SetSnapshot("snapshot")).To(Succeed())
		Expect(read(parent, 0, 13)).To(Equal("of the parent"))
	})

	It("knows its parent, which knows it", func() {
		clone := cloned(1)
		Expect(clone.GetOverlap()).To(Equal(imageSize))
		pool := Must(ioctx.GetPoolName())
		Expect(clone.GetParent()).To(HaveValue(Equal(rbd.ParentInfo{
			Image: rbd.ImageSpec{
				ImageName: parent.GetName(), ImageID: Must(parent.GetId()), PoolName: pool, PoolID: uint64(ioctx.GetPoolID()),
			},
			Snap: rbd.SnapSpec{ID: Must(parent.GetSnapID("snapshot")), SnapName: "snapshot"},
		})))
		poolBuffer, image, snap := make([]byte, len(pool)), make([]byte, len(parent.GetName())), make([]byte, 8)
		Expect(clone.GetParentInfo(poolBuffer, image, snap)).To(Succeed())
		Expect([]string{string(poolBuffer), string(image), string(snap)}).
			To(Equal([]string{pool, parent.GetName(), "snapshot"}))
		Expect(clone.GetParentInfo(poolBuffer[1:], image, snap)).To(HaveOccurred())

		pools, images, err := parent.ListChildren()
		Expect(err).NotTo(HaveOccurred())
		Expect(pools).To(ConsistOf(pool))
		Expect(images).To(ConsistOf(clone.GetName()))
		Expect(parent.ListChildrenAttributes()).To(ConsistOf(rbd.ImageSpec{
			ImageName: clone.GetName(), ImageID: Must(clone.GetId()), PoolName: pool, PoolID: uint64(ioctx.GetPoolID()),
		}))
	})

	It("keeps the parent's snapshot from being unprotected, until it is flattened", func() {
		clone := cloned(1)
		Expect(taken.Unprotect()).To(BeErrno(syscall.EBUSY))
		Expect(clone.Flatten()).To(Succeed())
		Expect(taken.Unprotect()).To(Succeed())
		Expect(taken.Remove()).To(Succeed())
		Expect(read(clone, 0, 13)).To(Equal("of the parent"))
		_, err := clone.GetParent()
		Expect(err).To(MatchError(rbd.ErrNotFound))
		Expect(clone.GetOverlap()).To(BeZero())
		Expect(clone.Flatten()).To(BeErrno(syscall.EINVAL))
	})

	It("of the second format outlives the parent's snapshot, which goes to the trash", func() {
		clone := cloned(2)
		id := Must(parent.GetSnapID("snapshot"))
		Expect(taken.Unprotect()).To(Succeed())
		Expect(taken.Remove()).To(Succeed())
		Expect(read(clone, 0, 13)).To(Equal("of the parent"))
		Expect(parent.GetSnapNamespaceType(id)).To(Equal(rbd.SnapNamespaceTypeTrash))
		Expect(parent.GetSnapTrashNamespace(id)).To(Equal("snapshot"))
		Expect(clone.Flatten()).To(Succeed())
		_, err := parent.GetSnapTrashNamespace(id)
		Expect(err).To(MatchError(rbd.ErrNotFound), "it goes with its last clone")
	})

	It("is made by the older functions, too", func() {
		first, second := unused(), unused()
		_ = Must(parent.Clone("snapshot", ioctx, first, features, order))
		Expect(read(open(first), 0, 13)).To(Equal("of the parent"))
		Expect(rbd.CloneFromImage(parent, "snapshot", ioctx, second, options())).To(Succeed())
		Expect(read(open(second), 0, 13)).To(Equal("of the parent"))
	})

	It("is not made of what is missing or not protected", func() {
		name, rio := unused(), options()
		Expect(rio.SetUint64(rbd.ImageOptionCloneFormat, 1)).To(Succeed())
		Expect(rbd.CloneImage(ioctx, parent.GetName(), "missing", ioctx, name, rio)).To(MatchError(rbd.ErrNotFound))
		Expect(rbd.CloneImage(ioctx, "missing", "snapshot", ioctx, name, rio)).To(MatchError(rbd.ErrNotFound))
		Expect(rbd.CloneImage(ioctx, parent.GetName(), "snapshot", ioctx, name, nil)).To(HaveOccurred())
		_, err := parent.Clone("missing", ioctx, name, features, order)
		Expect(err).To(MatchError(rbd.ErrNotFound))
		Expect(taken.Unprotect()).To(Succeed())
		Expect(rbd.CloneImage(ioctx, parent.GetName(), "snapshot", ioctx, name, rio)).To(BeErrno(syscall.EINVAL))
		Expect(rbd.CloneImage(ioctx, parent.GetName(), "snapshot", ioctx, parent.GetName(), rio)).To(HaveOccurred())
	})

	It("has no parent and no children if it is none", func() {
		_, err := parent.GetParent()
		Expect(err).To(MatchError(rbd.ErrNotFound))
		Expect(parent.GetParentInfo(nil, nil, nil)).To(MatchError(rbd.ErrNotFound))
		Expect(parent.ListChildrenAttributes()).To(BeEmpty())
		Expect(parent.Flatten()).To(BeErrno(syscall.EINVAL))
	})
})
