package cephfs_test

import (
	"os"
	"syscall"
	"time"

	"github.com/ceph/go-ceph/cephfs"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/cgogrind/cgogrind/scenarios/cluster/suite"
)

var _ = Describe("Path", func() {
	var name string

	BeforeEach(func() {
		name = directory()
		write(name+"/file", "content")
	})

	It("is a second name of a file", func() {
		Expect(mount.Link(name+"/file", name+"/link")).To(Succeed())
		Expect(stat(name + "/link").Inode).To(Equal(stat(name + "/file").Inode))
		Expect(stat(name + "/link").Nlink).To(BeEquivalentTo(2))
		Expect(mount.Unlink(name + "/file")).To(Succeed())
		Expect(read(name + "/link")).To(Equal("content"))
		Expect(mount.Link(name+"/link", name+"/link")).To(BeErrno(syscall.EEXIST))
		Expect(mount.Link(name+"/missing", name+"/other")).To(MatchError(cephfs.ErrNotExist))
	})

	It("leads to another", func() {
		Expect(mount.Symlink("file", name+"/link")).To(Succeed())
		Expect(mount.Readlink(name + "/link")).To(Equal("file"))
		Expect(read(name + "/link")).To(Equal("content"))
		Expect(stat(name+"/link").Mode & syscall.S_IFMT).To(BeEquivalentTo(syscall.S_IFLNK))
		followed := Must(mount.Statx(name+"/link", cephfs.StatxBasicStats, 0))
		Expect(followed.Inode).To(Equal(stat(name + "/file").Inode))
		Expect(mount.Symlink("file", name+"/link")).To(BeErrno(syscall.EEXIST))
		_, err := mount.Readlink(name + "/file")
		Expect(err).To(BeErrno(syscall.EINVAL))
		_, err = mount.Readlink(name + "/missing")
		Expect(err).To(MatchError(cephfs.ErrNotExist))
	})

	It("leads nowhere, or in a circle", func() {
		Expect(mount.Symlink("nowhere", name+"/dangling")).To(Succeed())
		_, err := mount.Open(name+"/dangling", os.O_RDONLY, 0)
		Expect(err).To(MatchError(cephfs.ErrNotExist))
		Expect(mount.Symlink("second", name+"/first")).To(Succeed())
		Expect(mount.Symlink("first", name+"/second")).To(Succeed())
		_, err = mount.Open(name+"/first", os.O_RDONLY, 0)
		Expect(err).To(BeErrno(syscall.ELOOP))
	})

	It("is renamed, and takes the place of another", func() {
		write(name+"/other", "lost")
		inode := stat(name + "/file").Inode
		Expect(mount.Rename(name+"/file", name+"/renamed")).To(Succeed())
		Expect(mount.Rename(name+"/renamed", name+"/other")).To(Succeed())
		Expect(stat(name + "/other").Inode).To(Equal(inode))
		Expect(read(name + "/other")).To(Equal("content"))
		Expect(list(name)).To(HaveLen(1))
		Expect(mount.Rename(name+"/missing", name+"/other")).To(MatchError(cephfs.ErrNotExist))
		Expect(mount.Rename(name+"/other", name+"/missing/other")).To(MatchError(cephfs.ErrNotExist))
		Expect(mount.MakeDirs(name+"/full/inner", 0o755)).To(Succeed())
		Expect(mount.MakeDir(name+"/empty", 0o755)).To(Succeed())
		Expect(mount.Rename(name+"/empty", name+"/full")).To(BeErrno(syscall.ENOTEMPTY))
		Expect(mount.Rename(name+"/other", name+"/empty")).To(BeErrno(syscall.EISDIR))
	})

	It("has a mode and an owner", func() {
		Expect(mount.Chmod(name+"/file", 0o640)).To(Succeed())
		Expect(mount.Chown(name+"/file", 1000, 2000)).To(Succeed())
		Expect(stat(name + "/file")).To(HaveValue(And(
			HaveField("Mode", BeEquivalentTo(syscall.S_IFREG|0o640)),
			HaveField("Uid", BeEquivalentTo(1000)), HaveField("Gid", BeEquivalentTo(2000)),
		)))
		Expect(mount.Symlink("file", name+"/link")).To(Succeed())
		Expect(mount.Lchown(name+"/link", 3000, 4000)).To(Succeed())
		Expect(stat(name + "/link").Uid).To(BeEquivalentTo(3000))
		Expect(stat(name + "/file").Uid).To(BeEquivalentTo(1000))

		file := open(name+"/file", os.O_RDWR)
		Expect(file.Fchmod(0o600)).To(Succeed())
		Expect(file.Fchown(5000, 6000)).To(Succeed())
		Expect(file.Fstatx(cephfs.StatxBasicStats, 0)).To(HaveValue(And(
			HaveField("Mode", BeEquivalentTo(syscall.S_IFREG|0o600)),
			HaveField("Uid", BeEquivalentTo(5000)), HaveField("Gid", BeEquivalentTo(6000)),
			HaveField("Size", BeEquivalentTo(7)),
		)))
		Expect(mount.Chmod(name+"/missing", 0o600)).To(MatchError(cephfs.ErrNotExist))
		Expect(mount.Chown(name+"/missing", 1, 1)).To(MatchError(cephfs.ErrNotExist))
		Expect(mount.Lchown(name+"/missing", 1, 1)).To(MatchError(cephfs.ErrNotExist))
	})

	It("has times", func() {
		born := Must(mount.Statx(name+"/file", cephfs.StatxAllStats, 0)).Btime
		Expect(time.Unix(born.Sec, born.Nsec)).To(BeTemporally("~", time.Now(), time.Hour))
		file := open(name+"/file", os.O_RDWR)
		Expect(file.Futime(&cephfs.Utime{AcTime: 1000, ModTime: 2000})).To(Succeed())
		Expect(stat(name + "/file").Mtime).To(Equal(cephfs.Timespec{Sec: 2000}))
		Expect(file.Futimes([]cephfs.Timeval{{Sec: 3000, USec: 3}, {Sec: 4000, USec: 4}})).To(Succeed())
		Expect(stat(name + "/file").Mtime).To(Equal(cephfs.Timespec{Sec: 4000, Nsec: 4000}))
		Expect(file.Futimens([]cephfs.Timespec{{Sec: 5000, Nsec: 5}, {Sec: 6000, Nsec: 6}})).To(Succeed())
		Expect(stat(name + "/file")).To(HaveValue(And(
			HaveField("Atime", cephfs.Timespec{Sec: 5000, Nsec: 5}), HaveField("Mtime", cephfs.Timespec{Sec: 6000, Nsec: 6}),
		)))
		Expect(file.Futimens(nil)).To(BeErrno(syscall.EINVAL))
		Expect(file.Futimes(nil)).To(BeErrno(syscall.EINVAL))
	})
})
