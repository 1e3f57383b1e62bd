package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/cgogrind/cgogrind/harness/internal/goruntime"
	"github.com/cgogrind/cgogrind/valgrind/memcheck"
)

// cPrograms isolate what starting costs: nothing, loading librados, and making a handle of it, which starts its threads.
var cPrograms = []struct{ name, text, flag string }{
	{"C, empty", "int main(void) { return 0; }", ""},
	{"C, librados loaded", "#include <rados/librados.h>\nint main(int n, char **v) { rados_t c; return n > 5 ? rados_create(&c, 0) : 0; }", "-lrados"},
	{"C, librados handle", "#include <rados/librados.h>\nint main(void) { rados_t c; if (rados_create(&c, 0)) return 3; rados_shutdown(c); return 0; }", "-lrados"},
}

// goStart is a test that does nothing, as stock Go and cgogrind build it.
const goStart = "package start\n\nimport \"C\"\n"

const goStartTest = "package start\n\nimport \"testing\"\n\nfunc TestStart(t *testing.T) {}\n"

// starting is a program, and how it is run.
type starting struct {
	name string
	bin  string
	env  []string
}

// startUp measures where the time goes until a program does something.
func (b *bench) startUp() error {
	programs, err := b.startPrograms()
	if err != nil {
		return err
	}
	origins, err := memcheck.Options{XMLFile: filepath.Join(b.dir, "start.%p.xml"), TrackOrigins: true,
		Extra: []string{"--vex-guest-chase=no"}}.Args()
	if err != nil {
		return err
	}
	ways := []struct {
		name string
		argv []string
	}{
		{"natively", nil},
		{"--tool=none", []string{b.vg.Path, "--tool=none"}},
		{"memcheck without origins", slices.Concat([]string{b.vg.Path}, origins, []string{"--track-origins=no"})},
		{"memcheck", slices.Concat([]string{b.vg.Path}, origins)},
		{"memcheck, no inline info", slices.Concat([]string{b.vg.Path}, origins, []string{"--read-inline-info=no"})},
		{"memcheck, chasing", slices.Concat([]string{b.vg.Path}, origins, []string{"--vex-guest-chase=yes"})},
	}
	if b.quick {
		ways = ways[1:4]
		programs = slices.Concat(programs[1:2], programs[len(programs)-1:])
	}
	columns := []string{"program"}
	for _, w := range ways {
		columns = append(columns, w.name+", CPU s")
	}
	t := b.table("Programs that do all but nothing, so that this is their start and their end. --tool=none translates and checks "+
		"nothing; it reads the debug information only when it has to name something.", append(columns, "translated blocks", "origin cache misses")...)
	for _, p := range programs {
		var sides []side
		for _, w := range ways {
			sides = append(sides, side{w.name, func() (cost, error) {
				return b.run(command{args: slices.Concat(w.argv, []string{p.bin}), env: p.env})
			}})
		}
		b.say("%s", p.name)
		costs, err := b.alternate(b.rounds, sides...)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		row := []any{p.name}
		for _, w := range ways {
			row = append(row, cpu(costs[w.name]))
		}
		stats, err := b.run(command{args: slices.Concat([]string{b.vg.Path}, origins, []string{"--stats=yes", p.bin}), env: p.env})
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		t.row(append(row, statistic(stats.Out, translated), statistic(stats.Out, originMisses))...)
	}
	if _, err := exec.LookPath("perf"); err != nil {
		b.say("no perf: where valgrind itself spends the time is left out")
		return nil
	}
	return b.profileStart(programs, slices.Concat([]string{b.vg.Path}, origins))
}

// startPrograms makes the programs.
func (b *bench) startPrograms() ([]starting, error) {
	var programs []starting
	for i, c := range cPrograms {
		source, bin := filepath.Join(b.dir, fmt.Sprintf("start%d.c", i)), filepath.Join(b.dir, fmt.Sprintf("start%d", i))
		if err := os.WriteFile(source, []byte(c.text+"\n"), 0o644); err != nil {
			return nil, err
		}
		args := []string{"gcc", "-g", "-O1", "-o", bin, source}
		if c.flag != "" {
			args = append(args, c.flag)
		}
		if _, err := b.run(command{args: args}); err != nil {
			return nil, err
		}
		programs = append(programs, starting{name: c.name, bin: bin})
	}
	dir := filepath.Join(b.dir, "start")
	err := os.Mkdir(dir, 0o755)
	for name, text := range map[string]string{"go.mod": "module example.com/start\n\ngo 1.25\n", "start.go": goStart, "start_test.go": goStartTest} {
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644)
		}
	}
	if err != nil {
		return nil, err
	}
	stock, ours := filepath.Join(b.dir, "start-stock.test"), filepath.Join(b.dir, "start-instrumented.test")
	if _, err := b.run(command{args: []string{"go", "test", "-c", "-o", stock, "."}, dir: dir, env: stockEnv}); err != nil {
		return nil, err
	}
	if _, err := b.run(b.testCommand(suite{dir: dir, pkg: "."}, "-c", "-o="+ours)); err != nil {
		return nil, err
	}
	return append(programs, starting{"Go, stock, an empty test", stock,
		environment(map[string]string{"GODEBUG": goruntime.Debug(runtime.GOARCH, false)})},
		starting{"Go, instrumented, an empty test", ours, environment(nil)}), nil
}

