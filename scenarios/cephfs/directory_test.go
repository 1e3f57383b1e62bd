package cephfs_test

import (
	"fmt"
	"syscall"

	"github.com/ceph/go-ceph/cephfs"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/cgogrind/cgogrind/scenarios/cluster/suite"
)

var _ = Describe("Directory", func() {
	var name string

	BeforeEach(func() { name = directory() })

	It("is made only once, and removed only if it is empty", func() {
		Expect(mount.MakeDir(name+"/inner", 0o700)).To(Succeed())
		Expect(mount.MakeDir(name+"/inner", 0o700)).To(BeErrno(syscall.EEXIST))
		Expect(stat(name + "/inner").Mode).To(BeEquivalentTo(syscall.S_IFDIR | 0o700))
		write(name+"/inner/file", "content")
		Expect(mount.RemoveDir(name + "/inner")).To(BeErrno(syscall.ENOTEMPTY))
		Expect(read(name + "/inner/file")).To(Equal("content"))
		Expect(mount.Unlink(name + "/inner/file")).To(Succeed())
		Expect(mount.RemoveDir(name + "/inner")).To(Succeed())
		_, err := mount.Statx(name+"/inner", cephfs.StatxBasicStats, 0)
		Expect(err).To(MatchError(cephfs.ErrNotExist))
	})

	It("is made with all that leads to it", func() {
		Expect(mount.MakeDir(name+"/a/b", 0o755)).To(MatchError(cephfs.ErrNotExist))
		Expect(mount.MakeDirs(name+"/a/b/c", 0o755)).To(Succeed())
		Expect(list(name + "/a/b")).To(ConsistOf(HaveField("Name()", "c")))
		write(name+"/file", "")
		Expect(mount.MakeDirs(name+"/file/inner", 0o755)).To(BeErrno(syscall.ENOTDIR))
	})

	It("lists what is in it, with its kind", func() {
		write(name+"/file", "content")
		Expect(mount.MakeDir(name+"/inner", 0o755)).To(Succeed())
		Expect(mount.Symlink("file", name+"/link")).To(Succeed())
		Expect(mount.Mknod(name+"/pipe", syscall.S_IFIFO|0o600, 0)).To(Succeed())
		kinds := make(map[string]cephfs.DType)
		for _, entry := range list(name) {
			kinds[entry.Name()] = entry.DType()
			Expect(entry.Inode()).To(Equal(stat(name + "/" + entry.Name()).Inode))
		}
		Expect(kinds).To(Equal(map[string]cephfs.DType{
			"file": cephfs.DTypeReg, "inner": cephfs.DTypeDir, "link": cephfs.DTypeLnk, "pipe": cephfs.DTypeFIFO,
		}))
	})

	It("lists more than one answer of the server holds, again and again, with what is known of each", func() {
		want := []any{".", ".."}
		for i := range 100 {
			file := fmt.Sprintf("file-%03d", i)
			want = append(want, file)
			Expect(mount.Mknod(name+"/"+file, syscall.S_IFREG|0o600, 0)).To(Succeed())
		}
		dir := Must(mount.OpenDir(name))
		DeferCleanup(dir.Close)
		for range 2 {
			var got []string
			for {
				entry := Must(dir.ReadDirPlus(cephfs.StatxBasicStats, cephfs.AtSymlinkNofollow))
				if entry == nil {
					break
				}
				got = append(got, entry.Name())
				Expect(entry.Statx().Inode).To(Equal(entry.Inode()))
			}
			Expect(got).To(ConsistOf(want...))
			dir.RewindDir()
		}
	})

	It("that is closed or missing is not read", func() {
		dir := Must(mount.OpenDir(name))
		Expect(dir.Close()).To(Succeed())
		Expect(dir.Close()).To(Succeed(), "it is closed already")
		dir.RewindDir()
		_, err := dir.ReadDir()
		Expect(err).To(BeErrno(syscall.EBADF))
		_, err = dir.ReadDirPlus(cephfs.StatxBasicStats, 0)
		Expect(err).To(BeErrno(syscall.EBADF))
		_, err = mount.OpenDir(name + "/missing")
		Expect(err).To(MatchError(cephfs.ErrNotExist))
		write(name+"/file", "")
		_, err = mount.OpenDir(name + "/file")
		Expect(err).To(BeErrno(syscall.ENOTDIR))
	})

	It("is not what a file is", func() {
		write(name+"/file", "")
		Expect(mount.RemoveDir(name + "/file")).To(BeErrno(syscall.ENOTDIR))
		Expect(mount.RemoveDir(name + "/missing")).To(MatchError(cephfs.ErrNotExist))
		Expect(mount.Unlink(name + "/missing")).To(MatchError(cephfs.ErrNotExist))
		Expect(mount.MakeDir(name+"/inner", 0o755)).To(Succeed())
		Expect(mount.Unlink(name + "/inner")).To(Or(BeErrno(syscall.EISDIR), BeErrno(syscall.EPERM)))
	})

	It("has snapshots, which keep what files held", func() {
		write(name+"/file", "before")
		Expect(mount.MakeDir(name+"/.snap/snapshot", 0o755)).To(Succeed())
		Expect(mount.Unlink(name + "/file")).To(Succeed())
		Expect(read(name + "/.snap/snapshot/file")).To(Equal("before"))
		Expect(mount.Unlink(name + "/.snap/snapshot/file")).To(BeErrno(syscall.EROFS))
		Expect(list(name + "/.snap")).To(ConsistOf(HaveField("Name()", "snapshot")))
		Expect(mount.RemoveDir(name + "/.snap/snapshot")).To(Succeed())
	})
})
