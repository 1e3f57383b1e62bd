package saved

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/cgogrind/cgogrind/harness/internal/frames"
	"github.com/cgogrind/cgogrind/harness/internal/judge"
	"github.com/cgogrind/cgogrind/harness/internal/report"
	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
)

// readXML makes messages of a report of memcheck. The program is the package, its report the one test, which fails if
// memcheck counted errors and is inconclusive if the report is not whole. What an error is, is said as in a run:
// see judge.Report.
func readXML(name string, r io.Reader) iter.Seq2[result.Message, error] {
	return func(yield func(result.Message, error) bool) {
		x := &xmlReport{
			name: path.Base(name), recordOf: make(map[string]int), leaks: make(map[string]valgrind.Text), report: judge.NewReport(""),
		}
		for e, err := range valgrind.Read(r) {
			x.whole.Add(e, err)
			if err == nil {
				x.add(e)
			}
			if x.config == nil {
				if _, ok := e.(valgrind.Status); !ok && err == nil {
					continue
				}
				if x.header.Protocol == 0 {
					yield(result.Message{}, fmt.Errorf("it has no header of memcheck: %s", x.whole.Reason()))
					return
				}
				if x.config = x.begin(); !yield(result.Message{Config: x.config}, nil) {
					return
				}
			}
		}
		if x.config == nil {
			yield(result.Message{}, fmt.Errorf("it is not a report of memcheck: %s", x.whole.Reason()))
			return
		}
		for _, m := range x.end() {
			if !yield(m, nil) {
				return
			}
		}
	}
}

// xmlReport is a report of memcheck that is being read.
type xmlReport struct {
	name     string
	header   valgrind.Header
	report   *judge.Report
	config   *result.Config
	whole    valgrind.Completeness
	signal   *valgrind.FatalSignal
	elapsed  float64
	findings report.Store
	recordOf map[string]int           // finding by fingerprint
	leaks    map[string]valgrind.Text // what the last leak check said of each
	unique   []uint64                 // memcheck's number of each error that was counted as a finding, and which finding it is
	finding  []int
	counts   map[uint64]uint64
}

var valgrindVersion = regexp.MustCompile(`Valgrind-([0-9][^ ]*)`)

func (x *xmlReport) begin() *result.Config {
	version := ""
	for _, line := range x.header.Preamble {
		if m := valgrindVersion.FindStringSubmatch(line); m != nil {
			version = m[1]
		}
	}
	return &result.Config{
		ProtocolVersion: result.ProtocolVersion, Fingerprints: result.FingerprintVersion, Valgrind: version, Command: append(slices.Clone(x.header.ValgrindArgs), x.header.Args...),
	}
}

func (x *xmlReport) program() string {
	if len(x.header.Args) == 0 {
		return "?"
	}
	return path.Base(x.header.Args[0])
}

func (x *xmlReport) add(e valgrind.Event) {
	switch e := e.(type) {
	case valgrind.Header:
		x.header, x.report = e, judge.NewReport(x.program())
	case valgrind.ClientMessage:
		x.report.Message(e)
	case valgrind.Status:
		x.elapsed = cmp.Or(seconds(e.Time), x.elapsed)
	case *valgrind.Error:
		x.error(e)
	case valgrind.FatalSignal:
		x.signal = &e
	case valgrind.ErrorCounts:
		x.counts = make(map[uint64]uint64, len(e))
		for _, p := range e {
			x.counts[p.Unique] = p.Count
		}
	}
}

// seconds reads DD:HH:MM:SS.mmm.
func seconds(time string) float64 {
	var d, h, m int
	var s float64
	if _, err := fmt.Sscanf(time, "%d:%d:%d:%f", &d, &h, &m, &s); err != nil {
		return 0
	}
	return float64((d*24+h)*60+m)*60 + s
}