// What memcheck counts of its own work.
var (
	translated   = regexp.MustCompile(`translate: [0-9,]+ guest insns, ([0-9,]+) traces`)
	originMisses = regexp.MustCompile(`ocacheL1: +[0-9,]+ refs +([0-9,]+) misses`)
)

// statistic finds a count in what --stats=yes prints.
func statistic(out string, what *regexp.Regexp) any {
	m := what.FindStringSubmatch(out)
	if m == nil {
		return "not counted"
	}
	n, err := strconv.ParseFloat(strings.ReplaceAll(m[1], ",", ""), 64)
	if err != nil {
		return m[1]
	}
	return n
}

// kind is a kind of work, with the functions of valgrind that do it.
type kind struct {
	name     string
	function *regexp.Regexp
}

// work are the kinds; the last one is told by where its functions are.
var work = []kind{
	{"reading debug information", regexp.MustCompile(`(?i)dwarf|debug|tinfl|adler|crc32|cursor|img|readelf|leb128|step_encoded|abbv|abbrev|DiSlot|symtab|canonicali|ML_|inl|DiCfSI|get_Dwarf|strdup|strlen|strcmp`)},
	{"translating", regexp.MustCompile(`(?i)IRSB|IRExpr|IRStmt|IRTemp|RRegUniv|AMD64|isFlat|iropt|VEX|LibVEX|fold_|subst|cse|treebuild|flatten|RegAlloc|RReg|HReg|instrument|expr2vbits|do_shadow|cprop|redundant|deepCopy|typeOf|sanityCheckIR|dis_|disInstr|eqIR|addToEnv|iselInt|rexAMode|emit|BB|MC_\(instr|guest_|getIReg|assignNew|schemeE|mkPCast|transtab|atbSubst`)},
	{"memcheck's work", regexp.MustCompile(`(?i)^(mc_|vgMemCheck|set_address|ocache|helperc|make_|die_|new_mem|LOADV|STOREV|record_|lc_|scan|leak|client_)`)},
	{"the kernel", nil},
}

// profileStart says what valgrind itself does meanwhile.
func (b *bench) profileStart(programs []starting, argv []string) error {
	columns := []string{"program"}
	for _, w := range work {
		columns = append(columns, w.name+", %")
	}
	t := b.table("What valgrind spends the start on, by the names of its functions, from perf: a guide, not an account. `Other` holds "+
		"the translated code, the address space, the scheduler.", append(columns, "other, %")...)
	data := filepath.Join(b.dir, "perf.data")
	for _, p := range programs {
		record := slices.Concat([]string{"perf", "record", "-q", "-F", "499", "-o", data, "--"}, argv, []string{p.bin})
		if _, err := b.run(command{args: record, env: p.env}); err != nil {
			b.say("perf does not work here: %v", err)
			return nil
		}
		report, err := exec.CommandContext(b.ctx, "perf", "report", "-i", data, "--stdio", "--no-children", "-g", "none", "--percent-limit", "0").Output()
		if err != nil {
			return fmt.Errorf("perf report: %w", err)
		}
		shares, err := workShares(string(report))
		if err != nil {
			return err
		}
		row := []any{p.name}
		for _, s := range shares {
			row = append(row, s)
		}
		t.row(row...)
	}
	return nil
}

// perfLine is a line of perf report: percent, process, object, kernel or not, function.
var perfLine = regexp.MustCompile(`^\s+([0-9.]+)%\s+\S+\s+\S+\s+(\[[.k]\])\s+(\S+)`)

// workShares sums up perf's report: percent for each kind of work, and for the rest.
func workShares(report string) ([]float64, error) {
	shares := make([]float64, len(work)+1)
	lines := 0
	scan := bufio.NewScanner(strings.NewReader(report))
	for scan.Scan() {
		m := perfLine.FindStringSubmatch(scan.Text())
		if m == nil {
			continue
		}
		percent, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			return nil, err
		}
		lines++
		i := slices.IndexFunc(work, func(k kind) bool { return k.function != nil && k.function.MatchString(m[3]) })
		switch {
		case m[2] == "[k]":
			i = len(work) - 1
		case i < 0:
			i = len(work)
		}
		shares[i] += percent
	}
	if lines == 0 {
		return nil, errors.New("perf report says nothing")
	}
	return shares, nil
}
