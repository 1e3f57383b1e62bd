package planted_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/cgogrind/cgogrind/scenarios/planted"
)

var _ = Describe("lifetime", func() {
	specs("PointerKept",
		func() { planted.PointerKept('a') },
		func() { planted.PointerKept('b') },
		func() { Expect(planted.PointerPinned('a')).To(Equal(byte('a'))) })

	specs("BufferCollected",
		func() { planted.BufferCollected('a') },
		func() { planted.BufferCollected('b') },
		func() { Expect(planted.BufferPinned('a')).To(Equal(byte('x'))) })

	specs("CallbackDataFreed",
		func() { planted.CallbackDataFreed(50) },
		func() { planted.CallbackDataFreed(60) },
		func() { Expect(planted.CallbackDataKept(50)).To(Equal(100)) })

	specs("HandleDeletedTwice",
		func() {
			Expect(planted.HandleDeletedTwice("first")).To(ContainSubstring("misuse of an invalid Handle"))
		},
		func() {
			Expect(planted.HandleDeletedTwice("second")).To(ContainSubstring("misuse of an invalid Handle"))
		},
		func() { Expect(planted.HandleDeletedOnce("once")).To(Equal("once")) })

	specs("UsedAfterDestroy",
		func() { planted.UsedAfterDestroy(1) },
		func() { planted.UsedAfterDestroy(2) },
		func() { Expect(planted.UsedBeforeDestroy(1)).To(Equal(1)) })

	specs("EntryAfterClose",
		func() { planted.EntryAfterClose("a word") },
		func() { planted.EntryAfterClose("word") },
		func() { Expect(planted.EntryBeforeClose("two words")).To(Equal("two")) })

	specs("FinalizedInUse",
		func() { planted.FinalizedInUse(1) },
		func() { planted.FinalizedInUse(2) },
		func() { Expect(planted.KeptAliveInUse(1)).To(Equal(1)) })

	specs("ViewOfGrown",
		func() { planted.ViewOfGrown(1, 2) },
		func() { planted.ViewOfGrown(3, 4) },
		func() { Expect(planted.ViewAfterGrowing(1, 2)).To(Equal(byte(1))) })

	const (
		year1970 = 30 * 24 * 60 * 60 // seconds since then, far from the year's ends
		year2000 = year1970 + 10957*24*60*60
	)
	specs("ResultOverwritten",
		func() { planted.ResultOverwritten(year1970, year2000) },
		func() { planted.ResultOverwritten(year2000, year1970) },
		func() { Expect(planted.ResultsApart(year1970, year2000)).To(Equal([2]int{70, 100})) })
})
