package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/cgogrind/cgogrind/harness"
	"github.com/cgogrind/cgogrind/harness/internal/artifact"
	"github.com/cgogrind/cgogrind/harness/internal/child"
	"github.com/cgogrind/cgogrind/harness/internal/report/text"
	"github.com/cgogrind/cgogrind/harness/internal/repro"
	"github.com/cgogrind/cgogrind/harness/internal/shell"
	"github.com/cgogrind/cgogrind/harness/result"
)

// reproFlags are the flags of cgogrind repro.
type reproFlags struct {
	from, format, valgrind, tags string
	core, runtime                string
	count                        int
	alone, verbose               bool
	gdb, batch, native           bool
	strace, all                  bool
}

func (a *app) reproCommand() *cobra.Command {
	var f reproFlags
	cmd := &cobra.Command{
		Use:   "repro [flags] FINGERPRINT | PACKAGE TEST | --core FILE [BINARY]",
		Short: "Run a finding or a failed test again",
		Long: `Runs the command that a finding carries, or a failed test, and says whether the same comes back: the
same fingerprint, or for a test without findings the same verdict.

  reproduced      the same finding, or the same failure
  different       another finding, or the test failed in another way
  not reproduced  it passed
  inconclusive    the evidence is incomplete

A fingerprint may be shortened to its first digits. Findings are looked for in the last runs of this
module, which cgogrind test keeps in the user's cache (ten of them), or in the stream that --from names.
For a folder of test --save, repro says first which C libraries are other builds here.
Of a test that no stream has, any failure is what is looked for. What cgogrind run and exec find carries
its command, too, but repro runs tests only.

When the test alone does not show it, and others ran before it in the same process, repro looks for
the shortest run of those that does, by leaving out ever smaller parts, and prints the command.

--gdb stops the program at the first error of that finding, in memcheck's gdb server, and starts gdb on
it: with the C frames and the Go frames below them, the goroutines, and what memcheck knows of the
address. Commands that begin with cgogrind ask memcheck for more. Without a terminal, or with --batch,
all that is printed as text. --native --gdb runs without memcheck and stops at a signal in C code; with
--runtime stock that is the program as go test builds it.

--strace runs the test without memcheck, under strace, and lists its system calls by thread, from the
test's beginning to its end, with signals (!) and the calls that the finding is about (>). Those of Go's
scheduler, and of programs that the test binary started, come with --all.

--core reads the core dump of a test binary, from CI too, and tells the signal and its address, the
test and the goroutine, and the C and Go stack. The binary is the one given, the one of that build in
the folder of test --save that --from names, or the one whose path is in the dump; a dump of another
build is refused. Stock binaries will do: with GOTRACEBACK=crash Go leaves a core dump, if ulimit -c
allows it. So does valgrind that is run by hand (vgcore.PID), but cgogrind test does not. With --gdb
in a terminal, gdb stays open.

Exit codes:
  0  not reproduced: it passed in every run
  1  it failed on its own, without findings; --native --gdb: a signal;
     --strace: it fails without memcheck; --core: the dump was read
  2  wrong usage: no such finding, no such package, a stream that is none, a build that failed, a core
     dump that is none or of another binary
  3  reproduced, or other new findings
  4  inconclusive, interrupted, or no test ran
  5  the machine lacks something
3 goes before 4, and 4 before 1.`,
		Example: `  cgogrind repro ef0f86698dda96c3
  cgogrind repro --count 5 --from result.jsonl ef0f
  cgogrind repro ./rados TestOpen
  cgogrind repro --gdb ef0f
  cgogrind repro --core core.4711 rados.test`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case f.core != "" && len(args) > 1:
				return usagef("repro --core takes no more than the test binary")
			case f.core == "" && (len(args) == 0 || len(args) > 2):
				return usagef("repro takes a fingerprint, or a package and a test")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.repro(cmd.Context(), f, args) },
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringVar(&f.from, "from", "", "the result stream to look in, a `FILE` or a folder of test --save;\nthe last runs of this module by default")
	fs.IntVar(&f.count, "count", 1, "run it `N` times")
	fs.BoolVar(&f.alone, "alone", false, "do not look for earlier tests that it takes")
	fs.BoolVarP(&f.verbose, "verbose", "v", false, "print the report of each run")
	fs.BoolVar(&f.gdb, "gdb", false, "stop at the error, in gdb")
	fs.BoolVar(&f.batch, "batch", false, "with --gdb: print what gdb shows as text, and end")
	fs.BoolVar(&f.native, "native", false, "with --gdb: without memcheck, stop at a signal")
	fs.BoolVar(&f.strace, "strace", false, "list the system calls of the test, without memcheck")
	fs.BoolVar(&f.all, "all", false, "with --strace: those of Go's scheduler and of other programs, too")
	fs.StringVar(&f.core, "core", "", "read a core dump, a `FILE`")
	fs.StringVar(&f.format, "format", "text", "what to print on standard output, a `FORMAT`: text, json")
	fs.StringVar(&f.valgrind, "valgrind", "", "the valgrind to use, a `PATH`; the one in PATH by default")
	fs.StringVar(&f.tags, "tags", "", "build `TAGS`, for a test that no stream has")
	fs.StringVar(&f.runtime, "runtime", "", "another `RUNTIME` than that of the command: instrumented, stock")
	complete(cmd, "format", "text", "json")
	complete(cmd, "runtime", string(result.Instrumented), string(result.Stock))
	return cmd
}

