// Package goruntime makes the instrumented Go runtime: an overlay for go build, made from the sources of the installed
// Go, that lets memcheck understand a Go program. Nothing in GOROOT changes.
//
// The overlay is a list of named transformations. Each is checked: it finds the place in the sources that it is about,
// or it fails with its name and Go's version, and nothing is built; it never applies half, and never to something else.
// A transformation that fits is no proof that it works: README.md says which versions of Go were tried, and how.
package goruntime

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Toolchain is an installed Go.
type Toolchain struct {
	GOROOT  string
	Version string // as `go env GOVERSION` prints it: "go1.26.8"
	GOARCH  string // "amd64" or "arm64"
}

// Overlay maps files of GOROOT to what replaces them, as go build's -overlay wants it.
type Overlay struct {
	Replace map[string]string
	Tags    []string // what the overlay is to be built with
	// Applied are the names of the transformations, in order; Unneeded those that this version of Go has made
	// superfluous.
	Applied, Unneeded []string
}

// ErrUnsupported says that a version or architecture is out of range; errors.As with *FitError says that a
// transformation does not fit.
var ErrUnsupported = errors.New("not supported by the instrumented runtime")

// FitError is a transformation that does not fit the sources of a version of Go.
type FitError struct {
	Transformation string
	Version        string
	File           string // relative to GOROOT
	Detail         string
}

func (e *FitError) Error() string {
	return fmt.Sprintf("the instrumented runtime does not fit %s: transformation %q, %s: %s\n"+
		"Use a version of Go that is supported, or --runtime=stock, with which memcheck reports many false errors.",
		e.Version, e.Transformation, e.File, e.Detail)
}

// Make writes the overlay for a toolchain below the cache directory, or finds it there from an earlier time.
func Make(tc Toolchain, cacheDir string) (*Overlay, error) {
	if tc.GOARCH != "amd64" && tc.GOARCH != "arm64" {
		return nil, fmt.Errorf("linux/%s: %w: it needs linux/amd64 (or linux/arm64, untried)", tc.GOARCH, ErrUnsupported)
	}
	if !supported(tc.Version) {
		return nil, fmt.Errorf("%s: %w: it needs Go 1.25, 1.26 or 1.27; GOTOOLCHAIN chooses one, and --runtime=stock goes"+
			" on without", tc.Version, ErrUnsupported)
	}
	ov := &Overlay{Replace: map[string]string{}, Tags: []string{"valgrind"}}
	return ov, ov.make(tc, cacheDir, false)
}

// MakeStock writes an overlay that leaves the runtime as it is and only marks where each test begins and ends, for
// whatever version of Go that fits.
func MakeStock(tc Toolchain, cacheDir string) (*Overlay, error) {
	ov := &Overlay{Replace: map[string]string{}}
	return ov, ov.make(tc, cacheDir, true)
}

// make applies the transformations and stores the result.
func (ov *Overlay) make(tc Toolchain, cacheDir string, stock bool) error {
	tree := &tree{tc: tc, stock: stock, files: map[string]*source{}}
	for _, t := range transformations {
		if len(t.arch) > 0 && !slices.Contains(t.arch, tc.GOARCH) || stock && !t.stock {
			continue
		}
		tree.current = t.Name
		if t.unneeded != nil && t.unneeded(tree) {
			ov.Unneeded = append(ov.Unneeded, t.Name)
			continue
		}
		if err := t.apply(tree); err != nil {
			return err
		}
		ov.Applied = append(ov.Applied, t.Name)
	}
	if err := tree.write(cacheDir, ov); err != nil {
		return fmt.Errorf("writing the overlay of the runtime: %w", err)
	}
	return nil
}

// Debug returns the settings of GODEBUG that a Go program with the stock runtime needs under memcheck; the instrumented
// runtime makes them by itself. Asynchronous preemption injects frames, and the AES hash reads too far. rdtscp is whether
// the processor has RDTSCP: valgrind says so of every processor, and raises SIGILL where Go reads the clock with it, for
// contended locks and profiles, and it is not there, as on some virtual machines. Libraries print about that setting, which
// they do not know.
func Debug(goarch string, rdtscp bool) string {
	settings := "asyncpreemptoff=1,cpu.aes=off"
	if goarch == "amd64" && !rdtscp {
		settings += ",cpu.rdtscp=off"
	}
	return settings
}

