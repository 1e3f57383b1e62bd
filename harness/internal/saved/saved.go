// Package saved reads what earlier runs left, result streams and memcheck's XML reports, and makes one run of them.
//
// Input is readers; output is result messages in order, as the engine emits them: a config, a summary, and a verdict for
// every test that was planned. Whatever is missing becomes a test of the package "[report]" that is inconclusive and says
// what is missing, so that every output shows it and no damaged stream reads as a pass. The package prints nothing and
// decides nothing about findings.
package saved

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"slices"
	"strings"

	"github.com/segmentio/encoding/json"

	"github.com/cgogrind/cgogrind/harness/internal/report"
	"github.com/cgogrind/cgogrind/harness/result"
)

// Package is the name of the package whose tests stand for what could not be read.
const Package = "[report]"

// Input is a saved stream or XML report.
type Input struct {
	Name   string // for messages: the file's
	Reader io.Reader
}

// Errors of inputs that cannot be one run. Nothing has been emitted then.
var (
	ErrUnreadable = errors.New("it cannot be read as a result stream or as memcheck's XML")
	ErrDouble     = errors.New("the same part of a run was given twice")
	ErrOtherRun   = errors.New("the streams are not of one run")
)

var errEmpty = fmt.Errorf("%w: it is empty, so the run did not begin or its writer was stopped", result.ErrTruncated)

// DamageError tells of inputs that were incomplete. What they hold was emitted, and so was, as inconclusive, what they lack.
type DamageError struct{ Problems []string }

func (e *DamageError) Error() string { return strings.Join(e.Problems, "\n") }

// Read hands the messages of one run, made of the inputs, to h; those of a single input as they are read. Progress is left
// out. The error is one of those above or a *DamageError, or it is the handler's.
func Read(ctx context.Context, inputs []Input, h result.Handler) error {
	m := &merger{ctx: ctx, handler: h}
	for i, in := range inputs {
		next, stop := iter.Pull2(ahead(Messages(in)))
		defer stop()
		first, err, ok := next()
		for ok && err == nil && first.Config == nil {
			first, err, ok = next() // progress may come first
		}
		if !ok || err != nil {
			return fmt.Errorf("%s: %w: %w", in.Name, ErrUnreadable, cmp.Or(err, errEmpty))
		}
		m.sources = append(m.sources, &source{
			name: in.Name, number: i, config: *first.Config, next: next, done: make(map[testKey]bool),
		})
	}
	if err := m.check(); err != nil {
		return err
	}
	return m.run()
}

// Messages reads one input, whatever it is. The error comes last.
func Messages(in Input) iter.Seq2[result.Message, error] {
	r := bufio.NewReaderSize(in.Reader, 64<<10)
	if _, err := r.Peek(1); err == io.EOF {
		return func(yield func(result.Message, error) bool) { yield(result.Message{}, errEmpty) }
	}
	if isXML(r) {
		return readXML(in.Name, r)
	}
	return result.DecodeWith(json.Unmarshal, r)
}

// ahead reads on while what was read is being handled.
func ahead(messages iter.Seq2[result.Message, error]) iter.Seq2[result.Message, error] {
	const batch = 64
	type item struct {
		message result.Message
		err     error
	}
	return func(yield func(result.Message, error) bool) {
		batches, stop := make(chan []item, 4), make(chan struct{})
		defer close(stop)
		go func() {
			defer close(batches)
			var items []item
			send := func() bool {
				select {
				case batches <- items:
					items = nil
					return true
				case <-stop:
					return false
				}
			}
			for m, err := range messages {
				if items = append(items, item{m, err}); len(items) == batch && !send() {
					return
				}
			}
			send()
		}()
		for items := range batches {
			for _, i := range items {
				if !yield(i.message, i.err) {
					return
				}
			}
		}
	}
}

