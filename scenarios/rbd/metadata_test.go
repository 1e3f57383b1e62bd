package rbd_test

import (
	"fmt"
	"strings"
	"syscall"

	"github.com/ceph/go-ceph/rbd"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/ceph/go-ceph/rados"

	. "github.com/cgogrind/cgogrind/scenarios/cluster/suite"
)

var _ = Describe("Metadata", func() {
	It("of an image is set, listed, changed and removed", func() {
		image := open(created())
		Expect(image.ListMetadata()).To(BeEmpty())
		Expect(image.SetMetadata("owner", "harbour")).To(Succeed())
		Expect(image.SetMetadata("port", "none")).To(Succeed())
		Expect(image.GetMetadata("owner")).To(Equal("harbour"))
		Expect(image.SetMetadata("owner", "ship")).To(Succeed())
		Expect(image.GetMetadata("owner")).To(Equal("ship"))
		Expect(image.ListMetadata()).To(Equal(map[string]string{"owner": "ship", "port": "none"}))
		Expect(image.RemoveMetadata("owner")).To(Succeed())
		Expect(image.ListMetadata()).To(HaveLen(1))
		_, err := image.GetMetadata("owner")
		Expect(err).To(MatchError(rbd.ErrNotFound))
		Expect(image.RemoveMetadata("owner")).To(MatchError(rbd.ErrNotFound))
	})

	It("of an image does not fit into the first buffer", func() {
		image := open(created())
		long := strings.Repeat("v", 10000)
		want := map[string]string{"long": long}
		Expect(image.SetMetadata("long", long)).To(Succeed())
		for i := range 50 {
			key, value := fmt.Sprint("key-", i), strings.Repeat("x", i+1)
			want[key] = value
			Expect(image.SetMetadata(key, value)).To(Succeed())
		}
		Expect(image.GetMetadata("long")).To(Equal(long))
		Expect(image.ListMetadata()).To(Equal(want))
	})

	It("of a pool is set, read and removed", func() {
		DeferCleanup(func() { _ = rbd.RemovePoolMetadata(ioctx, "key") })
		Expect(rbd.SetPoolMetadata(ioctx, "key", strings.Repeat("v", 5000))).To(Succeed())
		Expect(rbd.GetPoolMetadata(ioctx, "key")).To(Equal(strings.Repeat("v", 5000)))
		Expect(rbd.RemovePoolMetadata(ioctx, "key")).To(Succeed())
		_, err := rbd.GetPoolMetadata(ioctx, "key")
		Expect(err).To(MatchError(rbd.ErrNotFound))
		Expect(rbd.SetPoolMetadata(nil, "key", "value")).To(MatchError(rbd.ErrNoIOContext))
		_, err = rbd.GetPoolMetadata(nil, "key")
		Expect(err).To(MatchError(rbd.ErrNoIOContext))
		Expect(rbd.RemovePoolMetadata(nil, "key")).To(MatchError(rbd.ErrNoIOContext))
	})

	It("of a pool counts its images", func() {
		image := open(created())
		Expect(image.Resize(imageSize / 2)).To(Succeed())
		snapshot(image, "snapshot")
		stats := Must(rbd.GetAllPoolStats(ioctx))
		Expect(stats).To(HaveKeyWithValue(rbd.PoolStatOptionImages, uint64(1)))
		Expect(stats).To(HaveKeyWithValue(rbd.PoolStatOptionImageProvisionedBytes, imageSize/2))
		Expect(stats).To(HaveKeyWithValue(rbd.PoolStatOptionImageSnapshots, uint64(1)))
		Expect(stats).To(HaveKeyWithValue(rbd.PoolStatOptionTrashImages, uint64(0)))
		_, err := rbd.GetAllPoolStats(nil)
		Expect(err).To(MatchError(rbd.ErrNoIOContext))
	})
})

var _ = Describe("Namespace", func() {
	It("has images of its own", func() {
		Expect(rbd.NamespaceCreate(ioctx, "inner")).To(Succeed())
		Expect(rbd.NamespaceList(ioctx)).To(ConsistOf("inner"))
		Expect(rbd.NamespaceExists(ioctx, "inner")).To(BeTrue())
		Expect(rbd.NamespaceCreate(ioctx, "inner")).To(MatchError(rbd.ErrExist))

		inner := openPool(conn)
		inner.SetNamespace("inner")
		name := created()
		write(open(name), "outer", 0)
		Expect(rbd.CreateImage(inner, name, imageSize, options())).To(Succeed())
		Expect(read(closing(Must(rbd.OpenImageReadOnly(inner, name, rbd.NoSnapshot))), 0, 5)).To(Equal(zeroes(5)))
		Expect(rbd.NamespaceRemove(ioctx, "inner")).To(BeErrno(syscall.EBUSY))
		Expect(rbd.GetImageNames(inner)).To(ConsistOf(name))
		DeferCleanup(func(inner *rados.IOContext) {
			Expect(rbd.RemoveImage(inner, name)).To(Succeed())
			Expect(rbd.NamespaceRemove(ioctx, "inner")).To(Succeed())
			Expect(rbd.NamespaceExists(ioctx, "inner")).To(BeFalse())
		}, inner)
	})

	It("that does not exist, or has no name, is refused", func() {
		Expect(rbd.NamespaceList(ioctx)).To(BeEmpty())
		Expect(rbd.NamespaceExists(ioctx, "missing")).To(BeFalse())
		Expect(rbd.NamespaceRemove(ioctx, "missing")).To(MatchError(rbd.ErrNotFound))
		Expect(rbd.NamespaceCreate(ioctx, "")).To(MatchError(rbd.ErrNoNamespaceName))
		Expect(rbd.NamespaceRemove(nil, "missing")).To(MatchError(rbd.ErrNoIOContext))
	})
})