func supported(version string) bool {
	for _, v := range []string{"go1.25", "go1.26", "go1.27"} {
		if rest, ok := strings.CutPrefix(version, v); ok && (rest == "" || rest[0] < '0' || rest[0] > '9') {
			return true
		}
	}
	return false
}

// tree is the sources of a toolchain, as far as they were touched.
type tree struct {
	tc      Toolchain
	stock   bool
	current string // the transformation at work
	files   map[string]*source
}

// fail makes the error of the transformation at work.
func (t *tree) fail(file, format string, args ...any) error {
	return &FitError{Transformation: t.current, Version: t.tc.Version, File: file, Detail: fmt.Sprintf(format, args...)}
}

// read gives a file's text as it is by now; name is relative to GOROOT/src.
func (t *tree) read(name string) (*source, error) {
	if s := t.files[name]; s != nil {
		return s, nil
	}
	b, err := os.ReadFile(filepath.Join(t.tc.GOROOT, "src", filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, t.fail(name, "there is no such file")
	}
	if err != nil {
		return nil, fmt.Errorf("reading Go's sources: %w", err)
	}
	s := &source{tree: t, name: name, text: string(b), original: string(b)}
	t.files[name] = s
	return s, nil
}

// defines is whether a Go file is there and declares a function.
func (t *tree) defines(name, fn string) bool {
	src, err := t.read(name)
	return err == nil && strings.Contains(src.text, "\nfunc "+fn+"(")
}

// exists is whether this version of Go has a file.
func (t *tree) exists(name string) bool {
	_, err := t.read(name)
	return err == nil
}

// has is whether a function of a Go file contains a piece of source, white space apart.
func (t *tree) has(name, fn, piece string) bool {
	found := false
	// A file that is not there, or does not parse, has nothing; applying says what is wrong with it.
	_ = t.editGo(name, func(g *goFile) {
		if f := g.fn(fn); f.node != nil {
			found = strings.Contains(squeeze(g.span(f.node)), squeeze(piece))
		}
	})
	return found
}

// add puts a new file in place.
func (t *tree) add(name, text string) error {
	if _, err := os.Stat(filepath.Join(t.tc.GOROOT, "src", filepath.FromSlash(name))); err == nil {
		return t.fail(name, "this version of Go has a file of that name already")
	}
	t.files[name] = &source{tree: t, name: name, text: text}
	return nil
}

// write stores the touched files below dir, in a folder named by what they hold, and fills in the overlay.
func (t *tree) write(dir string, ov *Overlay) error {
	names := make([]string, 0, len(t.files))
	for name, s := range t.files {
		if s.text != s.original {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	h := sha256.New()
	for _, name := range names {
		fmt.Fprintf(h, "%s\x00%d\x00%s", name, len(t.files[name].text), t.files[name].text)
	}
	root := filepath.Join(dir, "goruntime", t.tc.Version+"-"+t.tc.GOARCH+"-"+hex.EncodeToString(h.Sum(nil))[:16])
	if _, err := os.Stat(root); err != nil {
		if err := os.MkdirAll(filepath.Dir(root), 0o755); err != nil {
			return err
		}
		tmp, err := os.MkdirTemp(filepath.Dir(root), ".new-*")
		if err != nil {
			return err
		}
		defer os.RemoveAll(tmp)
		for _, name := range names {
			file := filepath.Join(tmp, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(file, []byte(t.files[name].text), 0o644); err != nil {
				return err
			}
		}
		if err := os.Chmod(tmp, 0o755); err != nil {
			return err
		}
		// Another process may have been faster; what it wrote is the same.
		if err := os.Rename(tmp, root); err != nil {
			if _, statErr := os.Stat(root); statErr != nil {
				return err
			}
		}
	}
	for _, name := range names {
		ov.Replace[filepath.Join(t.tc.GOROOT, "src", filepath.FromSlash(name))] = filepath.Join(root, filepath.FromSlash(name))
	}
	return nil
}

// file reads one of the embedded files.
func file(name string) string {
	b, err := embedded.ReadFile(path.Join("files", name+".txt"))
	if err != nil {
		panic(err) // the name is a constant of this package
	}
	return string(b)
}
