package build

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/cgogrind/cgogrind/harness/internal/child"
)

// goCeph is the module whose packages want a build tag that names Ceph's release.
const goCeph = "github.com/ceph/go-ceph"

// cephReleases are Ceph's releases by major version, https://docs.ceph.com/en/latest/releases/.
var cephReleases = map[string]string{
	"14": "nautilus", "15": "octopus", "16": "pacific", "17": "quincy", "18": "reef", "19": "squid", "20": "tentacle",
}

// cephTag is the build tag that go-ceph wants for the librados that the C compiler links; empty if the user's own
// tags name a release already, or if there is no librados (the build will say so better than we can). cc is the compiler
// with its arguments.
func cephTag(ctx context.Context, cc, tags []string) (string, error) {
	for _, name := range cephReleases {
		if slices.Contains(tags, name) {
			return "", nil
		}
	}
	if len(cc) == 0 {
		return "", nil
	}
	args := append(cc[1:len(cc):len(cc)], "-print-file-name=librados.so")
	out, err := child.Output(ctx, exec.Command(cc[0], args...))
	lib := strings.TrimSpace(string(out))
	if err != nil || !filepath.IsAbs(lib) {
		return "", nil // the compiler prints the bare name of a library that it does not find
	}
	version, err := cephVersion(lib)
	if err != nil {
		return "", fmt.Errorf("finding out the release of %s: %w; name it with -tags (go-ceph's README lists them)", lib, err)
	}
	major, _, _ := strings.Cut(version, ".")
	name, ok := cephReleases[major]
	if !ok {
		return "", fmt.Errorf("%s is Ceph %s, a release that this version of cgogrind does not know; "+
			"name it with -tags (go-ceph's README lists them)", lib, version)
	}
	return name, nil
}

// cephVersionString is how a release is spelled in libceph-common: 16.2.15, 19.2.1-0.el9.
var cephVersionString = regexp.MustCompile(`\x00((?:1[4-9]|[2-9][0-9])\.2\.[0-9]+)(?:-[0-9A-Za-z.~+-]+)?\x00`)

// cephVersion reads Ceph's version from the library: librados has no pkg-config file, and rados_version() gives the
// interface's version only. The version is in libceph-common, which librados loads from a folder of its own.
func cephVersion(librados string) (string, error) {
	files := []string{librados}
	real, err := filepath.EvalSymlinks(librados)
	if err != nil {
		return "", err
	}
	f, err := elf.Open(real)
	if err != nil {
		return "", err
	}
	defer f.Close()
	needed, err := f.ImportedLibraries()
	if err != nil {
		return "", err
	}
	dirs := []string{filepath.Dir(real)}
	for _, tag := range []elf.DynTag{elf.DT_RUNPATH, elf.DT_RPATH} {
		paths, _ := f.DynString(tag)
		for _, p := range paths {
			for d := range strings.SplitSeq(p, ":") {
				dirs = append(dirs, strings.ReplaceAll(d, "$ORIGIN", filepath.Dir(real)))
			}
		}
	}
	for _, n := range needed {
		if strings.HasPrefix(n, "libceph-common.") {
			for _, d := range dirs {
				files = append(files, filepath.Join(d, n))
			}
		}
	}
	for _, name := range files {
		v, err := versionIn(name)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
		if v != "" {
			return v, nil
		}
	}
	return "", errors.New("neither it nor its libceph-common names a version")
}

func versionIn(name string) (string, error) {
	f, err := elf.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	s := f.Section(".rodata")
	if s == nil {
		return "", nil
	}
	data, err := s.Data()
	if err != nil {
		return "", err
	}
	m := cephVersionString.FindSubmatch(data)
	if m == nil {
		return "", nil
	}
	return string(bytes.Clone(m[1])), nil
}
