package rados_test

import (
	"bytes"
	"errors"
	"syscall"
	"time"

	"github.com/ceph/go-ceph/rados"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/cgogrind/cgogrind/scenarios/cluster/suite"
)

var _ = Describe("Write operation", func() {
	var (
		ioctx *rados.IOContext
		op    *rados.WriteOp
	)

	BeforeEach(func() {
		ioctx = open()
		op = rados.CreateWriteOp()
		DeferCleanup(op.Release)
	})

	operate := func() error { return op.Operate(ioctx, "object", rados.OperationNoFlag) }

	It("writes all its steps together", func() {
		op.Create(rados.CreateExclusive)
		op.WriteFull([]byte("0123456789"))
		op.Write([]byte("ab"), 2)
		op.SetOmap(map[string][]byte{"key": []byte("value")})
		Expect(operate()).To(Succeed())
		Expect(content(ioctx, "object")).To(Equal("01ab456789"))
		Expect(ioctx.GetOmapValues("object", "", "", 10)).To(Equal(map[string][]byte{"key": []byte("value")}))
	})

	It("writes nothing if one of its steps fails", func() {
		op.AssertExists()
		op.WriteFull([]byte("never"))
		Expect(operate()).To(MatchError(rados.ErrNotFound))
		_, err := ioctx.Stat("object")
		Expect(err).To(MatchError(rados.ErrNotFound))
	})

	It("without steps does nothing", func() {
		Expect(operate()).To(Succeed())
		_, err := ioctx.Stat("object")
		Expect(err).To(MatchError(rados.ErrNotFound))
	})

	It("that was never operated is released", func() {
		op.WriteFull([]byte("never"))
		op.SetOmap(map[string][]byte{"key": []byte("value")})
		op.CmpExt([]byte("never"), 0)
		op.Exec("hello", "record_hello", []byte("never"))
	})

	It("can be operated on several objects", func() {
		op.WriteFull([]byte("same"))
		Expect(op.Operate(ioctx, "first", rados.OperationNoFlag)).To(Succeed())
		Expect(content(ioctx, "first")).To(Equal("same"))
	})

	It("creates an object exclusively only once", func() {
		op.Create(rados.CreateExclusive)
		Expect(operate()).To(Succeed())
		again := rados.CreateWriteOp()
		defer again.Release()
		again.Create(rados.CreateExclusive)
		Expect(again.Operate(ioctx, "object", rados.OperationNoFlag)).To(MatchError(rados.ErrObjectExists))
	})

	It("removes an object", func() {
		Expect(ioctx.WriteFull("object", []byte("x"))).To(Succeed())
		op.AssertExists()
		op.Remove()
		Expect(operate()).To(Succeed())
		_, err := ioctx.Stat("object")
		Expect(err).To(MatchError(rados.ErrNotFound))
	})

	It("does not remove an object that is not there", func() {
		op.Remove()
		Expect(operate()).To(MatchError(rados.ErrNotFound))
	})

	It("writes the same again and again", func() {
		op.WriteSame([]byte("ab"), 10, 1)
		Expect(operate()).To(Succeed())
		Expect(content(ioctx, "object")).To(Equal("\x00ababababab"))
	})

	It("refuses to write the same up to the middle of it", func() {
		op.WriteSame([]byte("abc"), 10, 0)
		Expect(operate()).To(beWrapped(syscall.EINVAL))
	})

	It("sets an extended attribute", func() {
		op.Create(rados.CreateIdempotent)
		op.SetXattr("colour", []byte("blue"))
		Expect(operate()).To(Succeed())
		Expect(ioctx.ListXattrs("object")).To(Equal(map[string][]byte{"colour": []byte("blue")}))
	})

	It("sets, removes and clears omap keys in its order", func() {
		op.SetOmap(map[string][]byte{"old": []byte("1")})
		op.CleanOmap()
		op.SetOmap(map[string][]byte{"kept": []byte("2"), "removed": []byte("3")})
		op.RmOmapKeys([]string{"removed", "never there"})
		Expect(operate()).To(Succeed())
		Expect(ioctx.GetOmapValues("object", "", "", 10)).To(Equal(map[string][]byte{"kept": []byte("2")}))
	})

	It("takes hints about the object's size", func() {
		op.SetAllocationHint(1<<20, 4096, rados.AllocHintAppendOnly|rados.AllocHintCompressible)
		op.WriteFull([]byte("hinted"))
		Expect(operate()).To(Succeed())
		Expect(content(ioctx, "object")).To(Equal("hinted"))
	})

	It("goes on if what it compares is equal", func() {
		Expect(ioctx.WriteFull("object", []byte("Hello"))).To(Succeed())
		step := op.CmpExt([]byte("llo"), 2)
		op.WriteFull([]byte("Bye"))
		Expect(operate()).To(Succeed())
		Expect(step.Result).To(BeZero())
		Expect(content(ioctx, "object")).To(Equal("Bye"))
	})

	It("says where what it compares differs", func() {
		Expect(ioctx.WriteFull("object", []byte("Hello"))).To(Succeed())
		step := op.CmpExt([]byte("Help!"), 0)
		op.WriteFull([]byte("Bye"))
		Expect(operate()).To(HaveOccurred())
		const maxErrno = 4095 // the position follows it
		Expect(step.Result).To(Equal(-maxErrno - 3))
		Expect(content(ioctx, "object")).To(Equal("Hello"))
	})

	It("asserts the version of the object", func() {
		Expect(ioctx.WriteFull("object", []byte("1"))).To(Succeed())
		version := Must(ioctx.GetLastVersion())
		op.AssertVersion(version)
		op.WriteFull([]byte("2"))
		Expect(operate()).To(Succeed())
		again := rados.CreateWriteOp()
		defer again.Release()
		again.AssertVersion(version)
		again.WriteFull([]byte("3"))
		Expect(again.Operate(ioctx, "object", rados.OperationNoFlag)).To(beWrapped(syscall.ERANGE))
		Expect(content(ioctx, "object")).To(Equal("2"))
	})

	It("refuses a version that is not there yet", func() {
		Expect(ioctx.WriteFull("object", []byte("1"))).To(Succeed())
		op.AssertVersion(Must(ioctx.GetLastVersion()) + 1)
		op.WriteFull([]byte("2"))
		Expect(operate()).To(beWrapped(syscall.EOVERFLOW))
	})

	It("sets the time of modification", func() {
		op.WriteFull([]byte("old"))
		Expect(op.OperateWithMtime(ioctx, "object", rados.Timespec{Sec: 946684800, Nsec: 5}, rados.OperationNoFlag)).
			To(Succeed())
		Expect(Must(ioctx.Stat("object")).ModTime).To(BeTemporally("==", time.Unix(946684800, 0)))
	})

	It("does not set the time of modification of what is not there", func() {
		op.AssertExists()
		Expect(op.OperateWithMtime(ioctx, "object", rados.Timespec{Sec: 1}, rados.OperationNoFlag)).
			To(MatchError(rados.ErrNotFound))
	})

	It("calls a method of an object class", func() {
		op.Exec("hello", "record_hello", []byte("Ceph"))
		Expect(operate()).To(Succeed())
		Expect(content(ioctx, "object")).To(Equal("Hello, Ceph!"))
	})

	It("calls a method without input", func() {
		op.Exec("hello", "record_hello", nil)
		Expect(operate()).To(Succeed())
		Expect(content(ioctx, "object")).To(Equal("Hello, world!"))
	})

	It("fails with a method that fails", func() {
		Expect(ioctx.WriteFull("object", []byte("there"))).To(Succeed())
		op.Exec("hello", "record_hello", []byte("Ceph")) // wants the object to be new
		Expect(operate()).To(MatchError(rados.ErrObjectExists))
		Expect(content(ioctx, "object")).To(Equal("there"))
	})

	It("fails with a method that does not exist", func() {
		op.Exec("hello", "no such method", nil)
		Expect(operate()).To(beWrapped(syscall.EOPNOTSUPP))
	})

	It("may change the object while a pool is full", func() {
		op.WriteFull([]byte("tried"))
		Expect(op.Operate(ioctx, "object", rados.OperationFullTry|rados.OperationOrderReadsWrites)).To(Succeed())
		Expect(content(ioctx, "object")).To(Equal("tried"))
	})

	It("is refused on a context that was never opened", func() {
		op.WriteFull([]byte("never"))
		Expect(op.Operate(&rados.IOContext{}, "object", rados.OperationNoFlag)).To(MatchError(rados.ErrInvalidIOContext))
	})
})

