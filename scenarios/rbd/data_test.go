package rbd_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"syscall"

	"github.com/ceph/go-ceph/rbd"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/cgogrind/cgogrind/scenarios/cluster/suite"
)

// One image for all: making one costs more than the rest.
var _ = Describe("Data of an image", Ordered, ContinueOnFailure, func() {
	var image *rbd.Image

	BeforeAll(func() { image = open(created()) })

	AfterEach(func() {
		Expect(image.Resize(0)).To(Succeed())
		Expect(image.Resize(imageSize)).To(Succeed())
	})

	It("is zero where nothing was written", func() {
		Expect(read(image, objectSize-100, 200)).To(Equal(zeroes(200)))
	})

	It("is what was written, across objects and after reopening", func() {
		data := make([]byte, 2*objectSize)
		random := rand.New(rand.NewPCG(1, 2))
		for i := range data {
			data[i] = byte(random.Uint32())
		}
		offset := objectSize / 2
		write(image, string(data), offset)
		Expect(read(image, offset, len(data))).To(Equal(string(data)))
		Expect(image.Flush()).To(Succeed())
		again := open(image.GetName())
		Expect(read(again, offset, len(data))).To(Equal(string(data)))
		Expect(read(again, 0, int(offset))).To(Equal(zeroes(int(offset))))
	})

	It("is written and read in sequence", func() {
		Expect(image.Seek(100, rbd.SeekSet)).To(BeEquivalentTo(100))
		for _, word := range []string{"one ", "two ", "three"} {
			Expect(image.Write([]byte(word))).To(Equal(len(word)))
		}
		Expect(image.Seek(-9, rbd.SeekCur)).To(BeEquivalentTo(104))
		buffer := make([]byte, 9)
		Expect(image.Read(buffer)).To(Equal(9))
		Expect(string(buffer)).To(Equal("two three"))
		Expect(image.Seek(4, rbd.SeekEnd)).To(BeEquivalentTo(imageSize - 4))
		n, err := image.Read(buffer)
		Expect(err).To(MatchError(io.EOF))
		Expect(n).To(Equal(4))
		Expect(image.Read(nil)).To(BeZero())
		Expect(image.Write(nil)).To(BeZero())
		_, err = image.Seek(0, 42)
		Expect(err).To(HaveOccurred())
	})

	It("ends where the image ends", func() {
		buffer := bytes.Repeat([]byte{'?'}, 10)
		n, err := image.ReadAt(buffer, int64(imageSize-4))
		Expect(err).To(MatchError(io.EOF))
		Expect(n).To(Equal(4))
		Expect(string(buffer)).To(Equal(zeroes(4)+"??????"), "nothing is written beyond what was read")
		_, err = image.ReadAt(buffer, int64(imageSize+1))
		Expect(err).To(BeErrno(syscall.EINVAL))

		n, err = image.WriteAt([]byte("0123456789"), int64(imageSize-4))
		Expect(err).To(MatchError(io.EOF))
		Expect(n).To(Equal(4))
		Expect(read(image, imageSize-4, 4)).To(Equal("0123"))
		_, err = image.WriteAt([]byte("x"), int64(imageSize+1))
		Expect(err).To(BeErrno(syscall.EINVAL))
		Expect(image.GetSize()).To(Equal(imageSize))
	})

	It("becomes zero when it is discarded", func() {
		write(image, string(bytes.Repeat([]byte("x"), int(3*objectSize))), 0)
		Expect(image.Discard(objectSize, objectSize)).To(BeEquivalentTo(objectSize))
		Expect(read(image, objectSize-1, 1)).To(Equal("x"))
		Expect(read(image, objectSize, int(objectSize))).To(Equal(zeroes(int(objectSize))))
		Expect(read(image, 2*objectSize, 1)).To(Equal("x"))
	})

	It("is the same again and again", func() {
		Expect(image.WriteSame(objectSize, 4096, []byte("01234567"), 0)).To(BeEquivalentTo(4096))
		Expect(read(image, objectSize, 4096)).To(Equal(string(bytes.Repeat([]byte("01234567"), 512))))
		Expect(read(image, objectSize+4096, 8)).To(Equal(zeroes(8)))
		_, err := image.WriteSame(0, 4095, []byte("01234567"), 0)
		Expect(err).To(BeErrno(syscall.EINVAL))
		Expect(image.WriteSame(0, 4096, nil, 0)).To(BeZero())
	})

	It("is what many goroutines write", func() {
		var group sync.WaitGroup
		const each = 1000
		for i := range 16 {
			group.Go(func() {
				defer GinkgoRecover()
				text := bytes.Repeat([]byte{byte('a' + i)}, each)
				Expect(image.WriteAt(text, int64(i*each))).To(Equal(each))
				buffer := make([]byte, each)
				Expect(image.ReadAt(buffer, int64(i*each))).To(Equal(each))
				Expect(buffer).To(Equal(text))
			})
		}
		group.Wait()
		Expect(image.Flush()).To(Succeed())
		all := read(image, 0, 16*each)
		for i := range 16 {
			Expect(all[i*each]).To(BeEquivalentTo('a' + i))
		}
	})

	It("is lost where the image shrinks, and zero where it grows", func() {
		write(image, "low", 0)
		write(image, "high", imageSize-4)
		Expect(image.Resize(imageSize / 2)).To(Succeed())
		Expect(image.GetSize()).To(Equal(imageSize / 2))
		Expect(image.Resize(imageSize)).To(Succeed())
		Expect(read(image, 0, 3)).To(Equal("low"))
		Expect(read(image, imageSize-4, 4)).To(Equal(zeroes(4)))
	})

	It("shrinks with a callback that hears how far it is, and only if that is allowed", func() {
		write(image, string(bytes.Repeat([]byte("x"), int(imageSize))), 0)
		var heard []string
		progress := func(done, total uint64, data any) int {
			heard = append(heard, fmt.Sprint(data, " ", done <= total))
			return 0
		}
		Expect(image.Resize2(objectSize, false, progress, "forbidden")).To(BeErrno(syscall.EINVAL))
		Expect(image.GetSize()).To(Equal(imageSize))
		Expect(heard).To(BeEmpty())
		Expect(image.Resize2(objectSize, true, progress, "allowed")).To(Succeed())
		Expect(image.GetSize()).To(Equal(objectSize))
		Expect(heard).NotTo(BeEmpty())
		Expect(heard).To(HaveEach("allowed true"))
		Expect(image.Resize2(imageSize, true, nil, nil)).To(HaveOccurred())
	})

	It("takes no room where it is zero, once it was made sparse", func() {
		write(image, zeroes(int(2*objectSize)), 0)
		write(image, "kept", objectSize)
		Expect(image.Flush()).To(Succeed())
		calls := 0
		Expect(image.SparsifyWithProgress(4096, func(done, total uint64, data any) int {
			Expect(done).To(BeNumerically("<=", total))
			Expect(data).To(Equal("data"))
			calls++
			return 0
		}, "data")).To(Succeed())
		Expect(calls).To(BeNumerically(">", 0))
		Expect(read(image, 0, 4)).To(Equal(zeroes(4)))
		Expect(read(image, objectSize, 4)).To(Equal("kept"))
		for _, left := range extents(image, rbd.DiffIterateConfig{}) {
			Expect(left.offset).To(BeNumerically(">=", objectSize))
		}
		Expect(image.Sparsify(4096)).To(Succeed())
		Expect(image.Sparsify(17)).To(BeErrno(syscall.EINVAL))
	})
})
