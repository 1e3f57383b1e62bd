package rados_test

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/ceph/go-ceph/rados"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("Omap", func() {
	var ioctx *rados.IOContext

	BeforeEach(func() { ioctx = open() })

	Context("with some keys", func() {
		all := map[string][]byte{
			"a-1": []byte("one"),
			"a-2": []byte("two\x00zero"),
			"b-1": []byte("three"),
			"b-2": {},
			"c":   []byte("five"),
		}

		BeforeEach(func() { Expect(ioctx.SetOmap("object", all)).To(Succeed()) })

		It("gives all keys and values, in one go and in pieces", func() {
			Expect(values(ioctx.GetAllOmapValues("object", "", "", 100))).To(Equal(values(all, nil)))
			Expect(values(ioctx.GetAllOmapValues("object", "", "", 2))).To(Equal(values(all, nil)))
		})

		It("gives keys in order", func() {
			var keys []string
			Expect(ioctx.ListOmapValues("object", "", "", 100, func(key string, _ []byte) {
				keys = append(keys, key)
			})).To(Succeed())
			Expect(keys).To(Equal([]string{"a-1", "a-2", "b-1", "b-2", "c"}))
		})

		It("gives the keys after one, with a prefix, up to a number", func() {
			Expect(ioctx.GetOmapValues("object", "a-2", "", 2)).To(And(HaveLen(2), HaveKey("b-1"), HaveKey("b-2")))
			Expect(ioctx.GetOmapValues("object", "", "a-", 100)).To(And(HaveLen(2), HaveKey("a-1"), HaveKey("a-2")))
			Expect(ioctx.GetOmapValues("object", "c", "", 100)).To(BeEmpty())
		})

		It("keeps other keys when some are replaced", func() {
			Expect(ioctx.SetOmap("object", map[string][]byte{"c": []byte("new"), "d": []byte("six")})).To(Succeed())
			got, err := ioctx.GetOmapValues("object", "b-2", "", 100)
			Expect(values(got, err)).To(Equal(map[string]string{"c": "new", "d": "six"}))
			Expect(ioctx.GetOmapValues("object", "", "", 100)).To(HaveLen(6))
		})

		It("loses the keys that are removed", func() {
			Expect(ioctx.RmOmapKeys("object", []string{"a-1", "b-2", "never set"})).To(Succeed())
			got, err := ioctx.GetOmapValues("object", "", "", 100)
			Expect(err).NotTo(HaveOccurred())
			Expect(got).To(And(HaveLen(3), HaveKey("a-2"), HaveKey("b-1"), HaveKey("c")))
		})

		It("is empty after it was cleared, and the object stays", func() {
			Expect(ioctx.CleanOmap("object")).To(Succeed())
			Expect(ioctx.GetOmapValues("object", "", "", 100)).To(BeEmpty())
			_, err := ioctx.Stat("object")
			Expect(err).NotTo(HaveOccurred())
		})

		It("is walked with an iterator that knows whether there is more", func() {
			op := rados.CreateReadOp()
			defer op.Release()
			step := op.GetOmapValues("", "", 2)
			Expect(op.Operate(ioctx, "object", rados.OperationNoFlag)).To(Succeed())
			Expect(step.More()).To(BeTrue())
			Expect(step.Next()).To(Equal(&rados.OmapKeyValue{Key: "a-1", Value: []byte("one")}))
			Expect(step.Next()).To(Equal(&rados.OmapKeyValue{Key: "a-2", Value: []byte("two\x00zero")}))
			Expect(step.Next()).To(BeNil())
		})

		It("is walked by two iterators of one operation", func() {
			op := rados.CreateReadOp()
			defer op.Release()
			first, second := op.GetOmapValues("", "a-", 10), op.GetOmapValues("b-2", "", 10)
			Expect(op.Operate(ioctx, "object", rados.OperationNoFlag)).To(Succeed())
			Expect(second.Next()).To(HaveField("Key", "c"))
			Expect(first.Next()).To(HaveField("Key", "a-1"))
			Expect(second.Next()).To(BeNil())
			Expect(first.Next()).To(HaveField("Key", "a-2"))
			Expect(first.More()).To(BeFalse())
		})
	})

	It("has an iterator that does not work before the operation", func() {
		op := rados.CreateReadOp()
		defer op.Release()
		step := op.GetOmapValues("", "", 10)
		_, err := step.Next()
		Expect(err).To(MatchError(rados.ErrOperationIncomplete))
	})

	It("holds many keys, which come in pages", func() {
		want := map[string][]byte{}
		for i := range 500 {
			want[fmt.Sprintf("key-%04d", i)] = fmt.Appendf(nil, "value %d", i)
		}
		Expect(ioctx.SetOmap("object", want)).To(Succeed())
		Expect(ioctx.GetAllOmapValues("object", "", "", 64)).To(Equal(want))
		Expect(ioctx.GetAllOmapValues("object", "key-0489", "", 3)).To(HaveLen(10))
		Expect(ioctx.GetAllOmapValues("object", "", "key-01", 1000)).To(HaveLen(100))
	})

	It("holds a large value, an empty one, and keys that are no text", func() {
		want := map[string][]byte{
			"large":                   bytes.Repeat([]byte("0123456789abcdef"), 1<<16),
			"\x00":                    []byte("zero"),
			"\xff\xfe":                []byte("no text"),
			strings.Repeat("k", 2000): []byte("long key"),
		}
		Expect(ioctx.SetOmap("object", want)).To(Succeed())
		Expect(ioctx.GetOmapValues("object", "", "", 100)).To(Equal(want))
	})

	It("is created empty by no keys", func() {
		Expect(ioctx.SetOmap("object", nil)).To(Succeed())
		Expect(ioctx.GetOmapValues("object", "", "", 10)).To(BeEmpty())
		Expect(ioctx.RmOmapKeys("object", nil)).To(Succeed())
	})

	It("gives nothing if nothing is asked for", func() {
		Expect(ioctx.SetOmap("object", map[string][]byte{"key": []byte("value")})).To(Succeed())
		Expect(ioctx.GetOmapValues("object", "", "", 0)).To(BeEmpty())
	})

	It("is empty on an object without one", func() {
		Expect(ioctx.WriteFull("object", []byte("content"))).To(Succeed())
		Expect(ioctx.GetOmapValues("object", "", "", 10)).To(BeEmpty())
	})

	It("cannot be read or changed without an object", func() {
		_, err := ioctx.GetOmapValues("missing", "", "", 10)
		Expect(err).To(MatchError(rados.ErrNotFound))
		_, err = ioctx.GetAllOmapValues("missing", "", "", 10)
		Expect(err).To(MatchError(rados.ErrNotFound))
		Expect(ioctx.ListOmapValues("missing", "", "", 10, func(string, []byte) { Fail("it lists") })).
			To(MatchError(rados.ErrNotFound))
		Expect(ioctx.RmOmapKeys("missing", []string{"key"})).To(MatchError(rados.ErrNotFound))
		Expect(ioctx.CleanOmap("missing")).To(MatchError(rados.ErrNotFound))
	})
})

// values makes the values of an omap comparable: an empty one may be nil.
func values(omap map[string][]byte, err error) map[string]string {
	GinkgoHelper()
	Expect(err).NotTo(HaveOccurred())
	text := make(map[string]string, len(omap))
	for key, value := range omap {
		text[key] = string(value)
	}
	return text
}
