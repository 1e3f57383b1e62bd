package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
)

// alternatives compares cgogrind with valgrind on a stock test binary, and with go test -asan.
func (b *bench) alternatives() error {
	t := b.table("Suites of others, whose C code is all but free of errors: nearly all that is reported with stock Go is false. "+
		"CPU and wall time of valgrind alone.",
		"suite", "build", "options", "wall, s", "CPU, s", "wall / instrumented", "distinct errors", "leaks")
	suites := []suite{b.cgoTests()}
	if !b.quick {
		suites = append(suites, b.sqliteTests())
	}
	var errs []error
	for _, s := range suites {
		if err := b.stockSuite(t, s); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, b.planted())...)
}

// counted is what memcheck reported.
type counted struct{ errors, leaks int }

func (c *counted) add(ev valgrind.Event) {
	if e, ok := ev.(*valgrind.Error); ok {
		if isLeak(e) {
			c.leaks++
		} else {
			c.errors++
		}
	}
}

// stockEnv lets valgrind 3.19 read Go's debug information.
var stockEnv = []string{"GOEXPERIMENT=nodwarf5"}

// stockSuite runs a suite in a binary that go test -c made.
func (b *bench) stockSuite(t *Table, s suite) (err error) {
	p, err := b.prepare(s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.remove()) }()
	stock := filepath.Join(b.dir, "stock.test")
	if _, err := b.run(command{args: []string{"go", "test", "-c", "-vet=off", "-o", stock, s.pkg}, dir: s.dir, env: stockEnv}); err != nil {
		return err
	}
	found := make(map[string]*counted)
	count := func(name, report string, c command) (cost, error) {
		ran, err := b.run(c)
		if err != nil {
			return ran, err
		}
		found[name] = new(counted)
		return ran, readReport(report, found[name].add)
	}
	const ours, same, plain = "instrumented", "stock, same options", "stock, valgrind's options"
	costs, err := b.alternate(b.rounds,
		side{ours, func() (cost, error) { return count(ours, filepath.Join(b.dir, "bare.xml"), p.command(b, nil)) }},
		side{same, func() (cost, error) {
			c := p.command(b, nil)
			c.args[slices.Index(c.args, p.binary())] = stock
			return count(same, filepath.Join(b.dir, "bare.xml"), c)
		}},
		side{plain, func() (cost, error) {
			report := filepath.Join(b.dir, "plain.xml")
			c := p.command(b, nil)
			c.args = slices.Concat([]string{b.vg.Path, "--xml=yes", "--xml-file=" + report, "--error-limit=no", stock},
				s.flagsOfBinary(), s.testArgs)
			return count(plain, report, c)
		}},
	)
	if err != nil {
		return err
	}
	for _, name := range []string{ours, same, plain} {
		build, options, _ := strings.Cut(name, ", ")
		if options == "" {
			options = "cgogrind's"
		}
		t.row(s.name, build, options, wall(costs[name]), cpu(costs[name]), ratios(wall(costs[name]), wall(costs[ours])),
			found[name].errors, found[name].leaks)
	}
	return nil
}

// flagsOfBinary are the flags of the test binary for those of cgogrind that choose tests.
func (s suite) flagsOfBinary() []string {
	var out []string
	for _, f := range s.flags {
		out = append(out, strings.Replace(f, "-", "-test.", 1))
	}
	return out
}

// The ends of the names of planted specs.
const (
	firstCaller = " (first caller)"
	cleanTwin   = " (clean twin)"
)

// planted compares who finds the planted bugs.
func (b *bench) planted() error {
	const pkg = "./scenarios/planted"
	stream := filepath.Join(b.dir, "planted.jsonl")
	b.say("scenarios/planted with cgogrind")
	ours, err := b.run(b.testCommand(suite{pkg: pkg}, "--stream="+stream))
	if err != nil {
		return err
	}
	kinds := make(map[string]string) // of the findings of a test
	var bugs, twins []string
	found, falsely := 0, 0
	err = readStream(stream, func(m result.Message) {
		if m.Finding != nil {
			for _, name := range m.Finding.Tests {
				kinds[name] = m.Finding.Kind
			}
		}
		if m.Test == nil {
			return
		}
		switch name := m.Test.Name; {
		case strings.HasSuffix(name, firstCaller):
			bugs = append(bugs, name)
			if m.Test.Findings > 0 {
				found++
			}
		case strings.HasSuffix(name, cleanTwin):
			twins = append(twins, name)
			falsely += m.Test.Findings
		}
	})
	if err != nil {
		return err
	}
	if len(bugs) == 0 {
		return fmt.Errorf("scenarios/planted has no spec whose name ends in %q", firstCaller)
	}
	slices.Sort(bugs) // Ginkgo's order is random
	slices.Sort(twins)
	t := b.table(fmt.Sprintf("The %d planted bugs, and their clean twins. cgogrind runs all in one process; the others get a "+
		"process for each bug, since AddressSanitizer ends it at the first error, and since nobody could tell the false errors of "+
		"stock Go from the true ones otherwise: what the twins cause together is false, and a bug counts as found if its process "+
		"has an error of its kind that is not among those.", len(bugs)),
		"tool", "bugs tried", "found", "missed", "false errors (twins)", "processes", "wall, s")
	t.row("cgogrind test", len(bugs), found, len(bugs)-found, falsely, 1, ours.Wall)
	if b.quick {
		bugs, twins = sample(bugs, 12), sample(twins, 12)
	}
	return errors.Join(b.plantedStock(t, pkg, bugs, twins, kinds), b.plantedASan(t, pkg, bugs, twins))
}