// repro runs a target again.
func (a *app) repro(ctx context.Context, f reproFlags, args []string) error {
	switch {
	case f.count < 1:
		return usagef("--count=%d: it must be 1 or more", f.count)
	case f.format != "text" && f.format != "json":
		return usagef("--format=%s is not known: text, json are", f.format)
	case f.runtime != "" && f.runtime != string(result.Instrumented) && f.runtime != string(result.Stock):
		return usagef("--runtime=%s is not known: instrumented, stock are", f.runtime)
	}
	if f.core != "" {
		return a.reproCore(ctx, f, args)
	}
	if (f.native || f.batch) && !f.gdb {
		return usagef("--native and --batch are ways to use --gdb")
	}
	switch {
	case f.gdb && f.strace:
		return usagef("--gdb and --strace exclude each other: a program has one tracer")
	case f.all && !f.strace:
		return usagef("--all is a way to use --strace")
	case (f.gdb || f.strace) && f.count != 1:
		return usagef("--count: --gdb and --strace run it once")
	case (f.gdb || f.strace) && f.format != "text":
		return usagef("--gdb and --strace print text")
	}
	target, err := a.reproTarget(ctx, f, args)
	if err != nil {
		a.code = result.ExitUsage
		return err
	}
	if err := a.compareSaved(ctx, f.from, target); err != nil {
		a.code = result.ExitUsage
		return err
	}
	ctx, stop := a.orderly(ctx)
	defer stop()
	s := a.session(f, target)
	out := &reproReport{w: a.Stdout, json: f.format == "json", Target: target, Command: target.Command.String()}
	out.begin()
	if f.gdb {
		return a.reproInGDB(ctx, f, s, out)
	}
	if f.strace {
		path, err := a.needs("strace", "--strace")
		if err != nil {
			return err
		}
		attempt, err := s.Trace(ctx, repro.Strace{Path: path, All: f.all, Stdout: a.Stdout})
		if err != nil {
			return a.reproFailed(err, target)
		}
		if attempt.Detail != "" {
			out.printf("\n%s\n", attempt.Detail)
		}
		a.code = repro.ExitCode([]repro.Attempt{attempt})
		return nil
	}
	for n := range f.count {
		attempt, err := s.Try(ctx, target.Command)
		if err != nil {
			return a.reproFailed(err, target)
		}
		out.attempt(n+1, f.count, attempt)
	}
	a.code = repro.ExitCode(out.Runs)
	if out.Reproduced == 0 && !f.alone {
		reduction, err := s.Reduce(ctx)
		if reduction != nil {
			out.reduced(reduction)
			a.code = result.ExitFindings
			if len(target.Fingerprints) == 0 {
				a.code = result.ExitFail
			}
		}
		if err != nil {
			return a.reproFailed(err, target)
		}
	}
	return out.end()
}

