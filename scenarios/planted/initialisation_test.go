package planted_test

import (
	"os"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/cgogrind/cgogrind/scenarios/planted"
)

// null opens the file that takes everything.
func null() *os.File {
	f, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(f.Close)
	return f
}

var _ = Describe("initialisation", func() {
	specs("OutputUnset",
		func() { planted.OutputUnset("height") },
		func() { planted.OutputUnset("depth") },
		func() {
			Expect(planted.OutputChecked("height")).To(Equal("unknown"))
			Expect(planted.OutputChecked("width")).To(Equal("wide"))
		})

	specs("PaddingWritten",
		func() { Expect(planted.PaddingWritten(null(), 'f', 100)).To(Equal(16)) },
		func() { Expect(planted.PaddingWritten(null(), 'd', 200)).To(Equal(16)) },
		func() { Expect(planted.PaddingCleared(null(), 'f', 100)).To(Equal(16)) })

	specs("ReadInPart",
		func() { planted.ReadInPart(pipe("endless")) },
		func() { planted.ReadInPart(pipe("no line")) },
		func() {
			Expect(planted.ReadChecked(pipe("endless"))).To(Equal(-1))
			Expect(planted.ReadChecked(pipe("end\n"))).To(Equal(3))
		})

	specs("FieldUnset",
		func() { planted.FieldUnset(1) },
		func() { planted.FieldUnset(2) },
		func() { Expect(planted.FieldsCleared(1)).To(Equal(1)) })

	specs("IndexUnset",
		func() { planted.IndexUnset() },
		planted.IndexUnset,
		func() { Expect(planted.IndexSet(2)).To(Equal(100)) })

	specs("CountersUnset",
		func() { planted.CountersUnset("banana") },
		func() { planted.CountersUnset("cherry") },
		func() { Expect(planted.CountersCleared("banana")).To(Equal("many")) })
})
