package rbd_test

import (
	"strings"
	"syscall"
	"time"

	"github.com/ceph/go-ceph/rbd"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/cgogrind/cgogrind/scenarios/cluster/suite"
)

var _ = Describe("Image", func() {
	It("is of a version of librbd", func() {
		major, minor, patch := rbd.Version()
		Expect([]int{major, minor, patch}).To(HaveEach(BeNumerically(">=", 0)))
		Expect(major).To(BeNumerically(">=", 1))
	})

	It("is in the list from when it is made to when it is removed", func() {
		name := created()
		Expect(rbd.GetImageNames(ioctx)).To(ConsistOf(name))
		other := created()
		Expect(rbd.GetImageNames(ioctx)).To(ConsistOf(name, other))
		Expect(rbd.RemoveImage(ioctx, name)).To(Succeed())
		Expect(rbd.GetImage(ioctx, other).Remove()).To(Succeed())
		Expect(rbd.GetImageNames(ioctx)).To(BeEmpty())
	})

	It("is made only once under one name", func() {
		name := created()
		Expect(rbd.CreateImage(ioctx, name, imageSize, options())).To(MatchError(rbd.ErrExist))
		Expect(open(name).GetSize()).To(Equal(imageSize))
	})

	It("has the size, the features and the objects that it was made with", func() {
		name := unused()
		rio := options()
		Expect(rio.SetUint64(rbd.ImageOptionFeatures, features|rbd.FeatureStripingV2)).To(Succeed())
		Expect(rio.SetUint64(rbd.ImageOptionStripeUnit, 4096)).To(Succeed())
		Expect(rio.SetUint64(rbd.ImageOptionStripeCount, 4)).To(Succeed())
		Expect(rbd.CreateImage(ioctx, name, 10*objectSize+1, rio)).To(Succeed())
		image := open(name)
		Expect(image.GetName()).To(Equal(name))
		Expect(image.GetSize()).To(Equal(10*objectSize + 1))
		Expect(image.GetFeatures()).To(Equal(features | rbd.FeatureStripingV2))
		Expect(image.GetStripeUnit()).To(BeEquivalentTo(4096))
		Expect(image.GetStripeCount()).To(BeEquivalentTo(4))
		Expect(image.IsOldFormat()).To(BeFalse())
		Expect(image.GetDataPoolID()).To(Equal(ioctx.GetPoolID()))
		Expect(image.Stat()).To(HaveValue(Equal(rbd.ImageInfo{
			Size: 10*objectSize + 1, Obj_size: objectSize, Num_objs: 12, Order: order,
			Block_name_prefix: "rbd_data." + Must(image.GetId()),
		})))
	})

	It("is made by the older functions, too", func() {
		plain, featured, striped := unused(), unused(), unused()
		_ = Must(rbd.Create(ioctx, plain, imageSize, order))
		_ = Must(rbd.Create(ioctx, featured, imageSize, order, rbd.FeatureLayering))
		_ = Must(rbd.Create(ioctx, striped, imageSize, order, rbd.FeatureLayering|rbd.FeatureStripingV2, 4096, 2))
		Expect(rbd.GetImageNames(ioctx)).To(ConsistOf(plain, featured, striped))
		Expect(open(featured).GetFeatures()).To(Equal(rbd.FeatureLayering))
		Expect(open(striped).GetStripeCount()).To(BeEquivalentTo(2))

		_, err := rbd.Create(ioctx, plain, imageSize, order)
		Expect(err).To(MatchError(rbd.ErrExist))
		_, err = rbd.Create2(ioctx, plain, imageSize, rbd.FeatureLayering, order)
		Expect(err).To(MatchError(rbd.ErrExist))
		_, err = rbd.Create3(ioctx, plain, imageSize, rbd.FeatureLayering, order, 4096, 2)
		Expect(err).To(HaveOccurred())
		_, err = rbd.Create(ioctx, plain, imageSize, order, 1, 2)
		Expect(err).To(MatchError("Wrong number of argument"))
	})

	It("cannot be made of what does not fit", func() {
		rio := options()
		Expect(rio.SetUint64(rbd.ImageOptionOrder, 60)).To(Succeed())
		Expect(rbd.CreateImage(ioctx, unused(), imageSize, rio)).To(BeErrno(syscall.EDOM))
		rio = options()
		Expect(rio.SetUint64(rbd.ImageOptionStripeUnit, 3000)).To(Succeed())
		Expect(rio.SetUint64(rbd.ImageOptionStripeCount, 2)).To(Succeed())
		Expect(rbd.CreateImage(ioctx, unused(), imageSize, rio)).To(BeErrno(syscall.EINVAL))
		rio = options()
		Expect(rio.SetString(rbd.ImageOptionDataPool, "no such pool")).To(Succeed())
		Expect(rbd.CreateImage(ioctx, unused(), imageSize, rio)).To(MatchError(rbd.ErrNotFound))
		Expect(rbd.GetImageNames(ioctx)).To(BeEmpty(), "nothing stays of an image that could not be made")
	})

	It("is found by its id", func() {
		name := created()
		image := open(name)
		write(image, "by its id", 0)
		Expect(image.Flush()).To(Succeed())
		id := Must(image.GetId())
		Expect(read(closing(Must(rbd.OpenImageByIdReadOnly(ioctx, id, rbd.NoSnapshot))), 0, 9)).To(Equal("by its id"))
		Expect(image.Close()).To(Succeed())
		Expect(read(closing(Must(rbd.OpenImageById(ioctx, id, rbd.NoSnapshot))), 0, 9)).To(Equal("by its id"))
	})

	It("is renamed, and keeps what it holds", func() {
		name, renamed, taken := created(), unused(), created()
		image := open(name)
		write(image, "kept", 0)
		Expect(image.Close()).To(Succeed())
		Expect(image.Rename(renamed)).To(Succeed())
		Expect(image.GetName()).To(Equal(renamed))
		Expect(rbd.GetImageNames(ioctx)).To(ConsistOf(renamed, taken))
		Expect(read(open(renamed), 0, 4)).To(Equal("kept"))
		Expect(rbd.GetImage(ioctx, taken).Rename(renamed)).To(MatchError(rbd.ErrExist))
	})

	It("knows when it was made, read and written", func() {
		begin := time.Now().Add(-time.Minute)
		image := open(created())
		for _, stamp := range []rbd.Timespec{
			Must(image.GetCreateTimestamp()), Must(image.GetAccessTimestamp()), Must(image.GetModifyTimestamp()),
		} {
			Expect(time.Unix(stamp.Sec, stamp.Nsec)).To(BeTemporally("~", begin, time.Hour))
		}
	})

	It("loses features and gets them back", func() {
		image := open(created(exclusive | rbd.FeatureObjectMap | rbd.FeatureFastDiff))
		Expect(image.UpdateFeatures(rbd.FeatureFastDiff, false)).To(Succeed())
		left := rbd.FeatureSet(Must(image.GetFeatures()))
		Expect(left.Names()).To(ConsistOf("layering", "exclusive-lock"), "the object map goes with it")
		Expect(image.UpdateFeatures(rbd.FeatureObjectMap, true)).To(Succeed())
		Expect(image.GetFeatures()).To(Equal(uint64(rbd.FeatureSetFromNames([]string{
			"layering", "exclusive-lock", "object-map", "fast-diff", "no such feature",
		}))), "fast-diff comes with it")
		Expect(image.UpdateFeatures(rbd.FeatureLayering, false)).To(BeErrno(syscall.EINVAL))
	})

	It("is copied, without and with its snapshots", func() {
		image := open(created())
		write(image, "first", 0)
		snapshot(image, "snapshot")
		write(image, "again", 0)
		write(image, "far", 5*objectSize)

		name := unused()
		Expect(image.Copy(ioctx, name)).To(Succeed())
		copied := open(name)
		Expect(read(copied, 0, 5)).To(Equal("again"))
		Expect(read(copied, 5*objectSize, 3)).To(Equal("far"))
		Expect(copied.GetSnapshotNames()).To(BeEmpty())
		Expect(image.Copy(ioctx, name)).To(MatchError(rbd.ErrExist))

		over := open(created())
		Expect(image.Copy2(over)).To(Succeed())
		Expect(read(over, 5*objectSize, 3)).To(Equal("far"))

		name = unused()
		Expect(image.DeepCopy(ioctx, name, options())).To(Succeed())
		deep := open(name)
		Expect(read(deep, 0, 5)).To(Equal("again"))
		Expect(deep.SetSnapshot("snapshot")).To(Succeed())
		Expect(read(deep, 0, 5)).To(Equal("first"))
	})

	It("may have a long name, and none that is too long", func() {
		long := strings.Repeat("n", 1000)
		DeferCleanup(remove, ioctx, long)
		Expect(rbd.CreateImage(ioctx, long, imageSize, options())).To(Succeed())
		Expect(rbd.GetImageNames(ioctx)).To(ConsistOf(long))
		Expect(rbd.CreateImage(ioctx, strings.Repeat("n", 5000), imageSize, options())).To(BeErrno(syscall.ENAMETOOLONG))
	})

	It("that does not exist cannot be used", func() {
		missing := unused()
		_, err := rbd.OpenImage(ioctx, missing, rbd.NoSnapshot)
		Expect(err).To(MatchError(rbd.ErrNotFound))
		_, err = rbd.OpenImageReadOnly(ioctx, missing, rbd.NoSnapshot)
		Expect(err).To(MatchError(rbd.ErrNotFound))
		_, err = rbd.OpenImageById(ioctx, "0123456789ab", rbd.NoSnapshot)
		Expect(err).To(MatchError(rbd.ErrNotFound))
		_, err = rbd.OpenImageByIdReadOnly(ioctx, "0123456789ab", rbd.NoSnapshot)
		Expect(err).To(MatchError(rbd.ErrNotFound))
		Expect(rbd.RemoveImage(ioctx, missing)).To(MatchError(rbd.ErrNotFound))
		image := rbd.GetImage(ioctx, missing)
		Expect(image.Rename(unused())).To(MatchError(rbd.ErrNotFound))
		Expect(image.Trash(0)).To(MatchError(rbd.ErrNotFound))
		Expect(rbd.GetImageNames(ioctx)).To(BeEmpty())
	})

	It("that somebody has open is not removed", func() {
		name := created()
		image := open(name)
		Expect(rbd.RemoveImage(ioctx, name)).To(BeErrno(syscall.EBUSY))
		Expect(image.Remove()).To(MatchError(rbd.ErrImageIsOpen))
		write(image, "still there", 0)
		Expect(read(image, 0, 11)).To(Equal("still there"))
	})

	It("that has snapshots is not removed", func() {
		name := created()
		image := open(name)
		snapshot(image, "snapshot")
		Expect(image.Close()).To(Succeed())
		Expect(rbd.RemoveImage(ioctx, name)).To(BeErrno(syscall.ENOTEMPTY))
		Expect(open(name).GetSnapshotNames()).To(HaveLen(1))
	})

	It("opened for reading is not written", func() {
		name := created()
		image := closing(Must(rbd.OpenImageReadOnly(ioctx, name, rbd.NoSnapshot)))
		_, err := image.WriteAt([]byte("x"), 0)
		Expect(err).To(BeErrno(syscall.EROFS))
		_, err = image.Discard(0, objectSize)
		Expect(err).To(BeErrno(syscall.EROFS))
		Expect(image.Resize(objectSize)).To(BeErrno(syscall.EROFS))
		_, err = image.CreateSnapshot("snapshot")
		Expect(err).To(BeErrno(syscall.EROFS))
		Expect(image.SetMetadata("key", "value")).To(BeErrno(syscall.EROFS))
		Expect(read(image, 0, 4)).To(Equal(zeroes(4)))
	})

	It("without a name or an I/O context is refused", func() {
		Expect(rbd.CreateImage(nil, "image", imageSize, options())).To(MatchError(rbd.ErrNoIOContext))
		Expect(rbd.CreateImage(ioctx, "", imageSize, options())).To(MatchError(rbd.ErrNoName))
		Expect(rbd.CreateImage(ioctx, "image", imageSize, nil)).To(HaveOccurred())
		Expect(rbd.RemoveImage(nil, "image")).To(MatchError(rbd.ErrNoIOContext))
		Expect(rbd.RemoveImage(ioctx, "")).To(MatchError(rbd.ErrNoName))
		_, err := rbd.OpenImage(nil, "image", rbd.NoSnapshot)
		Expect(err).To(MatchError(rbd.ErrNoIOContext))
		_, err = rbd.OpenImageReadOnly(ioctx, "", rbd.NoSnapshot)
		Expect(err).To(MatchError(rbd.ErrNoName))
		_, err = rbd.OpenImageById(ioctx, "", rbd.NoSnapshot)
		Expect(err).To(MatchError(rbd.ErrNoName))
	})

	It("that is closed refuses everything", func() {
		image := open(created())
		taken := snapshot(image, "snapshot")
		Expect(image.Close()).To(Succeed())
		for what, use := range map[string]func() error{
			"Close":            image.Close,
			"Resize":           func() error { return image.Resize(0) },
			"Stat":             func() error { _, err := image.Stat(); return err },
			"GetSize":          func() error { _, err := image.GetSize(); return err },
			"GetFeatures":      func() error { _, err := image.GetFeatures(); return err },
			"GetId":            func() error { _, err := image.GetId(); return err },
			"GetParent":        func() error { _, err := image.GetParent(); return err },
			"ReadAt":           func() error { _, err := image.ReadAt(make([]byte, 1), 0); return err },
			"WriteAt":          func() error { _, err := image.WriteAt(make([]byte, 1), 0); return err },
			"Read":             func() error { _, err := image.Read(make([]byte, 1)); return err },
			"Write":            func() error { _, err := image.Write(make([]byte, 1)); return err },
			"Seek":             func() error { _, err := image.Seek(0, rbd.SeekEnd); return err },
			"Discard":          func() error { _, err := image.Discard(0, 1); return err },
			"WriteSame":        func() error { _, err := image.WriteSame(0, 1, make([]byte, 1), 0); return err },
			"Flush":            image.Flush,
			"Flatten":          image.Flatten,
			"Copy":             func() error { return image.Copy(ioctx, "copy") },
			"CreateSnapshot":   func() error { _, err := image.CreateSnapshot("other"); return err },
			"GetSnapshotNames": func() error { _, err := image.GetSnapshotNames(); return err },
			"SetSnapshot":      func() error { return image.SetSnapshot("snapshot") },
			"Rollback":         taken.Rollback,
			"Protect":          taken.Protect,
			"Snapshot.Remove":  taken.Remove,
			"DiffIterate": func() error {
				return image.DiffIterate(rbd.DiffIterateConfig{Callback: func(uint64, uint64, int, any) int { return 0 }})
			},
			"GetMetadata":   func() error { _, err := image.GetMetadata("key"); return err },
			"ListMetadata":  func() error { _, err := image.ListMetadata(); return err },
			"LockExclusive": func() error { return image.LockExclusive("cookie") },
			"LockAcquire":   func() error { return image.LockAcquire(rbd.LockModeExclusive) },
			"ListLockers":   func() error { _, _, err := image.ListLockers(); return err },
			"ListWatchers":  func() error { _, err := image.ListWatchers(); return err },
		} {
			Expect(use()).To(MatchError(rbd.ErrImageNotOpen), what)
		}
	})
})

