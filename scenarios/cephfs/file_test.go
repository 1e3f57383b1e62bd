package cephfs_test

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/ceph/go-ceph/cephfs"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/cgogrind/cgogrind/scenarios/cluster/suite"
)

var _ = Describe("File", func() {
	var name string

	BeforeEach(func() { name = directory() + "/file" })

	It("holds what was written in sequence, and is read in sequence", func() {
		file := open(name, os.O_CREATE|os.O_RDWR)
		Expect(file.Fd()).To(BeNumerically(">=", 0))
		for _, word := range []string{"one ", "two ", "three"} {
			Expect(file.Write([]byte(word))).To(Equal(len(word)))
		}
		Expect(file.Seek(4, cephfs.SeekSet)).To(BeEquivalentTo(4))
		buffer := make([]byte, 3)
		Expect(file.Read(buffer)).To(Equal(3))
		Expect(string(buffer)).To(Equal("two"))
		Expect(file.Seek(1, cephfs.SeekCur)).To(BeEquivalentTo(8))
		Expect(io.ReadAll(file)).To(Equal([]byte("three")))
		Expect(file.Seek(-5, cephfs.SeekEnd)).To(BeEquivalentTo(8))
		_, err := file.Seek(0, 42)
		Expect(err).To(BeErrno(syscall.EINVAL))
		Expect(file.Close()).To(Succeed())
		Expect(read(name)).To(Equal("one two three"))
	})

	It("is read and written anywhere, and zero where nothing was written", func() {
		file := open(name, os.O_CREATE|os.O_RDWR)
		Expect(file.WriteAt([]byte("end"), 5)).To(Equal(3))
		Expect(file.WriteAt([]byte("be"), 0)).To(Equal(2))
		buffer := []byte(strings.Repeat("?", 10))
		Expect(file.ReadAt(buffer, 1)).To(Equal(7))
		Expect(string(buffer)).To(Equal("e\x00\x00\x00end???"), "nothing is written beyond what was read")
		_, err := file.ReadAt(buffer, 8)
		Expect(err).To(MatchError(io.EOF))
		_, err = file.ReadAt(buffer, -1)
		Expect(err).To(BeErrno(syscall.EINVAL))
		_, err = file.WriteAt(buffer, -1)
		Expect(err).To(BeErrno(syscall.EINVAL))
		Expect(file.ReadAt(nil, 0)).To(BeZero())
		Expect(file.WriteAt(nil, 0)).To(BeZero())
	})

	It("is read and written in pieces", func() {
		file := open(name, os.O_CREATE|os.O_RDWR)
		Expect(file.Pwritev([][]byte{[]byte("one "), []byte("two "), []byte("three")}, 2)).To(Equal(13))
		first, second := make([]byte, 5), []byte(strings.Repeat("?", 20))
		Expect(file.Preadv([][]byte{first, second}, 2)).To(Equal(13))
		Expect(string(first)).To(Equal("one t"))
		Expect(string(second)).To(Equal("wo three????????????"))
		_, err := file.Preadv([][]byte{first}, 100)
		Expect(err).To(MatchError(io.EOF))
	})

	It("may be larger than an object of the store", func() {
		data := bytes.Repeat([]byte("0123456789abcdef"), 5<<20/16)
		file := open(name, os.O_CREATE|os.O_RDWR)
		Expect(file.Write(data)).To(Equal(len(data)))
		Expect(file.Fsync(cephfs.SyncDataOnly)).To(Succeed())
		Expect(file.Sync()).To(Succeed())
		Expect(stat(name).Size).To(BeEquivalentTo(len(data)))
		buffer := make([]byte, len(data)+1)
		Expect(file.ReadAt(buffer, 0)).To(Equal(len(data)))
		Expect(bytes.Equal(buffer[:len(data)], data)).To(BeTrue())
	})

	It("is made, emptied and appended to as it is opened", func() {
		_, err := mount.Open(name, os.O_RDWR, 0)
		Expect(err).To(MatchError(cephfs.ErrNotExist))
		write(name, "before")
		_, err = mount.Open(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644)
		Expect(err).To(BeErrno(syscall.EEXIST))
		file := open(name, os.O_WRONLY|os.O_APPEND)
		Expect(file.Write([]byte(" and after"))).To(Equal(10))
		Expect(file.Close()).To(Succeed())
		Expect(read(name)).To(Equal("before and after"))
		Expect(open(name, os.O_WRONLY|os.O_TRUNC).Close()).To(Succeed())
		Expect(read(name)).To(BeEmpty())
		_, err = mount.Open(name+"/inner", os.O_CREATE|os.O_RDWR, 0o644)
		Expect(err).To(BeErrno(syscall.ENOTDIR))
		_, err = mount.Open(name+strings.Repeat("n", 300), os.O_CREATE|os.O_RDWR, 0o644)
		Expect(err).To(BeErrno(syscall.ENAMETOOLONG))
	})

	It("opened for reading is not written, nor read if opened for writing", func() {
		write(name, "kept")
		file := open(name, os.O_RDONLY)
		_, err := file.Write([]byte("x"))
		Expect(err).To(BeErrno(syscall.EBADF))
		_, err = file.Pwritev([][]byte{[]byte("x")}, 0)
		Expect(err).To(BeErrno(syscall.EBADF))
		Expect(file.Truncate(0)).To(BeErrno(syscall.EBADF))
		_, err = open(name, os.O_WRONLY).Read(make([]byte, 4))
		Expect(err).To(BeErrno(syscall.EBADF))
		Expect(read(name)).To(Equal("kept"))
	})

	It("is cut", func() { // growing has a defect: see found_test.go
		write(name, "0123456789")
		file := open(name, os.O_RDWR)
		Expect(file.Truncate(4)).To(Succeed())
		Expect(read(name)).To(Equal("0123"))
		Expect(mount.Truncate(name, 2)).To(Succeed())
		Expect(read(name)).To(Equal("01"))
		Expect(file.Truncate(-1)).To(BeErrno(syscall.EFBIG))
		Expect(mount.Truncate(name+"-missing", 2)).To(MatchError(cephfs.ErrNotExist))
	})

	It("loses what is punched out of it", func() {
		write(name, "0123456789")
		file := open(name, os.O_RDWR)
		Expect(file.Fallocate(cephfs.FallocFlPunchHole|cephfs.FallocFlKeepSize, 2, 5)).To(Succeed())
		Expect(read(name)).To(Equal("01\x00\x00\x00\x00\x00789"))
		Expect(file.Fallocate(cephfs.FallocFlPunchHole, 2, 5)).To(MatchError(cephfs.ErrOpNotSupported))
	})

	It("is locked by one owner or shared by several", func() {
		write(name, "")
		file, other := open(name, os.O_RDWR), open(name, os.O_RDWR)
		Expect(file.Flock(cephfs.LockEX, 1)).To(Succeed())
		Expect(other.Flock(cephfs.LockEX|cephfs.LockNB, 2)).To(BeErrno(syscall.EWOULDBLOCK))
		Expect(file.Flock(cephfs.LockUN, 1)).To(Succeed())
		Expect(file.Flock(cephfs.LockSH, 1)).To(Succeed())
		Expect(other.Flock(cephfs.LockSH|cephfs.LockNB, 2)).To(Succeed())
		Expect(other.Flock(cephfs.LockUN, 2)).To(Succeed())
		Expect(file.Flock(42, 1)).To(BeErrno(syscall.EINVAL))
	})

	It("that is closed refuses everything", func() {
		write(name, "kept")
		file := open(name, os.O_RDWR)
		Expect(file.Close()).To(Succeed())
		Expect(file.Close()).To(Succeed(), "it is closed already")
		Expect(file.Fd()).To(Equal(-1))
		_, err := file.Read(make([]byte, 1))
		Expect(err).To(BeErrno(syscall.EBADF))
		_, err = file.Write(make([]byte, 1))
		Expect(err).To(BeErrno(syscall.EBADF))
		_, err = file.Seek(0, cephfs.SeekSet)
		Expect(err).To(BeErrno(syscall.EBADF))
		_, err = file.Fstatx(cephfs.StatxBasicStats, 0)
		Expect(err).To(BeErrno(syscall.EBADF))
		Expect(file.Sync()).To(BeErrno(syscall.EBADF))
		Expect(file.Truncate(0)).To(BeErrno(syscall.EBADF))
		Expect(file.Fchmod(0o600)).To(BeErrno(syscall.EBADF))
		Expect(file.Flock(cephfs.LockSH, 1)).To(BeErrno(syscall.EBADF))
		never := &cephfs.File{}
		Expect(never.Close()).To(MatchError(cephfs.ErrNotConnected))
		_, err = never.Read(make([]byte, 1))
		Expect(err).To(MatchError(cephfs.ErrNotConnected))
	})

	It("is what many goroutines write", func() {
		file := open(name, os.O_CREATE|os.O_RDWR)
		const each = 1000
		var group sync.WaitGroup
		for i := range 16 {
			group.Go(func() {
				defer GinkgoRecover()
				Expect(file.WriteAt(bytes.Repeat([]byte{byte('a' + i)}, each), int64(i*each))).To(Equal(each))
				write(fmt.Sprint(name, "-", i), fmt.Sprint("content of ", i))
			})
		}
		group.Wait()
		all := read(name)
		for i := range 16 {
			Expect(all[i*each : (i+1)*each]).To(Equal(strings.Repeat(string(rune('a'+i)), each)))
			Expect(read(fmt.Sprint(name, "-", i))).To(Equal(fmt.Sprint("content of ", i)))
		}
	})

	It("is one of Go's own io/fs", func() {
		write(name, "through io/fs")
		system := cephfs.Wrap(mount)
		inner := strings.TrimPrefix(name, "/")
		Expect(fs.ReadFile(system, inner)).To(Equal([]byte("through io/fs")))
		var walked []string
		Expect(fs.WalkDir(system, strings.TrimSuffix(inner, "/file"), func(path string, entry fs.DirEntry, err error) error {
			walked = append(walked, fmt.Sprint(path, " ", entry.IsDir()))
			return err
		})).To(Succeed())
		Expect(walked).To(Equal([]string{strings.TrimSuffix(inner, "/file") + " true", inner + " false"}))
		_, err := system.Open(inner + "-missing")
		Expect(err).To(MatchError(cephfs.ErrNotExist))
		_, err = system.Open("/" + inner)
		Expect(err).To(BeErrno(syscall.EINVAL))
	})
})
