// Package build turns package patterns into test binaries for memcheck: linked against the instrumented Go runtime,
// with the hooks that mark where each test begins and ends, and with symbols. Nothing in the tested packages has to
// change: everything comes in through go build's -overlay.
//
// It runs the go command and reads what it says; it neither runs the binaries nor judges them.
package build

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cgogrind/cgogrind/harness/internal/child"
	"github.com/cgogrind/cgogrind/harness/internal/goruntime"
	"github.com/cgogrind/cgogrind/harness/internal/shell"
	"github.com/cgogrind/cgogrind/harness/result"
)

// Config says what to build.
type Config struct {
	Patterns []string // package patterns, as for go test; "." if empty
	Dir      string   // where the go command runs; the current directory if empty
	Env      []string // the environment of the go command; os.Environ() if nil
	Tags     []string // the user's build tags
	// Flags are go build flags that are handed on as they are: -ldflags=…, -gcflags=…, -mod=…, -modfile=….
	Flags []string
	// Experiments are added to the caller's GOEXPERIMENT: "cgocheck2".
	Experiments []string
	Runtime     result.Runtime // Instrumented if empty
	OutDir      string         // where the binaries go; it must exist
	CacheDir    string         // where the instrumented runtime is kept from one run to the next
	Progress    io.Writer      // one line for each slow step, for people; may be nil
	// Run runs a program until it ends or the context does, as exec.Cmd.Run does, which stands in if it is nil. It may see
	// to it that what the program has started ends with it.
	Run func(context.Context, *exec.Cmd) error

	listOnly bool // no overlay: nothing will be built
}

// Result is what was built.
type Result struct {
	GoVersion string // of the toolchain that built the binaries, for example "go1.26.8"
	GOROOT    string
	// Tags are the build tags in use: the user's, ours, and those found from installed C libraries.
	Tags []string
	// Env is what the binaries need in their environment: KEY=VALUE, to be merged over the caller's own.
	Env      []string
	Packages []Package
}

// Package is one package that matched.
type Package struct {
	ImportPath string
	Name       string
	Dir        string // where its tests run
	SourceDir  string // where its sources were when it was built, if that is another folder
	ModulePath string // empty for the standard library
	ModuleDir  string
	Binary     string // the test binary; empty if the package has no tests
	HasCgo     bool   // the package's own closure calls C, with cgo or as purego does it; the standard library does not count
	HasGinkgo  bool   // its test binary holds Ginkgo, and has its flags
	Failed     *Failure
}

// Failure says that there is no test binary of a package, and why.
type Failure struct {
	Reason string // SetupFailed, or what is wrong with what was built
	Output string // what the go command said, compilers' messages included
	// Unchecked: it was built, and memcheck could not check it.
	Unchecked bool
}

// The reasons that go test names, too.
const (
	SetupFailed = "setup failed" // the package, or one that it imports, cannot be loaded
	BuildFailed = "build failed"
)

// ginkgoModule is the import path of the Ginkgo version that the hooks are written for.
const ginkgoModule = "github.com/onsi/ginkgo/v2"

//go:embed ginkgo_hooks.go.txt
var ginkgoHooks string

// hooksFile is the name of the file that is added to packages whose tests use Ginkgo.
const hooksFile = "cgogrind_hooks_test.go"

