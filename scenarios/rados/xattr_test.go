package rados_test

import (
	"bytes"
	"fmt"
	"strings"
	"syscall"

	"github.com/ceph/go-ceph/rados"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/cgogrind/cgogrind/scenarios/cluster/suite"
)

var _ = Describe("Extended attribute", func() {
	var ioctx *rados.IOContext

	BeforeEach(func() {
		ioctx = open()
		Expect(ioctx.WriteFull("object", []byte("content"))).To(Succeed())
	})

	get := func(name string) string {
		GinkgoHelper()
		buffer := make([]byte, 128)
		n, err := ioctx.GetXattr("object", name, buffer)
		Expect(err).NotTo(HaveOccurred())
		return string(buffer[:n])
	}

	It("is set, read and replaced, beside the content", func() {
		Expect(ioctx.SetXattr("object", "colour", []byte("blue"))).To(Succeed())
		Expect(get("colour")).To(Equal("blue"))
		Expect(ioctx.SetXattr("object", "colour", []byte("dark\x00red"))).To(Succeed())
		Expect(get("colour")).To(Equal("dark\x00red"))
		Expect(content(ioctx, "object")).To(Equal("content"))
	})

	It("is listed with the others", func() {
		Expect(ioctx.SetXattr("object", "colour", []byte("blue"))).To(Succeed())
		Expect(ioctx.SetXattr("object", "size", []byte{0, 1, 2})).To(Succeed())
		Expect(ioctx.ListXattrs("object")).To(Equal(map[string][]byte{
			"colour": []byte("blue"),
			"size":   {0, 1, 2},
		}))
	})

	It("is gone after it was removed, alone", func() {
		Expect(ioctx.SetXattr("object", "colour", []byte("blue"))).To(Succeed())
		Expect(ioctx.SetXattr("object", "shape", []byte("round"))).To(Succeed())
		Expect(ioctx.RmXattr("object", "colour")).To(Succeed())
		Expect(ioctx.ListXattrs("object")).To(Equal(map[string][]byte{"shape": []byte("round")}))
	})

	It("creates the object that it is set on", func() {
		Expect(ioctx.SetXattr("new", "colour", []byte("blue"))).To(Succeed())
		stat, err := ioctx.Stat("new")
		Expect(err).NotTo(HaveOccurred())
		Expect(stat.Size).To(BeZero())
	})

	It("that was never set is reported", func() {
		_, err := ioctx.GetXattr("object", "colour", make([]byte, 10))
		Expect(err).To(BeErrno(syscall.ENODATA))
		Expect(ioctx.ListXattrs("object")).To(BeEmpty())
	})

	It("does not fit into a buffer that is too small", func() {
		Expect(ioctx.SetXattr("object", "colour", []byte("blue"))).To(Succeed())
		_, err := ioctx.GetXattr("object", "colour", make([]byte, 3))
		Expect(err).To(BeErrno(syscall.ERANGE))
	})

	It("holds a large value", func() {
		large := bytes.Repeat([]byte("value\x00"), 10000)
		Expect(ioctx.SetXattr("object", "large", large)).To(Succeed())
		buffer := make([]byte, len(large))
		Expect(ioctx.GetXattr("object", "large", buffer)).To(Equal(len(large)))
		Expect(buffer).To(Equal(large))
		Expect(ioctx.ListXattrs("object")).To(Equal(map[string][]byte{"large": large}))
	})

	It("is one of many", func() {
		want := map[string][]byte{}
		for i := range 50 {
			name := fmt.Sprintf("name-%d", i)
			want[name] = []byte(name)
			Expect(ioctx.SetXattr("object", name, want[name])).To(Succeed())
		}
		Expect(ioctx.ListXattrs("object")).To(Equal(want))
	})

	It("has a name of at most 100 bytes", func() {
		Expect(ioctx.SetXattr("object", strings.Repeat("n", 99), []byte("x"))).To(Succeed())
		Expect(ioctx.SetXattr("object", strings.Repeat("n", 101), []byte("x"))).To(BeErrno(syscall.ENAMETOOLONG))
	})

	It("that was never set may be removed", func() {
		Expect(ioctx.RmXattr("object", "never")).To(Succeed())
		Expect(ioctx.ListXattrs("object")).To(BeEmpty())
	})

	It("cannot be read, listed or removed without an object", func() {
		_, err := ioctx.GetXattr("missing", "colour", make([]byte, 10))
		Expect(err).To(MatchError(rados.ErrNotFound))
		_, err = ioctx.ListXattrs("missing")
		Expect(err).To(MatchError(rados.ErrNotFound))
		Expect(ioctx.RmXattr("missing", "colour")).To(MatchError(rados.ErrNotFound))
	})
})
