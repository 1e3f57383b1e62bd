package planted_test

import (
	"testing"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"

	"github.com/cgogrind/cgogrind/harness/expect"
	"github.com/cgogrind/cgogrind/valgrind/client"
)

func TestPlanted(t *testing.T) {
	gomega.RegisterFailHandler(ginkgo.Fail)
	ginkgo.RunSpecs(t, "Planted bugs")
}

// bug declares a spec that must cause one finding, with the kind and the function to blame. Each bug is reached from
// two specs, since each test that hits a defect must fail for it.
func bug(name, kind, function string, body func()) {
	for _, way := range []string{"first", "second"} {
		ginkgo.It(name+" ("+way+")", func() {
			if client.Running() == 0 {
				ginkgo.Skip("a planted bug does harm outside memcheck")
			}
			expect.Finding(ginkgo.GinkgoT(), kind, function)
			body()
		})
	}
}

// twin declares the spec for a bug's clean twin.
func twin(name string, body func()) {
	ginkgo.It(name+" (clean twin)", body)
}