// Build lists the packages and builds a test binary for each that has tests. A package that does not build is Failed; if
// none of those that have tests builds, that is an *Error.
func Build(ctx context.Context, cfg Config) (*Result, error) {
	b, err := newBuilder(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := b.list(ctx); err != nil {
		return nil, err
	}
	overlay, err := b.writeOverlay()
	if err != nil {
		return nil, err
	}
	for i, batch := range batches(b.res.Packages) {
		if err := b.compile(ctx, batch, i, overlay); err != nil {
			return nil, err
		}
	}
	if err := b.allFailed(); err != nil {
		return nil, err
	}
	return b.res, nil
}

// allFailed makes one error of the failures if there is nothing else.
func (b *builder) allFailed() error {
	var failed []*Package
	for i := range b.res.Packages {
		switch p := &b.res.Packages[i]; {
		case p.Failed != nil:
			failed = append(failed, p)
		case p.Binary != "":
			return nil
		}
	}
	switch len(failed) {
	case 0:
		return nil
	case 1:
		return failed[0].failure()
	}
	e := &Error{Step: fmt.Sprintf("building the tests of %d packages", len(failed)), Err: errors.New("each of them failed")}
	var outputs []string
	for _, p := range failed {
		if f := p.Failed; !slices.Contains(outputs, f.Output) { // of a package that they import
			outputs = append(outputs, f.Output)
		}
	}
	e.Output = strings.Join(outputs, "\n")
	return e
}

// failure is the package's as an error.
func (p *Package) failure() error {
	return &Error{Step: "building " + p.ImportPath, Output: p.Failed.Output, Err: errors.New(p.Failed.Reason)}
}

// listFailed returns the first failure of those that listing the packages met.
func (b *builder) listFailed() error {
	for i := range b.res.Packages {
		if p := &b.res.Packages[i]; p.Failed != nil {
			return p.failure()
		}
	}
	return nil
}

// LibraryTags are the build tags that the packages want for the C libraries that are installed, as go-ceph wants the name
// of Ceph's release.
func LibraryTags(ctx context.Context, cfg Config) ([]string, error) {
	cfg.listOnly = true
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
	return b.libraryTags, nil
}

type builder struct {
	cfg     Config
	res     *Result
	goCmd   string
	env     []string
	goEnv   goEnv
	cc      []string          // the words of CC: a program and arguments
	replace map[string]string // the overlay
	hooks   map[string]string // package directory to the package clause of the hooks
	// libraryTags are the tags that were found, not given.
	libraryTags []string
	closures    map[string][]string // of each package that matched: what its test binary is built from
}

// goEnv is what go env says.
type goEnv struct {
	GOROOT, GOVERSION, GOOS, GOARCH, GOMODCACHE, GOFLAGS, GOEXPERIMENT, CC, CXX string

	CgoEnabled  string `json:"CGO_ENABLED"`
	CgoCFlags   string `json:"CGO_CFLAGS"`
	CgoCXXFlags string `json:"CGO_CXXFLAGS"`
}

func newBuilder(ctx context.Context, cfg Config) (*builder, error) {
	if len(cfg.Patterns) == 0 {
		cfg.Patterns = []string{"."}
	}
	if cfg.Env == nil {
		cfg.Env = os.Environ()
	}
	if cfg.Runtime == "" {
		cfg.Runtime = result.Instrumented
	}
	if cfg.Run == nil {
		cfg.Run = func(_ context.Context, cmd *exec.Cmd) error { return cmd.Run() }
	}
	if cfg.Progress == nil {
		cfg.Progress = io.Discard
	}
	b := &builder{cfg: cfg, res: &Result{}, goCmd: "go", env: cfg.Env, replace: map[string]string{}, hooks: map[string]string{},
		closures: map[string][]string{}}
	out, err := b.goRun(ctx, "asking go for its settings", "env", "-json")
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(out, &b.goEnv); err != nil {
		return nil, fmt.Errorf("reading go env: %w", err)
	}
	if _, err = shell.Fields(b.goEnv.GOFLAGS); err != nil {
		return nil, fmt.Errorf("reading GOFLAGS: %w", err)
	}
	if b.cc, err = shell.Fields(b.goEnv.CC); err != nil {
		return nil, fmt.Errorf("reading CC: %w", err)
	}
	if b.goEnv.GOOS != "linux" {
		return nil, fmt.Errorf("GOOS=%s: memcheck runs Linux programs only", b.goEnv.GOOS)
	}
	if err := b.checkFlags(); err != nil {
		return nil, err
	}
	b.res.GoVersion, b.res.GOROOT = b.goEnv.GOVERSION, b.goEnv.GOROOT
	if err := b.leaveModuleCache(); err != nil {
		return nil, err
	}
	b.res.Tags = append(b.res.Tags, b.flagsTags()...)
	b.res.Tags = append(b.res.Tags, cfg.Tags...)

	var experiments []string
	if e := b.goEnv.GOEXPERIMENT; e != "" {
		experiments = strings.Split(e, ",")
	}
	experiments = append(experiments, cfg.Experiments...)
	if !cfg.listOnly {
		make := goruntime.Make
		if cfg.Runtime == result.Stock {
			make = goruntime.MakeStock
		}
		ov, err := make(goruntime.Toolchain{
			GOROOT: b.res.GOROOT, Version: b.goEnv.GOVERSION, GOARCH: b.goEnv.GOARCH,
		}, cfg.CacheDir)
		if err != nil {
			return nil, err
		}
		maps.Copy(b.replace, ov.Replace)
		b.res.Tags = append(b.res.Tags, ov.Tags...)
	}
	// valgrind 3.19 does not read Go's DWARF 5 well ("unhandled 27 (DW_FORM_addrx)"); every version reads DWARF 4.
	experiments = append(experiments, "nodwarf5")
	b.env = append(slices.Clone(b.env), "GOEXPERIMENT="+strings.Join(experiments, ","),
		"CGO_CFLAGS="+b.goEnv.CgoCFlags+" "+cFlags(ctx, b.goEnv.CC),
		"CGO_CXXFLAGS="+b.goEnv.CgoCXXFlags+" "+cFlags(ctx, b.goEnv.CXX))
	return b, nil
}

// cFlags are added to the flags of a C compiler. A call in tail position would take its function off the stack, and the
// function that calls free as its last act could not be blamed. And valgrind before 3.20 does not read the DWARF 5 of clang
// ("unhandled dwarf2 abbrev form code 0x25"): it may give up. Which valgrind will run the binary is not known here. That of gcc it
// does read, and needs: gcc's DWARF 4 loses a function that is inlined where a file's code begins, as its list of ranges begins
// like the end of one.
func cFlags(ctx context.Context, compiler string) string {
	flags := "-fno-optimize-sibling-calls"
	words, err := shell.Fields(compiler)
	if err != nil || len(words) == 0 {
		return flags
	}
	// A compiler that does not answer fails the build, which says so.
	if out, _ := child.Output(ctx, exec.Command(words[0], append(words[1:], "--version")...)); bytes.Contains(out, []byte("clang")) {
		flags += " -gdwarf-4"
	}
	return flags
}

// ErrNoCompiler says that the go command switched cgo off for want of a C compiler.
var ErrNoCompiler = errors.New("there is no C compiler")

// leaveModuleCache gives a toolchain that the go command fetched another path: files below the module cache must not be
// replaced by an overlay.
func (b *builder) leaveModuleCache() error {
	rel, err := filepath.Rel(b.goEnv.GOMODCACHE, b.goEnv.GOROOT)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return nil
	}
	link := filepath.Join(b.cfg.CacheDir, "goroot", b.goEnv.GOVERSION)
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		return fmt.Errorf("linking to %s: %w", b.goEnv.GOVERSION, err)
	}
	if to, err := os.Readlink(link); err != nil || to != b.goEnv.GOROOT {
		os.Remove(link)
		if err := os.Symlink(b.goEnv.GOROOT, link); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("linking to %s: %w", b.goEnv.GOVERSION, err)
		}
	}
	b.res.GOROOT = link
	b.goCmd = filepath.Join(link, "bin", "go")
	b.env = append(slices.Clone(b.env), "GOTOOLCHAIN=local", "GOROOT="+link,
		"PATH="+filepath.Join(link, "bin")+string(os.PathListSeparator)+shell.Getenv(b.env, "PATH"))
	return nil
}

