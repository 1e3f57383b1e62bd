package rados_test

import (
	"errors"
	"syscall"

	"github.com/ceph/go-ceph/rados"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/cgogrind/cgogrind/scenarios/cluster/suite"
)

var _ = Describe("Pool", func() {
	Context("that is made by a suite", Ordered, func() {
		var pool string

		BeforeAll(func() {
			pool = ceph.Pool() + "-made"
			Expect(conn.MakePool(pool)).To(Succeed())
			DeferCleanup(func() {
				if err := conn.DeletePool(pool); !errors.Is(err, rados.ErrNotFound) {
					Expect(err).NotTo(HaveOccurred())
				}
			})
		})

		It("is in the list of pools, beside the others", func() {
			Expect(conn.ListPools()).To(ContainElements(pool, ceph.Pool()))
		})

		It("is found by name and by id", func() {
			id, err := conn.GetPoolByName(pool)
			Expect(err).NotTo(HaveOccurred())
			Expect(id).To(BeNumerically(">", 0))
			Expect(conn.GetPoolByID(id)).To(Equal(pool))
		})

		It("cannot be made again", func() {
			Expect(conn.MakePool(pool)).To(MatchError(rados.ErrObjectExists))
		})

		It("keeps its objects apart from those of other pools", func() {
			here, there := openPool(pool), openPool(ceph.Pool())
			Expect(here.WriteFull("only-here", []byte("x"))).To(Succeed())
			_, err := there.Stat("only-here")
			Expect(err).To(MatchError(rados.ErrNotFound))
		})

		It("is gone after it was deleted, for open I/O contexts too", func() {
			ioctx := openPool(pool)
			id, err := conn.GetPoolByName(pool)
			Expect(err).NotTo(HaveOccurred())
			Expect(conn.DeletePool(pool)).To(Succeed())
			Expect(conn.WaitForLatestOSDMap()).To(Succeed())
			Expect(conn.ListPools()).NotTo(ContainElement(pool))
			_, err = conn.GetPoolByName(pool)
			Expect(err).To(MatchError(rados.ErrNotFound))
			_, err = conn.GetPoolByID(id)
			Expect(err).To(MatchError(rados.ErrNotFound))
			Expect(ioctx.WriteFull("object", []byte("x"))).To(MatchError(rados.ErrNotFound))
		})
	})

	Context("that does not exist", func() {
		const missing = "cgogrind no such pool"

		It("is not found by name or by id", func() {
			_, err := conn.GetPoolByName(missing)
			Expect(err).To(MatchError(rados.ErrNotFound))
			_, err = conn.GetPoolByID(1 << 40)
			Expect(err).To(MatchError(rados.ErrNotFound))
		})

		It("cannot be opened", func() {
			ioctx, err := conn.OpenIOContext(missing)
			Expect(err).To(MatchError(rados.ErrNotFound))
			Expect(ioctx).To(BeNil())
		})

		It("cannot be deleted", func() {
			Expect(conn.DeletePool(missing)).To(MatchError(rados.ErrNotFound))
		})
	})

	It("needs a name", func() {
		Expect(conn.MakePool("")).To(BeErrno(syscall.EINVAL))
	})
})
