// Package suite is what the Ginkgo suites of scenarios have in common: the cluster that they run on, the limits that their
// clients have, and the matching of go-ceph's errors. Suites import it with a dot, as they do Gomega.
package suite

import (
	"context"
	"errors"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	"github.com/cgogrind/cgogrind/scenarios/cluster"
)

// pollFor is how long Eventually asks again. It is more than a client waits for (LimitWaits), which is 60 s.
const pollFor = 90 * time.Second

// With a spec's context, which has no end of its own, Eventually would otherwise ask for ever: for an object, say, whose
// pool is gone.
func init() {
	SetDefaultEventuallyTimeout(pollFor)
	EnforceDefaultTimeoutsWhenUsingContexts()
}

// StartCluster starts the cluster of a suite, in its BeforeSuite, and stops it with the suite. Where Ceph is not installed
// the suite is skipped; in CI it fails.
func StartCluster(ctx context.Context, options cluster.Options) *cluster.Cluster {
	GinkgoHelper()
	ceph, err := cluster.Start(ctx, options)
	if cluster.MaySkip(err) {
		Skip(err.Error())
	}
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(ceph.Stop()).To(Succeed()) })
	return ceph
}

// LimitWaits sets the options with which nothing that a client does waits for ever, whatever becomes of the cluster.
func LimitWaits(setConfigOption func(option, value string) error) {
	GinkgoHelper()
	for _, option := range []string{"client_mount_timeout", "rados_mon_op_timeout", "rados_osd_op_timeout"} {
		Expect(setConfigOption(option, "60")).To(Succeed())
	}
}

// BeErrno matches errors of go-ceph with this number: it has names for a few only.
func BeErrno(errno syscall.Errno) types.GomegaMatcher {
	return WithTransform(Errno, Equal(errno))
}

// Errno is the number of an error of go-ceph; 0 if it has none.
func Errno(err error) syscall.Errno {
	var numbered interface{ ErrorCode() int }
	if !errors.As(err, &numbered) {
		return 0
	}
	return syscall.Errno(-numbered.ErrorCode())
}

// Must returns a value that comes without an error.
func Must[T any](value T, err error) T {
	GinkgoHelper()
	Expect(err).NotTo(HaveOccurred())
	return value
}
