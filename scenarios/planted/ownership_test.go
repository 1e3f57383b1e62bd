package planted_test

import (
	"os"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/cgogrind/cgogrind/scenarios/planted"
)

var _ = Describe("ownership", func() {
	specs("ErrorTextFreed",
		func() { Expect(planted.ErrorTextFreed(int(syscall.ENOENT))).To(Equal("No such file or directory")) },
		func() { Expect(planted.ErrorTextFreed(int(syscall.EACCES))).To(Equal("Permission denied")) },
		func() { Expect(planted.ErrorTextCopied(int(syscall.ENOENT))).To(Equal("No such file or directory")) })

	specs("UnknownTextFreed",
		func() { Expect(planted.UnknownTextFreed(-int(syscall.ENOENT))).To(Equal("Unknown error -2")) },
		func() { Expect(planted.UnknownTextFreed(-int(syscall.EACCES))).To(Equal("Unknown error -13")) },
		func() { Expect(planted.KnownTextCopied(-int(syscall.ENOENT))).To(Equal("No such file or directory")) })

	specs("EnvironmentFreed",
		func() { Expect(planted.EnvironmentFreed("PATH")).To(Equal(os.Getenv("PATH"))) },
		func() { Expect(planted.EnvironmentFreed("PWD")).To(Equal(os.Getenv("PWD"))) },
		func() { Expect(planted.EnvironmentCopied("PATH")).To(Equal(os.Getenv("PATH"))) })

	specs("NameFreed",
		func() { Expect(planted.NameFreed(1, "disk")).To(Equal("disk")) },
		func() { Expect(planted.NameFreed(2, "tape")).To(Equal("tape")) },
		func() { Expect(planted.NameCopied(1, "disk")).To(Equal("disk")) })

	specs("ClosedTwice",
		func() { planted.ClosedTwice(64) },
		func() { planted.ClosedTwice(128) },
		func() { planted.ClosedOnce(64) })

	specs("GoMemoryGivenAway",
		func() { Expect(planted.GoMemoryGivenAway("made by Go")).To(Equal(10)) },
		func() { Expect(planted.GoMemoryGivenAway("by Go")).To(Equal(5)) },
		func() { Expect(planted.CopyGivenAway("made by C")).To(Equal(9)) })

	specs("NewFreed",
		func() { Expect(planted.NewFreed(3)).To(Equal(3)) },
		func() { Expect(planted.NewFreed(4)).To(Equal(4)) },
		func() { Expect(planted.NewDeleted(3)).To(Equal(3)) })

	specs("StringFreed",
		func() { Expect(planted.StringFreed("first")).To(Equal("first")) },
		func() { Expect(planted.StringFreed("second")).To(Equal("second")) },
		func() { Expect(planted.StringReleased("first")).To(Equal("first")) })

	specs("PartOutlivesWhole",
		func() { Expect(planted.PartOutlivesWhole("/etc/passwd")).To(Equal(byte('p'))) },
		func() { Expect(planted.PartOutlivesWhole("/etc/group")).To(Equal(byte('g'))) },
		func() { Expect(planted.PartBeforeWhole("/etc/passwd")).To(Equal(byte('p'))) })
})
