package suite

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

func TestPollsEnd(t *testing.T) {
	SetDefaultEventuallyTimeout(10 * time.Millisecond)
	defer SetDefaultEventuallyTimeout(pollFor)
	RegisterTestingT(t)
	failed := InterceptGomegaFailure(func() { Eventually(t.Context(), func() bool { return false }).Should(BeTrue()) })
	NewWithT(t).Expect(failed).To(MatchError(ContainSubstring("Timed out")))
}
