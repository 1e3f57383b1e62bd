package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/cgogrind/cgogrind/harness/internal/input"
	"github.com/cgogrind/cgogrind/harness/result"
)

// Main builds the main package that cfg.Patterns names: one pattern, or Go files. The result has that package alone, and
// Binary is its program.
func Main(ctx context.Context, cfg Config) (*Result, error) {
	b, err := newBuilder(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := b.list(ctx); err != nil {
		return nil, err
	}
	if err := b.listFailed(); err != nil {
		return nil, err
	}
	asked := strings.Join(b.cfg.Patterns, " ")
	switch n := len(b.res.Packages); {
	case n == 0:
		return nil, fmt.Errorf("no packages match %s", asked)
	case n > 1:
		return nil, fmt.Errorf("%s matches %d packages: name the one to run", asked, n)
	}
	pkg := &b.res.Packages[0]
	if pkg.Name != "main" {
		return nil, fmt.Errorf("%s is package %s, not main: it cannot run by itself (cgogrind test runs its tests)",
			pkg.ImportPath, pkg.Name)
	}
	clear(b.hooks) // those are for tests
	what := []string{pkg.ImportPath}
	if strings.HasSuffix(b.cfg.Patterns[0], ".go") {
		what = b.cfg.Patterns
	}
	if rel, err := filepath.Rel(b.goEnv.GOMODCACHE, pkg.Dir); b.usesCgo() && (err != nil || !filepath.IsLocal(rel)) {
		file := filepath.Join(pkg.Dir, "cgogrind_threads.go")
		b.replace[file] = filepath.Join(b.cfg.OutDir, "threads.go")
		if err := os.WriteFile(b.replace[file], []byte(threads), 0o644); err != nil {
			return nil, fmt.Errorf("writing the overlay: %w", err)
		}
		if len(what) > 1 || what[0] != pkg.ImportPath {
			what = append(what[:len(what):len(what)], filepath.Join(filepath.Dir(what[0]), filepath.Base(file)))
		}
	}
	overlay, err := b.writeOverlay()
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(b.cfg.Progress, "building %s\n", pkg.ImportPath)
	name := ExecName(pkg.ImportPath)
	if what[0] != pkg.ImportPath {
		name = strings.TrimSuffix(filepath.Base(what[0]), ".go") // as go build does
	}
	pkg.Binary = filepath.Join(b.cfg.OutDir, name)
	args := []string{"build", "-o", pkg.Binary, "-tags=" + strings.Join(b.res.Tags, ","), "-overlay=" + overlay}
	args = append(append(args, b.cfg.Flags...), what...)
	step := "building " + pkg.ImportPath
	if _, err := b.goRun(ctx, step, args...); err != nil {
		return nil, err
	}
	if err := checkSymbols(pkg.Binary); err != nil {
		return nil, fmt.Errorf("%s: %w", step, err)
	}
	return b.res, nil
}

// threads is added to a main package. Threads are to be made by the C library, in programs without C code too: see
// goruntime's cgogrind_cgo.go.
const threads = "//go:build cgo\n\npackage main\n\nimport _ \"runtime/cgo\"\n"

// majorVersion is a last element of an import path that the go command leaves out of a program's name: v0 and v1 are none.
var majorVersion = regexp.MustCompile(`^v([2-9]|[1-9][0-9]+)$`)

// ExecName is how the go command names the program of a package: isVersionElement in cmd/go/internal/load.
func ExecName(importPath string) string {
	base := path.Base(importPath)
	if dir := path.Dir(importPath); majorVersion.MatchString(base) && dir != "." {
		base = path.Base(dir)
	}
	return base
}

// Sources is the folder of the package's sources.
func (p *Package) Sources() string {
	if p.SourceDir != "" {
		return p.SourceDir
	}
	return p.Dir
}

// description is what a test binary needs beside it to run on a machine without Go and without its sources.
type description struct {
	Version    int            `json:"version"`
	SHA256     string         `json:"sha256"` // of the binary
	Runtime    result.Runtime `json:"runtime"`
	Go         string         `json:"go"`
	GOROOT     string         `json:"goroot"`
	Tags       []string       `json:"tags,omitempty"`
	Env        []string       `json:"env,omitempty"`
	ImportPath string         `json:"import_path"`
	Name       string         `json:"name"`
	Dir        string         `json:"dir"`
	ModulePath string         `json:"module_path,omitempty"`
	ModuleDir  string         `json:"module_dir,omitempty"`
	HasCgo     bool           `json:"has_cgo"`
	HasGinkgo  bool           `json:"has_ginkgo,omitempty"`
}

const descriptionVersion = 1

// DescriptionFile is the name of the file that describes a test binary.
func DescriptionFile(binary string) string { return binary + ".cgogrind.json" }

// ErrNoDescription is the error for a test binary without one.
var ErrNoDescription = errors.New("there is no description beside it")

// Save copies a test binary that was built and writes its description beside the copy.
func (r *Result) Save(p Package, runtime result.Runtime, to string) error {
	sum, err := copyProgram(p.Binary, to)
	if err != nil {
		return fmt.Errorf("saving the test binary of %s: %w", p.ImportPath, err)
	}
	data, err := json.MarshalIndent(description{
		Version: descriptionVersion, SHA256: sum, Runtime: runtime, Go: r.GoVersion, GOROOT: r.GOROOT, Tags: r.Tags,
		Env: r.Env, ImportPath: p.ImportPath, Name: p.Name, Dir: p.Dir, ModulePath: p.ModulePath, ModuleDir: p.ModuleDir,
		HasCgo: p.HasCgo, HasGinkgo: p.HasGinkgo,
	}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(DescriptionFile(to), append(data, '\n'), 0o666); err != nil {
		return fmt.Errorf("saving the test binary of %s: %w", p.ImportPath, err)
	}
	return nil
}

// Load reads the description of a test binary that Save wrote. The error matches ErrNoDescription if there is none.
func Load(binary string) (*Result, result.Runtime, error) {
	fail := func(err error) (*Result, result.Runtime, error) {
		return nil, "", fmt.Errorf("reading %s: %w", DescriptionFile(binary), err)
	}
	data, err := input.ReadFile(DescriptionFile(binary), input.Settings)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", fmt.Errorf("%s: %w: copy %s, too, which cgogrind test -c writes", binary, ErrNoDescription,
			filepath.Base(DescriptionFile(binary)))
	}
	if err != nil {
		return fail(err)
	}
	var d description
	if err := json.Unmarshal(data, &d); err != nil {
		return fail(err)
	}
	if d.Version != descriptionVersion {
		return fail(fmt.Errorf("it has version %d, and this cgogrind reads %d: build the binary with this cgogrind",
			d.Version, descriptionVersion))
	}
	f, err := os.Open(binary)
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	sum, err := hashOf(f)
	if err != nil {
		return fail(err)
	}
	if sum != d.SHA256 {
		return fail(fmt.Errorf("it describes another %s: the binary was built anew, stripped or damaged; take both from "+
			"one cgogrind test -c", filepath.Base(binary)))
	}
	r := &Result{GoVersion: d.Go, GOROOT: d.GOROOT, Tags: d.Tags, Env: d.Env, Packages: []Package{{
		ImportPath: d.ImportPath, Name: d.Name, Dir: d.Dir, ModulePath: d.ModulePath, ModuleDir: d.ModuleDir,
		Binary: binary, HasCgo: d.HasCgo, HasGinkgo: d.HasGinkgo,
	}}}
	return r, d.Runtime, nil
}

func hashOf(r io.Reader) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// copyProgram copies a program and returns its hash.
func copyProgram(from, to string) (sum string, err error) {
	in, err := os.Open(from)
	if err != nil {
		return "", err
	}
	defer in.Close()
	// A program that runs cannot be written to, but replaced.
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o777)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	return hashOf(io.TeeReader(in, out))
}
