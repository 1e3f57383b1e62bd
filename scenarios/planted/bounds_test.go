package planted_test

import (
	"os"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/cgogrind/cgogrind/scenarios/planted"
)

// pipe returns the end to read of a pipe with content in it.
func pipe(content string) *os.File {
	r, w, err := os.Pipe()
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(r.Close)
	_, err = w.WriteString(content)
	Expect(err).NotTo(HaveOccurred())
	Expect(w.Close()).To(Succeed())
	return r
}

var _ = Describe("bounds", func() {
	specs("OneTooMany",
		func() { planted.OneTooMany(64) },
		func() { planted.OneTooMany(100) },
		func() { Expect(planted.NoneTooMany(64)).To(Equal(0)) })

	specs("BeforeTheFirst",
		func() { planted.BeforeTheFirst("") },
		func() { Expect(planted.BeforeTheFirst("")).To(BeFalse()) },
		func() {
			Expect(planted.FromTheFirst("")).To(BeFalse())
			Expect(planted.FromTheFirst("text\n")).To(BeTrue())
		})

	specs("NoRoomForEnd",
		func() { Expect(planted.NoRoomForEnd("a text")).To(Equal("a text")) },
		func() { Expect(planted.NoRoomForEnd("another text")).To(Equal("another text")) },
		func() { Expect(planted.RoomForEnd("a text")).To(Equal("a text")) })

	specs("NoEnd",
		func() { planted.NoEnd("                ") },
		func() { planted.NoEnd("                                ") },
		func() { Expect(planted.WithEnd("                ")).To(Equal(16)) })

	specs("LengthInBytes",
		func() { planted.LengthInBytes(5) },
		func() { planted.LengthInBytes(6, 7) },
		func() { Expect(planted.LengthInElements(6, 7)).To(Equal(7)) })

	limits := func(get func() (memory, threads int)) {
		memory, threads := get()
		Expect(memory).To(Equal(512))
		Expect(threads).To(Equal(8))
	}
	specs("OlderStruct",
		func() { limits(planted.OlderStruct) },
		func() { planted.OlderStruct() },
		func() { limits(planted.SameStruct) })

	specs("SliceTooLong",
		func() { planted.SliceTooLong(8) },
		func() { planted.SliceTooLong(16) },
		func() { Expect(planted.SliceAsLong(8)).To(Equal(byte(1))) })

	specs("TruncatedText",
		func() { planted.TruncatedText("neighbour") },
		func() { planted.TruncatedText("colleague") },
		func() { Expect(planted.WholeText("neighbour")).To(Equal("good morning, dear neighbour")) })

	specs("ReadIntoLess",
		func() { Expect(planted.ReadIntoLess(pipe("content"))).To(Equal(7)) },
		func() { Expect(planted.ReadIntoLess(pipe("more content"))).To(Equal(12)) },
		func() { Expect(planted.ReadIntoEnough(pipe("content"))).To(Equal(7)) })

	specs("CopyOverItself",
		func() { planted.CopyOverItself("first text") },
		func() { planted.CopyOverItself("second text") },
		func() { Expect(planted.MoveOverItself("first text")).To(Equal("irst text")) })

	specs("NegativeSize",
		func() { Expect(planted.NegativeSize("short")).To(BeEmpty()) },
		func() { Expect(planted.NegativeSize("")).To(BeEmpty()) },
		func() {
			Expect(planted.CheckedSize("short")).To(BeEmpty())
			Expect(planted.CheckedSize("header: text")).To(Equal("text"))
		})
})
