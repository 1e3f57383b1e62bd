package rbd_test

import (
	"syscall"

	"github.com/ceph/go-ceph/rbd"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/cgogrind/cgogrind/scenarios/cluster/suite"
)

// Each spec keeps watch over a defect that scenarios/FOUND.md describes.
var _ = Describe("Known defect", func() {
	It("of go-ceph: metadata with an empty value cannot be listed", func() {
		image := open(created())
		Expect(image.SetMetadata("key", "")).To(Succeed())
		Expect(image.GetMetadata("key")).To(BeEmpty())
		_, err := image.ListMetadata()
		Expect(err).To(BeErrno(syscall.ERANGE), "if this fails go-ceph lists it now")
	})

	It("of librbd: a group that does not exist has no images, instead of an error", func() {
		Expect(rbd.GroupImageList(ioctx, "missing")).To(BeEmpty())
	})
})
