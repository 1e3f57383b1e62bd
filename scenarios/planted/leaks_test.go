package planted_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/cgogrind/cgogrind/scenarios/planted"
)

var _ = Describe("leaks", func() {
	specs("StringNotFreed",
		func() { Expect(planted.StringNotFreed("a text")).To(Equal(6)) },
		func() { Expect(planted.StringNotFreed("a line")).To(Equal(6)) },
		func() { Expect(planted.StringFreedLater("a text")).To(Equal(6)) })

	specs("BytesNotFreed",
		func() { Expect(planted.BytesNotFreed([]byte("bytes\x00"))).To(Equal(5)) },
		func() { Expect(planted.BytesNotFreed([]byte("other\x00"))).To(Equal(5)) },
		func() { Expect(planted.BytesFreedLater([]byte("bytes\x00"))).To(Equal(5)) })

	specs("NotFreedOnError",
		func() { Expect(planted.NotFreedOnError("/no/such/file")).NotTo(Succeed()) },
		func() { Expect(planted.NotFreedOnError("/no/such/path")).NotTo(Succeed()) },
		func() {
			Expect(planted.FreedOnError("/no/such/file")).NotTo(Succeed())
			Expect(planted.FreedOnError("/")).To(Succeed())
		})

	specs("DeferredTooEarly",
		func() { Expect(planted.FirstLine("/proc/self/status", planted.DeferredTooEarly)).NotTo(BeEmpty()) },
		func() { Expect(planted.FirstLine("/proc/loadavg", planted.DeferredTooEarly)).NotTo(BeEmpty()) },
		func() { Expect(planted.FirstLine("/proc/self/status", planted.DeferredClosure)).NotTo(BeEmpty()) })

	specs("RegistrationDropped",
		func() { planted.RegistrationDropped("first") },
		func() { planted.RegistrationDropped("second") },
		func() { planted.RegistrationFreed("third") })

	specs("HandleNotClosed",
		func() { Expect(planted.HandleNotClosed("/")).To(BeTrue()) },
		func() { Expect(planted.HandleNotClosed("/proc")).To(BeTrue()) },
		func() {
			Expect(planted.HandleClosed("/")).To(BeTrue())
			Expect(planted.HandleClosed("/no/such/folder")).To(BeFalse())
		})

	specs("SecondSetLeaks",
		func() { planted.SecondSetLeaks("blue", "green") },
		func() { planted.SecondSetLeaks("grey", "black") },
		func() { planted.SecondSetFrees("blue", "green") })

	specs("ItemsNotFreed",
		func() { planted.ItemsNotFreed([]string{"one", "two"}) },
		func() { planted.ItemsNotFreed([]string{"six", "ten"}) },
		func() { planted.ItemsFreed([]string{"one", "two"}) })
})
