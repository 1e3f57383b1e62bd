// Package cephfs_test drives libcephfs through go-ceph on a real file system, one file per topic. The suite must pass
// natively and have no finding under memcheck: every spec closes and unmounts what it opened and mounted.
//
// Most specs share one mount, because mounting is what costs under memcheck. They do not share files: each has a
// directory of its own.
package cephfs_test

import (
	"fmt"
	"io"
	"os"
	"path"
	"testing"

	"github.com/ceph/go-ceph/cephfs"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/cgogrind/cgogrind/scenarios/cluster"
	. "github.com/cgogrind/cgogrind/scenarios/cluster/suite"
)

var (
	ceph  *cluster.Cluster
	mount *cephfs.MountInfo // of the whole file system

	directories int // that specs were given
)

func TestCephFS(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "libcephfs")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	ceph = StartCluster(ctx, cluster.Options{FileSystem: true})
	mount = configured()
	Expect(mount.SelectFilesystem(ceph.Pool())).To(Succeed())
	mounted(mount)
})

// created returns a handle that has read the cluster's configuration. It ends with the spec or suite, unless that has
// released it.
func created() *cephfs.MountInfo {
	GinkgoHelper()
	m := Must(cephfs.CreateMount())
	DeferCleanup(func() { Expect(m.Release()).To(Succeed()) })
	Expect(m.ReadConfigFile(ceph.ConfigFile())).To(Succeed())
	return m
}

// configured returns a handle as created does, which may do everything, whoever runs the suite, and whose operations do
// not wait for ever, whatever becomes of the cluster.
func configured() *cephfs.MountInfo {
	GinkgoHelper()
	m := created()
	Expect(m.SetConfigOption("client_permissions", "false")).To(Succeed())
	LimitWaits(m.SetConfigOption)
	return m
}

// mounted mounts a handle until the spec or suite ends.
func mounted(m *cephfs.MountInfo) {
	GinkgoHelper()
	Expect(m.Mount()).To(Succeed())
	DeferCleanup(func() { Expect(m.Unmount()).To(Succeed()) })
}

// directory makes a directory that nobody else uses and that goes with the spec.
func directory() string {
	GinkgoHelper()
	directories++
	name := fmt.Sprintf("/spec-%d", directories)
	Expect(mount.MakeDir(name, 0o755)).To(Succeed())
	DeferCleanup(removeAll, name)
	return name
}

// removeAll removes a directory with all that is in it.
func removeAll(name string) {
	GinkgoHelper()
	for _, entry := range list(name) {
		inner := path.Join(name, entry.Name())
		if entry.DType() == cephfs.DTypeDir {
			removeAll(inner)
		} else {
			Expect(mount.Unlink(inner)).To(Succeed())
		}
	}
	Expect(mount.RemoveDir(name)).To(Succeed())
}

// list reads a directory.
func list(name string) []*cephfs.DirEntry {
	GinkgoHelper()
	dir := Must(mount.OpenDir(name))
	defer func() { Expect(dir.Close()).To(Succeed()) }()
	var all []*cephfs.DirEntry
	for {
		entry := Must(dir.ReadDir())
		if entry == nil {
			return all
		}
		if entry.Name() != "." && entry.Name() != ".." {
			all = append(all, entry)
		}
	}
}

// open opens a file. It is closed with the spec, unless that has closed it.
func open(name string, flags int) *cephfs.File {
	GinkgoHelper()
	file := Must(mount.Open(name, flags, 0o644))
	DeferCleanup(file.Close)
	return file
}

// write writes a new file.
func write(name, text string) {
	GinkgoHelper()
	file := Must(mount.Open(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644))
	Expect(file.Write([]byte(text))).To(Equal(len(text)))
	Expect(file.Close()).To(Succeed())
}

// read reads a whole file.
func read(name string) string {
	GinkgoHelper()
	file := Must(mount.Open(name, os.O_RDONLY, 0))
	text, err := io.ReadAll(file)
	Expect(err).NotTo(HaveOccurred())
	Expect(file.Close()).To(Succeed())
	return string(text)
}

// stat looks at a path, and not at what it may link to.
func stat(name string) *cephfs.CephStatx {
	GinkgoHelper()
	return Must(mount.Statx(name, cephfs.StatxBasicStats, cephfs.AtSymlinkNofollow))
}
