package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
	"github.com/cgogrind/cgogrind/valgrind/memcheck"
)

// suite is a package with its tests.
type suite struct {
	name     string
	dir      string // where the go command runs; the repository if empty
	pkg      string
	flags    []string // of cgogrind test
	testArgs []string // of the test binary
}

// requires is a module that requires what go-sqlite3's tests need.
const requires = "scenarios/upstream/testdata/requires"

// cgoTests are Go's own tests of cgo.
func (b *bench) cgoTests() suite {
	s := suite{name: "Go's cgo tests, short", pkg: "cmd/cgo/internal/test", testArgs: []string{"-test.short"}}
	if b.quick {
		s.name += ", some"
		s.flags = []string{"-run=^Test1"}
	}
	return s
}

// radosTests are scenarios on a cluster of their own.
func (b *bench) radosTests() suite {
	return suite{name: "scenarios/rados, objects", pkg: "./scenarios/rados",
		testArgs: []string{"-ginkgo.focus=(Object|Omap|Listing|Extended attribute|Write operation|Read operation) "}}
}

// sqliteTests are go-sqlite3's, but for those that wait until a query is slow enough to be interrupted.
func (b *bench) sqliteTests() suite {
	s := suite{name: "go-sqlite3, short", dir: requires, pkg: "github.com/mattn/go-sqlite3", testArgs: []string{"-test.short"},
		flags: []string{"-skip=Cancel|Timeout"}}
	if b.quick {
		s.name += ", some"
		s.flags = append(s.flags, "-run=^TestRows")
	}
	return s
}

// testCommand is cgogrind's command for a suite.
func (b *bench) testCommand(s suite, more ...string) command {
	args := slices.Concat([]string{b.cgogrind, "test", "--config=none"}, s.flags, more, []string{s.pkg, "--"}, s.testArgs)
	// Tests that fail, and findings, are none of our business.
	return command{args: args, dir: s.dir, codes: []int{int(result.ExitFail), int(result.ExitFindings)}}
}

// prepared is a suite that cgogrind has built and run once.
type prepared struct {
	suite
	dir    string   // the package's
	argv   []string // valgrind with all of its options, the instrumented test binary and its arguments
	env    []string
	times  map[string]float64 // of the top-level tests that passed, in seconds
	work   string             // cgogrind's temporary folder
	plans  int                // how many processes it took
	report string             // what memcheck reported
}

var workFolder = regexp.MustCompile(`(?m)^the temporary folder is (.*)$`)

// prepare runs a suite once with cgogrind, which warms what can be warmed, and keeps what it ran.
func (b *bench) prepare(s suite, more ...string) (*prepared, error) {
	b.say("%s: building, and the first run", s.name)
	stream := filepath.Join(b.dir, "prepare.jsonl")
	c := b.testCommand(s, append([]string{"--keep-work", "--stream=" + stream, "--leak-check=package"}, more...)...)
	ran, err := b.run(c)
	p := &prepared{suite: s, times: make(map[string]float64)}
	if m := workFolder.FindStringSubmatch(ran.Out); m != nil {
		p.work = m[1]
	}
	if err != nil {
		return nil, errors.Join(err, p.remove())
	}
	passed := 0
	err = readStream(stream, func(m result.Message) {
		if m.Test != nil && m.Test.Verdict == result.Pass {
			passed++
		}
		switch {
		case m.Plan != nil:
			if p.plans++; p.argv == nil {
				p.argv = m.Plan.Command
			}
		case m.Test != nil && m.Test.Verdict == result.Pass && !strings.Contains(m.Test.Name, "/"):
			p.times[m.Test.Name] = m.Test.ElapsedS
		}
	})
	if err == nil && passed < 2 { // a Ginkgo suite that runs no spec passes, too
		err = fmt.Errorf("%s: %d tests passed, so that there is nothing to measure:\n%s", s.name, passed, tail(ran.Out))
	}
	if err == nil && (len(p.argv) == 0 || p.work == "") {
		err = fmt.Errorf("%s: cgogrind names no process, or no folder:\n%s", s.name, tail(ran.Out))
	}
	if err == nil {
		p.env = environment(map[string]string{"CGOGRIND_SELECT": filepath.Join(p.work, "000.0.select")})
		p.dir, err = b.packageDir(s)
	}
	if err != nil {
		return nil, errors.Join(err, p.remove())
	}
	return p, nil
}

// remove removes what cgogrind kept.
func (p *prepared) remove() error {
	if p.work == "" {
		return nil
	}
	return os.RemoveAll(p.work)
}

func (b *bench) packageDir(s suite) (string, error) {
	c, err := b.run(command{args: []string{"go", "list", "-find", "-f", "{{.Dir}}", s.pkg}, dir: s.dir})
	return strings.TrimSpace(c.Out), err
}

// binary is the test binary in argv.
func (p *prepared) binary() string {
	return p.argv[slices.IndexFunc(p.argv, func(a string) bool { return strings.HasPrefix(a, p.work) })]
}

// command runs memcheck itself on the same binary, with the same options but for change, which returns "" to drop one,
// and with further ones.
func (p *prepared) command(b *bench, change func(option string) string, more ...string) command {
	var argv []string
	options := true
	for i, a := range p.argv {
		switch {
		case i == 0:
		case options && !strings.HasPrefix(a, "-"): // the program
			options = false
			argv = append(argv, more...)
		case options && strings.HasPrefix(a, "--xml-file="):
			p.report = filepath.Join(b.dir, "bare.xml")
			a = "--xml-file=" + p.report
		case options && strings.HasPrefix(a, "--vgdb-prefix="):
			a = "--vgdb-prefix=" + filepath.Join(b.dir, "bare.vgdb")
		case options && change != nil:
			if a = change(a); a == "" {
				continue
			}
		}
		argv = append(argv, a)
	}
	return command{args: argv, dir: p.dir, env: append(slices.Clone(p.env), "PWD="+p.dir), codes: []int{1, 2}}
}

// readStream reads a result stream.
func readStream(name string, f func(result.Message)) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	for m, err := range result.Decode(file) {
		if err != nil {
			return err
		}
		f(m)
	}
	return nil
}

// readReport reads a report of memcheck.
func readReport(name string, f func(valgrind.Event)) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	for ev, err := range valgrind.Read(file) {
		if err != nil {
			return fmt.Errorf("reading %s: %w", name, err)
		}
		f(ev)
	}
	return nil
}

// isLeak tells leaks from errors.
func isLeak(e *valgrind.Error) bool { return strings.HasPrefix(string(e.Kind), "Leak_") }

// memcheck runs a binary under memcheck with the options of cgogrind, and hands on what memcheck reported.
func (b *bench) memcheck(o memcheck.Options, c command, f func(valgrind.Event)) (cost, error) {
	o.XMLFile = filepath.Join(b.dir, "memcheck.%p.xml")
	options, err := o.Args()
	if err != nil {
		return cost{}, err
	}
	for i, opt := range options {
		if strings.HasPrefix(opt, "--xml-file=") { // one process, one name
			options[i] = "--xml-file=" + filepath.Join(b.dir, "memcheck.xml")
		}
	}
	c.args = slices.Concat([]string{b.vg.Path}, options, c.args)
	ran, err := b.run(c)
	if err != nil {
		return ran, err
	}
	return ran, readReport(filepath.Join(b.dir, "memcheck.xml"), f)
}
