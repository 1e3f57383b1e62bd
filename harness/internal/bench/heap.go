package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
	"github.com/cgogrind/cgogrind/valgrind/memcheck"
)

// heapMain is the beginning of the tests of the module in testdata/heap. The tests print what leak checks took of the
// time: instrumented testing knows it.
const heapMain = `package heap

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"
	_ "unsafe"
)

//go:linkname spent testing.cgogrindLeakSpent
var spent time.Duration

func number(name string, usual int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return usual
}

var work = number("HEAP_WORK", 1000)

func TestMain(m *testing.M) {
	if mb := number("HEAP_MB", 0); mb > 0 {
		Fill(mb, number("HEAP_BLOCK", 256))
	}
	code := m.Run()
	fmt.Printf("leak checks took %d ns\n", spent.Nanoseconds())
	os.Exit(code)
}

`

// heapFlags lets the tests look at a variable of the testing package.
const heapFlags = "-ldflags=-checklinkname=0"

// heap makes a module of n tests, each of which does some work in C; bodies are what some do besides.
func (b *bench) heap(n int, bodies map[int]string) (suite, error) {
	dir, err := os.MkdirTemp(b.dir, "heap-")
	if err != nil {
		return suite{}, err
	}
	if err := os.CopyFS(dir, os.DirFS("harness/internal/bench/testdata/heap")); err != nil {
		return suite{}, fmt.Errorf("making a module: %w", err)
	}
	var tests strings.Builder
	tests.WriteString(heapMain)
	for i := range n {
		fmt.Fprintf(&tests, "func Test%05d(t *testing.T) { Work(work); %s }\n", i, bodies[i])
	}
	if err := os.WriteFile(filepath.Join(dir, "heap_test.go"), []byte(tests.String()), 0o644); err != nil {
		return suite{}, fmt.Errorf("making a module: %w", err)
	}
	return suite{name: fmt.Sprintf("%d tests", n), dir: dir, pkg: ".", flags: []string{heapFlags}}, nil
}

// isolation compares one process for all tests with one for each.
func (b *bench) isolation() error {
	t := b.table("Tests that do next to nothing, so that what a process costs is seen; cgogrind test, as many processes at a time as "+
		"there are processors. From 100 tests on, one round.", "tests", "one process, s", "one for each (--isolate), s", "ratio", "CPU ratio")
	together, apart := Series{Name: "one process"}, Series{Name: "one for each test"}
	sizes := pick(b, []int{2, 5}, []int{10, 100})
	if b.long {
		sizes = append(sizes, 1000)
	}
	for _, n := range sizes {
		s, err := b.heap(n, nil)
		if err != nil {
			return err
		}
		rounds := b.rounds
		if n >= 100 {
			rounds = 1
		}
		b.say("%d tests", n)
		if _, err := b.run(b.testCommand(s, "-run=^$", "-c", "-o="+b.dir+"/")); err != nil { // warms the build cache
			return err
		}
		costs, err := b.alternate(rounds,
			side{together.Name, func() (cost, error) { return b.run(b.testCommand(s)) }},
			side{apart.Name, func() (cost, error) { return b.run(b.testCommand(s, "--isolate")) }})
		if err != nil {
			return err
		}
		one, each := costs[together.Name], costs[apart.Name]
		t.row(n, wall(one), wall(each), ratios(wall(each), wall(one)), ratios(cpu(each), cpu(one)))
		together.add(float64(n), median(wall(one)))
		apart.add(float64(n), median(wall(each)))
	}
	b.figure(Figure{Title: "One process, or one for each test", X: "tests", Y: "s", LogX: true, LogY: true,
		Series: []Series{together, apart}})
	return nil
}

var tookOf = regexp.MustCompile(`leak checks took (\d+) ns`)

