package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	stdruntime "runtime"
	"strconv"
	"strings"

	"github.com/cgogrind/cgogrind/harness/internal/goruntime"
)

// builder builds with the stock and with the instrumented runtime, by the same go command.
type builder struct {
	overlay string // path of the overlay file
	tags    string
	env     []string
}

func (b *bench) newBuilder() (*builder, error) {
	ov, err := goruntime.Make(goruntime.Toolchain{GOROOT: b.goroot, Version: b.version, GOARCH: stdruntime.GOARCH}, b.dir)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(map[string]any{"Replace": ov.Replace})
	if err != nil {
		return nil, err
	}
	u := &builder{overlay: filepath.Join(b.dir, "overlay.json"), tags: strings.Join(ov.Tags, ","),
		env: []string{"GOEXPERIMENT=nodwarf5"}}
	return u, os.WriteFile(u.overlay, data, 0o644)
}

// The two runtimes.
const (
	stockRuntime = "stock"
	ourRuntime   = "instrumented"
)

// command is go's, with what the runtime takes.
func (u *builder) command(which, dir string, env []string, args ...string) command {
	args = append([]string{"go"}, args...)
	if which == stockRuntime {
		return command{args: args, dir: dir, env: append(stockEnv[:len(stockEnv):len(stockEnv)], env...)}
	}
	return command{args: append(args, "-overlay="+u.overlay, "-tags="+u.tags), dir: dir, env: append(u.env[:len(u.env):len(u.env)], env...)}
}

// runtime measures what the instrumented runtime costs in a build and in a call to C.
func (b *bench) runtime() error {
	u, err := b.newBuilder()
	if err != nil {
		return err
	}
	t := b.table("", "what", "stock Go", "instrumented", "ratio")
	return errors.Join(b.builds(t, u), b.calls(t, u))
}

// builds measures the first build with an empty cache and the second one.
func (b *bench) builds(t *Table, u *builder) error {
	if b.quick {
		b.say("builds with an empty cache: left out")
		return nil
	}
	first, second := map[string][]float64{}, map[string][]float64{}
	for range b.rounds {
		for _, which := range []string{stockRuntime, ourRuntime} {
			cache, err := os.MkdirTemp(b.dir, "cache-")
			if err != nil {
				return err
			}
			c := u.command(which, b.goroot+"/src/cmd/cgo/internal/test", []string{"GOCACHE=" + cache}, "test", "-c", "-vet=off", "-o",
				filepath.Join(b.dir, "build.test"))
			for _, times := range []map[string][]float64{first, second} {
				ran, err := b.run(c)
				if err != nil {
					return err
				}
				b.say("build, %s: %.1f s", which, ran.Wall)
				times[which] = append(times[which], ran.Wall)
			}
			if err := os.RemoveAll(cache); err != nil {
				return err
			}
		}
	}
	for _, r := range []struct {
		what  string
		times map[string][]float64
	}{{"first build of Go's cgo tests, s", first}, {"second build, s", second}} {
		t.row(r.what, r.times[stockRuntime], r.times[ourRuntime], ratios(r.times[ourRuntime], r.times[stockRuntime]))
	}
	return nil
}

// collected is callgrind's count of instructions.
var collected = regexp.MustCompile(`Collected : ([0-9]+)`)

// calls measures a call to C, natively in time and under callgrind in instructions.
func (b *bench) calls(t *Table, u *builder) error {
	dir, err := filepath.Abs("harness/internal/bench/testdata/call")
	if err != nil {
		return err
	}
	bins := make(map[string]string)
	for _, which := range []string{stockRuntime, ourRuntime} {
		bins[which] = filepath.Join(b.dir, "call-"+which)
		if _, err := b.run(u.command(which, dir, nil, "build", "-buildvcs=false", "-o", bins[which])); err != nil {
			return err
		}
	}
	for _, depth := range []string{"10", "100"} {
		var sides []side
		ns, instructions := map[string][]float64{}, map[string]float64{}
		for _, which := range []string{stockRuntime, ourRuntime} {
			sides = append(sides, side{"calls at depth " + depth + ", " + which, func() (cost, error) {
				ran, err := b.run(command{args: []string{bins[which], depth, pick(b, "100000", "1000000")}})
				if err != nil {
					return ran, err
				}
				v, err := strconv.ParseFloat(strings.TrimSpace(ran.Out), 64)
				ns[which] = append(ns[which], v)
				return ran, err
			}})
		}
		if _, err := b.alternate(b.rounds, sides...); err != nil {
			return err
		}
		const n = 20000
		for which, bin := range bins {
			// Signals upset callgrind's view of the stacks.
			ran, err := b.run(command{args: []string{b.vg.Path, "--tool=callgrind", "--collect-atstart=no",
				"--callgrind-out-file=" + filepath.Join(b.dir, "callgrind.out"), bin, depth, strconv.Itoa(n)},
				env: []string{"GODEBUG=" + goruntime.Debug(stdruntime.GOARCH, false)}})
			if err != nil {
				return err
			}
			m := collected.FindStringSubmatch(ran.Out)
			if m == nil {
				return fmt.Errorf("callgrind counted nothing:\n%s", tail(ran.Out))
			}
			total, err := strconv.ParseFloat(m[1], 64)
			if err != nil {
				return err
			}
			instructions[which] = total / n
		}
		t.row("a call to C natively at depth "+depth+", ns", ns[stockRuntime], ns[ourRuntime], ratios(ns[ourRuntime], ns[stockRuntime]))
		t.row("a call to C at depth "+depth+", instructions", instructions[stockRuntime], instructions[ourRuntime],
			instructions[ourRuntime]/instructions[stockRuntime])
	}
	return nil
}
