package main

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMain(m *testing.M) {
	if err := os.Chdir("../../.."); err != nil { // as ci/bench/run does
		panic(err)
	}
	if len(os.Args) == 4 && os.Args[1] == readCommand {
		os.Exit(readFile(os.Args[2], os.Args[3]))
	}
	os.Exit(m.Run())
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"--only=12"}, `"12" is no part: they have the numbers 1 to 9`},
		{[]string{"--only=1,x"}, `"x" is no part`},
		{[]string{"-n", "0"}, "it must be 1 or more"},
		{[]string{"6"}, "--only"},
		{[]string{"--none"}, "not defined"},
	} {
		var out, errs bytes.Buffer
		if code := run(c.args, &out, &errs); code != 2 || !strings.Contains(errs.String(), c.says) || out.Len() > 0 {
			t.Errorf("%q: code %d, %q; want 2 and %q", c.args, code, errs.String(), c.says)
		}
	}
	var out, errs bytes.Buffer
	if code := run([]string{"--help"}, &out, &errs); code != 0 || !strings.Contains(errs.String(), "6  The reader of reports") {
		t.Errorf("--help: code %d, %s", code, errs.String())
	}
}

// sampleResults has what a page can have.
func sampleResults() *Results {
	p := &Part{Number: 6, Title: "The reader", Machine: "a machine", Rounds: 3}
	b := &bench{result: p}
	b.table("Caption.", "what", "s").row("a | b", []float64{3, 1, 2})
	b.figure(Figure{Title: "log", X: "MB", Y: "s", LogX: true, LogY: true, Series: []Series{
		{Name: "one point", Points: [][2]float64{{1, 1}}}, {Name: "none"}, {Name: "zero", Points: [][2]float64{{0, 1}}},
	}})
	b.figure(Figure{Title: "plain", Series: []Series{{Name: "line", Points: [][2]float64{{1, 2}, {2, 3}}}}})
	b.figure(Figure{Title: "dropped"})
	failed := &Part{Number: 2, Title: "Failed", Rounds: 1, Error: "no luck"}
	r := new(Results)
	r.put(p)
	r.put(failed)
	return r
}

func TestPageKeepsWhatPeopleWrote(t *testing.T) {
	r := sampleResults()
	first := r.page("")
	for _, want := range []string{
		"# What cgogrind costs", "| a \\| b | 2 (1 to 3) |\n", "3 rounds, median", "**Failed:**\n\n```\nno luck\n```",
	} {
		if !strings.Contains(first, want) {
			t.Errorf("the page lacks %q:\n%s", want, first)
		}
	}
	if strings.Index(first, "<!-- part 2 -->") > strings.Index(first, "<!-- part 6 -->") {
		t.Error("the parts are not in order")
	}
	if again := r.page(first); again != first {
		t.Errorf("made again, the page changes:\n%s", cmp.Diff(first, again))
	}
	written := "# Ours\n\n" + strings.Replace(first, "<!-- end of part 2 -->", "<!-- end of part 2 -->\n\nA conclusion.", 1) + "\nThe end.\n"
	r.put(&Part{Number: 2, Title: "Mended", Rounds: 1})
	page := r.page(written)
	for _, want := range []string{"# Ours\n", "\n\nA conclusion.\n", "\nThe end.\n", "## 2. Mended"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "no luck") || strings.Count(page, "<!-- part 2 -->") != 1 {
		t.Errorf("the former part 2 is still there:\n%s", page)
	}
}

func TestResultsAreKept(t *testing.T) {
	dir := t.TempDir()
	r := sampleResults()
	if err := r.save(dir); err != nil {
		t.Fatal(err)
	}
	got, err := readResults(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, got); diff != "" {
		t.Errorf("saved and read (-want +got):\n%s", diff)
	}
	svg, err := os.ReadFile(filepath.Join(dir, plotFile))
	if err != nil || !bytes.Contains(svg, []byte("</svg>")) || !bytes.Contains(svg, []byte(">plain<")) {
		t.Errorf("the plot (%v) lacks a figure", err)
	}
	if err := os.WriteFile(filepath.Join(dir, dataFile), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := readResults(dir); err == nil {
		t.Error("damaged results are no error")
	}
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 3: "3", 1234.5: "1234", 99.94: "99.9", 12.345: "12.3", 1.234: "1.23", 0.01234: "0.0123"} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %s, want %s", v, got, want)
		}
	}
	if m := median([]float64{4, 1, 3, 2}); m != 2.5 {
		t.Errorf("median %v", m)
	}
	if got := ratios([]float64{2, 9}, []float64{1, 3, 5}); !slices.Equal(got, []float64{2, 3}) {
		t.Errorf("ratios %v", got)
	}
}

