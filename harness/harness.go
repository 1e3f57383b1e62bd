// Package harness runs the tests of Go packages under memcheck and says of each whether it passed: the engine behind
// cgogrind test.
//
// Input is a Config: package patterns and flags with go test's meanings. Output is result messages, which a
// result.Handler receives in order. The package prints nothing and keeps nothing: its files live in a temporary folder
// that is gone after the run, however that ends.
package harness

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cgogrind/cgogrind/harness/internal/allocator"
	"github.com/cgogrind/cgogrind/harness/internal/artifact"
	"github.com/cgogrind/cgogrind/harness/internal/build"
	"github.com/cgogrind/cgogrind/harness/internal/goruntime"
	"github.com/cgogrind/cgogrind/harness/internal/repository"
	"github.com/cgogrind/cgogrind/harness/internal/shell"
	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind/memcheck"
)

// TimeoutFactor is how many times as long as go test's a time limit is under memcheck, which makes a program 10 to 50
// times slower.
const TimeoutFactor = 10

// Time limits of a package's tests and of one test, before TimeoutFactor.
const (
	DefaultTimeout     = 10 * time.Minute
	DefaultTestTimeout = time.Minute
)

// Config says what to run and how.
type Config struct {
	Patterns   []string // package patterns, as for go test; "." if empty
	Dir        string   // where the patterns are looked up; the current directory if empty
	Env        []string // of the go command and the tests; os.Environ() if nil
	Tags       []string // build tags
	BuildFlags []string // for go build, as they are: -ldflags=…, -mod=…

	// Run and Skip choose tests as go test's -run and -skip do.
	Run, Skip string
	// TestFlags are further flags of the test binaries, as they are: -test.short, -ginkgo.focus=….
	TestFlags []string
	// Timeout is how long the tests of a package may take, and TestTimeout one test, without its subtests and the time
	// that it waits in t.Parallel. Both are given as for go test: under memcheck it is TimeoutFactor times as long. The
	// defaults if 0, no limit if negative.
	Timeout, TestTimeout time.Duration

	// Processes is how many processes run at a time; the number of CPUs if 0.
	Processes int
	// Split is how many processes share the tests of a package; one if 0. Isolate runs each top-level test in a process
	// of its own.
	Split   int
	Isolate bool
	// Shard chooses a part of the tests, by their names; all if nil.
	Shard *result.Shard
	// Budget is how long the run may begin further tests; 0 for no limit. Slow tests, as far as their times are known
	// from former runs, come last.
	Budget time.Duration
	// FailFast begins no test of a process after one that failed, because of memory findings too.
	FailFast bool
	// CgoOnly leaves out packages without C code in them and in what they import.
	CgoOnly bool

	// LeakCheck says when leaks are looked for; LeakTest if empty. LeakKinds are the kinds that are findings, as
	// memcheck names them; definite if empty.
	LeakCheck LeakCheck
	LeakKinds []memcheck.LeakKind

	// Profile is how much time memcheck may take; ProfileDefault if empty.
	Profile Profile

	// GCStress makes the garbage collector run after every so many calls to C, so that C code that keeps a Go pointer
	// past its call is caught every time; 0 leaves it alone.
	GCStress int
	// CgoCheck2 checks every write of a Go pointer, with GOEXPERIMENT=cgocheck2.
	CgoCheck2 bool

	// AllowUnseen goes on, with a note, when memcheck cannot see all memory of a program; otherwise that is an error.
	AllowUnseen bool
	// TraceChildren runs the programs that the tests start under memcheck, too.
	TraceChildren bool

	// Suppressions are suppression files, beside those that come with the tool.
	Suppressions []string
	// Dispose decides about findings that no test expects; nil makes them all new. It is given the fingerprint, kind,
	// package, bytes and blocks of what the package's tests have hit so far, and is called from several goroutines.
	Dispose func(result.Finding) result.Disposition

	// Runtime is the Go runtime to build against; Instrumented if empty.
	Runtime   result.Runtime
	Valgrind  string // valgrind's path; looked up in PATH if empty
	AllFrames bool   // show the frames between C and Go code and of Go's runtime, too
	Verbose   bool   // hand on what the tests print, as progress
	KeepWork  bool   // leave the temporary folder, and say where it is

	// SaveDir is a folder, empty or yet to be made, that gets what is needed to look at the run elsewhere; none if empty.
	SaveDir string
	// OnError is called for each error that memcheck reports, leaks excepted, while the program stands still at it; nil
	// lets programs run on.
	OnError func(context.Context, Stop)

	Tool    string   // cgogrind's version, for the config message
	Command []string // the command line, for the config message
	// Configuration is the configuration file that flags came from, as an absolute path, for the config message.
	Configuration string
	Notes         io.Writer // notes for people, a line each: slow steps, packages without tests; none if nil
}