// leakChecks measures what leak checks between tests take, by the number of tests and the live memory.
func (b *bench) leakChecks() error {
	t := b.table("What a check takes, from a run with one after each test, and how many checks cgogrind makes, which is to keep them within "+
		"a tenth of the time. The share is that of the whole process; the check with which memcheck ends is not in it.",
		"tests", "live C heap, MB", "blocks of", "a check, s", "checks made", "the process, s", "share, %", "peak memory, MB")
	bins := make(map[int]string)
	byMemory := map[int]*Series{64: {Name: "blocks of 64 bytes"}, 64 << 10: {Name: "blocks of 64 KiB"}}
	share := Series{Name: "within the tenth"}
	type size struct{ tests, megabytes, block int }
	sizes := pick(b,
		[]size{{10, 1, 64}, {100, 1, 64}, {10, 20, 64}, {10, 20, 64 << 10}},
		[]size{{10, 1, 64}, {100, 1, 64}, {1000, 1, 64}, {10000, 1, 64}, {100, 10, 64}, {100, 100, 64}, {100, 1000, 64},
			{100, 1, 64 << 10}, {100, 10, 64 << 10}, {100, 100, 64 << 10}, {100, 1000, 64 << 10}, {1000, 100, 4096}})
	for _, z := range sizes {
		if bins[z.tests] == "" {
			s, err := b.heap(z.tests, nil)
			if err != nil {
				return err
			}
			bins[z.tests] = filepath.Join(b.dir, fmt.Sprintf("heap-%d.test", z.tests))
			b.say("building %d tests", z.tests)
			if _, err := b.run(b.testCommand(s, "-c", "-o="+bins[z.tests])); err != nil {
				return err
			}
		}
		b.say("%d tests, %d MB in blocks of %d bytes", z.tests, z.megabytes, z.block)
		run := func(percent int, flags ...string) (ran cost, checks int, spent float64, err error) {
			instructions := filepath.Join(b.dir, "select")
			if err := os.WriteFile(instructions, fmt.Appendf(nil, "leaks %d\n", percent), 0o644); err != nil {
				return ran, 0, 0, err
			}
			ran, err = b.memcheck(memcheck.Options{TrackOrigins: true, Extra: []string{"--vex-guest-chase=no"}}, command{
				args: append([]string{bins[z.tests]}, flags...),
				env: environment(map[string]string{"CGOGRIND_SELECT": instructions, "HEAP_WORK": "2000",
					"HEAP_MB": strconv.Itoa(z.megabytes), "HEAP_BLOCK": strconv.Itoa(z.block)}),
			}, func(ev valgrind.Event) {
				if m, ok := ev.(valgrind.ClientMessage); ok && strings.Contains(m.Text, " leaks begin") {
					checks++
				}
			})
			m := tookOf.FindStringSubmatch(ran.Out)
			if err == nil && m == nil {
				err = fmt.Errorf("the tests do not say what leak checks took:\n%s", tail(ran.Out))
			}
			if err != nil {
				return ran, 0, 0, err
			}
			spent, err = strconv.ParseFloat(m[1], 64)
			return ran, checks, spent / 1e9, err
		}
		const everyTest = 100_000
		_, n, spent, err := run(everyTest, "-test.run=^Test0000[0-2]$")
		if err != nil {
			return err
		}
		single := spent / float64(max(n, 1))
		ran, checks, spent, err := run(10)
		if err != nil {
			return err
		}
		b.say("a check takes %.2f s; %d checks, %.1f of %.1f s", single, checks, spent, ran.Wall)
		t.row(z.tests, z.megabytes, z.block, single, checks, ran.Wall, 100*spent/ran.Wall, ran.RSS/1e6)
		if s := byMemory[z.block]; s != nil && z.tests == pick(b, 10, 100) {
			s.add(float64(z.megabytes), single)
		}
		if z.megabytes == 1 && z.block == 64 {
			share.add(float64(z.tests), 100*spent/ran.Wall)
		}
	}
	b.figure(Figure{Title: "A leak check", X: "live C heap, MB", Y: "s", LogX: true, LogY: true,
		Series: []Series{*byMemory[64], *byMemory[64<<10]}})
	b.figure(Figure{Title: "Leak checks, 1 MB live", X: "tests", Y: "% of the time", LogX: true, Series: []Series{share}})
	return b.leaksNamed()
}

// leaksNamed looks whether leaks name their tests where checks are rare.
func (b *bench) leaksNamed() error {
	t := b.table("Leaks in two of 12 tests, the first in the test's thread, the second in one that C made, beside so much live memory.",
		"live C heap, MB", "tests that leak", "tests named")
	for _, megabytes := range pick(b, []int{20}, []int{1, 100}) {
		s, err := b.heap(12, map[int]string{4: "Lose()", 8: "LoseInThread()"})
		if err != nil {
			return err
		}
		stream := filepath.Join(b.dir, "leaks.jsonl")
		c := b.testCommand(s, "--stream="+stream)
		c.env = []string{"HEAP_BLOCK=64", "HEAP_MB=" + strconv.Itoa(megabytes)}
		b.say("leaks beside %d MB", megabytes)
		if _, err := b.run(c); err != nil {
			return err
		}
		var named []string
		err = readStream(stream, func(m result.Message) {
			if m.Finding != nil {
				named = append(named, m.Finding.Tests...)
			}
		})
		if err != nil {
			return err
		}
		slices.Sort(named)
		named = slices.Compact(named)
		want := []string{"Test00004", "Test00008"}
		t.row(megabytes, strings.Join(want, ", "), strings.Join(named, ", "))
		if !slices.Equal(named, want) {
			return fmt.Errorf("leaks of %s are said to be those of %s", want, named)
		}
	}
	return nil
}