// flagsTags are the build tags that GOFLAGS sets: -tags on the command line overrides them, so they have to be said
// again.
func (b *builder) flagsTags() []string {
	var tags []string
	for _, f := range b.goFlags() {
		if v, ok := strings.CutPrefix(strings.TrimLeft(f, "-"), "tags="); ok {
			tags = strings.Split(v, ",")
		}
	}
	return tags
}

// goRun runs the go command and gives its standard output, with an *Error, too.
func (b *builder) goRun(ctx context.Context, step string, args ...string) ([]byte, error) {
	cmd := exec.Command(b.goCmd, args...)
	cmd.Dir = b.cfg.Dir
	cmd.Env = b.env
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := b.cfg.Run(ctx, cmd); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return nil, fmt.Errorf("%s: %w: put Go 1.25 or later on PATH (https://go.dev/dl)", step, err)
		}
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return stdout.Bytes(), &Error{Step: step, Output: strings.TrimSpace(stderr.String()), Err: err}
	}
	return stdout.Bytes(), nil
}

// listed is what go list says of a package.
type listed struct {
	ImportPath, Name, Dir, ForTest string
	Standard, DepOnly              bool
	GoFiles, CgoFiles, Imports     []string
	TestGoFiles, XTestGoFiles      []string
	TestImports, XTestImports      []string
	Deps                           []string
	Module                         *struct {
		Path, Dir string
		Main      bool
	}
	Error      *listError
	DepsErrors []*listError
}

