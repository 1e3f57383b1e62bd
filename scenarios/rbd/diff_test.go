package rbd_test

import (
	"strings"
	"syscall"

	"github.com/ceph/go-ceph/rbd"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/cgogrind/cgogrind/scenarios/cluster/suite"
)

// extent is what the callback of DiffIterate is told.
type extent struct {
	offset, length uint64
	exists         int
}

// extents collects what DiffIterate finds in the whole image, or from the configuration's offset on.
func extents(image *rbd.Image, config rbd.DiffIterateConfig) []extent {
	GinkgoHelper()
	var found []extent
	if config.Length == 0 {
		config.Length = Must(image.GetSize()) - config.Offset
	}
	config.Data = &found
	config.Callback = func(offset, length uint64, exists int, data any) int {
		all := data.(*[]extent)
		*all = append(*all, extent{offset, length, exists})
		return 0
	}
	Expect(image.DiffIterate(config)).To(Succeed())
	return found
}

// fill writes the whole of one object: what the store knows about parts of one differs.
func fill(image *rbd.Image, object uint64) {
	GinkgoHelper()
	write(image, strings.Repeat("x", int(objectSize)), object*objectSize)
}

// One image for all: making one costs more than the rest. The specs that change it come last.
var _ = Describe("Difference", Ordered, ContinueOnFailure, func() {
	var image *rbd.Image

	BeforeAll(func() {
		image = open(created())
		fill(image, 1)
		fill(image, 5)
	})

	It("to nothing is all that was written", func() {
		written := []extent{{objectSize, objectSize, 1}, {5 * objectSize, objectSize, 1}}
		Expect(extents(image, rbd.DiffIterateConfig{})).To(Equal(written))
		Expect(extents(image, rbd.DiffIterateConfig{WholeObject: rbd.EnableWholeObject})).To(Equal(written))
	})

	It("is looked for in a range", func() {
		Expect(extents(image, rbd.DiffIterateConfig{Offset: 2 * objectSize})).To(Equal([]extent{
			{5 * objectSize, objectSize, 1},
		}))
		Expect(extents(image, rbd.DiffIterateConfig{Offset: objectSize, Length: objectSize})).
			To(Equal([]extent{{objectSize, objectSize, 1}}))
		Expect(extents(image, rbd.DiffIterateConfig{Offset: 2 * objectSize, Length: objectSize})).To(BeEmpty())
	})

	It("ends when the callback says so", func() {
		calls := 0
		Expect(image.DiffIterate(rbd.DiffIterateConfig{Length: imageSize, Callback: func(uint64, uint64, int, any) int {
			calls++
			return -int(syscall.ECANCELED)
		}})).To(BeErrno(syscall.ECANCELED))
		Expect(calls).To(BeNumerically(">", 0))
	})

	It("needs a callback, and a snapshot that exists", func() {
		Expect(image.DiffIterate(rbd.DiffIterateConfig{Length: imageSize})).To(HaveOccurred())
		Expect(image.DiffIterate(rbd.DiffIterateConfig{
			SnapName: "missing", Length: imageSize,
			Callback: func(uint64, uint64, int, any) int { Fail("the callback was called"); return 0 },
		})).To(MatchError(rbd.ErrNotFound))
	})

	It("of a clone can be with what its parent holds, and without", func() {
		name := unused()
		Expect(snapshot(image, "parent").Protect()).To(Succeed())
		Expect(rbd.CloneImage(ioctx, image.GetName(), "parent", ioctx, name, options())).To(Succeed())
		clone := open(name)
		write(clone, "clone", 3*objectSize)
		Expect(extents(clone, rbd.DiffIterateConfig{WholeObject: rbd.EnableWholeObject})).To(Equal([]extent{
			{3 * objectSize, objectSize, 1},
		}))
		Expect(extents(clone, rbd.DiffIterateConfig{IncludeParent: rbd.IncludeParent, WholeObject: rbd.EnableWholeObject})).
			To(ConsistOf(
				extent{objectSize, objectSize, 1}, extent{3 * objectSize, objectSize, 1}, extent{5 * objectSize, objectSize, 1},
			))
	})

	It("to a snapshot is what changed since", func() {
		snapshot(image, "snapshot")
		Expect(extents(image, rbd.DiffIterateConfig{SnapName: "snapshot"})).To(BeEmpty())
		fill(image, 3)
		Expect(image.Discard(5*objectSize, objectSize)).To(BeEquivalentTo(objectSize))
		Expect(extents(image, rbd.DiffIterateConfig{SnapName: "snapshot", WholeObject: rbd.EnableWholeObject})).To(Equal([]extent{
			{3 * objectSize, objectSize, 1}, {5 * objectSize, objectSize, 0},
		}))
	})
})
