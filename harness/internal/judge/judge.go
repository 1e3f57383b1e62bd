// Package judge turns what memcheck and the go test hooks said into verdicts and findings.
//
// Input is, for each process that ran a package's tests: the events of memcheck's report in order, the output of the
// test binary, and how the process ended. Output is result messages: plans and progress while a process runs, the
// verdicts of its tests when it ends, the package's findings when all its processes have ended. It starts no processes,
// and reads no files but the test binary's debugging information, the sources that stacks point to, and the go.mod beside those.
package judge

import (
	"github.com/cgogrind/cgogrind/harness/internal/frames"
	"github.com/cgogrind/cgogrind/harness/internal/symbols"
	"github.com/cgogrind/cgogrind/harness/result"
)

// Config is what the judge knows of a package beforehand.
type Config struct {
	ImportPath string
	Dir        string
	ModulePath string
	ModuleDir  string
	GOROOT     string
	Binary     string // the test binary's path, as memcheck reports it
	Program    bool   // the binary is no Go program
	Token      string // of the run's marks; a mark with another one is not obeyed
	AllFrames  bool   // show the frames between C and Go code and of Go's runtime, too
	Repro      Repro  // what a command to run a test again needs
	FailFast   bool   // a test that fails keeps the tests after it from running
	// Dispose decides about findings that no test expects; nil makes them all new. It is given the fingerprint, kind,
	// package, bytes and blocks of what the package's tests have hit so far.
	Dispose func(result.Finding) result.Disposition
}

// Repro is what a command that runs a test again takes over from the run.
type Repro struct {
	Packages  []string // how to name the package; its import path if empty
	Env       []string // NAME=VALUE
	Flags     []string // of cgogrind test: -tags=…
	TestFlags []string // of the test binary, those that choose tests excepted
}

// Judge judges one package. It is not safe for concurrent use.
type Judge struct {
	cfg      Config
	emit     func(result.Message)
	frames   *frames.Reader
	findings []*result.Finding
	byKey    map[findingKey]*result.Finding
	clues    map[*result.Finding][]clues         // of each record of a finding
	hit      map[*result.Finding]map[string]bool // its tests
	lost     map[string]loss                     // by fingerprint, without what was expected
	// interrupted are the top-level tests whose Ginkgo suite goes on in another process, with what came of them so far.
	interrupted map[string]interruption

	waiting map[string]bool // top-level tests whose suite has specs that are to run once more

	told map[entry]result.Verdict // specs and nodes that have a verdict

	alone, natively int // processes that were to run one test
	suppressed      map[string]uint64
	children        *Children // nil if there are none

	symbols      *symbols.Table // of the test binary
	symbolsTried bool
}

// findingKey is what makes records one finding: a defect that one test expects and another does not is two.
type findingKey struct {
	fingerprint string
	disposition result.Disposition
	oneOf       bool
}

// loss is what a finding's records lost.
type loss struct{ bytes, blocks uint64 }

// New returns a Judge that hands its messages to emit.
func New(cfg Config, emit func(result.Message)) *Judge {
	j := &Judge{
		cfg: cfg, emit: emit, byKey: make(map[findingKey]*result.Finding),
		clues: make(map[*result.Finding][]clues), hit: make(map[*result.Finding]map[string]bool),
		lost: make(map[string]loss), interrupted: make(map[string]interruption),
		suppressed: make(map[string]uint64), waiting: make(map[string]bool),
		told: make(map[entry]result.Verdict),
	}
	j.frames = frames.New(frames.Code{
		ModulePath: cfg.ModulePath, ModuleDir: cfg.ModuleDir, ImportPath: cfg.ImportPath, Dir: cfg.Dir, GOROOT: cfg.GOROOT, Binary: cfg.Binary,
		Program: cfg.Program, AllFrames: cfg.AllFrames,
	})
	return j
}

// Finish emits the package's findings. Call it when the last process has been judged.
func (j *Judge) Finish() {
	if j.children != nil {
		j.children.finish()
	}
	j.findCauses()
	for _, f := range j.findings {
		j.emit(result.Message{Finding: f})
	}
	j.findings = nil
	clear(j.hit)
	clear(j.lost)
}

// Lost gives each of the tests named, top-level ones that were planned and will not run any more, its verdict.
func (j *Judge) Lost(names []string, reason string) {
	for _, name := range names {
		j.emit(result.Message{Test: &result.Test{
			Package: j.cfg.ImportPath, Name: name, Verdict: result.Inconclusive,
			Reason: join(j.interrupted[name].now.reason, reason),
		}})
	}
}

// Suppressed says how often each suppression hid an error, by its name, in all processes that ran to their end.
func (j *Judge) Suppressed() map[string]uint64 { return j.suppressed }

// dispose decides about a record that no test expects.
func (j *Judge) dispose(r *record) result.Disposition {
	if j.cfg.Dispose == nil {
		return result.New
	}
	so := result.Finding{
		Fingerprint: r.fingerprint, Kind: string(r.kind), Package: j.cfg.ImportPath, Bytes: r.bytes, Blocks: r.blocks,
	}
	so.Bytes += j.lost[r.fingerprint].bytes
	so.Blocks += j.lost[r.fingerprint].blocks
	return j.cfg.Dispose(so)
}

// notRun gives tests that the test binary did not run, although it was to, their verdicts.
func (j *Judge) notRun(names []string) {
	if !j.cfg.FailFast {
		j.Lost(names, "the test binary did not run it")
		return
	}
	for _, name := range names {
		j.emit(result.Message{Test: &result.Test{
			Package: j.cfg.ImportPath, Name: name, Verdict: result.Skip, Reason: "a test before it failed (-failfast)",
		}})
	}
}

// add merges a record into the package's findings.
func (j *Judge) add(r *record, d result.Disposition, tests []string, repro string) {
	key := findingKey{r.fingerprint, d, r.attribution == result.OneOf}
	f := j.byKey[key]
	if f == nil {
		f = &result.Finding{
			Fingerprint: r.fingerprint, Kind: string(r.kind), Package: j.cfg.ImportPath, Test: tests[0], Disposition: d,
			Message: r.message, Blame: r.places.Blame, Caller: r.places.Caller, Other: r.places.Other, Stacks: r.stacks, Attribution: r.attribution,
			Hint: r.hint, Repro: repro,
		}
		j.byKey[key] = f
		j.findings = append(j.findings, f)
		j.hit[f] = make(map[string]bool)
	}
	for _, t := range tests {
		if !j.hit[f][t] {
			j.hit[f][t] = true
			f.Tests = append(f.Tests, t)
		}
	}
	j.clues[f] = append(j.clues[f], r.clues)
	f.Count += r.count
	f.Bytes += r.bytes
	f.Blocks += r.blocks
	if d != result.Expected {
		l := j.lost[r.fingerprint]
		j.lost[r.fingerprint] = loss{l.bytes + r.bytes, l.blocks + r.blocks}
	}
	f.Message = result.LeakMessage(f.Message, f.Bytes, f.Blocks)
}

func (j *Judge) progress(text string) {
	j.emit(result.Message{Progress: &result.Progress{Package: j.cfg.ImportPath, Text: text}})
}