// listError is what go list says is wrong with a package.
type listError struct {
	ImportStack []string
	Pos, Err    string
}

func (e *listError) String() string {
	switch {
	case e.Pos == "" && len(e.ImportStack) > 1: // a cycle
		return "package " + strings.Join(e.ImportStack, "\n\timports ") + ": " + e.Err
	case e.Pos == "":
		return e.Err
	}
	return e.Pos + ": " + e.Err
}

// failed says what keeps a package from being built, as far as that is known without trying.
func (p *listed) failed(test *listed) *Failure {
	var lines []string
	add := func(e *listError) {
		if text := e.String(); !slices.Contains(lines, text) {
			lines = append(lines, text)
		}
	}
	for _, q := range []*listed{p, test} {
		if q == nil {
			continue
		}
		if q.Error != nil {
			add(q.Error)
		}
		for _, e := range q.DepsErrors {
			add(e)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return &Failure{Reason: SetupFailed, Output: strings.Join(lines, "\n")}
}

func (b *builder) list(ctx context.Context) error {
	args := []string{"list", "-e", "-test", "-deps", "-json=ImportPath,Name,Dir,ForTest,Standard,DepOnly,GoFiles," +
		"CgoFiles,Imports,TestGoFiles,XTestGoFiles,TestImports,XTestImports,Deps,Module,Error,DepsErrors", "-tags=" + strings.Join(b.res.Tags, ",")}
	args = append(append(args, b.cfg.Flags...), "--")
	out, err := b.goRun(ctx, "listing packages", append(args, b.cfg.Patterns...)...)
	if err != nil {
		return err
	}
	all := map[string]*listed{}
	var matched []*listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		p := new(listed)
		if err := dec.Decode(p); err == io.EOF {
			break
		} else if err != nil {
			return fmt.Errorf("reading go list: %w", err)
		}
		all[p.ImportPath] = p
		if !p.DepOnly && p.ForTest == "" && !strings.HasSuffix(p.ImportPath, ".test") {
			matched = append(matched, p)
		}
	}
	ceph := false
	callers := callers{}
	var without []string // what calls no C, where there is no cgo
	for _, p := range matched {
		pkg := Package{ImportPath: p.ImportPath, Name: p.Name, Dir: p.Dir}
		pkg.Failed = p.failed(all[p.ImportPath+".test"])
		if p.Module != nil {
			pkg.ModulePath, pkg.ModuleDir = p.Module.Path, p.Module.Dir
		}
		closure := p.Deps
		if t := all[p.ImportPath+".test"]; t != nil {
			closure = t.Deps
		}
		b.closures[p.ImportPath] = closure
		for _, name := range append(closure[:len(closure):len(closure)], p.ImportPath) {
			d := all[name]
			if d == nil || d.Standard && d != p {
				continue
			}
			pkg.HasCgo = pkg.HasCgo || len(d.CgoFiles) > 0 || callers.has(d)
			pkg.HasGinkgo = pkg.HasGinkgo || name == ginkgoModule
			ceph = ceph || d.Module != nil && d.Module.Path == goCeph
		}
		if !b.usesCgo() && !pkg.HasCgo && pkg.Failed == nil {
			without = append(without, p.ImportPath)
			continue
		}
		if len(p.TestGoFiles)+len(p.XTestGoFiles) > 0 && pkg.Failed == nil {
			pkg.Binary = pkg.testName() // its path comes with the build
			b.addHooks(p)
		}
		b.res.Packages = append(b.res.Packages, pkg)
	}
	if !b.usesCgo() && !slices.ContainsFunc(b.res.Packages, func(p Package) bool { return p.HasCgo }) {
		return b.noCgo()
	}
	if len(without) > 0 {
		fmt.Fprintf(b.cfg.Progress, "without cgo (CGO_ENABLED=0) there is nothing that memcheck could check in %s\n",
			strings.Join(without, ", "))
	}
	if ceph {
		tag, err := cephTag(ctx, b.cc, b.res.Tags)
		if err != nil {
			return err
		}
		if tag != "" {
			b.libraryTags = append(b.libraryTags, tag)
			b.res.Tags = append(b.res.Tags, tag)
		}
	}
	return nil
}

// addHooks adds the hooks for Ginkgo to a package whose tests use it.
func (b *builder) addHooks(p *listed) {
	clause := ""
	switch {
	case slices.Contains(p.TestImports, ginkgoModule):
		clause = p.Name
	case slices.Contains(p.XTestImports, ginkgoModule):
		clause = p.Name + "_test"
	}
	if clause == "" {
		return
	}
	if rel, err := filepath.Rel(b.goEnv.GOMODCACHE, p.Dir); err == nil && filepath.IsLocal(rel) {
		return // the go command refuses overlays there
	}
	b.hooks[p.Dir] = clause
}

// writeOverlay writes the overlay and the hooks beside the binaries and gives the overlay's path; empty if there is
// nothing to replace.
func (b *builder) writeOverlay() (string, error) {
	for dir, clause := range b.hooks {
		f := filepath.Join(b.cfg.OutDir, "hooks_"+clause+".go")
		if err := os.WriteFile(f, []byte(strings.Replace(ginkgoHooks, "PACKAGE", clause, 1)), 0o644); err != nil {
			return "", fmt.Errorf("writing the hooks for Ginkgo: %w", err)
		}
		b.replace[filepath.Join(dir, hooksFile)] = f
	}
	if err := b.addUserOverlay(); err != nil {
		return "", err
	}
	if len(b.replace) == 0 {
		return "", nil
	}
	data, err := json.Marshal(map[string]any{"Replace": b.replace})
	if err != nil {
		return "", err
	}
	name := filepath.Join(b.cfg.OutDir, "overlay.json")
	if err := os.WriteFile(name, data, 0o644); err != nil {
		return "", fmt.Errorf("writing the overlay: %w", err)
	}
	return name, nil
}

// batches groups the packages that have tests, so that one go command builds as many as it can at the same time: it
// writes the test binaries of several packages only if their names differ.
func batches(packages []Package) [][]*Package {
	var all [][]*Package
	for i := range packages {
		p := &packages[i]
		if p.Binary == "" {
			continue
		}
		same := func(q *Package) bool { return q.Binary == p.Binary }
		n := slices.IndexFunc(all, func(batch []*Package) bool { return !slices.ContainsFunc(batch, same) })
		if n < 0 {
			n, all = len(all), append(all, nil)
		}
		all[n] = append(all[n], p)
	}
	return all
}

// compile builds the test binaries of packages, the n-th batch.
func (b *builder) compile(ctx context.Context, batch []*Package, n int, overlay string) error {
	step := "building " + batch[0].ImportPath
	if len(batch) > 1 {
		step = fmt.Sprintf("building the tests of %d packages", len(batch))
	}
	fmt.Fprintln(b.cfg.Progress, step)
	dir := filepath.Join(b.cfg.OutDir, fmt.Sprintf("%03d", n))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return fmt.Errorf("%s: %w", step, err)
	}
	// -vet=off: go vet has its own place, and would look at the overlay. -json tells whose each compiler's message is.
	args := []string{"test", "-c", "-json", "-vet=off", "-o", dir + "/", "-tags=" + strings.Join(b.res.Tags, ",")}
	if overlay != "" {
		args = append(args, "-overlay="+overlay)
	}
	args = append(args, b.buildFlags()...)
	for _, p := range batch {
		p.Binary = filepath.Join(dir, p.Binary)
		args = append(args, b.named(p)...)
	}
	out, err := b.goRun(ctx, step, args...)
	if err != nil && ctx.Err() != nil {
		return err
	}
	said := readBuild(out)
	var other *Error // what the go command says itself
	if err != nil && (!errors.As(err, &other) || len(said) == 0) {
		return err // it did not come to build anything
	}
	for _, p := range batch {
		_, statErr := os.Stat(p.Binary)
		switch {
		case statErr == nil:
			if err := checkSymbols(p.Binary); err != nil {
				p.Failed = &Failure{Reason: err.Error()}
			}
		case err == nil:
			p.Failed = &Failure{Reason: fmt.Sprintf("the go command has not written the test binary: %v", statErr)}
		default:
			p.Failed = &Failure{Reason: BuildFailed, Output: said.about(p.ImportPath, b.closures[p.ImportPath])}
			if p.Failed.Output == "" {
				p.Failed.Output = strings.TrimSpace(said.all() + "\n" + other.Output)
			}
		}
		if p.Failed != nil {
			p.Binary = ""
		}
	}
	return nil
}

