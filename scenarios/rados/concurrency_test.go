package rados_test

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/ceph/go-ceph/rados"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/cgogrind/cgogrind/scenarios/cluster/suite"
)

// together runs a function in many goroutines at a time and waits for them.
func together(goroutines int, do func(i int)) {
	var group sync.WaitGroup
	for i := range goroutines {
		group.Go(func() {
			defer GinkgoRecover()
			do(i)
		})
	}
	group.Wait()
}

// meanwhile does something in a goroutine, while the spec goes on. What the spec has opened before is there until it is
// done, also if the spec is skipped or fails.
func meanwhile(do func()) {
	done := make(chan struct{})
	DeferCleanup(func(ctx SpecContext) { Eventually(ctx, done).Should(BeClosed()) })
	go func() {
		defer close(done)
		do()
	}()
}

var _ = Describe("Many goroutines", func() {
	var ioctx *rados.IOContext

	BeforeEach(func() { ioctx = open() })

	It("write and read objects of their own through one I/O context", func() {
		together(16, func(i int) {
			object := fmt.Sprintf("object-%d", i)
			Expect(ioctx.WriteFull(object, []byte(object))).To(Succeed())
			Expect(ioctx.Append(object, []byte("!"))).To(Succeed())
			Expect(ioctx.SetXattr(object, "name", []byte(object))).To(Succeed())
			Expect(ioctx.SetOmap(object, map[string][]byte{object: []byte(object)})).To(Succeed())
			Expect(content(ioctx, object)).To(Equal(object + "!"))
			Expect(ioctx.ListXattrs(object)).To(Equal(map[string][]byte{"name": []byte(object)}))
			Expect(ioctx.GetOmapValues(object, "", "", 10)).To(Equal(map[string][]byte{object: []byte(object)}))
		})
		listed := 0
		Expect(ioctx.ListObjects(func(string) { listed++ })).To(Succeed())
		Expect(listed).To(Equal(16))
	})

	It("append to one object, and nothing is lost", func() {
		together(16, func(i int) {
			for range 4 {
				Expect(ioctx.Append("object", []byte{byte('a' + i)})).To(Succeed())
			}
		})
		counts := map[rune]int{}
		for _, letter := range content(ioctx, "object") {
			counts[letter]++
		}
		Expect(counts).To(HaveLen(16))
		Expect(counts).To(HaveEach(4))
	})

	It("create one object, and one of them succeeds", func() {
		var created atomic.Int32
		together(16, func(int) {
			err := ioctx.Create("object", rados.CreateExclusive)
			if err == nil {
				created.Add(1)
				return
			}
			Expect(err).To(MatchError(rados.ErrObjectExists))
		})
		Expect(created.Load()).To(BeEquivalentTo(1))
	})

	It("count with a lock and lose nothing", func() {
		Expect(ioctx.WriteFull("counter", []byte("0"))).To(Succeed())
		together(4, func(i int) {
			cookie := fmt.Sprint(i)
			for {
				status, err := ioctx.LockExclusive("counter", "lock", cookie, "", 0, nil)
				Expect(err).NotTo(HaveOccurred())
				if status == 0 {
					break
				}
			}
			n, err := strconv.Atoi(content(ioctx, "counter"))
			Expect(err).NotTo(HaveOccurred())
			Expect(ioctx.WriteFull("counter", []byte(fmt.Sprint(n+1)))).To(Succeed())
			Expect(ioctx.Unlock("counter", "lock", cookie)).To(BeZero())
		})
		Expect(content(ioctx, "counter")).To(Equal("4"))
	})

	It("count by asserting versions and lose nothing", func() {
		Expect(ioctx.WriteFull("counter", []byte("0"))).To(Succeed())
		together(4, func(int) {
			own := Must(conn.OpenIOContext(ceph.Pool())) // versions are the I/O context's
			defer own.Destroy()
			own.SetNamespace(Must(ioctx.GetNamespace()))
			for {
				n, err := strconv.Atoi(content(own, "counter"))
				Expect(err).NotTo(HaveOccurred())
				op := rados.CreateWriteOp()
				op.AssertVersion(Must(own.GetLastVersion()))
				op.WriteFull([]byte(fmt.Sprint(n + 1)))
				err = op.Operate(own, "counter", rados.OperationNoFlag)
				op.Release()
				if err == nil {
					return
				}
			}
		})
		Expect(content(ioctx, "counter")).To(Equal("4"))
	})

	It("open and destroy I/O contexts of their own", func() {
		together(16, func(i int) {
			for j := range 4 {
				own := Must(conn.OpenIOContext(ceph.Pool()))
				own.SetNamespace(fmt.Sprintf("own-%d-%d", i, j))
				Expect(own.WriteFull("object", []byte("x"))).To(Succeed())
				Expect(own.Delete("object")).To(Succeed())
				own.Destroy()
			}
		})
	})

	It("give commands", func() {
		fsid := Must(conn.GetFSID())
		together(8, func(int) {
			answer, _, err := conn.MonCommand(command("fsid"))
			Expect(err).NotTo(HaveOccurred())
			Expect(string(answer)).To(ContainSubstring(fsid))
		})
	})

	It("watch and notify", func() {
		together(4, func(i int) {
			object := fmt.Sprintf("watched-%d", i)
			Expect(ioctx.Create(object, rados.CreateExclusive)).To(Succeed())
			w := Must(ioctx.Watch(object))
			go func() {
				for event := range w.Events() {
					_ = event.Ack([]byte(object)) // the notifier checks it
				}
			}()
			acks, _, err := ioctx.Notify(object, nil)
			Expect(err).NotTo(HaveOccurred())
			Expect(acks).To(HaveLen(1))
			Expect(string(acks[0].Response)).To(Equal(object))
			Expect(w.Delete()).To(Succeed())
		})
	})

	It("connect, each for itself", func() {
		ids := make([]uint64, 3)
		together(len(ids), func(i int) {
			c := configured()
			Expect(c.Connect()).To(Succeed())
			ids[i] = c.GetInstanceID()
			c.Shutdown()
		})
		Expect(ids).NotTo(ContainElement(BeZero()))
		Expect(ids[0]).NotTo(Equal(ids[1]))
		Expect(ids[1]).NotTo(Equal(ids[2]))
	})
})
