package rados_test

import (
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ceph/go-ceph/rados"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/cgogrind/cgogrind/scenarios/cluster/suite"
)

var _ = Describe("Watch", func() {
	var ioctx *rados.IOContext

	BeforeEach(func() {
		ioctx = open()
		Expect(ioctx.Create("object", rados.CreateExclusive)).To(Succeed())
	})

	// watch returns a watcher that ends with the spec, before its I/O context.
	watch := func() *rados.Watcher {
		GinkgoHelper()
		w := Must(ioctx.Watch("object"))
		DeferCleanup(w.Delete)
		return w
	}

	// answer acknowledges all that a watcher hears, with the same answer, and passes it on.
	answer := func(w *rados.Watcher, with []byte) <-chan rados.NotifyEvent {
		heard := make(chan rados.NotifyEvent, 100)
		go func() {
			defer GinkgoRecover()
			for event := range w.Events() {
				Expect(event.Ack(with)).To(Succeed())
				heard <- event
			}
			close(heard)
		}()
		return heard
	}

	It("hears what somebody notifies of, and answers", func(ctx SpecContext) {
		w := watch()
		heard := answer(w, []byte("heard"))
		acks, timeouts, err := ioctx.Notify("object", []byte("hello\x00there"))
		Expect(err).NotTo(HaveOccurred())
		Expect(timeouts).To(BeEmpty())
		Expect(acks).To(HaveLen(1))
		Expect(acks[0].WatcherID).To(Equal(w.ID()))
		Expect(acks[0].Response).To(Equal([]byte("heard")))
		var event rados.NotifyEvent
		Eventually(ctx, heard).Should(Receive(&event))
		Expect(event.WatcherID).To(Equal(w.ID()))
		Expect(event.NotifierID).To(BeEquivalentTo(conn.GetInstanceID()))
		Expect(event.Data).To(Equal([]byte("hello\x00there")))
	})

	It("hears and answers nothing at all", func(ctx SpecContext) {
		heard := answer(watch(), nil)
		acks, _, err := ioctx.Notify("object", nil)
		Expect(err).NotTo(HaveOccurred())
		Expect(acks).To(HaveLen(1))
		Expect(acks[0].Response).To(BeEmpty())
		var event rados.NotifyEvent
		Eventually(ctx, heard).Should(Receive(&event))
		Expect(event.Data).To(BeEmpty())
	})

	It("hears and answers a lot", func(ctx SpecContext) {
		big := []byte(strings.Repeat("0123456789abcdef", 1<<16/16))
		heard := answer(watch(), big)
		acks, _, err := ioctx.Notify("object", big)
		Expect(err).NotTo(HaveOccurred())
		Expect(acks).To(HaveLen(1))
		Expect(acks[0].Response).To(Equal(big))
		var event rados.NotifyEvent
		Eventually(ctx, heard).Should(Receive(&event))
		Expect(event.Data).To(Equal(big))
	})

	It("is heard by all watchers", func() {
		first, second := watch(), watch()
		Expect(first.ID()).NotTo(Equal(second.ID()))
		answer(first, []byte("first"))
		answer(second, []byte("second"))
		acks, _, err := ioctx.Notify("object", []byte("hello"))
		Expect(err).NotTo(HaveOccurred())
		Expect(acks).To(HaveLen(2))
		responses := map[rados.WatcherID]string{}
		for _, ack := range acks {
			responses[ack.WatcherID] = string(ack.Response)
		}
		Expect(responses).To(Equal(map[rados.WatcherID]string{first.ID(): "first", second.ID(): "second"}))
	})

	It("hears many notifications at a time", func() {
		const notifications = 10
		heard := answer(watch(), []byte("ack"))
		var group sync.WaitGroup
		for range notifications {
			group.Go(func() {
				defer GinkgoRecover()
				acks, _, err := ioctx.Notify("object", []byte("hello"))
				Expect(err).NotTo(HaveOccurred())
				Expect(acks).To(HaveLen(1))
			})
		}
		group.Wait()
		for range notifications {
			Expect(heard).To(Receive())
		}
	})

	It("is reported to the notifier if it does not answer in time", func(ctx SpecContext) {
		w := watch()
		acks, timeouts, err := ioctx.NotifyWithTimeout("object", []byte("anybody?"), time.Second)
		Expect(err).To(BeErrno(syscall.ETIMEDOUT))
		Expect(acks).To(BeEmpty())
		Expect(timeouts).To(ConsistOf(rados.NotifyTimeout{
			WatcherID: w.ID(), NotifierID: rados.NotifierID(conn.GetInstanceID()),
		}))
		Eventually(ctx, w.Events()).Should(Receive())
	})

	It("is confirmed from time to time", func() {
		Expect(watch().Check()).To(BeNumerically("<", time.Hour))
	})

	It("may have a timeout of its own", func() {
		w := Must(ioctx.WatchWithTimeout("object", 10*time.Second))
		Expect(w.Check()).To(BeNumerically("<", time.Hour))
		answer(w, []byte("ack"))
		acks, _, err := ioctx.NotifyWithTimeout("object", []byte("hello"), 20*time.Second)
		Expect(err).NotTo(HaveOccurred())
		Expect(acks).To(HaveLen(1))
		Expect(w.Delete()).To(Succeed())
	})

	It("is told when its object is deleted", func(ctx SpecContext) {
		w := watch()
		Expect(ioctx.Delete("object")).To(Succeed())
		var failure error
		Eventually(ctx, w.Errors()).Should(Receive(&failure))
		Expect(failure).To(BeErrno(syscall.ENOTCONN))
		_, err := w.Check()
		Expect(err).To(BeErrno(syscall.ENOTCONN))
		Expect(w.Delete()).To(MatchError(rados.ErrNotFound))
	})

	It("hears no more when it is deleted, and can be deleted twice", func() {
		w := watch()
		Expect(w.Delete()).To(Succeed())
		Expect(w.Events()).To(BeClosed())
		Expect(w.Errors()).To(BeClosed())
		Expect(w.Delete()).To(Succeed())
		acks, timeouts, err := ioctx.Notify("object", []byte("nobody there"))
		Expect(err).NotTo(HaveOccurred())
		Expect(acks).To(BeEmpty())
		Expect(timeouts).To(BeEmpty())
	})

	It("cannot answer any more when it is deleted", func(ctx SpecContext) {
		w := watch()
		notified := make(chan error, 1)
		meanwhile(func() {
			_, _, err := ioctx.NotifyWithTimeout("object", []byte("hello"), 30*time.Second)
			notified <- err
		})
		var event rados.NotifyEvent
		Eventually(ctx, w.Events()).Should(Receive(&event))
		Expect(w.Delete()).To(Succeed())
		Expect(event.Ack([]byte("too late"))).To(MatchError(ContainSubstring("deleted watcher")))
		// The OSD does not wait for a watcher that has gone.
		var err error
		Eventually(ctx, notified).Should(Receive(&err))
		Expect(err).NotTo(HaveOccurred())
	})

	It("lets what was heard be flushed", func() {
		heard := answer(watch(), nil)
		_, _, err := ioctx.Notify("object", []byte("hello"))
		Expect(err).NotTo(HaveOccurred())
		Expect(conn.WatcherFlush()).To(Succeed())
		Eventually(heard).Should(Receive())
	})

	It("needs an object", func() {
		_, err := ioctx.Watch("missing")
		Expect(err).To(MatchError(rados.ErrNotFound))
		_, err = ioctx.WatchWithTimeout("missing", time.Second)
		Expect(err).To(MatchError(rados.ErrNotFound))
	})

	It("is not heard without an object", func() {
		_, _, err := ioctx.Notify("missing", []byte("hello"))
		Expect(err).To(MatchError(rados.ErrNotFound))
	})

	It("cannot be taken back where the pool is gone", func() {
		pool := makePool("watched")
		gone := openPool(pool)
		Expect(gone.Create("object", rados.CreateExclusive)).To(Succeed())
		w := Must(gone.Watch("object"))
		go func() {
			for range w.Errors() { // a callback of librados waits for whoever reads them
			}
		}()
		Expect(conn.DeletePool(pool)).To(Succeed())
		Expect(conn.WaitForLatestOSDMap()).To(Succeed())
		Expect(w.Delete()).To(MatchError(rados.ErrNotFound))
	})
})
