package rados_test

import (
	"os"

	"github.com/ceph/go-ceph/rados"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/cgogrind/cgogrind/harness/expect"
	. "github.com/cgogrind/cgogrind/scenarios/cluster/suite"
)

// Each spec keeps watch over a defect that scenarios/FOUND.md describes; those that lose memory are with their topics.
var _ = Describe("Known defect of go-ceph", func() {
	var gone *rados.IOContext

	gonePool := func() {
		GinkgoHelper()
		gone = vanish("found")
	}

	It("results of read steps are looked at although librados never set them", func() {
		gonePool()
		expect.Finding(GinkgoT(), "UninitCondition", "rados.(*operation).update")
		op := rados.CreateReadOp()
		defer op.Release()
		op.GetOmapValues("", "", 10)
		op.GetOmapValuesByKeys([]string{"key"})
		Expect(op.Operate(gone, "object", rados.OperationNoFlag)).To(HaveOccurred())
	})

	It("an I/O context that is not destroyed is lost", func() {
		loses("rados.(*Conn).OpenIOContext")
		for range several {
			ioctx := Must(conn.OpenIOContext(ceph.Pool()))
			Expect(ioctx.GetPoolID()).To(BeNumerically(">", 0))
		}
	})

	It("iterating over a pool that is gone looks like the end of the list", func() {
		gonePool()
		iter := Must(gone.Iter())
		defer iter.Close()
		Expect(iter.Next()).To(BeFalse())
		Expect(iter.Err()).NotTo(HaveOccurred(), "if this fails go-ceph tells of it now")
	})

	It("releasing a read operation twice frees twice", func() {
		if os.Getenv("CGOGRIND") == "" {
			Skip("natively that may end the process")
		}
		ioctx := open()
		Expect(ioctx.SetOmap("object", map[string][]byte{"key": []byte("value")})).To(Succeed())
		expect.Finding(GinkgoT(), "InvalidRead", "rados.(*ReadOpOmapGetValsByKeysStep).free")
		expect.Finding(GinkgoT(), "InvalidWrite", "rados.(*ReadOpOmapGetValsByKeysStep).free")
		expect.Finding(GinkgoT(), "InvalidFree", "rados.(*ReadOpOmapGetValsByKeysStep).free")
		op := rados.CreateReadOp()
		op.GetOmapValuesByKeys([]string{"key"})
		Expect(op.Operate(ioctx, "object", rados.OperationNoFlag)).To(Succeed())
		op.Release()
		op.Release()
	})

	DescribeTable("empty values make it panic", func(write func(*rados.IOContext)) {
		ioctx := open()
		Expect(func() { write(ioctx) }).To(PanicWith(MatchError(ContainSubstring("index out of range"))))
	},
		Entry("written in full", func(ioctx *rados.IOContext) { _ = ioctx.WriteFull("object", nil) }),
		Entry("appended", func(ioctx *rados.IOContext) { _ = ioctx.Append("object", nil) }),
		Entry("set as an extended attribute", func(ioctx *rados.IOContext) { _ = ioctx.SetXattr("object", "name", nil) }),
		Entry("to read an extended attribute into", func(ioctx *rados.IOContext) {
			_, _ = ioctx.GetXattr("object", "name", nil)
		}),
		Entry("in a write operation", func(*rados.IOContext) {
			op := rados.CreateWriteOp()
			defer op.Release()
			op.WriteFull(nil)
		}),
		Entry("in a read operation", func(*rados.IOContext) {
			op := rados.CreateReadOp()
			defer op.Release()
			op.Read(0, nil)
		}),
		Entry("for a command", func(*rados.IOContext) { _, _, _ = conn.MgrCommand(nil) }),
	)
})
