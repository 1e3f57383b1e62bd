package main

import "errors"

// overhead compares cgogrind test with valgrind alone, on the same binary with the same options. Both look for leaks at
// the end only.
func (b *bench) overhead() error {
	t := b.table("The same instrumented binary under the same options, leaks looked for at the end only. cgogrind's time holds "+
		"its start, the build (all cached), reading and judging the report, and the text report. With more than one process, "+
		"cgogrind ran tests again whose findings memcheck only counted.",
		"suite", "cgogrind test, s", "valgrind alone, s", "ratio", "without the build", "CPU ratio, without the build", "processes")
	suites := []suite{b.cgoTests()}
	if !b.quick {
		suites = append(suites, b.radosTests(), b.sqliteTests())
	}
	var errs []error
	for _, s := range suites {
		if err := b.overheadOf(t, s); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (b *bench) overheadOf(t *Table, s suite) (err error) {
	p, err := b.prepare(s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.remove()) }()
	const tool, build, bare = "cgogrind test", "cgogrind test -c", "valgrind alone"
	costs, err := b.alternate(b.rounds,
		side{tool, func() (cost, error) { return b.run(b.testCommand(s, "--leak-check=package")) }},
		side{build, func() (cost, error) { return b.run(b.testCommand(s, "-c", "-o="+b.dir+"/")) }},
		side{bare, func() (cost, error) { return b.run(p.command(b, nil)) }},
	)
	if err != nil {
		return err
	}
	minus := func(x, y float64) float64 { return x - y }
	t.row(s.name, wall(costs[tool]), wall(costs[bare]), ratios(wall(costs[tool]), wall(costs[bare])),
		ratios(zip(wall(costs[tool]), wall(costs[build]), minus), wall(costs[bare])),
		ratios(zip(cpu(costs[tool]), cpu(costs[build]), minus), cpu(costs[bare])), p.plans)
	return nil
}
