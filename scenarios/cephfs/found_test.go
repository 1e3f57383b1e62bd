package cephfs_test

import (
	"os"
	"strings"
	"time"

	"github.com/ceph/go-ceph/cephfs"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/cgogrind/cgogrind/harness/expect"
	. "github.com/cgogrind/cgogrind/scenarios/cluster/suite"
)

// several is how often a spec loses something that must be found: an old copy of a pointer, left on the stack of a thread of
// libcephfs for example, may make memcheck believe that one block is in use.
const several = 5

// Each spec keeps watch over a defect that scenarios/FOUND.md describes.
var _ = Describe("Known defect of go-ceph", func() {
	It("a handle that is dropped without Release is lost", func() {
		expect.Finding(GinkgoT(), "Leak_DefinitelyLost", "cephfs.createMount")
		for range several {
			// Not configured: the blocks refer to each other, and any of them may be the one that is called lost.
			m := Must(cephfs.CreateMount())
			Expect(m.IsMounted()).To(BeFalse())
		}
	})

	It("reading into no buffers makes it panic, and loses memory", func() {
		expect.Finding(GinkgoT(), "Leak_DefinitelyLost", "cutil.ByteSlicesToIovec") // of no bytes
		file := open(directory()+"/file", os.O_CREATE|os.O_RDWR)
		Expect(func() { _, _ = file.Preadv(nil, 0) }).To(PanicWith(MatchError(ContainSubstring("index out of range"))))
		Expect(func() { _, _ = file.Pwritev(nil, 0) }).To(PanicWith(MatchError(ContainSubstring("index out of range"))))
	})
})

var _ = Describe("Known defect of libcephfs", func() {
	It("a file that grows has a time of modification that nobody set", func() {
		if os.Getenv("CGOGRIND") != "" {
			Skip("memcheck would report the time wherever libcephfs uses it, on threads of its own, too")
		}
		name := directory() + "/file"
		write(name, "0123")
		file := open(name, os.O_RDWR)
		Expect(file.Truncate(100)).To(Succeed())
		Expect(read(name)).To(Equal("0123" + strings.Repeat("\x00", 96)))
		modified := stat(name).Mtime
		Expect(time.Unix(modified.Sec, modified.Nsec)).NotTo(BeTemporally("~", time.Now(), time.Hour),
			"if this fails libcephfs sets it now")
	})
})
