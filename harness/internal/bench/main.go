// Command bench measures what the instrumented runtime costs and saves, as ratios within one run: ci/bench/run starts it.
//
// It prints a table in Markdown on standard output, with the spread of repeated measurements, and what it is doing on
// standard error. It asserts nothing.
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cgogrind/cgogrind/harness/internal/goruntime"
	"github.com/cgogrind/cgogrind/valgrind"
	"github.com/cgogrind/cgogrind/valgrind/memcheck"
)

func main() {
	repeat := flag.Int("n", 3, "how often each measurement is repeated")
	raw := flag.String("json", "", "write the raw numbers to this file")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b := &bench{ctx: ctx, repeat: *repeat, raw: map[string][]float64{}}
	if err := b.run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	if *raw != "" {
		data, err := json.MarshalIndent(b.raw, "", "\t")
		if err == nil {
			err = os.WriteFile(*raw, append(data, '\n'), 0o644)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench: writing the raw numbers:", err)
			os.Exit(1)
		}
	}
}

type bench struct {
	ctx     context.Context
	repeat  int
	dir     string
	goroot  string
	version string
	overlay string // path of the overlay file
	tags    string
	env     []string // of the go command, for the instrumented build
	vg      *memcheck.Valgrind
	raw     map[string][]float64
}

func (b *bench) run() (err error) {
	if b.dir, err = os.MkdirTemp("", "cgogrind-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if b.vg, err = memcheck.Find(b.ctx, ""); err != nil {
		return err
	}
	out, err := exec.CommandContext(b.ctx, "go", "env", "GOROOT", "GOVERSION").Output()
	if err != nil {
		return fmt.Errorf("asking go for its root: %w", err)
	}
	f := strings.Fields(string(out))
	b.goroot, b.version = f[0], f[1]
	ov, err := goruntime.Make(goruntime.Toolchain{GOROOT: b.goroot, Version: b.version, GOARCH: runtime.GOARCH}, b.dir)
	if err != nil {
		return err
	}
	data, err := json.Marshal(map[string]any{"Replace": ov.Replace})
	if err != nil {
		return err
	}
	b.overlay = filepath.Join(b.dir, "overlay.json")
	if err := os.WriteFile(b.overlay, data, 0o644); err != nil {
		return err
	}
	b.tags = strings.Join(ov.Tags, ",")
	b.env = append(os.Environ(), "GOEXPERIMENT="+strings.Join(append(ov.Experiments, "nodwarf5"), ","))

	fmt.Printf("%s, valgrind %s, %d processors, each measured %d times: median (least to most).\n\n",
		b.version, b.vg.Version, runtime.NumCPU(), b.repeat)
	fmt.Println("| what | stock Go | instrumented | ratio |")
	fmt.Println("|---|---|---|---|")
	return errors.Join(b.builds(), b.suite(), b.calls())
}

// builds measures the first build with an empty cache and the second one.
func (b *bench) builds() error {
	times := map[string][]float64{}
	for i := range b.repeat {
		for _, instrumented := range []bool{false, true} {
			cache := filepath.Join(b.dir, fmt.Sprintf("cache-%d-%v", i, instrumented))
			for _, which := range []string{"first", "second"} {
				elapsed, err := b.timed("build "+which, func() error {
					_, err := b.buildTest(instrumented, "GOCACHE="+cache)
					return err
				})
				if err != nil {
					return err
				}
				key := fmt.Sprintf("build_%s_%s_s", which, kind(instrumented))
				times[key] = append(times[key], elapsed)
			}
			if err := os.RemoveAll(cache); err != nil {
				return err
			}
		}
	}
	for _, which := range []string{"first", "second"} {
		b.row(which+" build of Go's cgo tests, s", times, "build_"+which+"_stock_s", "build_"+which+"_instrumented_s")
	}
	return nil
}

func kind(instrumented bool) string {
	if instrumented {
		return "instrumented"
	}
	return "stock"
}