func TestSpreadOut(t *testing.T) {
	got := spreadOut([]float64{1, 5, 2, 4}, 2)
	if !slices.Equal(got, []float64{6, 6}) || uneven(got) != 1 {
		t.Errorf("spread out: %v", got)
	}
	if u := uneven([]float64{3, 1}); u != 1.5 {
		t.Errorf("uneven: %v", u)
	}
}

// Both ways to read count the same errors in a report that is made large.
func TestReaders(t *testing.T) {
	name := filepath.Join(t.TempDir(), "large.xml")
	const size = 200_000
	if err := writeReport(name, size); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(name); err != nil || info.Size() < size || info.Size() > 2*size {
		t.Errorf("a report of %v bytes (%v), want about %d", info.Size(), err, size)
	}
	ours, err := countErrors(byReader, name)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := countErrors(byUnmarshal, name)
	if err != nil || ours != theirs || ours < 50 {
		t.Errorf("%d and %d errors (%v)", ours, theirs, err)
	}
}

func TestRun(t *testing.T) {
	b := &bench{ctx: t.Context(), progress: new(bytes.Buffer)}
	c, err := b.run(command{args: []string{"sh", "-c", "echo $SAYS; exit 3"}, env: []string{"SAYS=hello"}, codes: []int{3}})
	if err != nil || c.Out != "hello\n" || c.Wall <= 0 {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := b.run(command{args: []string{"sh", "-c", "echo why; exit 4"}}); err == nil || !strings.Contains(err.Error(), "why") {
		t.Errorf("%v, want an error with the output", err)
	}
	var order []string
	side := func(name string) side {
		return side{name, func() (cost, error) { order = append(order, name); return cost{Wall: 1}, nil }}
	}
	costs, err := b.alternate(2, side("a"), side("b"))
	if err != nil || len(costs["a"]) != 2 || strings.Join(order, "") != "abba" {
		t.Errorf("in the order %q: %v, %v", order, costs, err)
	}
}

// A part that fails is told, with its reason, and what it measured before stays.
func TestFailingPart(t *testing.T) {
	dir := t.TempDir()
	fails := part{6, "Fails", func(b *bench) error {
		b.table("", "what").row("measured before")
		return errors.New("it rains")
	}}
	works := part{7, "Works", func(b *bench) error { b.table("", "what").row(math.Pi); return nil }}
	var errs bytes.Buffer
	failed, err := measure(t.Context(), []part{fails, works}, config{quick: true, rounds: 1, out: dir}, new(bytes.Buffer), &errs)
	if err != nil || !failed {
		t.Fatalf("failed %v, %v", failed, err)
	}
	page, err := os.ReadFile(filepath.Join(dir, pageFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"measured before", "it rains", "| 3.14 |"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
}

func TestStatistics(t *testing.T) {
	const out = "--1-- translate: 70,462 guest insns, 14,599 traces, 0 uncond\n--1--  ocacheL1:     56,463,677 refs        4,634,550 misses (4,755 lossage)\n"
	if got := statistic(out, translated); got != 14599.0 {
		t.Errorf("%v blocks", got)
	}
	if got := statistic(out, originMisses); got != 4634550.0 {
		t.Errorf("%v misses", got)
	}
	if got := statistic("", translated); got != "not counted" {
		t.Errorf("%v", got)
	}
	const report = "# comment\n    14.24%  memcheck-amd64-  memcheck-amd64-linux  [.] mc_LOADVn_slow\n" +
		"     1.47%  memcheck-amd64-  memcheck-amd64-linux  [.] tinfl_decompress\n" +
		"     0.81%  memcheck-amd64-  [kernel.kallsyms]     [k] exc_page_fault\n     0.50%  memcheck-amd64-  perf-1.map  [.] 0x01\n"
	shares, err := workShares(report)
	if want := []float64{1.47, 0, 14.24, 0.81, 0.5}; err != nil || !slices.Equal(shares, want) {
		t.Errorf("shares %v (%v), want %v", shares, err, want)
	}
	if _, err := workShares("nothing"); err == nil {
		t.Error("an empty report is no error")
	}
}