// sample returns every nth.
func sample(names []string, n int) []string {
	var out []string
	for i := 0; i < len(names); i += n {
		out = append(out, names[i])
	}
	return out
}

// focus chooses specs by name. Ginkgo puts the suite's before it.
func focus(names ...string) string {
	for i, n := range names {
		names[i] = regexp.QuoteMeta(n)
	}
	return "-ginkgo.focus= (" + strings.Join(names, "|") + ")$"
}

// ranNone is an error if a suite's output says that it ran no spec.
func ranNone(names []string, out string) error {
	if strings.Contains(out, "Ran 0 of ") {
		return fmt.Errorf("no spec has the name %q:\n%s", names, tail(out))
	}
	return nil
}

// plantedStock lets valgrind look for the planted bugs in a stock test binary.
func (b *bench) plantedStock(t *Table, pkg string, bugs, twins []string, kinds map[string]string) error {
	bin := filepath.Join(b.dir, "planted.test")
	if _, err := b.run(command{args: []string{"go", "test", "-c", "-vet=off", "-o", bin, pkg}, env: stockEnv}); err != nil {
		return err
	}
	dir, err := b.packageDir(suite{pkg: pkg})
	if err != nil {
		return err
	}
	// errorsOf returns what the specs cause: the kind and the innermost functions of each error.
	errorsOf := func(names ...string) (map[string]bool, cost, error) {
		report := filepath.Join(b.dir, "planted.xml")
		ran, err := b.run(command{
			args: []string{b.vg.Path, "--xml=yes", "--xml-file=" + report, "--error-limit=no", "--child-silent-after-fork=yes", "--leak-check=full",
				"--show-leak-kinds=definite", bin, focus(slices.Clone(names)...)},
			// RDTSCP is not on every machine, and valgrind dies of it there.
			dir: dir, env: []string{"GODEBUG=cpu.rdtscp=off"}, codes: []int{1, 2, -1}, timeout: time.Minute * 5,
		})
		seen := make(map[string]bool)
		if err == nil {
			err = ranNone(names, ran.Out)
		}
		if err != nil {
			return nil, ran, err
		}
		err = readReport(report, func(ev valgrind.Event) {
			if e, ok := ev.(*valgrind.Error); ok {
				seen[signature(e)] = true
			}
		})
		var truncated *valgrind.TruncatedError
		if errors.As(err, &truncated) {
			err = nil // the bug took the process down
		}
		return seen, ran, err
	}
	b.say("scenarios/planted with valgrind on a stock binary: %d twins, %d bugs", len(twins), len(bugs))
	noise, ran, err := errorsOf(twins...)
	if err != nil {
		return err
	}
	took, found := ran.Wall, 0
	for _, bug := range bugs {
		seen, ran, err := errorsOf(bug)
		if err != nil {
			return err
		}
		took += ran.Wall
		for s := range seen {
			if strings.HasPrefix(s, kinds[bug]+" ") && !noise[s] {
				found++
				break
			}
		}
	}
	t.row("valgrind, stock binary", len(bugs), found, len(bugs)-found, len(noise), len(bugs)+1, took)
	return nil
}

// signature is an error's kind and the functions where it struck.
func signature(e *valgrind.Error) string {
	s := string(e.Kind) + " "
	if len(e.Sections) > 0 {
		for i, f := range e.Sections[0].Stack {
			if i == 4 {
				break
			}
			s += f.Function + " "
		}
	}
	return s
}

// plantedASan lets AddressSanitizer look for them.
func (b *bench) plantedASan(t *Table, pkg string, bugs, twins []string) error {
	dir, err := b.packageDir(suite{pkg: pkg})
	if err != nil {
		return err
	}
	// The suite skips the bugs outside memcheck.
	name := filepath.Join(dir, "suite_test.go")
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	const skips = "client.Running() == 0"
	if strings.Count(string(text), skips) != 1 {
		return fmt.Errorf("%s does not say %q once", name, skips)
	}
	changed := filepath.Join(b.dir, "suite_test.go")
	always := strings.Replace(string(text), skips, "client.Running() < 0", 1)
	if err := os.WriteFile(changed, []byte(always), 0o644); err != nil {
		return err
	}
	overlay := filepath.Join(b.dir, "asan.json")
	data, err := json.Marshal(map[string]any{"Replace": map[string]string{name: changed}})
	if err != nil {
		return err
	}
	if err := os.WriteFile(overlay, data, 0o644); err != nil {
		return err
	}
	bin := filepath.Join(b.dir, "asan.test")
	b.say("building scenarios/planted with -asan")
	if _, err := b.run(command{args: []string{"go", "test", "-c", "-asan", "-vet=off", "-overlay=" + overlay, "-o", bin, pkg}}); err != nil {
		return err
	}
	took := 0.0
	reports := func(names []string) (n int, err error) {
		for _, name := range names {
			ran, err := b.run(command{args: []string{bin, focus(name)}, dir: dir, codes: []int{1, 2, 66, -1}, timeout: time.Minute})
			took += ran.Wall
			if err == nil {
				err = ranNone([]string{name}, ran.Out)
			}
			if err != nil {
				return n, err
			}
			if strings.Contains(ran.Out, "ERROR: AddressSanitizer") || strings.Contains(ran.Out, "ERROR: LeakSanitizer") {
				n++
			}
		}
		return n, nil
	}
	b.say("scenarios/planted with -asan: %d twins, %d bugs", len(twins), len(bugs))
	falsely, err := reports(twins)
	if err != nil {
		return err
	}
	found, err := reports(bugs)
	if err != nil {
		return err
	}
	t.row("go test -asan", len(bugs), found, len(bugs)-found, falsely, len(bugs)+len(twins), took)
	return nil
}
