package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// command is a program to run and to measure.
type command struct {
	args  []string
	dir   string
	env   []string // over this process's own
	codes []int    // the exit codes that are fine, beside 0; -1 is a signal
	// timeout ends a command that hangs, commandTimeout if 0.
	timeout time.Duration
}

// cost is what a command took.
type cost struct {
	Wall float64 // seconds
	CPU  float64 // user and system, of its children, too, as far as it waited for them
	RSS  float64 // the largest process's peak, in bytes
	Out  string  // what it printed
}

const commandTimeout = time.Hour

// run runs a command in a process group of its own.
func (b *bench) run(c command) (cost, error) {
	cmd := exec.CommandContext(b.ctx, c.args[0], c.args[1:]...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), c.env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// memcheck and cgogrind end in an orderly way.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return cost{}, fmt.Errorf("running %s: %w", c.args[0], err)
	}
	timer := time.AfterFunc(cmp.Or(c.timeout, commandTimeout), func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	err := cmd.Wait()
	timer.Stop()
	result := cost{Wall: time.Since(start).Seconds(), Out: out.String()}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		result.CPU = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
		result.RSS = float64(usage.Maxrss << 10)
	}
	if b.ctx.Err() != nil {
		return result, b.ctx.Err()
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && slices.Contains(c.codes, exit.ExitCode()) {
		err = nil
	}
	if err != nil {
		return result, fmt.Errorf("running %s: %w\n%s", strings.Join(c.args, " "), err, tail(result.Out))
	}
	return result, nil
}

// tail is the end of what a program printed.
func tail(s string) string {
	const limit = 2000
	if len(s) > limit {
		s = "…" + s[len(s)-limit:]
	}
	return strings.TrimSpace(s)
}

// side is one of several things to compare.
type side struct {
	name string
	run  func() (cost, error)
}

// alternate runs the sides in turn, the given number of times, every second time in the reverse order.
func (b *bench) alternate(rounds int, sides ...side) (map[string][]cost, error) {
	costs := make(map[string][]cost)
	for round := range rounds {
		order := slices.Clone(sides)
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, s := range order {
			c, err := s.run()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			b.say("%s: %.2f s, CPU %.2f s", s.name, c.Wall, c.CPU)
			costs[s.name] = append(costs[s.name], c)
		}
	}
	return costs, nil
}

// wall, cpu and rss are one value of each cost.
func wall(costs []cost) []float64 { return each(costs, func(c cost) float64 { return c.Wall }) }
func cpu(costs []cost) []float64  { return each(costs, func(c cost) float64 { return c.CPU }) }
func rss(costs []cost) []float64  { return each(costs, func(c cost) float64 { return c.RSS / 1e6 }) }

func each(costs []cost, f func(cost) float64) []float64 {
	var out []float64
	for _, c := range costs {
		out = append(out, f(c))
	}
	return out
}

// zip combines the values of the same round.
func zip(a, b []float64, f func(x, y float64) float64) []float64 {
	var out []float64
	for i := range min(len(a), len(b)) {
		out = append(out, f(a[i], b[i]))
	}
	return out
}

// ratios are those of the same round.
func ratios(a, b []float64) []float64 {
	return zip(a, b, func(x, y float64) float64 { return x / y })
}

// environment is what a test binary runs with under memcheck when cgogrind starts it, save the marks' token.
func environment(more map[string]string) []string {
	env := map[string]string{"CGOGRIND": "1", "CGOGRIND_TOKEN": "0123456789abcdef"}
	maps.Copy(env, more)
	var out []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		out = append(out, name+"="+env[name])
	}
	return out
}
