package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// parallel measures several processes at a time, and how even shards are.
func (b *bench) parallel() error {
	return errors.Join(b.processes(), b.balance())
}

// processes runs the tests of one package in 1, 2 and 4 processes.
func (b *bench) processes() error {
	n := pick(b, 8, 40)
	s, err := b.heap(n, nil)
	if err != nil {
		return err
	}
	work := pick(b, "20000", "200000")
	var sides []side
	counts := pick(b, []int{1, 2}, []int{1, 2, 4})
	for _, p := range counts {
		c := b.testCommand(s, fmt.Sprintf("-p=%d", p), fmt.Sprintf("--split=%d", p))
		c.env = []string{"HEAP_WORK=" + work}
		sides = append(sides, side{fmt.Sprintf("-p %d", p), func() (cost, error) { return b.run(c) }})
	}
	if _, err := b.run(b.testCommand(s, "-c", "-o="+b.dir+"/")); err != nil { // warms the build cache
		return err
	}
	costs, err := b.alternate(b.rounds, sides...)
	if err != nil {
		return err
	}
	t := b.table(fmt.Sprintf("%d equal tests in so many processes (-p N --split N), on %d processors.", n, runtime.NumCPU()),
		"processes", "wall, s", "CPU, s", "times as fast as one")
	speed := Series{Name: "measured"}
	one := wall(costs[sides[0].name])
	for i, p := range counts {
		c := costs[sides[i].name]
		t.row(p, wall(c), cpu(c), ratios(one, wall(c)))
		speed.add(float64(p), median(ratios(one, wall(c))))
	}
	b.figure(Figure{Title: "Several processes", X: "processes", Y: "times as fast", Series: []Series{speed}})
	return nil
}

// balance says how even shards are: the longest over the mean, by the times that the tests took.
func (b *bench) balance() (err error) {
	t := b.table("Shards (`--shard I/N`, `--split N`): the time of the longest over the mean, without the start of the processes. `by "+
		"name` is what cgogrind does: a test stays in its shard when others come and go. `by time` would be possible with the "+
		"recorded times, the longest first; neither can be better than `longest test`.",
		"suite", "tests", "shards", "by name", "by time", "longest test")
	suites := []suite{b.cgoTests()}
	if !b.quick {
		suites = append(suites, b.sqliteTests())
	}
	for _, s := range suites {
		p, err := b.prepare(s)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, p.remove()) }()
		for _, n := range []int{2, 4, 8} {
			var byName []float64
			for i := range n {
				names, err := b.shard(p, i+1, n)
				if err != nil {
					return err
				}
				sum := 0.0
				for _, name := range names {
					sum += p.times[name]
				}
				byName = append(byName, sum)
			}
			all := slices.Collect(maps.Values(p.times))
			total := 0.0
			for _, v := range all {
				total += v
			}
			t.row(s.name, len(p.times), n, uneven(byName), uneven(spreadOut(all, n)), max(1, slices.Max(all)/(total/float64(n))))
		}
	}
	return nil
}

// shard asks the test binary which tests are in a shard.
func (b *bench) shard(p *prepared, index, count int) ([]string, error) {
	instructions, list := filepath.Join(b.dir, "shard.select"), filepath.Join(b.dir, "shard.tests")
	if err := os.WriteFile(instructions, fmt.Appendf(nil, "shard %d %d\nlist %s\n", index, count, list), 0o644); err != nil {
		return nil, err
	}
	i := slices.Index(p.argv, p.binary())
	_, err := b.run(command{args: p.argv[i:], dir: p.dir, env: append(environment(map[string]string{"CGOGRIND_SELECT": instructions}), "PWD="+p.dir)})
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(list)
	return strings.Fields(string(data)), err
}

// uneven is the longest over the mean.
func uneven(sums []float64) float64 {
	total := 0.0
	for _, s := range sums {
		total += s
	}
	return slices.Max(sums) / (total / float64(len(sums)))
}

// spreadOut gives each time, the longest first, to the part that has the least.
func spreadOut(times []float64, parts int) []float64 {
	sums := make([]float64, parts)
	for _, v := range slices.Backward(slices.Sorted(slices.Values(times))) {
		least := 0
		for i := range sums {
			if sums[i] < sums[least] {
				least = i
			}
		}
		sums[least] += v
	}
	return sums
}
