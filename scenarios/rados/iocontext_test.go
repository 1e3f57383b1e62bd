package rados_test

import (
	"fmt"

	"github.com/ceph/go-ceph/rados"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
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

	Context("with several objects", func() {
		var names []string

		BeforeEach(func() {
			names = nil
			for i := range 5 {
				name := fmt.Sprintf("listed-%d", i)
				Expect(ioctx.Create(name, rados.CreateExclusive)).To(Succeed())
				names = append(names, name)
			}
		})

		It("lists those of its namespace", func() {
			var listed []string
			Expect(ioctx.ListObjects(func(object string) { listed = append(listed, object) })).To(Succeed())
			Expect(listed).To(ConsistOf(names))
		})

		It("iterates over them, from the start again after going back", func() {
			iter, err := ioctx.Iter()
			Expect(err).NotTo(HaveOccurred())
			defer iter.Close()
			start := iter.Token()
			Expect(iter.Next()).To(BeTrue())
			Expect(names).To(ContainElement(iter.Value()))
			Expect(iter.Next()).To(BeTrue())
			iter.Seek(start)
			var listed []string
			for iter.Next() {
				listed = append(listed, iter.Value())
			}
			Expect(iter.Err()).NotTo(HaveOccurred())
			Expect(listed).To(ConsistOf(names))
		})

		It("iterates over all namespaces and names them", func() {
			mine, err := ioctx.GetNamespace()
			Expect(err).NotTo(HaveOccurred())
			other := open()
			theirs, err := other.GetNamespace()
			Expect(err).NotTo(HaveOccurred())
			Expect(other.Create("elsewhere", rados.CreateExclusive)).To(Succeed())

			ioctx.SetNamespace(rados.AllNamespaces)
			iter, err := ioctx.Iter()
			Expect(err).NotTo(HaveOccurred())
			defer iter.Close()
			var listed []string
			for iter.Next() {
				listed = append(listed, iter.Namespace()+"/"+iter.Value())
			}
			Expect(iter.Err()).NotTo(HaveOccurred())
			Expect(listed).To(ContainElements(mine+"/listed-0", mine+"/listed-4", theirs+"/elsewhere"))
		})
	})

	It("gives statistics of its pool", func(ctx SpecContext) {
		Expect(ceph.WaitForManager(ctx)).To(Succeed())
		Expect(ioctx.WriteFull("counted", []byte("12345"))).To(Succeed())
		Eventually(ctx, func() (uint64, error) {
			stat, err := ioctx.GetPoolStats()
			return stat.Num_objects, err
		}).Should(BeNumerically(">", 0))
	})

	It("that was never opened is refused", func() {
		never := &rados.IOContext{}
		_, err := never.GetLastVersion()
		Expect(err).To(MatchError(rados.ErrInvalidIOContext))
		_, err = never.GetNamespace()
		Expect(err).To(MatchError(rados.ErrInvalidIOContext))
		Expect(never.Create("object", rados.CreateIdempotent)).To(MatchError(rados.ErrInvalidIOContext))
		Expect(never.SetPoolFullTry()).To(MatchError(rados.ErrInvalidIOContext))
	})
})