// reproInGDB stops the target in gdb.
func (a *app) reproInGDB(ctx context.Context, f reproFlags, s *repro.Session, out *reproReport) error {
	g := repro.GDB{Batch: f.batch, Stdout: a.Stdout, Stderr: a.Stderr}
	var err error
	if g.Path, err = a.needs("gdb", "--gdb"); err != nil {
		return err
	}
	a.connect(&g)
	debug := s.Debug
	if f.native {
		debug = s.DebugNative
	} else {
		vgdb := "vgdb"
		if cfg, err := s.Configure(s.Target.Command); err == nil && cfg.Valgrind != "" {
			vgdb = filepath.Join(filepath.Dir(cfg.Valgrind), vgdb) // memcheck understands its own only
		}
		if _, err := a.needs(vgdb, "--gdb"); err != nil {
			return err
		}
	}
	attempt, err := debug(ctx, g)
	if err == nil && attempt.Outcome != repro.Reproduced && !f.alone {
		reduction, reduceErr := s.Reduce(ctx)
		if err = reduceErr; reduction != nil && err == nil {
			out.reduced(reduction)
			s.Target.Command = reduction.Command
			attempt, err = debug(ctx, g)
		}
	}
	if err != nil {
		return a.reproFailed(err, out.Target)
	}
	out.printf("\n")
	out.attempt(1, 1, attempt)
	a.code = repro.ExitCode(out.Runs)
	return out.end()
}

// connect gives gdb the terminal, if there is one.
func (a *app) connect(g *repro.GDB) {
	stdout, isFile := a.Stdout.(*os.File)
	if !isFile || !term.IsTerminal(int(stdout.Fd())) || !term.IsTerminal(int(os.Stdin.Fd())) {
		g.Batch = true
	}
	g.Terminal = os.Stdin
}

// reproCore reads a core dump.
func (a *app) reproCore(ctx context.Context, f reproFlags, args []string) error {
	if f.native || f.strace || f.all || f.alone || f.count != 1 || f.format != "text" || f.tags != "" || f.valgrind != "" ||
		f.runtime != "" {
		return usagef("--core runs nothing: of the other flags it takes --from, --gdb and --batch")
	}
	g := repro.GDB{Batch: f.batch || !f.gdb, Stdout: a.Stdout, Stderr: a.Stderr}
	var err error
	if g.Path, err = a.needs("gdb", "--core"); err != nil {
		return err
	}
	a.connect(&g)
	a.code = result.ExitUsage
	core, err := repro.OpenCore(f.core)
	if err != nil {
		return err
	}
	defer core.Close()
	binary, err := a.binaryOf(ctx, core, f.from, args)
	if err != nil {
		return err
	}
	if core.Cut {
		fmt.Fprintf(a.Stderr, "%s is cut, and used as far as it goes (see ulimit -c)\n", core.Path)
	}
	ctx, stop := a.orderly(ctx)
	defer stop()
	test, err := g.Examine(ctx, core, binary, a.goroot(ctx))
	if err != nil {
		return a.reproFailed(err, repro.Target{})
	}
	if again := repro.TestCommand(binary, test); again != "" && g.Batch {
		fmt.Fprintf(a.Stdout, "\nagain: %s\n", again)
	}
	a.code = result.ExitFail
	return nil
}

// binaryOf finds the binary that a core dump is of.
func (a *app) binaryOf(ctx context.Context, core *repro.Core, from string, args []string) (string, error) {
	const remedy = "it has to be the very file that ran, not one that was built again: test --save and test -c keep it"
	switch {
	case len(args) == 1:
		if err := core.Matches(args[0]); err != nil {
			return "", fmt.Errorf("%w; %s", err, remedy)
		}
		return args[0], nil
	case from != "":
		saved, err := artifact.Read(from)
		if err != nil {
			return "", err
		}
		for pkg, p := range saved.Packages {
			binary := filepath.Join(from, p.Binary)
			if filepath.IsLocal(p.Binary) && core.Matches(binary) == nil {
				return binary, a.compareSaved(ctx, from, repro.Target{Package: pkg})
			}
		}
		return "", fmt.Errorf("%w: %s is of none of those in %s", repro.ErrOtherBinary, core.Path, from)
	case core.Program == "":
		return "", fmt.Errorf("%s does not tell the path of its program: give the test binary after it, or --from DIR "+
			"with a folder of test --save", core.Path)
	}
	if err := core.Matches(core.Program); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s is of %s, which is not here: give the test binary after it, or --from DIR with a folder "+
			"of test --save", core.Path, core.Program)
	} else if err != nil {
		return "", fmt.Errorf("%w: it is another build by now; %s", err, remedy)
	}
	return core.Program, nil
}