var _ = Describe("Options of an image", func() {
	It("hold what they are given", func() {
		rio := rbd.NewRbdImageOptions()
		defer rio.Destroy()
		Expect(rio.IsEmpty()).To(BeTrue())
		Expect(rio.SetUint64(rbd.ImageOptionOrder, 20)).To(Succeed())
		Expect(rio.SetString(rbd.ImageOptionDataPool, "pool")).To(Succeed())
		Expect(rio.IsEmpty()).To(BeFalse())
		Expect(rio.GetUint64(rbd.ImageOptionOrder)).To(BeEquivalentTo(20))
		Expect(rio.GetString(rbd.ImageOptionDataPool)).To(Equal("pool"))
		Expect(rio.IsSet(rbd.ImageOptionOrder)).To(BeTrue())
		Expect(rio.Unset(rbd.ImageOptionOrder)).To(Succeed())
		Expect(rio.IsSet(rbd.ImageOptionOrder)).To(BeFalse())
		rio.Clear()
		Expect(rio.IsEmpty()).To(BeTrue())
	})

	It("refuse what is unset, unknown or of another type", func() {
		rio := rbd.NewRbdImageOptions()
		defer rio.Destroy()
		_, err := rio.GetUint64(rbd.ImageOptionOrder)
		Expect(err).To(MatchError(ContainSubstring("No such file or directory")))
		_, err = rio.GetString(rbd.ImageOptionDataPool)
		Expect(err).To(MatchError(ContainSubstring("No such file or directory")))
		const unknown = 4242
		Expect(rio.SetUint64(unknown, 1)).To(MatchError(ContainSubstring("Invalid argument")))
		Expect(rio.SetString(unknown, "x")).To(MatchError(ContainSubstring("Invalid argument")))
		Expect(rio.Unset(unknown)).To(MatchError(ContainSubstring("Invalid argument")))
		_, err = rio.IsSet(unknown)
		Expect(err).To(MatchError(ContainSubstring("Invalid argument")))
		Expect(rio.SetUint64(rbd.ImageOptionDataPool, 1)).To(MatchError(ContainSubstring("Invalid argument")))
		Expect(rio.SetString(rbd.ImageOptionDataPool, "pool")).To(Succeed())
		_, err = rio.GetUint64(rbd.ImageOptionDataPool)
		Expect(err).To(MatchError(ContainSubstring("Invalid argument")))
	})
})
