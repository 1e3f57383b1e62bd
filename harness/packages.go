package harness

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cgogrind/cgogrind/harness/internal/build"
	"github.com/cgogrind/cgogrind/harness/internal/judge"
	"github.com/cgogrind/cgogrind/harness/result"
)

const interrupted = "the run was interrupted"

// runAll runs the tests of all packages, as many at a time as there are slots for processes.
func (r *run) runAll(ctx context.Context) {
	var packages []build.Package
	for _, p := range r.built.Packages {
		switch {
		case p.Failed != nil:
			verdict := result.Fail
			if p.Failed.Unchecked {
				verdict = result.Inconclusive
			}
			r.emit(result.Message{Test: &result.Test{
				Package: p.ImportPath, Name: result.Setup, Verdict: verdict,
				Reason: p.Failed.Reason, Output: cut(p.Failed.Output),
			}})
			continue
		case p.Binary == "":
			fmt.Fprintf(r.cfg.Notes, "%s: no test files\n", p.ImportPath)
			continue
		case !p.HasCgo:
			fmt.Fprintf(r.cfg.Notes, "%s: neither it nor what it imports uses cgo, so memcheck can find little here\n",
				p.ImportPath)
		}
		packages = append(packages, p)
	}
	if r.cfg.Budget > 0 {
		r.deadline = r.start.Add(r.cfg.Budget)
		slices.SortStableFunc(packages, func(a, b build.Package) int {
			return cmp.Compare(r.times.total(a.ImportPath), r.times.total(b.ImportPath))
		})
	}
	r.slots = make(chan struct{}, r.cfg.Processes)
	var all sync.WaitGroup
	for i, p := range packages {
		// Packages begin in order: each waits for its first slot here.
		r.slots <- struct{}{}
		pr := &packageRun{run: r, index: i, pkg: p, live: len(packages) == 1, first: true}
		all.Go(func() { pr.do(ctx) })
	}
	all.Wait()
}

// cut leaves the beginning of what the go command said, which has the cause.
func cut(output string) string {
	const most = 64 << 10
	if len(output) <= most {
		return output
	}
	return strings.ToValidUTF8(output[:most], "") + "\n…"
}

// packageRun runs the tests of one package.
type packageRun struct {
	*run
	index int
	pkg   build.Package
	token string
	first bool // the slot for its first process is taken already

	// judging lets one process of the package at a time tell the judge something.
	judging sync.Mutex
	judge   *judge.Judge
	began   time.Time
	reports int // numbers the files of the processes
	idle    int // parts without a test: what they were to run is not known
	// broken is what kept parts from running, other than what they did themselves.
	broken []string
	open   map[string]bool // planned tests: whether they have no verdict yet

	// live hands verdicts on at once; otherwise they wait for the package's end, so that packages stay together.
	live bool
	held []result.Message
}

// do runs the tests of the package. Whatever happens is its own affair: it becomes verdicts, and other packages go on.
func (p *packageRun) do(ctx context.Context) {
	defer func() {
		if p.first { // no process took the slot
			<-p.slots
		}
	}()
	if !p.deadline.IsZero() && time.Now().After(p.deadline) {
		p.emit(result.Message{Test: &result.Test{
			Package: p.pkg.ImportPath, Name: result.Setup, Verdict: result.Skip,
			Reason: "the budget was used up before its tests began",
		}})
		return
	}
	token := make([]byte, 16)
	rand.Read(token) // never fails
	p.token = hex.EncodeToString(token)
	p.began = time.Now()
	p.open = make(map[string]bool)
	binary, err := filepath.EvalSymlinks(p.pkg.Binary)
	if err != nil {
		p.fail(ctx, fmt.Errorf("finding its test binary: %w", err))
		binary = p.pkg.Binary
	}
	p.judge = judge.New(judge.Config{
		ImportPath: p.pkg.ImportPath, Dir: p.pkg.Sources(), ModulePath: p.pkg.ModulePath, ModuleDir: p.pkg.ModuleDir,
		GOROOT: p.built.GOROOT, Binary: binary, Token: p.token, AllFrames: p.cfg.AllFrames,
		Repro: p.repro(p.pkg), Dispose: p.cfg.Dispose, FailFast: p.cfg.FailFast,
	}, p.take)
	var parts []selection
	if err == nil {
		if parts, err = p.parts(ctx); err != nil {
			p.fail(ctx, err)
		}
	}
	var all sync.WaitGroup
	for _, part := range parts {
		all.Go(func() { p.runPart(ctx, part) })
	}
	all.Wait()
	switch {
	case p.idle == 0:
	case p.idle == len(parts):
		p.setup(result.Skip, "TestMain ended the process without M.Run: no test ran")
	default:
		p.setup(result.Inconclusive, fmt.Sprintf("TestMain ended %d of the %d processes that share the package's tests "+
			"without M.Run: their part did not run", p.idle, len(parts)))
	}
	p.giveVerdicts()
	p.judge.Finish()
	p.supps.count(p.judge.Suppressed())
	p.emit(p.held...)
}