// LeakCheck says when memcheck looks for leaks.
type LeakCheck string

// The leak checks. What is a leak is decided at the end of each process. LeakTest looks after each test, too, as long as
// that takes no more than a tenth of the time, so that a leak whose stack does not tell its test, one of a thread that C
// made, belongs to the test in which it appeared. With LeakPackage such a leak belongs to no test.
const (
	LeakTest    LeakCheck = "test"
	LeakPackage LeakCheck = "package"
	LeakOff     LeakCheck = "off"
)

// ErrNoPackages is the error of a run whose patterns match nothing.
var ErrNoPackages = errors.New("no packages match")

// Run builds the tests of the packages and runs each package's in a process of its own under memcheck. The handler's
// first message is the config, its last the summary. The code says how the run ended; with an error, why it did not
// start (result.ExitUsage, result.ExitMachine: the handler has received nothing then) or could not go on
// (result.ExitInconclusive), or what of it could not be saved. What happens to one package is that package's verdict: the
// others run, and the summary comes. When ctx is done, memcheck is ended in an orderly way and the verdicts and the summary
// still come.
func Run(ctx context.Context, cfg Config, h result.Handler) (result.ExitCode, error) {
	r, err := newRun(cfg, h)
	if err != nil {
		return result.ExitMachine, err
	}
	return r.end(r.do(ctx))
}

// newRun sets what the configuration leaves open.
func newRun(cfg Config, h result.Handler) (*run, error) {
	if cfg.Env == nil {
		cfg.Env = os.Environ()
	}
	if cfg.Notes == nil {
		cfg.Notes = io.Discard
	}
	if cfg.Processes == 0 {
		cfg.Processes = runtime.NumCPU()
	}
	if cfg.LeakCheck == "" {
		cfg.LeakCheck = LeakTest
	}
	if cfg.Profile == "" {
		cfg.Profile = ProfileDefault
	}
	if cfg.Runtime == "" {
		cfg.Runtime = result.Instrumented
	}
	if cfg.Dir == "" {
		wd, err := os.Getwd()
		if err != nil {
			return nil, fmt.Errorf("finding the working directory: %w", err)
		}
		cfg.Dir = wd
	}
	// Tests run in the folders of their packages, and valgrind puts files into this one, too.
	if tmp := shell.Getenv(cfg.Env, "TMPDIR"); tmp != "" && !filepath.IsAbs(tmp) {
		abs, err := filepath.Abs(tmp)
		if err != nil {
			return nil, fmt.Errorf("finding the folder for temporary files: %w", err)
		}
		cfg.Env = set(slices.Clone(cfg.Env), "TMPDIR", abs)
	}
	args := cfg.TestFlags
	cfg.TestFlags = nil
	r := &run{cfg: cfg, handler: h, start: time.Now()}
	r.takeTestArgs(args)
	return r, nil
}

// end removes the temporary folder. It takes and returns how the run went.
func (r *run) end(code result.ExitCode, err error) (result.ExitCode, error) {
	if r.work == nil {
		return code, err
	}
	end := r.work.remove
	if r.cfg.KeepWork {
		fmt.Fprintf(r.cfg.Notes, "the temporary folder is %s\n", r.work.path)
		end = r.work.keep
	}
	if workErr := end(); workErr != nil {
		err = errors.Join(err, workErr)
		code = max(code, result.ExitFail)
	}
	return code, err
}

