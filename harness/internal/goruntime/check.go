package goruntime

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Fit says how the instrumented runtime fits the sources of a Go.
type Fit struct {
	Applied, Unneeded []string
	// Misfits are transformations that do not fit, in order. Those after one are tried all the same.
	Misfits []*FitError
	// Names are places in what the overlay adds or changes that the compiler would not take: an unexported name of Go's that is
	// gone, or has another type. They may be consequences of misfits.
	Names []string
}

// Fits is whether everything fits.
func (f *Fit) Fits() bool { return len(f.Misfits) == 0 && len(f.Names) == 0 }

// ReadToolchain says which Go the sources below a GOROOT are; they need not be built.
func ReadToolchain(goroot, goarch string) (Toolchain, error) {
	tc := Toolchain{GOROOT: goroot, GOARCH: goarch}
	text, err := os.ReadFile(filepath.Join(goroot, "VERSION"))
	if err == nil {
		tc.Version, _, _ = strings.Cut(string(text), "\n")
		return tc, nil
	}
	// A checkout of Go's repository has the number of the release that is being made only.
	text, err = os.ReadFile(filepath.Join(goroot, "src/internal/goversion/goversion.go"))
	if err != nil {
		return tc, fmt.Errorf("%s holds no sources of Go: %w", goroot, err)
	}
	m := regexp.MustCompile(`const Version = ([0-9]+)`).FindSubmatch(text)
	if m == nil {
		return tc, fmt.Errorf("%s: src/internal/goversion names no version", goroot)
	}
	tc.Version = "go1." + string(m[1]) + "-devel"
	return tc, nil
}

// Check tries every transformation on the sources of a Go, whether its version is supported or not, and type-checks the
// packages that the overlay changes. It needs the sources only and writes nothing.
func Check(tc Toolchain) (*Fit, error) {
	t := &tree{tc: tc, files: map[string]*source{}}
	fit := &Fit{}
	for _, tr := range transformations {
		if len(tr.arch) > 0 && !slices.Contains(tr.arch, tc.GOARCH) {
			continue
		}
		t.current = tr.Name
		if tr.unneeded != nil && tr.unneeded(t) {
			fit.Unneeded = append(fit.Unneeded, tr.Name)
			continue
		}
		err := tr.apply(t)
		var misfit *FitError
		switch {
		case errors.As(err, &misfit):
			fit.Misfits = append(fit.Misfits, misfit)
		case err != nil:
			return nil, err
		default:
			fit.Applied = append(fit.Applied, tr.Name)
		}
	}
	c := &checker{tree: t, fset: token.NewFileSet(), packages: map[string]*types.Package{"unsafe": types.Unsafe}}
	if err := c.setUp(); err != nil {
		return nil, err
	}
	dirs := map[string]bool{}
	for name, s := range t.files {
		if s.text != s.original {
			dirs[path.Dir(name)] = true
		}
	}
	for dir := range dirs {
		if dir == "runtime/cgo" {
			continue // its Go files have C in them; the matrix compiles them
		}
		if _, err := c.load(dir, true); err != nil {
			return nil, err
		}
	}
	slices.Sort(c.complaints)
	fit.Names = slices.Compact(c.complaints)
	return fit, nil
}

// checker type-checks packages of the standard library from their sources, changed as the overlay changes them.
type checker struct {
	tree       *tree
	fset       *token.FileSet
	context    build.Context
	packages   map[string]*types.Package
	complaints []string
}