// testName is how the go command names the package's test binary.
func (p *Package) testName() string {
	if p.ImportPath == CommandLine {
		return p.Name + ".test"
	}
	return ExecName(p.ImportPath) + ".test"
}

// CommandLine is the import path of a package that is named by its Go files.
const CommandLine = "command-line-arguments"

// named are the arguments that name a package to the go command.
func (b *builder) named(p *Package) []string {
	if p.ImportPath != CommandLine {
		return []string{p.ImportPath}
	}
	args := slices.Clone(b.cfg.Patterns)
	if _, ok := b.hooks[p.Dir]; ok {
		args = append(args, filepath.Join(filepath.Dir(args[0]), hooksFile))
	}
	return args
}

// buildOutput is what go build -json says, by the import paths of packages and test binaries:
// https://pkg.go.dev/cmd/go#hdr-Build__json_encoding.
type buildOutput []struct{ of, text string }

func readBuild(stdout []byte) buildOutput {
	var out buildOutput
	for line := range bytes.Lines(stdout) {
		var e struct{ ImportPath, Action, Output string }
		if json.Unmarshal(line, &e) != nil || e.Action != "build-output" {
			continue
		}
		of, _, _ := strings.Cut(e.ImportPath, " ") // without the test binary that the package is built for
		out = append(out, struct{ of, text string }{of, e.Output})
	}
	return out
}

// about is what was said about a package, its tests, and what it is built from.
func (o buildOutput) about(importPath string, closure []string) string {
	var text strings.Builder
	for _, line := range o {
		switch {
		case line.of == importPath, line.of == importPath+"_test", line.of == importPath+".test":
		case slices.ContainsFunc(closure, func(dep string) bool { d, _, _ := strings.Cut(dep, " "); return d == line.of }):
		default:
			continue
		}
		text.WriteString(line.text)
	}
	return strings.TrimSpace(text.String())
}

func (o buildOutput) all() string {
	var text strings.Builder
	for _, line := range o {
		text.WriteString(line.text)
	}
	return text.String()
}

// Error is a failed step of the build, with what the go command said about it.
type Error struct {
	Step   string // for example "listing packages"
	Output string // the go command's stderr
	Err    error
}

func (e *Error) Error() string { return e.Step + ": " + e.Err.Error() + "\n" + e.Output }
func (e *Error) Unwrap() error { return e.Err }
