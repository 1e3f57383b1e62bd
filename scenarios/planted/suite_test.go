package planted_test

import (
	"slices"
	"testing"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"

	"github.com/cgogrind/cgogrind/harness/expect"
	"github.com/cgogrind/cgogrind/scenarios/planted"
	"github.com/cgogrind/cgogrind/valgrind/client"
)

func TestPlanted(t *testing.T) {
	gomega.RegisterFailHandler(ginkgo.Fail)
	ginkgo.RunSpecs(t, "Planted bugs")
}

// specs declares three specs for the bug of that name: two that reach it through callers of their own, since each test
// that hits a defect must fail for it, and one for its twin.
func specs(name string, first, second, twin func()) {
	i := slices.IndexFunc(planted.Bugs, func(b planted.Bug) bool { return b.Name == name })
	if i < 0 {
		panic("planted.Bugs has no " + name)
	}
	b := planted.Bugs[i]
	must := func(bug func()) func() {
		return func() {
			if client.Running() == 0 {
				ginkgo.Skip("a planted bug does harm outside memcheck")
			}
			expect.Finding(ginkgo.GinkgoT(), b.Kind, b.Blame)
			bug()
		}
	}
	ginkgo.It(b.Does+" (first caller)", ginkgo.Offset(1), must(first))
	ginkgo.It(b.Does+" (second caller)", ginkgo.Offset(1), must(second))
	ginkgo.It(b.Does+" (clean twin)", ginkgo.Offset(1), twin)
}
