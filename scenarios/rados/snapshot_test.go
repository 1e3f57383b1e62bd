package rados_test

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/ceph/go-ceph/rados"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/cgogrind/cgogrind/scenarios/cluster/suite"
)

var _ = Describe("Snapshot of a pool", func() {
	// One pool for all: making one costs more than the rest.
	Context("that exists", Ordered, ContinueOnFailure, func() {
		var (
			ioctx *rados.IOContext
			taken []string
		)

		BeforeAll(func() { ioctx = openPool(makePool("snapshots")) })

		AfterEach(func() {
			for _, name := range taken {
				Expect(ioctx.RemoveSnap(name)).To(Succeed())
			}
			taken = nil
			Expect(ioctx.SetReadSnap(rados.SnapHead)).To(Succeed())
		})

		// take takes a snapshot that goes with the spec.
		take := func(name string) rados.SnapID {
			GinkgoHelper()
			Expect(ioctx.CreateSnap(name)).To(Succeed())
			taken = append(taken, name)
			return Must(ioctx.LookupSnap(name))
		}

		It("has an id, a name and a time", func() {
			id := take("named")
			Expect(ioctx.GetSnapName(id)).To(Equal("named"))
			stamp, err := ioctx.GetSnapStamp(id)
			Expect(err).NotTo(HaveOccurred())
			Expect(stamp).To(BeTemporally("~", time.Now(), time.Hour))
		})

		It("is in the list until it is removed", func() {
			first, second := take("first"), take("second")
			Expect(ioctx.ListSnaps()).To(ConsistOf(first, second))
			Expect(ioctx.RemoveSnap("first")).To(Succeed())
			taken = []string{"second"}
			Expect(ioctx.ListSnaps()).To(ConsistOf(second))
			_, err := ioctx.LookupSnap("first")
			Expect(err).To(MatchError(rados.ErrNotFound))
		})

		It("keeps what objects held", func() {
			Expect(ioctx.WriteFull("kept", []byte("before"))).To(Succeed())
			id := take("keeps")
			Expect(ioctx.WriteFull("kept", []byte("after"))).To(Succeed())
			Expect(content(ioctx, "kept")).To(Equal("after"))
			Expect(ioctx.SetReadSnap(id)).To(Succeed())
			Expect(content(ioctx, "kept")).To(Equal("before"))
			Expect(ioctx.SetReadSnap(rados.SnapHead)).To(Succeed())
			Expect(content(ioctx, "kept")).To(Equal("after"))
		})

		It("keeps objects that are deleted", func() {
			Expect(ioctx.WriteFull("deleted", []byte("content"))).To(Succeed())
			id := take("remembers")
			Expect(ioctx.Delete("deleted")).To(Succeed())
			_, err := ioctx.Stat("deleted")
			Expect(err).To(MatchError(rados.ErrNotFound))
			Expect(ioctx.SetReadSnap(id)).To(Succeed())
			Expect(content(ioctx, "deleted")).To(Equal("content"))
		})

		It("does not have objects that were made later", func() {
			id := take("early")
			Expect(ioctx.WriteFull("late", []byte("content"))).To(Succeed())
			Expect(ioctx.SetReadSnap(id)).To(Succeed())
			_, err := ioctx.Stat("late")
			Expect(err).To(MatchError(rados.ErrNotFound))
		})

		It("cannot be written to", func() {
			Expect(ioctx.SetReadSnap(take("read-only"))).To(Succeed())
			Expect(ioctx.WriteFull("object", []byte("x"))).To(BeErrno(syscall.EROFS))
			Expect(ioctx.Delete("object")).To(BeErrno(syscall.EROFS))
		})

		It("gives an object its content back", func() {
			Expect(ioctx.WriteFull("rolled", []byte("before"))).To(Succeed())
			take("back")
			Expect(ioctx.WriteFull("rolled", []byte("after"))).To(Succeed())
			Expect(ioctx.RollbackSnap("rolled", "back")).To(Succeed())
			Expect(content(ioctx, "rolled")).To(Equal("before"))
		})

		It("is taken only once under one name", func() {
			take("once")
			Expect(ioctx.CreateSnap("once")).To(MatchError(rados.ErrObjectExists))
		})

		It("may have a long name", func() {
			long := strings.Repeat("n", 3000)
			id := take(long)
			Expect(ioctx.GetSnapName(id)).To(Equal(long))
		})

		It("may be one of many", func() {
			var want []rados.SnapID
			for i := range 8 {
				want = append(want, take(fmt.Sprintf("many-%d", i)))
			}
			Expect(ioctx.ListSnaps()).To(ConsistOf(want))
		})

		It("that was never taken cannot be found, removed or used", func() {
			_, err := ioctx.LookupSnap("never")
			Expect(err).To(MatchError(rados.ErrNotFound))
			Expect(ioctx.RemoveSnap("never")).To(MatchError(rados.ErrNotFound))
			_, err = ioctx.GetSnapName(4242)
			Expect(err).To(MatchError(rados.ErrNotFound))
			_, err = ioctx.GetSnapStamp(4242)
			Expect(err).To(MatchError(rados.ErrNotFound))
			Expect(ioctx.RollbackSnap("object", "never")).To(MatchError(rados.ErrNotFound))
		})
	})

	It("cannot be had where the pool is gone", func() {
		gone := vanish("snapshots-gone")
		Expect(gone.CreateSnap("never")).To(MatchError(rados.ErrNotFound))
		Expect(gone.RemoveSnap("never")).To(MatchError(rados.ErrNotFound))
		_, err := gone.ListSnaps()
		Expect(err).To(MatchError(rados.ErrNotFound))
		_, err = gone.LookupSnap("never")
		Expect(err).To(MatchError(rados.ErrNotFound))
	})

	It("cannot be had of a context that was never opened", func() {
		never := &rados.IOContext{}
		Expect(never.CreateSnap("never")).To(MatchError(rados.ErrInvalidIOContext))
		Expect(never.RemoveSnap("never")).To(MatchError(rados.ErrInvalidIOContext))
		Expect(never.RollbackSnap("object", "never")).To(MatchError(rados.ErrInvalidIOContext))
		Expect(never.SetReadSnap(1)).To(MatchError(rados.ErrInvalidIOContext))
		_, err := never.ListSnaps()
		Expect(err).To(MatchError(rados.ErrInvalidIOContext))
		_, err = never.LookupSnap("never")
		Expect(err).To(MatchError(rados.ErrInvalidIOContext))
		_, err = never.GetSnapName(1)
		Expect(err).To(MatchError(rados.ErrInvalidIOContext))
		_, err = never.GetSnapStamp(1)
		Expect(err).To(MatchError(rados.ErrInvalidIOContext))
	})
})
