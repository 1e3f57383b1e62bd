package rbd_test

import (
	"syscall"
	"time"

	"github.com/ceph/go-ceph/rbd"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/cgogrind/cgogrind/scenarios/cluster/suite"
)

var _ = Describe("Trash", func() {
	// trashed makes an image that holds a text, and throws it away.
	trashed := func(text string, delay time.Duration) (name string) {
		GinkgoHelper()
		name = created()
		image := open(name)
		write(image, text, 0)
		Expect(image.Close()).To(Succeed())
		Expect(image.Trash(delay)).To(Succeed())
		return name
	}

	It("keeps an image, and gives it back", func() {
		Expect(rbd.GetTrashList(ioctx)).To(BeEmpty())
		name := trashed("kept", 0)
		Expect(rbd.GetImageNames(ioctx)).To(BeEmpty())
		all := Must(rbd.GetTrashList(ioctx))
		Expect(all).To(HaveLen(1))
		Expect(all[0].Name).To(Equal(name))
		Expect(all[0].DeletionTime).To(BeTemporally("~", time.Now(), time.Hour))
		Expect(rbd.TrashRestore(ioctx, all[0].Id, name)).To(Succeed())
		Expect(rbd.GetTrashList(ioctx)).To(BeEmpty())
		Expect(read(open(name), 0, 4)).To(Equal("kept"))
	})

	It("gives an image back under another name, unless that is taken", func() {
		trashed("kept", 0)
		id := Must(rbd.GetTrashList(ioctx))[0].Id
		taken, renamed := created(), unused()
		Expect(rbd.TrashRestore(ioctx, id, taken)).To(MatchError(rbd.ErrExist))
		Expect(rbd.TrashRestore(ioctx, id, renamed)).To(Succeed())
		Expect(read(open(renamed), 0, 4)).To(Equal("kept"))
	})

	It("is emptied at once only by force, if an image is to be kept for a while", func() {
		trashed("kept", time.Hour)
		entry := Must(rbd.GetTrashList(ioctx))[0]
		Expect(entry.DefermentEndTime.Sub(entry.DeletionTime)).To(BeNumerically("~", time.Hour, time.Minute))
		Expect(rbd.TrashRemove(ioctx, entry.Id, false)).To(BeErrno(syscall.EPERM))
		Expect(rbd.GetTrashList(ioctx)).To(HaveLen(1))
		Expect(rbd.TrashRemove(ioctx, entry.Id, true)).To(Succeed())
		Expect(rbd.GetTrashList(ioctx)).To(BeEmpty())
	})

	It("does not hold what nobody threw away", func() {
		Expect(rbd.TrashRemove(ioctx, "0123456789ab", true)).To(MatchError(rbd.ErrNotFound))
		Expect(rbd.TrashRestore(ioctx, "0123456789ab", "name")).To(MatchError(rbd.ErrNotFound))
	})
})