// isXML says whether the first byte that is not white space begins an element.
func isXML(r *bufio.Reader) bool {
	for n := 1; n <= 4096; n++ {
		b, err := r.Peek(n)
		if err != nil {
			return false
		}
		if c := b[n-1]; !strings.ContainsRune(" \t\r\n\ufeff", rune(c)) {
			return c == '<'
		}
	}
	return false
}

type testKey struct{ pkg, name string }

// source is an input that is being read.
type source struct {
	name    string
	number  int
	config  result.Config
	next    func() (result.Message, error, bool)
	tally   result.Tally
	planned []testKey
	done    map[testKey]bool
	elapsed float64
}

// merger makes one run of the sources.
type merger struct {
	ctx      context.Context
	handler  result.Handler
	sources  []*source
	tally    result.Tally
	problems []string

	// What several sources have is collected: a test or a finding of one may be in another, too.
	tests      []*collectedTest
	testOf     map[testKey]*collectedTest
	findings   report.Store
	foundIn    []int // the source of each finding
	findingOf  map[findingKey]int
	suppressed []result.Suppression
}

type collectedTest struct {
	result.Test
	source int
}

type findingKey struct {
	fingerprint, pkg string
	disposition      result.Disposition
	oneOf            bool
}

// check fails if the sources are not parts of one run.
func (m *merger) check() error {
	byRun := make(map[string]*source)
	var sharded, whole *source
	byIndex := make(map[int]*source)
	for _, s := range m.sources {
		if s.config.RunID != "" {
			if other := byRun[s.config.RunID]; other != nil {
				return fmt.Errorf("%s and %s: %w: both are of run %s", other.name, s.name, ErrDouble, report.Line(s.config.RunID))
			}
			byRun[s.config.RunID] = s
		}
		shard := s.config.Shard
		if shard == nil {
			whole = s
			continue
		}
		if shard.Count < 1 || shard.Index < 1 || shard.Index > shard.Count {
			return fmt.Errorf("%s: %w: it says that it is shard %d of %d", s.name, ErrUnreadable, shard.Index, shard.Count)
		}
		if sharded != nil {
			if what := differs(&sharded.config, &s.config); what != "" {
				return fmt.Errorf("%s and %s: %w: %s", sharded.name, s.name, ErrOtherRun, what)
			}
		} else {
			sharded = s
		}
		if other := byIndex[shard.Index]; other != nil {
			return fmt.Errorf("%s and %s: %w: both are shard %d of %d, which was run again; leave one out", other.name, s.name,
				ErrDouble, shard.Index, shard.Count)
		}
		byIndex[shard.Index] = s
	}
	switch {
	case sharded == nil:
		return nil
	case whole != nil:
		return fmt.Errorf("%s and %s: %w: one is shard %d of %d, the other is of a run that was not divided", sharded.name,
			whole.name, ErrOtherRun, sharded.config.Shard.Index, sharded.config.Shard.Count)
	}
	var missing []int
	for i := 1; i <= sharded.config.Shard.Count; i++ {
		if byIndex[i] != nil {
			continue
		}
		if missing = append(missing, i); len(missing) > maxMissing {
			return fmt.Errorf("%s: %w: it is one of %d shards, and most are missing", sharded.name, ErrOtherRun,
				sharded.config.Shard.Count)
		}
	}
	for _, i := range missing {
		m.missing(fmt.Sprintf("shard %d of %d", i, sharded.config.Shard.Count),
			"there is no stream of it: did its job fail before it saved one, or was the file not handed on?")
	}
	return nil
}

// maxMissing is the number of missing shards that are named one by one.
const maxMissing = 1000

// differs says what tells two runs apart, "" if they may be one.
func differs(a, b *result.Config) string {
	for _, d := range []struct{ what, a, b string }{
		{"number of shards", fmt.Sprint(a.Shard.Count), fmt.Sprint(b.Shard.Count)},
		{"run key", a.RunKey, b.RunKey},
		{"version of cgogrind", a.Tool, b.Tool},
		{"version of fingerprints", fmt.Sprint(a.Fingerprints), fmt.Sprint(b.Fingerprints)},
		{"version of Go", a.Go, b.Go},
		{"version of valgrind", a.Valgrind, b.Valgrind},
		{"runtime", string(a.Runtime), string(b.Runtime)},
	} {
		if d.a != d.b {
			return fmt.Sprintf("the %s is %q in one and %q in the other", d.what, report.Line(d.a), report.Line(d.b))
		}
	}
	return ""
}

