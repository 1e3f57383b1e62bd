package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cgogrind/cgogrind/harness"
	"github.com/cgogrind/cgogrind/valgrind/memcheck"
)

// variant is a change of cgogrind's options of valgrind.
type variant struct {
	name    string
	without []string // names of options to leave out
	with    []string
}

// variants are the options that cost or save something. Those of the profiles come first.
var variants = []variant{
	{name: "--track-origins=no", without: []string{"--track-origins"}, with: []string{"--track-origins=no"}},
	{name: "--undef-value-errors=no", without: []string{"--track-origins"}, with: []string{"--undef-value-errors=no"}},
	{name: "--expensive-definedness-checks=yes", with: []string{"--expensive-definedness-checks=yes"}},
	{name: "--num-callers=12", with: []string{"--num-callers=12"}},
	{name: "--num-callers=30", with: []string{"--num-callers=30"}},
	{name: "--num-callers=200", with: []string{"--num-callers=200"}},
	{name: "--freelist-vol=1000000", with: []string{"--freelist-vol=1000000"}},
	{name: "--freelist-vol=200000000", with: []string{"--freelist-vol=200000000"}},
	{name: "--redzone-size=64", with: []string{"--redzone-size=64"}},
	{name: "--read-inline-info=no", with: []string{"--read-inline-info=no"}},
	{name: "--read-var-info=yes", with: []string{"--read-var-info=yes"}},
	{name: "--keep-debuginfo=no", with: []string{"--keep-debuginfo=no"}},
	{name: "--smc-check=none", with: []string{"--smc-check=none"}},
	{name: "--smc-check=all", with: []string{"--smc-check=all"}},
	{name: "--vex-guest-chase=yes", without: []string{"--vex-guest-chase"}},
	{name: "--vex-iropt-register-updates=unwindregs-at-mem-access", without: []string{"--vex-iropt-register-updates"}},
	{name: "--vex-iropt-register-updates=allregs-at-each-insn", without: []string{"--vex-iropt-register-updates"},
		with: []string{"--vex-iropt-register-updates=allregs-at-each-insn"}},
	{name: "--fair-sched=try", with: []string{"--fair-sched=try"}},
	{name: "--fair-sched=no", with: []string{"--fair-sched=no"}},
	{name: "--vgdb=no", without: []string{"--vgdb", "--vgdb-prefix"}, with: []string{"--vgdb=no"}},
	{name: "--vex-iropt-level=1", with: []string{"--vex-iropt-level=1"}},
	{name: "--leak-check=no", with: []string{"--leak-check=no"}},
	deep(),
}

// deep changes what --profile deep does.
func deep() variant {
	var o memcheck.Options
	harness.ProfileDeep.Set(&o)
	return variant{name: "those of --profile deep", without: []string{"--num-callers"},
		with: append([]string{fmt.Sprintf("--num-callers=%d", o.NumCallers)}, o.Extra...)}
}

// usual is the name of no change.
const usual = "cgogrind's options"

// options measures what valgrind's options cost.
func (b *bench) options() error {
	var errs []error
	cgo := b.cgoTests() // a part is enough
	cgo.name, cgo.flags = "Go's cgo tests, short, some", []string{"-run=^Test[1-4]"}
	suites := []suite{cgo}
	if !b.quick {
		omaps := b.radosTests()
		omaps.name, omaps.testArgs = "scenarios/rados, omaps", []string{"-ginkgo.focus=Omap "}
		suites = append(suites, omaps)
	}
	for _, s := range suites {
		if err := b.optionsOf(s); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (b *bench) optionsOf(s suite) (err error) {
	p, err := b.prepare(s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.remove()) }()
	found := make(map[string]*counted)
	all := append([]variant{{name: usual}}, variants...)
	if b.quick {
		all = all[:3]
	}
	var sides []side
	for _, v := range all {
		sides = append(sides, side{v.name, func() (cost, error) {
			ran, err := b.run(p.command(b, v.change, v.with...))
			if err != nil {
				return ran, err
			}
			found[v.name] = new(counted)
			return ran, readReport(filepath.Join(b.dir, "bare.xml"), found[v.name].add)
		}})
	}
	costs, err := b.alternate(min(b.rounds, 2), sides...)
	if err != nil {
		return err
	}
	t := b.table(s.name+": valgrind alone on the instrumented binary, changed as it says. Ratios are to cgogrind's options.",
		"option", "wall, s", "ratio", "CPU ratio", "peak memory, MB", "distinct errors", "leaks")
	for _, v := range all {
		c := costs[v.name]
		t.row(v.name, wall(c), ratios(wall(c), wall(costs[usual])), ratios(cpu(c), cpu(costs[usual])), rss(c),
			found[v.name].errors, found[v.name].leaks)
	}
	return nil
}

// change leaves out what the variant leaves out.
func (v variant) change(option string) string {
	name, _, _ := strings.Cut(option, "=")
	if slices.Contains(v.without, name) {
		return ""
	}
	return option
}
