package rados_test

import (
	"fmt"
	"os/exec"
	"strings"

	"github.com/ceph/go-ceph/rados"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/cgogrind/cgogrind/scenarios/cluster/suite"
)

var _ = Describe("Listing", func() {
	var ioctx *rados.IOContext

	BeforeEach(func() { ioctx = open() })

	Context("of several objects", func() {
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

		It("names the namespace of each, and has nothing to say after the last", func() {
			mine := Must(ioctx.GetNamespace())
			iter := Must(ioctx.Iter())
			defer iter.Close()
			for range names {
				Expect(iter.Next()).To(BeTrue())
				Expect(iter.Namespace()).To(Equal(mine))
			}
			Expect(iter.Next()).To(BeFalse())
			Expect(iter.Err()).NotTo(HaveOccurred())
			Expect(iter.Value()).To(BeEmpty())
			Expect(iter.Namespace()).To(BeEmpty())
		})

		It("can stop in the middle", func() {
			iter := Must(ioctx.Iter())
			Expect(iter.Next()).To(BeTrue())
			Expect(names).To(ContainElement(iter.Value()))
			iter.Close()
		})

		It("goes on with two iterators side by side", func() {
			first, second := Must(ioctx.Iter()), Must(ioctx.Iter())
			defer first.Close()
			defer second.Close()
			var fromFirst, fromSecond []string
			for first.Next() && second.Next() {
				fromFirst = append(fromFirst, first.Value())
				fromSecond = append(fromSecond, second.Value())
			}
			Expect(fromFirst).To(ConsistOf(names))
			Expect(fromSecond).To(Equal(fromFirst))
		})
	})

	It("of a namespace without objects is empty", func() {
		listed := 0
		Expect(ioctx.ListObjects(func(string) { listed++ })).To(Succeed())
		Expect(listed).To(BeZero())
		iter := Must(ioctx.Iter())
		defer iter.Close()
		Expect(iter.Next()).To(BeFalse())
		Expect(iter.Err()).NotTo(HaveOccurred())
	})

	It("of more objects than one page holds has them all", func() {
		// go-ceph asks for 1000 at a time. Making them is not the point, so a program does it, outside of memcheck.
		const objects = 1100
		namespace := Must(ioctx.GetNamespace())
		program := exec.Command("rados", "-c", ceph.ConfigFile(), "-p", ceph.Pool(), "-N", namespace, "bench", "60", "write",
			"-b", "1", "-t", "32", "--max-objects", fmt.Sprint(objects), "--no-cleanup")
		out, err := program.CombinedOutput()
		Expect(err).NotTo(HaveOccurred(), "%s", out)
		listed := map[string]bool{}
		Expect(ioctx.ListObjects(func(object string) {
			if strings.HasPrefix(object, "benchmark_data_") {
				listed[object] = true
			}
		})).To(Succeed())
		Expect(listed).To(HaveLen(objects))
	})

	It("loses the iterator that is not closed", func() {
		loses("rados.(*IOContext).Iter")
		Expect(ioctx.Create("object", rados.CreateExclusive)).To(Succeed())
		for range several {
			// With Next, librados's iterator and what it has read refer to each other, and memcheck takes now this block, now
			// that one, which a thread of librados has allocated, for the one that is lost.
			Expect(Must(ioctx.Iter()).Token()).To(BeZero())
		}
	})
})