func (c *checker) setUp() error {
	tc := c.tree.tc
	c.context = build.Default
	c.context.GOROOT, c.context.GOOS, c.context.GOARCH = tc.GOROOT, "linux", tc.GOARCH
	c.context.CgoEnabled, c.context.BuildTags = false, []string{"valgrind"}
	c.context.ReleaseTags = nil
	release := regexp.MustCompile(`^go1\.([0-9]+)`).FindStringSubmatch(tc.Version)
	if release == nil {
		return fmt.Errorf("%q is no version of Go", tc.Version)
	}
	var minor int
	fmt.Sscan(release[1], &minor)
	for n := 1; n <= minor; n++ {
		c.context.ReleaseTags = append(c.context.ReleaseTags, fmt.Sprintf("go1.%d", n))
	}
	// What the experiments of this Go are by default decides which of its files count; both kinds are in internal/goexperiment.
	c.context.ToolTags = nil
	baseline, err := os.ReadFile(filepath.Join(tc.GOROOT, "src/internal/buildcfg/exp.go"))
	if err != nil {
		return fmt.Errorf("reading Go's sources: %w", err)
	}
	for _, m := range regexp.MustCompile(`(?m)^\t\t([A-Z][A-Za-z0-9]*):\s+(true|[a-zA-Z]+Supported|regabi\w*),`).FindAllSubmatch(baseline, -1) {
		c.context.ToolTags = append(c.context.ToolTags, "goexperiment."+strings.ToLower(string(m[1])))
	}
	src := filepath.Join(tc.GOROOT, "src")
	c.context.OpenFile = func(name string) (io.ReadCloser, error) {
		if rel, err := filepath.Rel(src, name); err == nil {
			if s := c.tree.files[filepath.ToSlash(rel)]; s != nil {
				return io.NopCloser(strings.NewReader(s.text)), nil
			}
		}
		return os.Open(name)
	}
	return nil
}

// Import is types.Importer.
func (c *checker) Import(name string) (*types.Package, error) {
	if _, err := os.Stat(filepath.Join(c.tree.tc.GOROOT, "src", name)); err != nil {
		name = path.Join("vendor", name)
	}
	return c.load(name, false)
}

var _ types.Importer = (*checker)(nil)

// load checks one package. Function bodies are looked at only where the overlay changes something.
func (c *checker) load(dir string, whole bool) (*types.Package, error) {
	if p := c.packages[dir]; p != nil && !whole {
		return p, nil
	}
	folder := filepath.Join(c.tree.tc.GOROOT, "src", filepath.FromSlash(dir))
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("reading Go's sources: %w", err)
	}
	names := map[string]bool{}
	for _, e := range entries {
		names[e.Name()] = true
	}
	for name := range c.tree.files {
		if path.Dir(name) == dir {
			names[path.Base(name)] = true
		}
	}
	var files []*ast.File
	for name := range names {
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		match, err := c.context.MatchFile(folder, name)
		if err != nil || !match {
			continue
		}
		r, err := c.context.OpenFile(filepath.Join(folder, name))
		if err != nil {
			return nil, fmt.Errorf("reading Go's sources: %w", err)
		}
		var text bytes.Buffer
		_, err = text.ReadFrom(r)
		r.Close()
		if err != nil {
			return nil, fmt.Errorf("reading Go's sources: %w", err)
		}
		f, err := parser.ParseFile(c.fset, path.Join(dir, name), text.Bytes(), parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("reading Go's sources: %w", err)
		}
		files = append(files, f)
	}
	conf := types.Config{
		Importer: c, FakeImportC: true, IgnoreFuncBodies: !whole, Sizes: types.SizesFor("gc", c.tree.tc.GOARCH),
		Error: func(err error) {
			var e types.Error
			if !errors.As(err, &e) || !whole || e.Soft {
				return
			}
			if at := c.fset.Position(e.Pos); c.isChanged(at.Filename) {
				c.complaints = append(c.complaints, fmt.Sprintf("%s:%d: %s", at.Filename, at.Line, e.Msg))
			}
		},
	}
	p, _ := conf.Check(strings.TrimPrefix(dir, "vendor/"), c.fset, files, nil) // Error has the errors
	if p == nil {
		return nil, fmt.Errorf("type-checking %s failed", dir)
	}
	if !whole {
		c.packages[dir] = p
	}
	return p, nil
}

// isChanged is whether a file is one that the overlay adds or changes.
func (c *checker) isChanged(name string) bool {
	s := c.tree.files[name]
	return s != nil && s.text != s.original
}
