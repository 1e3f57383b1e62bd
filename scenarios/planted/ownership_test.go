package planted_test

import (
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/cgogrind/cgogrind/scenarios/planted"
)

var _ = Describe("ownership", func() {
	bug("frees the text of a known error code", "InvalidFree", "planted.ErrorTextFreed", func() {
		Expect(planted.ErrorTextFreed(int(syscall.ENOENT))).To(Equal("No such file or directory"))
	})
	twin("copies the text of a known error code", func() {
		Expect(planted.ErrorTextCopied(int(syscall.ENOENT))).To(Equal("No such file or directory"))
	})
})
