// Package rbd_test drives librbd through go-ceph on a real cluster, one file per topic. The suite must pass natively and
// have no finding under memcheck: every spec closes what it opened and removes what it made.
//
// The specs share one connection and one I/O context, because connecting is what costs under memcheck. They do not share
// images: each makes its own.
package rbd_test

import (
	"bytes"
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/ceph/go-ceph/rados"
	"github.com/ceph/go-ceph/rbd"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/cgogrind/cgogrind/scenarios/cluster"
	. "github.com/cgogrind/cgogrind/scenarios/cluster/suite"
)

var (
	ceph  *cluster.Cluster
	conn  *rados.Conn
	ioctx *rados.IOContext // on the suite's pool

	names int // that specs were given
)

func TestRBD(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "librbd")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	ceph = StartCluster(ctx, cluster.Options{})
	conn = connect()
	ioctx = openPool(conn)
	Expect(rbd.PoolInit(ioctx, false)).To(Succeed())
})

// connect returns a connection, which is a client of its own for the cluster. It ends with the spec or suite.
func connect() *rados.Conn {
	GinkgoHelper()
	c := Must(rados.NewConn())
	Expect(c.ReadConfigFile(ceph.ConfigFile())).To(Succeed())
	LimitWaits(c.SetConfigOption)
	Expect(c.Connect()).To(Succeed())
	DeferCleanup(c.Shutdown)
	return c
}

// openPool returns an I/O context on the suite's pool. It ends with the spec or suite.
func openPool(c *rados.Conn) *rados.IOContext {
	GinkgoHelper()
	opened := Must(c.OpenIOContext(ceph.Pool()))
	DeferCleanup(opened.Destroy)
	return opened
}

const (
	order      = 16 // objects of 64 KiB
	objectSize = uint64(1) << order
	imageSize  = 6 * objectSize // of most specs' images

	// features are those of most specs' images: the others cost time.
	features = rbd.FeatureLayering
	// exclusive is what librbd's own lock needs, and what only the holder of the lock may change.
	exclusive = rbd.FeatureExclusiveLock
)

// options returns the options that the suite's images are made with. They end with the spec.
func options() *rbd.ImageOptions {
	GinkgoHelper()
	rio := rbd.NewRbdImageOptions()
	DeferCleanup(rio.Destroy)
	Expect(rio.SetUint64(rbd.ImageOptionOrder, order)).To(Succeed())
	Expect(rio.SetUint64(rbd.ImageOptionFeatures, features)).To(Succeed())
	return rio
}

// unused returns the name of an image that the spec may make. The image goes with the spec.
func unused() string {
	names++
	name := fmt.Sprintf("image-%d", names)
	DeferCleanup(remove, ioctx, name)
	return name
}

// remove removes an image with its snapshots, if it is there.
func remove(ioctx *rados.IOContext, name string) {
	GinkgoHelper()
	err := rbd.RemoveImage(ioctx, name)
	if errors.Is(err, rbd.ErrNotFound) {
		return
	}
	if Errno(err) == syscall.ENOTEMPTY {
		image := Must(rbd.OpenImage(ioctx, name, rbd.NoSnapshot))
		removeSnapshots(image)
		Expect(image.Close()).To(Succeed())
		err = rbd.RemoveImage(ioctx, name)
	}
	Expect(err).NotTo(HaveOccurred())
}

func removeSnapshots(image *rbd.Image) {
	GinkgoHelper()
	for _, info := range Must(image.GetSnapshotNames()) {
		snapshot := image.GetSnapshot(info.Name)
		if Must(snapshot.IsProtected()) {
			Expect(snapshot.Unprotect()).To(Succeed())
		}
		Expect(snapshot.Remove()).To(Succeed())
	}
}

// created makes an image of imageSize that goes with the spec, and returns its name. It may have more features.
func created(more ...uint64) string {
	GinkgoHelper()
	name, rio := unused(), options()
	if len(more) > 0 {
		Expect(rio.SetUint64(rbd.ImageOptionFeatures, features|more[0])).To(Succeed())
	}
	Expect(rbd.CreateImage(ioctx, name, imageSize, rio)).To(Succeed())
	return name
}

// open opens an image. It is closed with the spec, unless that has closed it.
func open(name string) *rbd.Image {
	GinkgoHelper()
	return closing(Must(rbd.OpenImage(ioctx, name, rbd.NoSnapshot)))
}

// closing closes an image with the spec, unless that has closed it, and returns it.
func closing(image *rbd.Image) *rbd.Image {
	DeferCleanup(func() {
		if err := image.Close(); !errors.Is(err, rbd.ErrImageNotOpen) {
			Expect(err).NotTo(HaveOccurred())
		}
	})
	return image
}

// write writes all of a text.
func write(image *rbd.Image, text string, offset uint64) {
	GinkgoHelper()
	Expect(image.WriteAt([]byte(text), int64(offset))).To(Equal(len(text)))
}

// read reads exactly so many bytes.
func read(image *rbd.Image, offset uint64, length int) string {
	GinkgoHelper()
	// What is not read would show.
	buffer := bytes.Repeat([]byte{'?'}, length)
	Expect(image.ReadAt(buffer, int64(offset))).To(Equal(length))
	return string(buffer)
}

// snapshot takes a snapshot.
func snapshot(image *rbd.Image, name string) *rbd.Snapshot {
	GinkgoHelper()
	return Must(image.CreateSnapshot(name))
}

// zeroes is what holes read as.
func zeroes(length int) string { return string(make([]byte, length)) }