// missing notes that the run lacks something.
func (m *merger) missing(name, reason string) {
	m.problems = append(m.problems, name+": "+reason)
	t := &result.Test{Package: Package, Name: name, Verdict: result.Inconclusive, Reason: reason}
	m.tests = append(m.tests, &collectedTest{*t, -1})
}

func (m *merger) run() error {
	absent := m.tests // those that check made come last
	m.tests = nil
	if err := m.emit(result.Message{Config: m.config()}); err != nil {
		return err
	}
	var elapsed float64
	m.testOf, m.findingOf = make(map[testKey]*collectedTest), make(map[findingKey]int)
	for _, s := range m.sources {
		take := m.emit
		if len(m.sources) > 1 {
			take = func(msg result.Message) error { return m.collect(s, msg) }
		}
		if err := m.read(s, take); err != nil {
			return err
		}
		elapsed = max(elapsed, s.elapsed)
	}
	byPackage(m.tests)
	for _, t := range append(m.tests, absent...) {
		if err := m.emit(result.Message{Test: &t.Test}); err != nil {
			return err
		}
	}
	for f := range m.findings.All() {
		if err := m.emit(result.Message{Finding: f}); err != nil {
			return err
		}
	}
	sum := m.tally.Summary()
	sum.ElapsedS, sum.Suppressions = elapsed, m.suppressed
	if err := m.emit(result.Message{Summary: &sum}); err != nil {
		return err
	}
	if len(m.problems) > 0 {
		return &DamageError{m.problems}
	}
	return nil
}

func (m *merger) emit(msg result.Message) error {
	if err := m.ctx.Err(); err != nil {
		return err
	}
	if err := m.tally.Handle(m.ctx, msg); err != nil {
		return err
	}
	return m.handler.Handle(m.ctx, msg)
}

// config is the run's: that of the first source, without what is the source's own.
func (m *merger) config() *result.Config {
	c := m.sources[0].config
	if len(m.sources) == 1 {
		return &c
	}
	c.Shard = nil
	for _, s := range m.sources {
		if t := s.config.Started; !t.IsZero() && (c.Started.IsZero() || t.Before(c.Started)) {
			c.Started = t
		}
	}
	return &c
}

// read takes the messages of a source, and what it lacks.
func (m *merger) read(s *source, take func(result.Message) error) error {
	var problem error
	for problem == nil {
		msg, err, ok := s.next()
		if !ok {
			break
		}
		if err == nil {
			err = s.tally.Handle(m.ctx, msg)
			if msg.Summary != nil {
				s.elapsed = msg.Summary.ElapsedS
			}
		}
		if err != nil {
			problem = err
			break
		}
		switch {
		case msg.Progress != nil:
			continue
		case msg.Summary != nil:
			m.addSuppressions(msg.Summary.Suppressions)
			continue
		case msg.Plan != nil:
			for _, name := range msg.Plan.Tests {
				s.planned = append(s.planned, testKey{msg.Plan.Package, name})
			}
			err = m.emit(msg)
		case msg.Test != nil:
			s.done[testKey{msg.Test.Package, msg.Test.Name}] = true
			err = take(msg)
		default:
			err = take(msg)
		}
		if err != nil {
			return err
		}
	}
	reason := "it was planned and has no verdict"
	if problem != nil {
		reason += ": " + problem.Error()
	}
	for _, key := range s.planned {
		if s.done[key] {
			continue
		}
		s.done[key] = true
		lost := &result.Test{Package: key.pkg, Name: key.name, Verdict: result.Inconclusive, Reason: reason}
		if err := take(result.Message{Test: lost}); err != nil {
			return err
		}
	}
	if problem == nil {
		return nil
	}
	m.problems = append(m.problems, fmt.Sprintf("%s: %v", s.name, problem))
	return take(result.Message{Test: &result.Test{
		Package: Package, Name: path.Base(s.name), Verdict: result.Inconclusive, Reason: problem.Error(),
	}})
}

