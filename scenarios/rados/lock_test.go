package rados_test

import (
	"strings"
	"syscall"
	"time"

	"github.com/ceph/go-ceph/rados"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/cgogrind/cgogrind/scenarios/cluster/suite"
)

var _ = Describe("Lock", func() {
	// What go-ceph returns beside a nil error when a lock is held.
	const (
		held    = -int(syscall.EEXIST) // by the same client and cookie
		busy    = -int(syscall.EBUSY)  // by another
		missing = -int(syscall.ENOENT)
	)
	var ioctx *rados.IOContext

	BeforeEach(func() { ioctx = open() })

	It("is taken exclusively, once, and released", func() {
		Expect(ioctx.LockExclusive("object", "lock", "cookie", "what for", 0, nil)).To(BeZero())
		Expect(ioctx.LockExclusive("object", "lock", "cookie", "what for", 0, nil)).To(Equal(held))
		Expect(ioctx.LockExclusive("object", "lock", "another", "", 0, nil)).To(Equal(busy))
		Expect(ioctx.LockShared("object", "lock", "another", "", "", 0, nil)).To(Equal(busy))
		Expect(ioctx.Unlock("object", "lock", "cookie")).To(BeZero())
		Expect(ioctx.LockExclusive("object", "lock", "another", "", 0, nil)).To(BeZero())
	})

	It("is shared by several cookies with one tag", func() {
		Expect(ioctx.LockShared("object", "lock", "first", "tag", "", 0, nil)).To(BeZero())
		Expect(ioctx.LockShared("object", "lock", "second", "tag", "", 0, nil)).To(BeZero())
		Expect(ioctx.LockShared("object", "lock", "second", "tag", "", 0, nil)).To(Equal(held))
		Expect(ioctx.LockShared("object", "lock", "third", "other tag", "", 0, nil)).To(Equal(busy))
		Expect(ioctx.LockExclusive("object", "lock", "fourth", "", 0, nil)).To(Equal(busy))
	})

	It("belongs to the object and has a name", func() {
		Expect(ioctx.LockExclusive("object", "lock", "cookie", "", 0, nil)).To(BeZero())
		Expect(ioctx.LockExclusive("object", "other lock", "cookie", "", 0, nil)).To(BeZero())
		Expect(ioctx.LockExclusive("other object", "lock", "cookie", "", 0, nil)).To(BeZero())
	})

	It("ends by itself after its duration", func(ctx SpecContext) {
		Expect(ioctx.LockExclusive("object", "lock", "cookie", "", time.Millisecond, nil)).To(BeZero())
		Eventually(ctx, func() (int, error) {
			return ioctx.LockExclusive("object", "lock", "another", "", 0, nil)
		}).Should(BeZero())
		Expect(ioctx.LockShared("shared", "lock", "cookie", "tag", "", time.Millisecond, nil)).To(BeZero())
		Eventually(ctx, func() (int, error) {
			return ioctx.LockExclusive("shared", "lock", "another", "", 0, nil)
		}).Should(BeZero())
	})

	It("is renewed by its owner if that is asked for", func() {
		renew := byte(1) // LIBRADOS_LOCK_FLAG_MAY_RENEW
		Expect(ioctx.LockExclusive("object", "lock", "cookie", "", time.Hour, nil)).To(BeZero())
		Expect(ioctx.LockExclusive("object", "lock", "cookie", "", time.Hour, &renew)).To(BeZero())
		Expect(ioctx.LockShared("shared", "lock", "cookie", "tag", "", time.Hour, nil)).To(BeZero())
		Expect(ioctx.LockShared("shared", "lock", "cookie", "tag", "", time.Hour, &renew)).To(BeZero())
	})

	It("that must be renewed has to be there", func() {
		must := byte(2) // LIBRADOS_LOCK_FLAG_MUST_RENEW
		_, err := ioctx.LockExclusive("object", "lock", "cookie", "", time.Hour, &must)
		Expect(err).To(MatchError(rados.ErrNotFound))
		_, err = ioctx.LockShared("object", "lock", "cookie", "tag", "", time.Hour, &must)
		Expect(err).To(MatchError(rados.ErrNotFound))
	})

	It("cannot be released or broken if it is not there", func() {
		Expect(ioctx.WriteFull("object", []byte("x"))).To(Succeed())
		Expect(ioctx.Unlock("object", "lock", "cookie")).To(Equal(missing))
		Expect(ioctx.BreakLock("object", "lock", "client.4242", "cookie")).To(Equal(missing))
		Expect(ioctx.BreakLock("object", "lock", "no client", "cookie")).To(Equal(-int(syscall.EINVAL)))
	})

	It("has no holders where there is none", func() {
		Expect(ioctx.WriteFull("object", []byte("x"))).To(Succeed())
		info := Must(ioctx.ListLockers("object", "lock"))
		Expect(info.NumLockers).To(BeZero())
		Expect(info.Clients).To(BeEmpty())
		Expect(info.Cookies).To(BeEmpty())
		Expect(info.Addrs).To(BeEmpty())
	})

	It("names its holders", func() {
		loses("nextChunk")
		Expect(ioctx.LockShared("object", "lock", "first", "tag", "", 0, nil)).To(BeZero())
		Expect(ioctx.LockShared("object", "lock", "second", "tag", "", 0, nil)).To(BeZero())
		info := Must(ioctx.ListLockers("object", "lock"))
		Expect(info.NumLockers).To(Equal(2))
		Expect(info.Exclusive).To(BeFalse())
		Expect(info.Tag).To(Equal("tag"))
		Expect(info.Cookies).To(ConsistOf("first", "second"))
		Expect(info.Clients).To(HaveLen(2))
		Expect(info.Clients).To(HaveEach(HavePrefix("client.")))
		Expect(info.Addrs).To(HaveLen(2))
	})

	It("is broken by somebody else who knows its holder", func() {
		loses("nextChunk")
		Expect(ioctx.LockExclusive("object", "lock", "cookie", "", 0, nil)).To(BeZero())
		info := Must(ioctx.ListLockers("object", "lock"))
		Expect(info.Exclusive).To(BeTrue())
		Expect(info.Clients).To(HaveLen(1))
		Expect(ioctx.BreakLock("object", "lock", info.Clients[0], "wrong cookie")).To(Equal(missing))
		Expect(ioctx.BreakLock("object", "lock", info.Clients[0], "cookie")).To(BeZero())
		Expect(Must(ioctx.ListLockers("object", "lock")).NumLockers).To(BeZero())
		Expect(ioctx.Unlock("object", "lock", "cookie")).To(Equal(missing))
	})

	It("has holders that do not fit into go-ceph's buffers", func() {
		Expect(ioctx.LockExclusive("object", "lock", strings.Repeat("c", 2000), "", 0, nil)).To(BeZero())
		_, err := ioctx.ListLockers("object", "lock")
		Expect(err).To(BeErrno(syscall.ERANGE))
	})
})