// fail keeps what kept a part of the package from running.
func (p *packageRun) fail(ctx context.Context, err error) {
	reason := p.explain(err)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		reason = interrupted + " before its tests began"
	}
	p.judging.Lock()
	defer p.judging.Unlock()
	if !slices.Contains(p.broken, reason) {
		p.broken = append(p.broken, reason)
	}
}

// explain adds to an error what may have caused it.
func (r *run) explain(err error) string {
	if _, statErr := os.Stat(r.work.path); errors.Is(statErr, fs.ErrNotExist) {
		return fmt.Sprintf("somebody, perhaps a test, removed the temporary folder of the run, %s: %v", r.work.path, err)
	}
	return err.Error()
}

// giveVerdicts leaves no planned test without a verdict, and says what kept parts from running.
func (p *packageRun) giveVerdicts() {
	reason := strings.Join(p.broken, "; ")
	if reason != "" {
		p.setup(result.Inconclusive, reason)
	}
	var left []string
	for name, open := range p.open {
		if open {
			left = append(left, name)
		}
	}
	slices.Sort(left)
	p.judge.Lost(left, cmp.Or(reason, "no process said how it ended"))
}

// setup gives what comes before the package's tests a verdict.
func (p *packageRun) setup(v result.Verdict, reason string) {
	p.take(result.Message{Test: &result.Test{
		Package: p.pkg.ImportPath, Name: result.Setup, Verdict: v, Reason: reason,
	}})
}

// take receives the judge's messages.
func (p *packageRun) take(m result.Message) {
	switch {
	case m.Test != nil:
		p.open[m.Test.Name] = false
		if m.Test.Verdict == result.Pass {
			p.times.add(p.pkg.ImportPath, m.Test.Name, m.Test.ElapsedS)
		}
	case m.Plan != nil:
		for _, name := range m.Plan.Tests {
			if _, known := p.open[name]; !known {
				p.open[name] = true
			}
		}
	}
	if p.live || m.Progress != nil || m.Plan != nil {
		p.emit(m)
	} else {
		p.held = append(p.held, m)
	}
}

// parts divides the package's tests among processes.
func (p *packageRun) parts(ctx context.Context) ([]selection, error) {
	all := p.selection()
	switch {
	case p.cfg.Isolate:
		names, err := p.list(ctx, all)
		if err != nil {
			return nil, err
		}
		var parts []selection
		for _, name := range names {
			part := all
			part.only = []string{name}
			parts = append(parts, part)
		}
		if len(parts) == 0 { // a process says whether other shards have tests
			parts = append(parts, all)
		}
		return parts, nil
	case p.cfg.Split > 1:
		var parts []selection
		for i := range p.cfg.Split {
			part := all
			part.shards = append(slices.Clone(all.shards), result.Shard{Index: i + 1, Count: p.cfg.Split})
			parts = append(parts, part)
		}
		return parts, nil
	}
	return []selection{all}, nil
}

// runPart runs a part of the package's tests, in further processes those that a process took down with it.
func (p *packageRun) runPart(ctx context.Context, part selection) {
	remaining := part.only
	var unconfirmed judge.Selection
	for goOn := true; goOn; {
		owed := remaining
		proc, o, err := p.runProcess(ctx, process{
			newJudge: p.judge.Process, owed: owed, part: part, args: p.testArgs(p.pkg),
		})
		if err != nil {
			p.fail(ctx, err)
			p.judging.Lock()
			p.judge.Lost(owed, "the process that was to run it could not be started: "+p.explain(err))
			p.judging.Unlock()
			break
		}
		p.runAgain(ctx, proc, o)
		p.judging.Lock()
		remaining = proc.Finish(o)
		if proc.IsIdle() && len(owed) == 0 {
			p.idle++
		}
		unconfirmed.Add(proc.Unconfirmed())
		goOn = len(remaining) > 0
		if goOn && (ctx.Err() != nil || !proc.Began() || p.isOver()) {
			reason := "the process ended before it could run"
			switch {
			case o.Stopped != "":
				reason = o.Stopped + " before it could run"
			case p.isOver():
				reason = p.overtime() + " before it could run"
			}
			p.judge.Lost(remaining, reason)
			goOn = false
		}
		p.judging.Unlock()
		if !goOn {
			break
		}
		left := make(map[string]bool)
		for _, name := range remaining {
			left[name] = true
		}
		for _, name := range proc.Planned() {
			if !left[name] {
				part.skip = append(part.skip, name)
			}
		}
		part.skipSpecs = append(part.skipSpecs, proc.BegunSpecs()...)
		p.note("%s: running %d of its tests in a fresh process", p.pkg.ImportPath, len(remaining))
	}
	p.confirm(ctx, unconfirmed)
}

