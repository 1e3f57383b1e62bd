// Command bench measures what cgogrind costs and saves, as ratios within one run: ci/bench/run starts it.
//
// It has nine parts. What a part measured is kept as JSON, with every single value; a page in Markdown and a plot are made
// of that. Sides that are compared run in turn, so that whatever else the machine does hits all of them. A part that
// fails is reported with its reason, and the others go on. The command asserts nothing about speed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/cgogrind/cgogrind/valgrind/memcheck"
)

// part is one measurement.
type part struct {
	number int
	title  string
	run    func(*bench) error
}

// parts are all of them, in the order of the page.
var parts = []part{
	{1, "Overhead over bare valgrind", (*bench).overhead},
	{2, "Against what one would do without cgogrind", (*bench).alternatives},
	{3, "One process, or one for each test", (*bench).isolation},
	{4, "Leak checks between tests", (*bench).leakChecks},
	{5, "Several processes, and shards", (*bench).parallel},
	{6, "The reader of reports", (*bench).reader},
	{7, "Options of valgrind", (*bench).options},
	{8, "The start of a process", (*bench).startUp},
	{9, "The instrumented runtime", (*bench).runtime},
}

const usage = `usage: ci/bench/run [--quick] [--only N,…] [-n ROUNDS] [--out DIR]

Measures, and writes DIR/RESULTS.md (between its marks; what else stands there
stays), DIR/results.svg and DIR/results.json. The parts:

`

func main() {
	if len(os.Args) == 4 && os.Args[1] == readCommand {
		os.Exit(readFile(os.Args[2], os.Args[3]))
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process.
func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		for _, p := range parts {
			fmt.Fprintf(stderr, "  %d  %s\n", p.number, p.title)
		}
		fmt.Fprintln(stderr)
		flags.PrintDefaults()
	}
	quick := flags.Bool("quick", false, "small sizes, one round: less than five minutes; prints the page, and keeps it only with --out")
	long := flags.Bool("long", false, "also what takes more than minutes: a process for each of 1,000 tests, reports of 1 GB")
	only := flags.String("only", "", "run these `PARTS` only, numbers separated by commas; the others stay as they are")
	rounds := flags.Int("n", 3, "how often each measurement is repeated")
	out := flags.String("out", "", "the `DIR` for the results (default ci/bench, none with --quick)")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	chosen, err := choose(*only)
	switch {
	case err != nil:
	case flags.NArg() > 0:
		err = fmt.Errorf("%q is no flag: the parts to run are given with --only", flags.Arg(0))
	case *rounds < 1:
		err = fmt.Errorf("-n=%d: it must be 1 or more", *rounds)
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 2
	}
	if *quick {
		*rounds = 1
	} else if *out == "" {
		*out = "ci/bench"
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	failed, err := measure(ctx, chosen, config{quick: *quick, long: *long, rounds: *rounds, out: *out}, stdout, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	if failed {
		return 1
	}
	return 0
}

// choose returns the parts with these numbers, all if there are none.
func choose(only string) ([]part, error) {
	if only == "" {
		return parts, nil
	}
	var chosen []part
	for _, s := range strings.Split(only, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		i := slices.IndexFunc(parts, func(p part) bool { return p.number == n })
		if err != nil || i < 0 {
			return nil, fmt.Errorf("--only=%s: %q is no part: they have the numbers 1 to %d", only, s, len(parts))
		}
		chosen = append(chosen, parts[i])
	}
	return chosen, nil
}

// config says how to measure.
type config struct {
	quick, long bool
	rounds      int
	out         string // none if empty
}

// bench is what the parts have in common.
type bench struct {
	config
	ctx      context.Context
	progress io.Writer
	dir      string // temporary
	cgogrind string // the program
	vg       *memcheck.Valgrind
	goroot   string
	version  string
	result   *Part // of the part that runs
}

// measure runs the parts and saves what they measured after each. It says whether one of them failed.
func measure(ctx context.Context, chosen []part, cfg config, stdout, stderr io.Writer) (failed bool, err error) {
	b := &bench{config: cfg, ctx: ctx, progress: stderr}
	if b.dir, err = os.MkdirTemp("", "cgogrind-bench-"); err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if err := b.setUp(); err != nil {
		return false, err
	}
	all, err := readResults(cfg.out)
	if err != nil {
		return false, err
	}
	machine, err := b.machine()
	if err != nil {
		return false, err
	}
	for _, p := range chosen {
		fmt.Fprintf(stderr, "== %d. %s\n", p.number, p.title)
		b.result = &Part{Number: p.number, Title: p.title, Machine: machine, Date: time.Now().UTC().Truncate(time.Second),
			Rounds: cfg.rounds, Quick: cfg.quick}
		start := time.Now()
		partErr := p.run(b)
		b.result.Seconds = time.Since(start).Seconds()
		fmt.Fprintf(stderr, "== %d. took %.0f s\n", p.number, b.result.Seconds)
		if ctx.Err() != nil {
			return false, fmt.Errorf("interrupted in part %d: the parts before it are saved, --only runs the others", p.number)
		}
		if partErr != nil {
			failed = true
			b.result.Error = partErr.Error()
			fmt.Fprintf(stderr, "bench: part %d failed: %v\n", p.number, partErr)
		}
		all.put(b.result)
		if err := all.save(cfg.out); err != nil {
			return false, err
		}
	}
	if cfg.out == "" {
		_, err = io.WriteString(stdout, all.page(""))
	} else {
		fmt.Fprintln(stderr, "the results are in", filepath.Join(cfg.out, pageFile))
	}
	return failed, err
}

// setUp finds the tools and builds cgogrind.
func (b *bench) setUp() (err error) {
	if b.vg, err = memcheck.Find(b.ctx, ""); err != nil {
		return err
	}
	out, err := exec.CommandContext(b.ctx, "go", "env", "GOROOT", "GOVERSION").Output()
	if err != nil {
		return fmt.Errorf("asking go for its root: %w", err)
	}
	f := strings.Fields(string(out))
	b.goroot, b.version = f[0], f[1]
	b.cgogrind = filepath.Join(b.dir, "cgogrind")
	_, err = b.run(command{args: []string{"go", "build", "-o", b.cgogrind, "./harness/cmd/cgogrind"}})
	return err
}

// say tells what is going on.
func (b *bench) say(format string, args ...any) { fmt.Fprintf(b.progress, "   "+format+"\n", args...) }

// pick returns one of two sizes.
func pick[T any](b *bench, quick, full T) T {
	if b.quick {
		return quick
	}
	return full
}
