package rados_test

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/ceph/go-ceph/rados"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/cgogrind/cgogrind/scenarios/cluster"
	. "github.com/cgogrind/cgogrind/scenarios/cluster/suite"
)

// outage does something while there is no OSD, and waits until it is back.
func outage(ctx context.Context, do func()) {
	GinkgoHelper()
	err := ceph.StopOSD(ctx)
	if errors.Is(err, cluster.ErrBorrowed) {
		Skip(err.Error())
	}
	Expect(err).NotTo(HaveOccurred())
	defer func() {
		Expect(ceph.StartOSD(ctx)).To(Succeed())
		Expect(open().WriteFull("usable", []byte("again"))).To(Succeed())
	}()
	do()
}

var _ = Describe("Without the OSD", func() {
	It("operations with a timeout fail, and work again with the OSD", func(ctx SpecContext) {
		c := configured()
		Expect(c.SetConfigOption("rados_osd_op_timeout", "1")).To(Succeed())
		Expect(c.Connect()).To(Succeed())
		DeferCleanup(c.Shutdown)
		ioctx := Must(c.OpenIOContext(ceph.Pool()))
		DeferCleanup(ioctx.Destroy)
		ioctx.SetNamespace("timeouts")
		Expect(ioctx.WriteFull("object", []byte("before"))).To(Succeed())
		buffer := []byte("------")
		outage(ctx, func() {
			// All at a time: each waits for its timeout. A notification is not among them: it may wait for ever, see
			// scenarios/FOUND.md.
			together(7, func(i int) {
				var err error
				switch i {
				case 0:
					_, err = ioctx.Read("object", buffer, 0)
				case 1:
					err = ioctx.WriteFull("other", []byte("during"))
				case 2:
					_, err = ioctx.Stat("object")
				case 3:
					err = ioctx.Delete("object")
				case 4:
					_, err = ioctx.Unlock("object", "lock", "cookie")
				case 5:
					_, err = ioctx.BreakLock("object", "lock", "client.4242", "cookie")
				case 6:
					iter := Must(ioctx.Iter())
					defer iter.Close()
					Expect(iter.Next()).To(BeFalse())
					err = iter.Err()
				}
				Expect(err).To(BeErrno(syscall.ETIMEDOUT), "operation %d", i)
			})
		})
		Expect(string(buffer)).To(Equal("------"), "nothing was read")
		Expect(content(ioctx, "object")).To(Equal("before"))
	})

	It("an operation waits for it, and whoever gives up waiting does no harm", func(ctx SpecContext) {
		ioctx := open()
		Expect(ioctx.WriteFull("object", []byte("before"))).To(Succeed())
		type result struct {
			text string
			err  error
		}
		read, written := make(chan result, 1), make(chan result, 1)
		outage(ctx, func() {
			meanwhile(func() {
				buffer := make([]byte, 100)
				n, err := ioctx.Read("object", buffer, 0)
				read <- result{string(buffer[:n]), err}
			})
			meanwhile(func() { written <- result{err: ioctx.WriteFull("other", []byte("during"))} })

			// go-ceph's operations know no context: the caller can only go away, and leave the buffer to librados.
			waiting, cancel := context.WithCancel(ctx)
			cancel()
			select {
			case <-waiting.Done():
			case <-read:
				Fail("the object was read without an OSD")
			case <-written:
				Fail("the object was written without an OSD")
			}
		})
		var got result
		Eventually(ctx, read).Should(Receive(&got))
		Expect(got).To(Equal(result{text: "before"}))
		Eventually(ctx, written).Should(Receive(&got))
		Expect(got.err).NotTo(HaveOccurred())
		Expect(content(ioctx, "other")).To(Equal("during"))
	})

	It("writing goes on where it was, and nothing is lost", func(ctx SpecContext) {
		ioctx := open()
		const objects = 50
		started, ended := make(chan struct{}), make(chan error, 1)
		meanwhile(func() {
			for i := range objects {
				if err := ioctx.WriteFull(fmt.Sprint(i), fmt.Appendf(nil, "content of %d", i)); err != nil {
					ended <- fmt.Errorf("object %d: %w", i, err)
					return
				}
				if i == objects/10 {
					close(started)
				}
			}
			ended <- nil
		})
		Eventually(ctx, started).Should(BeClosed())
		outage(ctx, func() {})
		var err error
		Eventually(ctx, ended).Should(Receive(&err))
		Expect(err).NotTo(HaveOccurred())
		for i := range objects {
			Expect(content(ioctx, fmt.Sprint(i))).To(Equal(fmt.Sprintf("content of %d", i)))
		}
	})

	It("a watcher hears nothing, and hears again with the OSD", func(ctx SpecContext) {
		ioctx := open()
		Expect(ioctx.Create("object", rados.CreateExclusive)).To(Succeed())
		w := Must(ioctx.Watch("object"))
		DeferCleanup(w.Delete)
		go func() {
			for event := range w.Events() {
				_ = event.Ack([]byte("again")) // the notifier checks it
			}
		}()
		go func() {
			for range w.Errors() { // a callback of librados waits for whoever reads them
			}
		}()
		outage(ctx, func() {})
		Eventually(ctx, func(g Gomega) {
			acks, _, err := ioctx.Notify("object", nil)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(acks).To(HaveLen(1))
			g.Expect(string(acks[0].Response)).To(Equal("again"))
		}).Should(Succeed())
	})
})
