package rados_test

import (
	"bytes"
	"strings"
	"syscall"
	"time"

	"github.com/ceph/go-ceph/rados"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/cgogrind/cgogrind/scenarios/cluster/suite"
)

var _ = Describe("Object", func() {
	var ioctx *rados.IOContext

	BeforeEach(func() { ioctx = open() })

	Context("that does not exist", func() {
		It("is created, exclusively only once", func() {
			Expect(ioctx.Create("object", rados.CreateExclusive)).To(Succeed())
			Expect(ioctx.Create("object", rados.CreateExclusive)).To(MatchError(rados.ErrObjectExists))
			Expect(ioctx.Create("object", rados.CreateIdempotent)).To(Succeed())
			Expect(content(ioctx, "object")).To(BeEmpty())
		})

		It("cannot be read", func() {
			n, err := ioctx.Read("object", make([]byte, 10), 0)
			Expect(err).To(MatchError(rados.ErrNotFound))
			Expect(n).To(BeZero())
		})

		It("has no size", func() {
			_, err := ioctx.Stat("object")
			Expect(err).To(MatchError(rados.ErrNotFound))
		})

		It("cannot be deleted", func() {
			Expect(ioctx.Delete("object")).To(MatchError(rados.ErrNotFound))
		})

		It("is not created by truncating", func() {
			Expect(ioctx.Truncate("object", 10)).To(Succeed())
			_, err := ioctx.Stat("object")
			Expect(err).To(MatchError(rados.ErrNotFound))
		})

		It("cannot get a name that is too long", func() {
			Expect(ioctx.Write(strings.Repeat("n", 5000), []byte("x"), 0)).To(BeErrno(syscall.ENAMETOOLONG))
		})
	})

	Context("when written", func() {
		It("holds what was written, binary data too", func() {
			data := make([]byte, 1024)
			for i := range data {
				data[i] = byte(i)
			}
			Expect(ioctx.Write("object", data, 0)).To(Succeed())
			Expect(content(ioctx, "object")).To(Equal(string(data)))
		})

		It("keeps what lies around the written range", func() {
			Expect(ioctx.Write("object", []byte("0123456789"), 0)).To(Succeed())
			Expect(ioctx.Write("object", []byte("abc"), 4)).To(Succeed())
			Expect(content(ioctx, "object")).To(Equal("0123abc789"))
		})

		It("is filled with zeroes up to the written range", func() {
			Expect(ioctx.Write("object", []byte("end"), 5)).To(Succeed())
			Expect(content(ioctx, "object")).To(Equal("\x00\x00\x00\x00\x00end"))
		})

		It("is replaced by a full write", func() {
			Expect(ioctx.WriteFull("object", []byte("a long text"))).To(Succeed())
			Expect(ioctx.WriteFull("object", []byte("short"))).To(Succeed())
			Expect(content(ioctx, "object")).To(Equal("short"))
		})

		It("holds more than a page", func() {
			data := []byte(strings.Repeat("0123456789abcdef", 1<<16/16))
			Expect(ioctx.WriteFull("object", data)).To(Succeed())
			buffer := make([]byte, len(data)+1)
			n, err := ioctx.Read("object", buffer, 0)
			Expect(err).NotTo(HaveOccurred())
			Expect(buffer[:n]).To(Equal(data))
		})

		It("refuses an offset beyond the largest object", func() {
			Expect(ioctx.Write("object", []byte("x"), 1<<40)).To(BeErrno(syscall.EFBIG))
		})
	})

	Context("that exists", func() {
		BeforeEach(func() { Expect(ioctx.WriteFull("object", []byte("Hello, Ceph"))).To(Succeed()) })

		It("is read from an offset, as far as the buffer goes", func() {
			buffer := make([]byte, 3)
			n, err := ioctx.Read("object", buffer, 7)
			Expect(err).NotTo(HaveOccurred())
			Expect(string(buffer[:n])).To(Equal("Cep"))
		})

		It("is read as far as it goes, and not beyond its end", func() {
			buffer := []byte(strings.Repeat("-", 8))
			n, err := ioctx.Read("object", buffer, 7)
			Expect(err).NotTo(HaveOccurred())
			Expect(n).To(Equal(4))
			Expect(string(buffer)).To(Equal("Ceph----"))
			Expect(ioctx.Read("object", buffer, 11)).To(BeZero())
		})

		It("grows by appending", func() {
			Expect(ioctx.Append("object", []byte(", and"))).To(Succeed())
			Expect(ioctx.Append("object", []byte(" bye"))).To(Succeed())
			Expect(content(ioctx, "object")).To(Equal("Hello, Ceph, and bye"))
		})

		It("shrinks by truncating", func() {
			Expect(ioctx.Truncate("object", 5)).To(Succeed())
			Expect(content(ioctx, "object")).To(Equal("Hello"))
		})

		It("grows with zeroes by truncating", func() {
			Expect(ioctx.Truncate("object", 13)).To(Succeed())
			Expect(content(ioctx, "object")).To(Equal("Hello, Ceph\x00\x00"))
		})

		It("has a size and a time of modification", func() {
			stat, err := ioctx.Stat("object")
			Expect(err).NotTo(HaveOccurred())
			Expect(stat.Size).To(BeNumerically("==", 11))
			Expect(stat.ModTime).To(BeTemporally("~", time.Now(), time.Hour))
		})

		It("is gone after it was deleted", func() {
			Expect(ioctx.Delete("object")).To(Succeed())
			_, err := ioctx.Stat("object")
			Expect(err).To(MatchError(rados.ErrNotFound))
			Expect(ioctx.Delete("object")).To(MatchError(rados.ErrNotFound))
		})
	})

	Context("with an extreme value", func() {
		It("may have a name of 2048 bytes", func() {
			name := strings.Repeat("n", 2048)
			Expect(ioctx.WriteFull(name, []byte("long"))).To(Succeed())
			Expect(content(ioctx, name)).To(Equal("long"))
		})

		It("may have a name of one byte, and one that is no text", func() {
			for _, name := range []string{"x", "\xff\xfe", "a b/c\n"} {
				Expect(ioctx.WriteFull(name, []byte(name))).To(Succeed())
				Expect(content(ioctx, name)).To(Equal(name))
			}
		})

		It("may not have an empty name", func() {
			Expect(ioctx.WriteFull("", []byte("x"))).To(BeErrno(syscall.EINVAL))
			_, err := ioctx.Stat("")
			Expect(err).To(BeErrno(syscall.EINVAL))
		})

		It("is created by writing nothing", func() {
			Expect(ioctx.Write("object", nil, 0)).To(Succeed())
			Expect(Must(ioctx.Stat("object")).Size).To(BeZero())
		})

		It("does not fit into no buffer, unless it is empty", func() {
			Expect(ioctx.Create("object", rados.CreateExclusive)).To(Succeed())
			Expect(ioctx.Read("object", nil, 0)).To(BeZero())
			Expect(ioctx.WriteFull("object", []byte("content"))).To(Succeed())
			// To read 0 bytes means to read all.
			_, err := ioctx.Read("object", nil, 0)
			Expect(err).To(BeErrno(syscall.ERANGE))
			Expect(ioctx.Read("object", []byte{}, 7)).To(BeZero())
		})

		It("has room up to the largest size, and not beyond", func() {
			const largest = 128 << 20 // osd_max_object_size
			Expect(ioctx.Write("object", []byte("x"), largest-1)).To(Succeed())
			Expect(Must(ioctx.Stat("object")).Size).To(BeEquivalentTo(largest))
			Expect(ioctx.Append("object", []byte("x"))).To(BeErrno(syscall.EFBIG))
			Expect(ioctx.Truncate("object", largest+1)).To(BeErrno(syscall.EFBIG))
			buffer := make([]byte, 2)
			Expect(ioctx.Read("object", buffer, largest-1)).To(Equal(1))
			Expect(buffer).To(Equal([]byte("x\x00")))
		})

		It("holds 64 MiB", func() {
			const size = 64 << 20
			data := make([]byte, size)
			for n := copy(data, "cgogrind: a line of text that ends at an odd place\n"); n < size; {
				n += copy(data[n:], data[:n])
			}
			Expect(ioctx.WriteFull("object", data)).To(Succeed())
			Expect(Must(ioctx.Stat("object")).Size).To(BeEquivalentTo(size))
			got := make([]byte, size)
			Expect(ioctx.Read("object", got, 0)).To(Equal(size))
			Expect(bytes.Equal(got, data)).To(BeTrue())
			Expect(ioctx.Delete("object")).To(Succeed())
		})
	})

	Context("appended to without being there", func() {
		It("is created", func() {
			Expect(ioctx.Append("object", []byte("first"))).To(Succeed())
			Expect(content(ioctx, "object")).To(Equal("first"))
		})
	})
})
