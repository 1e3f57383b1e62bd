package rbd_test

import (
	"syscall"
	"time"

	"github.com/ceph/go-ceph/rbd"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/cgogrind/cgogrind/scenarios/cluster/suite"
)

// One image for all: making one costs more than the rest.
var _ = Describe("Snapshot", Ordered, ContinueOnFailure, func() {
	var image *rbd.Image

	BeforeAll(func() { image = open(created()) })

	AfterEach(func() {
		Expect(image.SetSnapshot(rbd.NoSnapshot)).To(Succeed())
		removeSnapshots(image)
		Expect(image.Resize(imageSize)).To(Succeed())
	})

	It("is in the list with its size until it is removed", func() {
		Expect(image.GetSnapshotNames()).To(BeEmpty())
		first := snapshot(image, "first")
		Expect(image.Resize(2 * imageSize)).To(Succeed())
		snapshot(image, "second")
		Expect(image.GetSnapshotNames()).To(ConsistOf(
			rbd.SnapInfo{Id: Must(image.GetSnapID("first")), Size: imageSize, Name: "first"},
			rbd.SnapInfo{Id: Must(image.GetSnapID("second")), Size: 2 * imageSize, Name: "second"},
		))
		Expect(first.Remove()).To(Succeed())
		Expect(image.GetSnapshotNames()).To(ConsistOf(HaveField("Name", "second")))
	})

	It("has an id, a name, a time and a kind", func() {
		snapshot(image, "snapshot")
		id := Must(image.GetSnapID("snapshot"))
		Expect(image.GetSnapByID(id)).To(Equal("snapshot"))
		Expect(image.GetSnapNamespaceType(id)).To(Equal(rbd.SnapNamespaceTypeUser))
		stamp := Must(image.GetSnapTimestamp(id))
		Expect(time.Unix(stamp.Sec, stamp.Nsec)).To(BeTemporally("~", time.Now(), time.Hour))
	})

	It("keeps what the image held", func() {
		write(image, "before", 0)
		snapshot(image, "snapshot")
		id := Must(image.GetSnapID("snapshot"))
		write(image, "after!", 0)

		Expect(image.SetSnapshot("snapshot")).To(Succeed())
		Expect(read(image, 0, 6)).To(Equal("before"))
		_, err := image.WriteAt([]byte("x"), 0)
		Expect(err).To(BeErrno(syscall.EROFS))
		Expect(image.SetSnapshot(rbd.NoSnapshot)).To(Succeed())
		Expect(read(image, 0, 6)).To(Equal("after!"))
		Expect(image.SetSnapByID(id)).To(Succeed())
		Expect(read(image, 0, 6)).To(Equal("before"))

		kept := closing(Must(rbd.OpenImageReadOnly(ioctx, image.GetName(), "snapshot")))
		Expect(read(kept, 0, 6)).To(Equal("before"))
	})

	It("gives the image back what it held", func() {
		write(image, "before", 0)
		taken := snapshot(image, "snapshot")
		write(image, "after!", 0)
		write(image, "new", 3*objectSize)
		Expect(taken.Rollback()).To(Succeed())
		Expect(read(image, 0, 6)).To(Equal("before"))
		Expect(read(image, 3*objectSize, 3)).To(Equal(zeroes(3)))
	})

	It("that is protected is not removed", func() {
		taken := snapshot(image, "snapshot")
		Expect(taken.IsProtected()).To(BeFalse())
		Expect(taken.Protect()).To(Succeed())
		Expect(taken.IsProtected()).To(BeTrue())
		Expect(taken.Protect()).To(BeErrno(syscall.EBUSY))
		Expect(taken.Remove()).To(BeErrno(syscall.EBUSY))
		Expect(taken.Unprotect()).To(Succeed())
		Expect(taken.Unprotect()).To(BeErrno(syscall.EINVAL))
		Expect(taken.Remove()).To(Succeed())
	})

	It("is renamed", func() {
		taken := snapshot(image, "snapshot")
		snapshot(image, "taken")
		id := Must(image.GetSnapID("snapshot"))
		Expect(taken.Rename("renamed")).To(Succeed())
		Expect(image.GetSnapByID(id)).To(Equal("renamed"))
		Expect(taken.Rename("taken")).To(MatchError(rbd.ErrExist))
	})

	It("is taken only once under one name", func() {
		snapshot(image, "snapshot")
		_, err := image.CreateSnapshot("snapshot")
		Expect(err).To(MatchError(rbd.ErrExist))
	})

	It("that does not exist cannot be used", func() {
		missing := image.GetSnapshot("missing")
		Expect(missing.Remove()).To(MatchError(rbd.ErrNotFound))
		Expect(missing.Rollback()).To(MatchError(rbd.ErrNotFound))
		Expect(missing.Protect()).To(MatchError(rbd.ErrNotFound))
		Expect(missing.Unprotect()).To(MatchError(rbd.ErrNotFound))
		Expect(missing.Rename("other")).To(MatchError(rbd.ErrNotFound))
		Expect(image.SetSnapshot("missing")).To(MatchError(rbd.ErrNotFound))
		_, err := missing.IsProtected()
		Expect(err).To(MatchError(rbd.ErrNotFound))
		_, err = image.GetSnapID("missing")
		Expect(err).To(MatchError(rbd.ErrNotFound))
		_, err = image.GetSnapByID(4242)
		Expect(err).To(MatchError(rbd.ErrNotFound))
		Expect(image.SetSnapByID(4242)).To(MatchError(rbd.ErrNotFound))
		_, err = rbd.OpenImage(ioctx, image.GetName(), "missing")
		Expect(err).To(MatchError(rbd.ErrNotFound))
	})

	It("without a name is refused", func() {
		nameless := image.GetSnapshot("")
		Expect(nameless.Remove()).To(MatchError(rbd.ErrSnapshotNoName))
		Expect(nameless.Rollback()).To(MatchError(rbd.ErrSnapshotNoName))
		Expect(nameless.Protect()).To(MatchError(rbd.ErrSnapshotNoName))
		_, err := image.GetSnapID("")
		Expect(err).To(MatchError(rbd.ErrSnapshotNoName))
	})
})