// goBuild runs go build or go test -c.
func (b *bench) goBuild(instrumented bool, dir string, env []string, args ...string) error {
	if instrumented {
		args = append(args, "-overlay="+b.overlay, "-tags="+b.tags)
	}
	cmd := exec.CommandContext(b.ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOEXPERIMENT=nodwarf5")
	if instrumented {
		cmd.Env = b.env
	}
	cmd.Env = append(slices.Clip(cmd.Env), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// buildTest builds Go's own cgo tests.
func (b *bench) buildTest(instrumented bool, env ...string) (string, error) {
	bin := filepath.Join(b.dir, kind(instrumented)+".test")
	return bin, b.goBuild(instrumented, b.cgoTests(), env, "test", "-c", "-vet=off", "-o", bin)
}

func (b *bench) cgoTests() string { return filepath.Join(b.goroot, "src/cmd/cgo/internal/test") }

// suite runs Go's own cgo tests under memcheck, with the same options, and counts distinct errors.
func (b *bench) suite() error {
	times := map[string][]float64{}
	for _, instrumented := range []bool{false, true} {
		bin, err := b.buildTest(instrumented)
		if err != nil {
			return err
		}
		for i := range b.repeat {
			elapsed, errs, err := b.memcheck(bin, i)
			if err != nil {
				return err
			}
			times["suite_"+kind(instrumented)+"_s"] = append(times["suite_"+kind(instrumented)+"_s"], elapsed)
			times["suite_"+kind(instrumented)+"_errors"] = append(times["suite_"+kind(instrumented)+"_errors"], float64(errs))
		}
	}
	b.row("Go's cgo tests, short, under memcheck, s", times, "suite_stock_s", "suite_instrumented_s")
	b.row("distinct errors reported there, leaks aside", times, "suite_stock_errors", "suite_instrumented_errors")
	return nil
}

func (b *bench) memcheck(bin string, i int) (elapsed float64, errs int, err error) {
	var res *memcheck.Result
	elapsed, err = b.timed("memcheck "+filepath.Base(bin), func() (err error) {
		res, err = memcheck.Run(b.ctx, memcheck.Command{
			Valgrind: b.vg,
			Options: memcheck.Options{
				XMLFile: filepath.Join(b.dir, fmt.Sprintf("%s-%d.%%p.xml", filepath.Base(bin), i)), TrackOrigins: true,
			},
			Program: bin, Args: []string{"-test.short"}, Dir: b.cgoTests(), Env: os.Environ(),
		})
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	if len(res.Reports) == 0 {
		return 0, 0, fmt.Errorf("memcheck left no report of %s", bin)
	}
	f, err := os.Open(res.Reports[0].Path)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	for ev, err := range valgrind.Read(f) {
		if err != nil {
			return 0, 0, err
		}
		if e, ok := ev.(*valgrind.Error); ok && !strings.HasPrefix(string(e.Kind), "Leak_") {
			errs++
		}
	}
	return elapsed, errs, nil
}

// collected is callgrind's count of instructions.
var collected = regexp.MustCompile(`Collected : ([0-9]+)`)

// calls measures a call to C, natively in time and under callgrind in instructions.
func (b *bench) calls() error {
	bins := map[bool]string{}
	for _, instrumented := range []bool{false, true} {
		bins[instrumented] = filepath.Join(b.dir, "call-"+kind(instrumented))
		dir, err := filepath.Abs("harness/internal/bench/testdata/call")
		if err != nil {
			return err
		}
		if err := b.goBuild(instrumented, dir, nil, "build", "-buildvcs=false", "-o", bins[instrumented]); err != nil {
			return err
		}
	}
	for _, depth := range []string{"10", "100"} {
		ns, ir := map[string][]float64{}, map[string][]float64{}
		for range b.repeat {
			for instrumented, bin := range bins {
				out, err := exec.CommandContext(b.ctx, bin, depth, "1000000").Output()
				if err != nil {
					return fmt.Errorf("%s: %w", bin, err)
				}
				v, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
				if err != nil {
					return err
				}
				ns["call_"+depth+"_"+kind(instrumented)+"_ns"] = append(ns["call_"+depth+"_"+kind(instrumented)+"_ns"], v)
			}
		}
		for instrumented, bin := range bins {
			const n = 20000
			total, err := b.instructions(bin, depth, strconv.Itoa(n))
			if err != nil {
				return err
			}
			ir["call_"+depth+"_"+kind(instrumented)+"_ir"] = []float64{total / n}
		}
		b.row("a call to C natively at depth "+depth+", ns", ns, "call_"+depth+"_stock_ns", "call_"+depth+"_instrumented_ns")
		b.row("a call to C at depth "+depth+", instructions", ir, "call_"+depth+"_stock_ir", "call_"+depth+"_instrumented_ir")
	}
	return nil
}

func (b *bench) instructions(bin string, args ...string) (float64, error) {
	cmd := exec.CommandContext(b.ctx, b.vg.Path, append([]string{"--tool=callgrind", "--collect-atstart=no",
		"--callgrind-out-file=" + filepath.Join(b.dir, "callgrind.out"), bin}, args...)...)
	// Signals upset callgrind's view of the stacks.
	cmd.Env = append(os.Environ(), "GODEBUG=asyncpreemptoff=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("callgrind %s: %w\n%s", bin, err, stderr.Bytes())
	}
	m := collected.FindSubmatch(stderr.Bytes())
	if m == nil {
		return 0, fmt.Errorf("callgrind counted nothing:\n%s", stderr.Bytes())
	}
	return strconv.ParseFloat(string(m[1]), 64)
}

// timed runs f and gives its wall time in seconds.
func (b *bench) timed(what string, f func() error) (float64, error) {
	fmt.Fprintln(os.Stderr, what)
	start := time.Now()
	err := f()
	return time.Since(start).Seconds(), err
}

// row prints a line of the table and keeps the raw numbers.
func (b *bench) row(what string, values map[string][]float64, stock, instrumented string) {
	s, i := values[stock], values[instrumented]
	b.raw[stock], b.raw[instrumented] = s, i
	fmt.Printf("| %s | %s | %s | %.2f |\n", what, spread(s), spread(i), median(i)/median(s))
}

func median(v []float64) float64 {
	v = slices.SortedFunc(slices.Values(v), cmp.Compare)
	return v[len(v)/2]
}

func spread(v []float64) string {
	if len(v) == 1 {
		return fmt.Sprintf("%.4g", v[0])
	}
	return fmt.Sprintf("%.4g (%.4g to %.4g)", median(v), slices.Min(v), slices.Max(v))
}
