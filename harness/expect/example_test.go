package expect_test

import (
	"testing"

	"github.com/cgogrind/cgogrind/harness/expect"
)

// freeTwice stands for a wrapper with a bug: it would call C.free twice.
func freeTwice() {}

// A test of a wrapper that frees the same memory twice. Under cgogrind test it passes if memcheck reports the second
// free with freeTwice to blame, and nothing else; under go test the declaration does nothing.
func ExampleFinding() {
	testFreeTwice := func(t *testing.T) {
		expect.Finding(t, "InvalidFree", "freeTwice")
		freeTwice()
	}
	_ = testFreeTwice
}