func (x *xmlReport) error(e *valgrind.Error) {
	if !x.countsLeak(e.Kind) || frames.IsProbe(e) {
		return
	}
	d, ok := x.report.Diagnose(e)
	if !ok {
		return
	}
	f := &result.Finding{
		Fingerprint: d.Fingerprint, Kind: string(e.Kind), Package: x.program(), Test: x.name, Tests: []string{x.name},
		Disposition: result.New, Message: d.Message, Blame: d.Blame, Caller: d.Caller, Other: d.Other, Stacks: d.Stacks, Hint: d.Hint,
		Count: 1, Bytes: e.What.LeakedBytes, Blocks: e.What.LeakedBlocks,
	}
	i, ok := x.recordOf[f.Fingerprint]
	if f.Blocks > 0 && x.repeatsLeak(e, i) {
		return
	}
	if ok {
		join(x.findings.Brief(i), f)
	} else {
		i = x.findings.Add(f)
		x.recordOf[f.Fingerprint] = i
	}
	x.unique, x.finding = append(x.unique, e.Unique), append(x.finding, i)
}

// repeatsLeak says whether a leak check before told of a leak that finding i may have: then the finding gets what has come since.
func (x *xmlReport) repeatsLeak(e *valgrind.Error, i int) bool {
	key := e.LeakKey()
	last, ok := x.leaks[key]
	x.leaks[key] = e.What
	if !ok {
		return false
	}
	f := x.findings.Brief(i)
	f.Bytes += e.What.LeakedBytes - last.LeakedBytes // unsigned, and right if there is less, too
	f.Blocks += e.What.LeakedBlocks - last.LeakedBlocks
	f.Message = result.LeakMessage(valgrind.Plain(e.What.Text), f.Bytes, f.Blocks)
	return true
}

// countsLeak says whether memcheck itself took a leak for an error: --errors-for-leak-kinds, definite and possible ones by
// default. What is no leak is always one.
func (x *xmlReport) countsLeak(kind valgrind.Kind) bool {
	word, ok := map[valgrind.Kind]string{
		"Leak_DefinitelyLost": "definite", "Leak_PossiblyLost": "possible", "Leak_IndirectlyLost": "indirect",
		"Leak_StillReachable": "reachable",
	}[kind]
	if !ok {
		return true
	}
	kinds := "definite,possible"
	for _, arg := range x.header.ValgrindArgs {
		if v, ok := strings.CutPrefix(arg, "--errors-for-leak-kinds="); ok {
			kinds = v
		}
	}
	return kinds == "all" || slices.Contains(strings.Split(kinds, ","), word)
}

// end makes the verdict, when the report has been read.
func (x *xmlReport) end() []result.Message {
	t := &result.Test{Package: x.program(), Name: x.name, Verdict: result.Pass, ElapsedS: x.elapsed, Findings: x.findings.Len()}
	var reasons []string
	if n := x.findings.Len(); n > 0 {
		t.Verdict = result.Fail
		var kinds []string
		for f := range x.findings.All() {
			if !slices.Contains(kinds, f.Kind) {
				kinds = append(kinds, f.Kind)
			}
		}
		reasons = append(reasons, fmt.Sprintf("memcheck found %d: %s", n, strings.Join(kinds, ", ")))
	}
	if s := x.signal; s != nil {
		t.Verdict = result.Fail
		reasons = append(reasons, strings.TrimSuffix("the program died of "+s.Name+": "+s.Event, ": "))
	}
	if reason := x.whole.Reason(); reason != "" {
		t.Verdict = result.Inconclusive
		reasons = append(reasons, reason)
	}
	t.Reason = strings.Join(reasons, "; ")

	// What happened more than once was reported once and counted.
	for i, u := range x.unique {
		if n := x.counts[u]; n > 1 {
			x.findings.Brief(x.finding[i]).Count += n - 1
		}
	}
	msgs := []result.Message{{Plan: &result.Plan{Package: t.Package, Tests: []string{t.Name}}}, {Test: t}}
	var tally result.Tally
	for f := range x.findings.All() {
		msgs = append(msgs, result.Message{Finding: f})
	}
	for _, m := range msgs {
		_ = tally.Handle(context.Background(), m) // it fails for a summary only
	}
	sum := tally.Summary()
	sum.ElapsedS = x.elapsed
	return append(msgs, result.Message{Summary: &sum})
}
