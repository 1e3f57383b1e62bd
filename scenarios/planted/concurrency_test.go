package planted_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/cgogrind/cgogrind/scenarios/planted"
)

var _ = Describe("concurrency", func() {
	specs("SharedTextReplaced",
		func() { planted.SharedTextReplaced(1) },
		func() { planted.SharedTextReplaced(2) },
		func() { Expect(planted.OwnText(1)).To(Equal("code 1")) })

	specs("ThreadTextOutlived",
		func() { planted.ThreadTextOutlived(3) },
		func() { planted.ThreadTextOutlived(4) },
		func() { Expect(planted.ThreadTextCopied(3)).To(Equal("code 3")) })

	specs("ClosedDuringCall",
		func() { planted.ClosedDuringCall(5) },
		func() { planted.ClosedDuringCall(6) },
		func() { Expect(planted.ClosedAfterCall(5)).To(Equal(5)) })
})
