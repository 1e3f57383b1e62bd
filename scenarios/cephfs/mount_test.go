package cephfs_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/ceph/go-ceph/cephfs"
	"github.com/ceph/go-ceph/rados"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/cgogrind/cgogrind/scenarios/cluster/suite"
)

// connect returns a connection of librados. It ends with the spec.
func connect() *rados.Conn {
	GinkgoHelper()
	conn := Must(rados.NewConn())
	Expect(conn.ReadConfigFile(ceph.ConfigFile())).To(Succeed())
	LimitWaits(conn.SetConfigOption)
	Expect(conn.Connect()).To(Succeed())
	DeferCleanup(conn.Shutdown)
	return conn
}

var _ = Describe("Mount", func() {
	It("is made, mounted, unmounted, mounted again and released, each in its time", func() {
		m := configured()
		Expect(m.IsMounted()).To(BeFalse())
		Expect(m.Unmount()).To(MatchError(cephfs.ErrNotConnected))
		Expect(m.Mount()).To(Succeed())
		Expect(m.IsMounted()).To(BeTrue())
		Expect(m.Mount()).To(BeErrno(syscall.EISCONN))
		Expect(m.Release()).To(BeErrno(syscall.EISCONN))
		Expect(m.Unmount()).To(Succeed())
		Expect(m.IsMounted()).To(BeFalse())
		Expect(m.Release()).To(Succeed())
		Expect(m.Release()).To(Succeed(), "it is released already")
	})

	It("begins at a directory", func() {
		root := directory()
		write(root+"/file", "inside")
		m := configured()
		Expect(m.Init()).To(Succeed())
		Expect(m.MountWithRoot("/no/such/directory")).To(MatchError(cephfs.ErrNotExist))
		Expect(m.MountWithRoot(root)).To(Succeed())
		DeferCleanup(m.Unmount)
		Expect(m.Statx("/file", cephfs.StatxSize, 0)).To(HaveField("Size", BeEquivalentTo(6)))
		Expect(m.CurrentDir()).To(Equal("/"))
	})

	It("is of the file system that was chosen", func() {
		m := configured()
		Expect(m.SelectFilesystem("no such file system")).To(Succeed(), "nobody is asked before it is mounted")
		Expect(m.Mount()).To(MatchError(cephfs.ErrNotExist))
		Expect(m.SelectFilesystem(ceph.Pool())).To(Succeed())
		mounted(m)
		Expect(m.GetFsCid()).To(Equal(Must(mount.GetFsCid())))
		Expect(m.SelectFilesystem("another")).To(BeErrno(syscall.EISCONN))
	})

	It("takes over a connection of librados", func() {
		conn := connect()
		m := Must(cephfs.CreateFromRados(conn))
		DeferCleanup(m.Release)
		Expect(m.GetConfigOption("fsid")).To(Equal(Must(conn.GetFSID())))
		mounted(m)
		Expect(m.MakeDir("/from-rados", 0o755)).To(Succeed())
		Expect(mount.RemoveDir("/from-rados")).To(Succeed())
	})

	It("that is dropped while it is mounted goes on for itself, and does no harm", func() {
		m := Must(cephfs.CreateMount()) // threads of libcephfs keep it: memcheck sees no leak
		Expect(m.ReadConfigFile(ceph.ConfigFile())).To(Succeed())
		Expect(m.Mount()).To(Succeed())
		name := directory()
		file := Must(m.Open(name+"/file", os.O_CREATE|os.O_WRONLY, 0o644))
		Expect(file.Write([]byte("dropped"))).To(Equal(7))
		m, file = nil, nil
		runtime.GC()
		Expect(read(name+"/file")).To(Equal("dropped"), "the metadata server has it write what it holds")
	})

	It("lets a user do what the modes of files allow", func() {
		name := directory()
		write(name+"/secret", "of the owner")
		Expect(mount.Chmod(name+"/secret", 0o600)).To(Succeed())
		Expect(mount.Chown(name+"/secret", 1000, 1000)).To(Succeed())
		for uid, allowed := range map[int]bool{1000: true, 2000: false} {
			m := created()
			Expect(m.Init()).To(Succeed())
			perm := cephfs.NewUserPerm(uid, uid, []int{uid + 1, uid + 2})
			Expect(m.SetMountPerms(perm)).To(Succeed())
			mounted(m)
			file, err := m.Open(name+"/secret", os.O_RDONLY, 0)
			if allowed {
				Expect(err).NotTo(HaveOccurred())
				Expect(file.Close()).To(Succeed())
			} else {
				Expect(err).To(BeErrno(syscall.EACCES))
			}
			perm.Destroy()
			perm.Destroy() // once more makes no difference
		}
	})

	It("is configured by options, arguments and the environment", func() {
		m := Must(cephfs.CreateMountWithId("harbour"))
		DeferCleanup(m.Release)
		Expect(m.ReadConfigFile(filepath.Join(GinkgoT().TempDir(), "missing.conf"))).To(MatchError(cephfs.ErrNotExist))
		Expect(m.ReadConfigFile(ceph.ConfigFile())).To(Succeed())
		Expect(m.SetConfigOption("log_file", "/nowhere/$name")).To(Succeed())
		Expect(m.GetConfigOption("log_file")).To(Equal("/nowhere/client.harbour"))
		Expect(m.SetConfigOption("log_file", "")).To(Succeed())
		Expect(m.ParseConfigArgv([]string{"program", "--client_mount_timeout", "42"})).To(Succeed())
		Expect(m.GetConfigOption("client_mount_timeout")).To(Equal("42"))
		Expect(m.ParseConfigArgv(nil)).To(MatchError(cephfs.ErrEmptyArgument))
		Expect(m.ParseDefaultConfigEnv()).To(Succeed())
		Expect(m.SetConfigOption("no_such_option", "1")).To(MatchError(cephfs.ErrNotExist))
		_, err := m.GetConfigOption("no_such_option")
		Expect(err).To(MatchError(cephfs.ErrNotExist))
		Expect(m.SetConfigOption("client_mount_timeout", "soon")).To(BeErrno(syscall.EINVAL))
	})

	It("fails in time when no monitor answers", func() {
		m := configured()
		Expect(m.SetConfigOption("mon_host", "v2:127.0.0.1:1")).To(Succeed())
		Expect(m.SetConfigOption("client_mount_timeout", "1")).To(Succeed())
		Expect(m.Mount()).To(BeErrno(syscall.ETIMEDOUT))
	})

	It("fails in time when no metadata server serves the file system", func() {
		conn := connect()
		idle := ceph.Pool() + "-idle"
		command := func(prefix string, arguments map[string]any) {
			GinkgoHelper()
			arguments["prefix"] = prefix
			_, status, err := conn.MonCommand(Must(json.Marshal(arguments)))
			Expect(err).NotTo(HaveOccurred(), status)
		}
		command("fs flag set", map[string]any{"flag_name": "enable_multiple", "val": "true"})
		for _, pool := range []string{idle + "-metadata", idle + "-data"} {
			Expect(conn.MakePool(pool)).To(Succeed())
			DeferCleanup(conn.DeletePool, pool)
		}
		command("fs new", map[string]any{"fs_name": idle, "metadata": idle + "-metadata", "data": idle + "-data"})
		DeferCleanup(command, "fs rm", map[string]any{"fs_name": idle, "yes_i_really_mean_it": true})
		DeferCleanup(command, "fs fail", map[string]any{"fs_name": idle})
		m := configured()
		Expect(m.SelectFilesystem(idle)).To(Succeed())
		Expect(m.SetConfigOption("client_mount_timeout", "1")).To(Succeed())
		Expect(m.Mount()).To(BeErrno(syscall.ETIMEDOUT))
		Expect(m.IsMounted()).To(BeFalse())
	})

	It("tells about the file system", func() {
		major, minor, patch := cephfs.Version()
		Expect([]int{major, minor, patch}).To(HaveEach(BeNumerically(">=", 0)))
		stat := Must(mount.StatFS("/"))
		Expect(stat.Bsize).To(BeNumerically(">", 0))
		Expect(stat.Namemax).To(BeEquivalentTo(255))
		Expect(mount.GetFsCid()).To(BeNumerically(">", 0))
		Expect(mount.SyncFs()).To(Succeed())
	})

	It("has the metadata server do something", func() {
		answer, status, err := mount.MdsCommand("a", [][]byte{[]byte(`{"prefix": "session ls", "format": "json"}`)})
		Expect(err).NotTo(HaveOccurred(), status)
		Expect(string(answer)).To(ContainSubstring(`"state":"open"`))
		_, status, err = mount.MdsCommandWithInputBuffer("a", [][]byte{[]byte(`{"prefix": "no such command"}`)}, []byte("input"))
		Expect(err).To(BeErrno(syscall.EINVAL))
		Expect(status).NotTo(BeEmpty())
		_, _, err = mount.MdsCommand("b", [][]byte{[]byte(`{"prefix": "session ls"}`)})
		Expect(err).To(MatchError(cephfs.ErrNotExist))
	})

	It("has a directory in which it is", func() {
		name := directory()
		Expect(mount.MakeDir(name+"/inner", 0o755)).To(Succeed())
		DeferCleanup(func() { Expect(mount.ChangeDir("/")).To(Succeed()) })
		Expect(mount.ChangeDir(name)).To(Succeed())
		Expect(mount.CurrentDir()).To(Equal(name))
		Expect(mount.ChangeDir("inner")).To(Succeed())
		Expect(mount.CurrentDir()).To(Equal(name + "/inner"))
		Expect(mount.ChangeDir("missing")).To(MatchError(cephfs.ErrNotExist))
		Expect(mount.CurrentDir()).To(Equal(name + "/inner"))
	})

	It("that is none refuses everything", func() {
		never, released, unmounted := &cephfs.MountInfo{}, configured(), configured()
		Expect(released.Release()).To(Succeed())
		for _, m := range []*cephfs.MountInfo{never, released, unmounted} {
			for what, use := range map[string]func() error{
				"Open":      func() error { _, err := m.Open("/file", os.O_RDONLY, 0); return err },
				"MakeDir":   func() error { return m.MakeDir("/directory", 0o755) },
				"MakeDirs":  func() error { return m.MakeDirs("/directory/inner", 0o755) },
				"RemoveDir": func() error { return m.RemoveDir("/directory") },
				"ChangeDir": func() error { return m.ChangeDir("/") },
				"Unlink":    func() error { return m.Unlink("/file") },
				"Link":      func() error { return m.Link("/file", "/link") },
				"Symlink":   func() error { return m.Symlink("/file", "/link") },
				"Readlink":  func() error { _, err := m.Readlink("/link"); return err },
				"Rename":    func() error { return m.Rename("/file", "/other") },
				"Truncate":  func() error { return m.Truncate("/file", 0) },
				"Statx":     func() error { _, err := m.Statx("/", cephfs.StatxBasicStats, 0); return err },
				"StatFS":    func() error { _, err := m.StatFS("/"); return err },
				"SetXattr":  func() error { return m.SetXattr("/", "user.name", []byte("x"), 0) },
				"GetXattr":  func() error { _, err := m.GetXattr("/", "user.name"); return err },
				"ListXattr": func() error { _, err := m.ListXattr("/"); return err },
			} {
				Expect(use()).To(MatchError(cephfs.ErrNotConnected), what)
			}
		}
		_, err := unmounted.OpenDir("/")
		Expect(err).To(MatchError(cephfs.ErrNotConnected))
		Expect(unmounted.Chmod("/", 0o755)).To(MatchError(cephfs.ErrNotConnected))
		Expect(unmounted.SyncFs()).To(MatchError(cephfs.ErrNotConnected))
		Expect(never.CurrentDir()).To(BeEmpty())
	})
})