// run is one call of Run.
type run struct {
	cfg      Config
	handler  result.Handler
	start    time.Time
	work     *workDir
	cache    string // the folder of what is kept from run to run
	valgrind *memcheck.Valgrind
	built    *build.Result
	supps    *suppressed
	saved    *artifact.Folder // nil if the run is not saved
	saveErr  error            // the first, which leaves the verdicts alone

	allocators allocator.Inspector
	malloc     []string // the allocators of the programs
	times      *times
	slots      chan struct{} // one for each process that runs
	deadline   time.Time     // of the budget; zero for none

	skipped  sync.Once  // said that valgrind skips debug information
	mu       sync.Mutex // emit is called while tests print
	tally    result.Tally
	emitErr  error
	stopEmit context.CancelFunc // ends the run when the handler fails
}

func (r *run) do(ctx context.Context) (result.ExitCode, error) {
	if code, err := r.prepare(ctx); err != nil {
		return code, err
	}
	return r.runPackages(ctx)
}

// begin emits the first message. The context that it returns is done when the handler fails, too.
func (r *run) begin(ctx context.Context) (context.Context, context.CancelFunc) {
	runCtx, cancel := context.WithCancel(ctx)
	r.stopEmit = cancel
	id := make([]byte, 8)
	rand.Read(id) // never fails
	r.emit(result.Message{Config: &result.Config{
		RunID: hex.EncodeToString(id), Tool: r.cfg.Tool, ProtocolVersion: result.ProtocolVersion,
		Fingerprints: result.FingerprintVersion,
		Go:           r.built.GoVersion, GOROOT: r.built.GOROOT, Valgrind: r.valgrind.Version.String(), Runtime: r.cfg.Runtime,
		Profile: string(r.cfg.Profile), Allocator: strings.Join(r.malloc, "; "), Shard: r.cfg.Shard,
		Command: r.cfg.Command, Configuration: r.cfg.Configuration, Dir: r.cfg.Dir,
		Root: repositoryRoot(r.cfg.Dir), Started: r.start, RunKey: r.runKey(),
	}})
	return runCtx, cancel
}

// runPackages runs what was built.
func (r *run) runPackages(ctx context.Context) (result.ExitCode, error) {
	runCtx, cancel := r.begin(ctx)
	defer cancel()
	r.runAll(runCtx)
	if err := r.times.save(); err != nil {
		fmt.Fprintln(r.cfg.Notes, err) // the next run does without
	}
	return r.summarize()
}

// summarize emits the last message.
func (r *run) summarize() (result.ExitCode, error) {
	if text := r.unmatched(); text != "" {
		r.note("%s", text)
	}
	sum := r.tally.Summary()
	sum.ElapsedS = time.Since(r.start).Seconds()
	sum.Suppressions = r.supps.summary()
	r.emit(result.Message{Summary: &sum})
	err, code := errors.Join(r.emitErr, r.saveErr), r.tally.ExitCode()
	if err != nil && code != result.ExitFindings {
		code = result.ExitInconclusive
	}
	return code, err
}

// prepare does everything that can fail for somebody else's fault before the first message.
func (r *run) prepare(ctx context.Context) (result.ExitCode, error) {
	if code, err := r.setUp(ctx); err != nil {
		return code, err
	}
	var err error
	if r.built, err = build.Build(ctx, r.buildConfig()); err != nil {
		return buildCode(ctx, err), err
	}
	patterns := cmp.Or(strings.Join(r.cfg.Patterns, " "), ".")
	if all := len(r.built.Packages); r.cfg.CgoOnly {
		r.built.Packages = slices.DeleteFunc(r.built.Packages, func(p build.Package) bool {
			return !p.HasCgo && (p.Failed == nil || p.Failed.Reason != build.SetupFailed) // then it is not known
		})
		if all > 0 && len(r.built.Packages) == 0 {
			return result.ExitUsage, fmt.Errorf("%w %s that use cgo, and only those were asked for", ErrNoPackages, patterns)
		}
	}
	if len(r.built.Packages) == 0 {
		return result.ExitUsage, fmt.Errorf("%w %s: see go help packages for how to name them", ErrNoPackages, patterns)
	}
	if code, err := r.openSaved(); err != nil {
		return code, err
	}
	return r.inspectPackages(ctx)
}

