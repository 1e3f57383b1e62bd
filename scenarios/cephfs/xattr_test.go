package cephfs_test

import (
	"bytes"
	"os"
	"syscall"

	"github.com/ceph/go-ceph/cephfs"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/cgogrind/cgogrind/scenarios/cluster/suite"
)

// attributes are the three ways to the extended attributes of a file.
type attributes struct {
	set    func(name string, value []byte, flags cephfs.XattrFlags) error
	get    func(name string) ([]byte, error)
	list   func() ([]string, error)
	remove func(name string) error
}

func ofPath(path string) attributes {
	return attributes{
		set: func(name string, value []byte, flags cephfs.XattrFlags) error {
			return mount.SetXattr(path, name, value, flags)
		},
		get:    func(name string) ([]byte, error) { return mount.GetXattr(path, name) },
		list:   func() ([]string, error) { return mount.ListXattr(path) },
		remove: func(name string) error { return mount.RemoveXattr(path, name) },
	}
}

func ofLink(path string) attributes {
	return attributes{
		set: func(name string, value []byte, flags cephfs.XattrFlags) error {
			return mount.LsetXattr(path, name, value, flags)
		},
		get:    func(name string) ([]byte, error) { return mount.LgetXattr(path, name) },
		list:   func() ([]string, error) { return mount.LlistXattr(path) },
		remove: func(name string) error { return mount.LremoveXattr(path, name) },
	}
}

func ofFile(file *cephfs.File) attributes {
	return attributes{file.SetXattr, file.GetXattr, file.ListXattr, file.RemoveXattr}
}

var _ = Describe("Extended attribute", func() {
	var name string

	BeforeEach(func() {
		name = directory() + "/file"
		write(name, "content")
	})

	DescribeTable("is set, read, listed and removed", func(of func() attributes) {
		x := of()
		Expect(x.list()).To(BeEmpty())
		Expect(x.set("user.first", []byte("binary\x00value"), cephfs.XattrCreate)).To(Succeed())
		Expect(x.set("user.empty", nil, cephfs.XattrDefault)).To(Succeed())
		Expect(x.get("user.first")).To(Equal([]byte("binary\x00value")))
		Expect(x.get("user.empty")).To(BeEmpty())
		Expect(x.list()).To(ConsistOf("user.first", "user.empty"))
		Expect(x.set("user.first", []byte("x"), cephfs.XattrCreate)).To(BeErrno(syscall.EEXIST))
		Expect(x.set("user.first", []byte("other"), cephfs.XattrReplace)).To(Succeed())
		Expect(x.get("user.first")).To(Equal([]byte("other")))
		Expect(x.set("user.missing", []byte("x"), cephfs.XattrReplace)).To(BeErrno(syscall.ENODATA))
		long := bytes.Repeat([]byte("v"), 5000)
		Expect(x.set("user.long", long, cephfs.XattrDefault)).To(Succeed())
		Expect(x.get("user.long")).To(Equal(long), "it does not fit into the first buffer")
		for _, name := range []string{"user.first", "user.empty", "user.long"} {
			Expect(x.remove(name)).To(Succeed())
		}
		Expect(x.list()).To(BeEmpty())
		_, err := x.get("user.first")
		Expect(err).To(BeErrno(syscall.ENODATA))
		Expect(x.remove("user.first")).To(BeErrno(syscall.ENODATA))

		Expect(x.set("", nil, 0)).To(BeErrno(syscall.EINVAL))
		_, err = x.get("")
		Expect(err).To(BeErrno(syscall.EINVAL))
		Expect(x.remove("")).To(BeErrno(syscall.EINVAL))
		Expect(x.set("unknown.kind", nil, 0)).To(MatchError(cephfs.ErrOpNotSupported))
	},
		Entry("by path", func() attributes { return ofPath(name) }),
		Entry("of a symbolic link", func() attributes {
			Expect(mount.Symlink("nowhere", name+"-link")).To(Succeed())
			return ofLink(name + "-link")
		}),
		Entry("by open file", func() attributes { return ofFile(open(name, os.O_RDWR)) }),
	)

	It("of what does not exist is not found", func() {
		x := ofPath(name + "-missing")
		Expect(x.set("user.name", nil, 0)).To(MatchError(cephfs.ErrNotExist))
		_, err := x.get("user.name")
		Expect(err).To(MatchError(cephfs.ErrNotExist))
		_, err = x.list()
		Expect(err).To(MatchError(cephfs.ErrNotExist))
		Expect(x.remove("user.name")).To(MatchError(cephfs.ErrNotExist))
	})

	It("of Ceph's own tells about a directory, and sets how files are stored", func() {
		dir := directory()
		write(dir+"/file", "content")
		Expect(mount.GetXattr(dir, "ceph.dir.entries")).To(Equal([]byte("1")))
		Expect(mount.SetXattr(dir, "ceph.dir.layout", []byte("stripe_unit=65536 stripe_count=1 object_size=65536"), 0)).
			To(Succeed())
		write(dir+"/later", "content")
		Expect(mount.GetXattr(dir+"/later", "ceph.file.layout.object_size")).To(Equal([]byte("65536")))
		Expect(mount.SetXattr(dir, "ceph.dir.layout.object_size", []byte("17"), 0)).To(BeErrno(syscall.EINVAL))
	})
})