// goroot is that of the go command here; empty if there is none.
func (a *app) goroot(ctx context.Context) string {
	cmd := exec.Command("go", "env", "GOROOT")
	cmd.Env = a.Env
	out, err := child.Output(ctx, cmd)
	if err != nil {
		return "" // gdb does without Go's script
	}
	return strings.TrimSpace(string(out))
}

// needs finds a program that a flag takes.
func (a *app) needs(program, flag string) (string, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		a.code = result.ExitMachine
		return "", fmt.Errorf("%s needs %s: %w; see cgogrind doctor for how to get it", flag, program, errors.Unwrap(err))
	}
	return path, nil
}

// reproFailed gives an error its exit code.
func (a *app) reproFailed(err error, target repro.Target) error {
	a.code = result.ExitInconclusive
	var run *repro.RunError
	if errors.As(err, &run) {
		a.code = run.Code
		wd, _ := os.Getwd() // without one it is another
		if target.Stream != nil && a.code == result.ExitUsage && !errors.Is(err, repro.ErrNoStop) &&
			!slices.Contains([]string{"", wd}, target.Stream.Config.Dir) {
			return fmt.Errorf("%w\n%s is of a run in %s; if it is still to be had there, go there first", err, target.Title, target.Stream.Config.Dir)
		}
	} else {
		err = fmt.Errorf("the run was interrupted: %w", err)
	}
	return err
}

// reproTarget finds what the arguments name.
func (a *app) reproTarget(ctx context.Context, f reproFlags, args []string) (repro.Target, error) {
	var streams []*repro.Stream
	if f.from != "" {
		s, err := repro.Open(f.from)
		if err != nil {
			return repro.Target{}, err
		}
		streams = append(streams, s)
	} else {
		for _, file := range lastRuns(lastRunsDir()) {
			// One that cannot be read is of another version, or gone by now.
			if s, err := repro.Open(file); err == nil {
				streams = append(streams, s)
			}
		}
	}
	for _, s := range streams {
		if s.Cut != nil && f.from != "" {
			fmt.Fprintf(a.Stderr, "%s is cut, and used as far as it goes\n", s.Name)
		}
	}
	if len(args) == 1 {
		if !repro.IsFingerprint(args[0]) {
			return repro.Target{}, usagef("%q is no fingerprint (hexadecimal digits), and a package wants a test with it: "+
				"cgogrind repro PACKAGE TEST", args[0])
		}
		return repro.Find(streams, args[0])
	}
	pkg := args[0]
	if path, err := a.importPath(ctx, pkg); err == nil {
		pkg = path // if it is none, the build will say so
	}
	var flags []string
	if f.tags != "" {
		flags = append(flags, "-tags="+f.tags)
	}
	return repro.TargetOf(streams, pkg, args[1], flags)
}

// compareSaved says what is another here than where a run was saved.
func (a *app) compareSaved(ctx context.Context, dir string, target repro.Target) error {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil // a stream, without a folder
	}
	m, err := artifact.Read(dir)
	if err != nil {
		return err
	}
	differ, err := m.Compare(ctx, dir, target.Package, a.Env)
	if err != nil {
		return err
	}
	for _, d := range differ {
		fmt.Fprintf(a.Stderr, "differs here: %s\n", d)
	}
	if len(differ) == 0 {
		fmt.Fprintf(a.Stderr, "the system and the C libraries are those of the run that was saved\n")
	}
	return nil
}

