package planted_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/cgogrind/cgogrind/scenarios/planted"
)

var _ = Describe("process", func() {
	specs("FreedInChild",
		func() { Expect(planted.FreedInChild("text")).To(Equal(4)) },
		func() { Expect(planted.FreedInChild("line")).To(Equal(4)) },
		func() { Expect(planted.FreedInParent("text")).To(Equal(4)) })

	specs("SignalAfterFree",
		func() { planted.SignalAfterFree() },
		planted.SignalAfterFree,
		func() { Expect(planted.SignalBeforeFree()).To(BeTrue()) })

	specs("ThreadOutlivesClose",
		func() { planted.ThreadOutlivesClose() },
		planted.ThreadOutlivesClose,
		func() { Expect(planted.ThreadJoined()).To(BeTrue()) })

	specs("FreedByThreadToo",
		func() { planted.FreedByThreadToo(16) },
		func() { planted.FreedByThreadToo(32) },
		func() { planted.FreedByThreadOnly(16) })
})