// collect keeps a message of one of several sources until all are read.
func (m *merger) collect(s *source, msg result.Message) error {
	switch {
	case msg.Test != nil:
		key := testKey{msg.Test.Package, msg.Test.Name}
		if t := m.testOf[key]; t != nil && t.source != s.number {
			t.join(msg.Test)
			return nil
		}
		t := &collectedTest{*msg.Test, s.number}
		m.testOf[key] = t
		m.tests = append(m.tests, t)
	case msg.Finding != nil:
		f := msg.Finding
		key := findingKey{f.Fingerprint, f.Package, f.Disposition, f.Attribution == result.OneOf}
		if i, ok := m.findingOf[key]; ok && m.foundIn[i] != s.number {
			join(m.findings.Brief(i), f)
			return nil
		}
		m.findingOf[key] = m.findings.Add(f)
		m.foundIn = append(m.foundIn, s.number)
	}
	return nil
}

// verdicts are ordered from the best to the worst.
var verdicts = []result.Verdict{result.Skip, result.Pass, result.Inconclusive, result.Fail}

func worse(a, b result.Verdict) result.Verdict {
	rank := func(v result.Verdict) int {
		if i := slices.Index(verdicts, v); i >= 0 {
			return i
		}
		return slices.Index(verdicts, result.Inconclusive)
	}
	if rank(b) > rank(a) {
		return b
	}
	return a
}

// join adds what another source says of the same test: a suite whose specs are divided, or what is outside the tests.
func (t *collectedTest) join(u *result.Test) {
	otherwise := worse(cmp.Or(t.Otherwise, t.Verdict), cmp.Or(u.Otherwise, u.Verdict))
	t.Verdict = worse(t.Verdict, u.Verdict)
	if t.Otherwise = otherwise; otherwise == t.Verdict {
		t.Otherwise = ""
	}
	t.Reason = joinText(t.Reason, u.Reason, "; ")
	t.Output = joinText(t.Output, u.Output, "\n")
	t.Repro = cmp.Or(t.Repro, u.Repro)
	t.ElapsedS += u.ElapsedS
	t.Findings += u.Findings
}

func joinText(a, b, sep string) string {
	if a == "" || b == "" || a == b {
		return cmp.Or(a, b)
	}
	return a + sep + b
}

// join adds what another source says of the same finding.
func join(f, g *result.Finding) {
	for _, t := range g.Tests {
		if !slices.Contains(f.Tests, t) {
			f.Tests = append(f.Tests, t)
		}
	}
	if f.Cause != g.Cause {
		f.Cause = "" // once it came without the one that came first
	}
	f.Count += g.Count
	f.Bytes += g.Bytes
	f.Blocks += g.Blocks
	f.Message = result.LeakMessage(f.Message, f.Bytes, f.Blocks)
}

// byPackage brings the tests of a package together, in the order in which packages and tests first came.
func byPackage(tests []*collectedTest) {
	order := make(map[string]int)
	for _, t := range tests {
		if _, ok := order[t.Package]; !ok {
			order[t.Package] = len(order)
		}
	}
	slices.SortStableFunc(tests, func(a, b *collectedTest) int { return order[a.Package] - order[b.Package] })
}

func (m *merger) addSuppressions(more []result.Suppression) {
	for _, s := range more {
		i := slices.IndexFunc(m.suppressed, func(have result.Suppression) bool { return have.ID == s.ID && have.File == s.File })
		if i < 0 {
			m.suppressed = append(m.suppressed, s)
		} else {
			m.suppressed[i].Count += s.Count
		}
	}
}