// confirm runs once more what passed in processes that did not end in order: memcheck could not look for all leaks
// there, or not report all errors.
func (p *packageRun) confirm(ctx context.Context, u judge.Selection) {
	if len(u.Tests) == 0 {
		return
	}
	if ctx.Err() != nil || p.isOver() {
		reason := interrupted
		if p.isOver() {
			reason = p.overtime()
		}
		p.judging.Lock()
		defer p.judging.Unlock()
		p.judge.Lost(u.Owed(), "it passed in a process that did not end in order, and "+reason+
			" before it could run once more")
		return
	}
	p.note("%s: running %d that passed once more, as their process did not end in order", p.pkg.ImportPath,
		max(len(u.Tests), len(u.Specs)))
	proc, o, err := p.runProcess(ctx, process{
		newJudge: p.judge.Confirm, owed: u.Tests, part: selection{only: u.Tests, specs: u.Specs}, args: p.selectionArgs(p.pkg, u),
	})
	p.judging.Lock()
	defer p.judging.Unlock()
	if err != nil {
		p.judge.Lost(u.Owed(), "it passed in a process that did not end in order, and could not run once more: "+err.Error())
		return
	}
	remaining := proc.Finish(o)
	if !proc.Began() { // no specs, either
		remaining = slices.Compact(slices.Sorted(slices.Values(slices.Concat(remaining, u.Owed()))))
	}
	if len(remaining) > 0 {
		p.judge.Lost(remaining, "it passed in a process that did not end in order, and the process that was to run it once "+
			"more ended before it could")
	}
}

// runAgain runs tests of a process that ended in processes of their own, where that says more about them.
func (p *packageRun) runAgain(ctx context.Context, proc *judge.Process, o judge.Outcome) {
	p.judging.Lock()
	alone := proc.Alone(o)
	crashed := proc.Crashed(o)
	p.judging.Unlock()
	for _, a := range alone {
		if ctx.Err() != nil {
			return
		}
		p.note("%s: running %s alone, to name an error that memcheck only counted", p.pkg.ImportPath, a.Test)
		again, o, err := p.runAlone(ctx, a)
		if err != nil {
			p.without(ctx, "running "+a.Test+" alone", err)
			continue
		}
		p.judging.Lock()
		a.Finish(proc, again, o)
		p.judging.Unlock()
	}
	if crashed != nil && ctx.Err() == nil {
		p.note("%s: running %s alone, to see whether it needs the tests before it to take its process down",
			p.pkg.ImportPath, crashed.Test)
		again, o, err := p.runAlone(ctx, crashed)
		if err != nil {
			p.without(ctx, "running "+crashed.Test+" alone", err)
		} else {
			p.judging.Lock()
			crashed.FinishCrash(proc, again, o)
			p.judging.Unlock()
		}
	}
	p.judging.Lock()
	strays := proc.Strays()
	failed := proc.OwnFailures(o)
	p.judging.Unlock()
	if len(strays.Tests) > 0 && o.Stopped == "" && ctx.Err() == nil {
		p.note("%s: running %d once more with a leak check after each, to see which of them leaks", p.pkg.ImportPath,
			max(len(strays.Tests), len(strays.Specs)))
		again, _, err := p.runProcess(ctx, process{
			newJudge: p.judge.Silent, part: selection{only: strays.Tests, specs: strays.Specs, leaks: everyTest},
			args: p.selectionArgs(p.pkg, strays),
		})
		if err != nil {
			p.without(ctx, "looking for leaks after each test", err)
		} else {
			p.judging.Lock()
			proc.FinishStrays(again)
			p.judging.Unlock()
		}
	}
	for _, a := range failed {
		if ctx.Err() != nil {
			return
		}
		p.note("%s: running %s without memcheck, to see whether it fails there, too", p.pkg.ImportPath, a.Test)
		out, err := p.runNatively(ctx, a)
		if err != nil {
			p.without(ctx, "running "+a.Test+" without memcheck", err)
			continue
		}
		p.judging.Lock()
		a.FinishNative(out)
		p.judging.Unlock()
	}
}

// without says that one of the processes that are to say more about a test did not run: what is known stands.
func (p *packageRun) without(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		p.note("%s: %s: %v", p.pkg.ImportPath, what, err)
	}
}

func (p *packageRun) runAlone(ctx context.Context, a *judge.Alone) (*judge.Process, judge.Outcome, error) {
	return p.runProcess(ctx, process{
		newJudge: func(command []string) *judge.Process { return a.Process(p.judge, command) },
		args:     p.aloneArgs(p.pkg, a), exact: a.Exact,
	})
}

// packageLimit is how long the tests of a package may take, testLimit how long one may; 0 is for ever.
func (r *run) packageLimit() time.Duration { return limit(r.cfg.Timeout, DefaultTimeout) }
func (r *run) testLimit() time.Duration    { return limit(r.cfg.TestTimeout, DefaultTestTimeout) }

func limit(asked, usual time.Duration) time.Duration {
	if asked == 0 {
		asked = usual
	}
	return TimeoutFactor * max(0, asked)
}

// isOver says whether the package's tests took longer than they may.
func (p *packageRun) isOver() bool {
	limit := p.packageLimit()
	return limit > 0 && time.Since(p.began) >= limit
}

// overtime says so.
func (p *packageRun) overtime() string {
	return fmt.Sprintf("the package's tests took longer than %s (--timeout, times %d)", p.packageLimit(), TimeoutFactor)
}