// importPath is a package's, which may be named by its folder.
func (a *app) importPath(ctx context.Context, pkg string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-e", "--", pkg)
	cmd.Env = a.Env
	out, err := cmd.Output()
	lines := strings.Fields(string(out))
	if err != nil || len(lines) != 1 {
		return "", fmt.Errorf("listing %s: %w", pkg, err)
	}
	return lines[0], nil
}

// session runs targets through the engine.
func (a *app) session(f reproFlags, target repro.Target) *repro.Session {
	s := &repro.Session{
		Target: target,
		Engine: harness.Run,
		Configure: func(c shell.Command) (harness.Config, error) {
			cfg, err := a.parseTest(c)
			cfg.Valgrind = cmp.Or(f.valgrind, cfg.Valgrind)
			cfg.Runtime = cmp.Or(result.Runtime(f.runtime), cfg.Runtime)
			return cfg, err
		},
		Note: func(format string, args ...any) { fmt.Fprintf(a.Stderr, format+"\n", args...) },
	}
	if f.verbose {
		s.Messages = func() result.Handler {
			return text.New(a.Stderr, text.Options{Color: a.color() && a.width(a.Stderr) > 0})
		}
	}
	return s
}

// parseTest makes of a cgogrind test command what it asks the engine for.
func (a *app) parseTest(c shell.Command) (harness.Config, error) {
	var f testFlags
	cmd := &cobra.Command{Use: "test"}
	f.add(cmd)
	if err := cmd.ParseFlags(longFlags(c.Args[2:])); err != nil {
		return harness.Config{}, usagef("the command of the finding was written by another version of cgogrind: %v\n%s", err, c)
	}
	f.arguments(cmd, cmd.Flags().Args())
	cfg, err := a.config(f)
	for _, kv := range c.Env {
		name, _, _ := strings.Cut(kv, "=")
		cfg.Env = append(slices.DeleteFunc(slices.Clone(cfg.Env), func(old string) bool { return strings.HasPrefix(old, name+"=") }), kv)
	}
	cfg.Notes = io.Discard
	if a.width(a.Stderr) > 0 {
		cfg.Notes = a.Stderr
	}
	return cfg, err
}

// reproReport is what repro prints, and its JSON form.
type reproReport struct {
	w    io.Writer
	json bool

	Target  repro.Target    `json:"target"`
	Command string          `json:"command"`
	From    string          `json:"from,omitempty"`
	Runs    []repro.Attempt `json:"runs"`
	repro.Counts
	Reduction *reproReduction `json:"reduction,omitempty"`
}

type reproReduction struct {
	Tests   []string `json:"tests"`
	Of      int      `json:"of"`
	Command string   `json:"command"`
}

func (r *reproReport) printf(format string, args ...any) {
	if !r.json {
		fmt.Fprintf(r.w, format, args...)
	}
}

func (r *reproReport) begin() {
	t := r.Target
	r.printf("%s", t.Title)
	if len(t.Fingerprints) == 1 {
		r.printf("  %s", t.Fingerprints[0])
	}
	r.printf("\n")
	if t.Stream != nil {
		r.From = t.Stream.Name
		r.printf("  of %s\n", t.Stream.Name)
	}
	r.printf("  %s\n\n", r.Command)
}

func (r *reproReport) attempt(n, of int, a repro.Attempt) {
	r.Runs = append(r.Runs, a)
	r.Counts.Add(a)
	detail := ""
	if a.Detail != "" {
		detail = ": " + a.Detail
	}
	if of > 1 {
		r.printf("run %d of %d: ", n, of)
	}
	r.printf("%s%s (%.2fs)\n", a.Outcome, detail, a.ElapsedS)
}

func (r *reproReport) reduced(red *repro.Reduction) {
	r.Reduction = &reproReduction{red.Tests, red.Of, red.Command.String()}
	r.printf("\nreproduced with %d of the %d tests before it: %s\n  %s\n",
		len(red.Tests), red.Of, strings.Join(red.Tests, ", "), r.Reduction.Command)
}

func (r *reproReport) end() error {
	if r.json {
		enc := json.NewEncoder(r.w)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(r)
	}
	if len(r.Runs) > 1 {
		r.printf("\n%s\n", r.Counts)
	}
	return nil
}