// setUp finds valgrind and makes the temporary folder.
func (r *run) setUp(ctx context.Context) (result.ExitCode, error) {
	err := r.checkExpressions()
	if err != nil {
		return result.ExitUsage, err
	}
	if r.valgrind, err = memcheck.Find(ctx, r.cfg.Valgrind); err != nil {
		return result.ExitMachine, err
	}
	if code, err := r.makeWorkDir(); err != nil {
		return code, err
	}
	if r.supps, err = newSuppressed(r.work.path, r.cfg.Suppressions); err != nil {
		return result.ExitUsage, err
	}
	r.times = readTimes(filepath.Join(r.cache, "times.json"))
	for _, text := range r.supps.expired(r.start) {
		fmt.Fprintln(r.cfg.Notes, text)
	}
	return 0, nil
}

// makeWorkDir makes the temporary folder.
func (r *run) makeWorkDir() (code result.ExitCode, err error) {
	if r.work, err = newWorkDir(shell.Getenv(r.cfg.Env, "GOTMPDIR")); err != nil {
		return result.ExitMachine, err
	}
	r.cache = r.cacheDir()
	if err := os.Mkdir(filepath.Join(r.work.path, binDir), 0o700); err != nil {
		return result.ExitMachine, fmt.Errorf("making a temporary folder: %w", err)
	}
	return 0, nil
}

// binDir is where in the temporary folder binaries are.
const binDir = "bin"

func (r *run) buildConfig() build.Config {
	var experiments []string
	if r.cfg.CgoCheck2 {
		experiments = append(experiments, "cgocheck2")
	}
	return build.Config{
		Patterns: r.cfg.Patterns, Dir: r.cfg.Dir, Env: r.work.buildEnv(r.cfg.Env), Run: r.work.run, Tags: r.cfg.Tags, Flags: r.cfg.BuildFlags,
		Experiments: experiments, Runtime: r.cfg.Runtime, OutDir: filepath.Join(r.work.path, binDir),
		CacheDir: r.cache, Progress: r.cfg.Notes,
	}
}

// cacheDir is where the instrumented runtime and the times of tests are kept from run to run: in the user's cache, or in the
// run's own folder without a home, or where others could put code there that this run would build.
func (r *run) cacheDir() string {
	own := filepath.Join(r.work.path, "cgogrind")
	dir, err := os.UserCacheDir()
	if err != nil {
		return own
	}
	dir = filepath.Join(dir, "cgogrind")
	if err := repository.CheckFolder(dir); err != nil {
		fmt.Fprintf(r.cfg.Notes, "nothing is kept from run to run: %v\n", err)
		return own
	}
	return dir
}

// buildCode tells a build that failed from a machine that lacks something for it.
func buildCode(ctx context.Context, err error) result.ExitCode {
	var step *build.Error
	var fit *goruntime.FitError
	switch {
	case ctx.Err() != nil:
		return result.ExitInconclusive
	case errors.As(err, &fit), errors.Is(err, exec.ErrNotFound), errors.Is(err, build.ErrNoCompiler), errors.Is(err, goruntime.ErrUnsupported):
		return result.ExitMachine
	case errors.As(err, &step) && strings.Contains(step.Output, "cgo: C compiler"):
		return result.ExitMachine
	}
	return result.ExitUsage
}

// emit hands messages to the tally and the handler, those of one call together. The first error ends the run.
func (r *run) emit(messages ...result.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range messages {
		if r.emitErr != nil {
			return
		}
		err := r.tally.Handle(context.Background(), m)
		if err == nil {
			err = r.handler.Handle(context.Background(), m)
		}
		if err != nil {
			r.emitErr = err
			r.stopEmit()
		}
	}
}