var _ = Describe("Read operation", func() {
	var (
		ioctx *rados.IOContext
		op    *rados.ReadOp
	)

	BeforeEach(func() {
		ioctx = open()
		op = rados.CreateReadOp()
		DeferCleanup(op.Release)
		Expect(ioctx.WriteFull("object", []byte("0123456789"))).To(Succeed())
		Expect(ioctx.SetOmap("object", map[string][]byte{"a": []byte("1"), "b": {}, "c\x00d": []byte("\x00")})).To(Succeed())
	})

	operate := func(object string) error { return op.Operate(ioctx, object, rados.OperationNoFlag) }

	It("reads what it asks for", func() {
		buffer := make([]byte, 4)
		step := op.Read(3, buffer)
		Expect(operate("object")).To(Succeed())
		Expect(step.Result).To(BeZero())
		Expect(step.BytesRead).To(BeEquivalentTo(4))
		Expect(string(buffer)).To(Equal("3456"))
	})

	It("reads as far as the object goes", func() {
		buffer := bytes.Repeat([]byte("-"), 6)
		step := op.Read(8, buffer)
		beyond := op.Read(100, make([]byte, 1))
		Expect(operate("object")).To(Succeed())
		Expect(step.BytesRead).To(BeEquivalentTo(2))
		Expect(string(buffer)).To(Equal("89----"))
		Expect(beyond.BytesRead).To(BeZero())
	})

	It("reads several parts at once", func() {
		first, second := make([]byte, 2), make([]byte, 2)
		op.AssertExists()
		op.Read(0, first)
		op.Read(8, second)
		Expect(operate("object")).To(Succeed())
		Expect(string(first) + string(second)).To(Equal("0189"))
	})

	It("asserts the version of the object", func() {
		_, err := ioctx.Stat("object")
		Expect(err).NotTo(HaveOccurred())
		version := Must(ioctx.GetLastVersion())
		op.AssertVersion(version)
		Expect(operate("object")).To(Succeed())
		Expect(ioctx.WriteFull("object", []byte("newer"))).To(Succeed())
		again := rados.CreateReadOp()
		defer again.Release()
		again.AssertVersion(version)
		Expect(again.Operate(ioctx, "object", rados.OperationNoFlag)).To(beWrapped(syscall.ERANGE))
	})

	It("gets the values of some omap keys", func() {
		step := op.GetOmapValuesByKeys([]string{"b", "missing", "c\x00d"})
		Expect(operate("object")).To(Succeed())
		Expect(step.Next()).To(And(HaveField("Key", "b"), HaveField("Value", BeEmpty())))
		Expect(step.Next()).To(Equal(&rados.OmapKeyValue{Key: "c\x00d", Value: []byte("\x00")}))
		Expect(step.Next()).To(BeNil())
	})

	It("gets no values of no omap keys", func() {
		step := op.GetOmapValuesByKeys(nil)
		Expect(operate("object")).To(Succeed())
		Expect(step.Next()).To(BeNil())
	})

	It("has results only when it was operated", func() {
		byKeys := op.GetOmapValuesByKeys([]string{"a"})
		_, err := byKeys.Next()
		Expect(err).To(MatchError(rados.ErrOperationIncomplete))
		all := op.GetOmapValues("", "", 10)
		_, err = all.Next()
		Expect(err).To(MatchError(rados.ErrOperationIncomplete))
		called := op.Exec("hello", "say_hello", nil)
		_, err = called.Bytes()
		Expect(err).To(MatchError(rados.ErrOperationIncomplete))
		Expect(operate("object")).To(Succeed())
		Expect(byKeys.Next()).To(HaveField("Key", "a"))
		Expect(all.Next()).To(HaveField("Key", "a"))
		Expect(called.Bytes()).To(Equal([]byte("Hello, world!")))
	})

	It("calls a method of an object class", func() {
		step := op.Exec("hello", "say_hello", []byte("Ceph"))
		Expect(operate("object")).To(Succeed())
		Expect(step.Bytes()).To(Equal([]byte("Hello, Ceph!")))
	})

	It("fails with a method that fails", func() {
		step := op.Exec("hello", "say_hello", bytes.Repeat([]byte("x"), 101)) // it wants at most 100
		Expect(operate("object")).To(beWrapped(syscall.EINVAL))
		_, err := step.Bytes()
		Expect(err).To(MatchError(rados.ErrOperationIncomplete))
	})

	It("fails with a method that does not exist", func() {
		op.Exec("hello", "no such method", nil)
		Expect(operate("object")).To(beWrapped(syscall.EOPNOTSUPP))
	})

	It("fails on an object that does not exist", func() {
		op.AssertExists()
		Expect(operate("missing")).To(MatchError(rados.ErrNotFound))
	})

	It("says which operation failed, with what, and in which steps", func() {
		op.AssertExists()
		err := operate("missing")
		var failure rados.OperationError
		Expect(errors.As(err, &failure)).To(BeTrue())
		Expect(failure.OpError).To(MatchError(rados.ErrNotFound))
		Expect(failure.StepErrors).To(BeEmpty())
		Expect(failure.Unwrap()).To(HaveLen(1))
		Expect(failure.Error()).To(Equal("read operation error: op=rados: ret=-2, No such file or directory"))
	})

	It("without steps does nothing", func() {
		Expect(operate("object")).To(Succeed())
	})

	It("that was never operated is released", func() {
		op.Read(0, make([]byte, 10))
		op.GetOmapValues("", "", 10)
		op.GetOmapValuesByKeys([]string{"a"})
		op.Exec("hello", "say_hello", nil)
	})

	It("is refused on a context that was never opened", func() {
		Expect(op.Operate(&rados.IOContext{}, "object", rados.OperationNoFlag)).To(MatchError(rados.ErrInvalidIOContext))
	})
})
