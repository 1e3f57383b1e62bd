package judge

import (
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
)

// The layout of the call slots in the reports that these tests compose.
const (
	callBase   = 0x500000
	callStride = 16
	callCount  = 8
	sledBase   = 0x600000
	sledCount  = 100
	binary     = "/tmp/work/p.test"
)

// report composes what memcheck says about a test binary, with counters that add up.
type report struct {
	events  []valgrind.Event
	counts  valgrind.ErrorCounts
	errors  uint64
	ids     map[string]uint64
	lastID  uint64
	output  strings.Builder
	token   string
	isDone  bool // M.Run has returned
	past    bool // the process ends past os.Exit
	isReady bool // it does not
	blind   bool // memcheck looks for no leaks
}

func newReport() *report {
	r := &report{ids: make(map[string]uint64), token: "f00d"}
	r.add(valgrind.Header{Protocol: 4, Tool: "memcheck", PID: 77, ValgrindArgs: []string{"--error-limit=no"}},
		valgrind.Status{State: "RUNNING"})
	r.mark("start 77")
	r.mark("layout %#x %d %d %#x %d", callBase, callStride, callCount, sledBase, sledCount)
	return r
}

func (r *report) add(ev ...valgrind.Event) { r.events = append(r.events, ev...) }

func (r *report) mark(format string, args ...any) {
	r.add(valgrind.ClientMessage{Text: "cgogrind1 " + r.token + " " + fmt.Sprintf(format, args...)})
}

func (r *report) plan(names ...string) *report {
	for _, n := range names {
		r.mark("plan %s", escape(n))
	}
	r.mark("planned %d", len(names))
	return r
}

func escape(s string) string {
	if s == "" {
		return "%"
	}
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}

func (r *report) begin(name string) { r.beginKind("test", name) }

func (r *report) beginKind(kind, name string) {
	r.lastID++
	r.ids[name] = r.lastID
	r.mark("begin %d %d %s %s", r.lastID, r.errors, kind, escape(name))
}

func (r *report) pause(name string) { r.mark("pause %d %d", r.ids[name], r.errors) }
func (r *report) cont(name string)  { r.mark("cont %d %d", r.ids[name], r.errors) }

func (r *report) end(name, status string, reason ...string) {
	r.mark("%s", strings.TrimSpace(fmt.Sprintf("end %d %d %s 20000000 %s %s", r.ids[name], r.errors, status, escape(name),
		escape(strings.Join(reason, "")))))
}

// error reports something with the stacks given; memcheck's sections after the first have labels.
func (r *report) error(kind valgrind.Kind, sections ...valgrind.Section) *valgrind.Error {
	e := &valgrind.Error{Unique: uint64(len(r.counts)), TID: 1, Kind: kind, Sections: sections}
	e.What.Text = "Invalid free() / delete / delete[] / realloc()"
	r.errors++
	if isLeak(kind) {
		e.Unique += 1000
		e.What = valgrind.Text{Text: "40 bytes in 2 blocks are definitely lost in loss record 12 of 431",
			LeakedBytes: 40, LeakedBlocks: 2}
	} else {
		r.counts = append(r.counts, valgrind.UniqueCount{Count: 1, Unique: e.Unique})
	}
	r.add(e)
	return e
}

// fold counts a repeat of an error that memcheck does not report again.
func (r *report) fold(unique uint64) {
	r.errors++
	r.counts[unique].Count++
}

func (r *report) done(code int) {
	r.mark("done %d", code)
	r.isDone = true
}

// exit marks that the runtime brought the heap in order, as os.Exit has it do.
func (r *report) exit() {
	r.mark("leaks ready")
	r.isReady = true
}

// probe reports the error that the runtime makes on purpose; the counter in its marks leaves it out.
func (r *report) probe() {
	r.error("InvalidRead", stack(
		at(0x9001, "runtime.cgogrindTouch", "/usr/local/go/src/runtime/cgogrind_probe.go", 96),
		at(0x9002, "runtime.cgogrindProbe", "/usr/local/go/src/runtime/cgogrind_probe.go", 75)))
	r.errors--
}

// lost is the block that the runtime loses on purpose.
func lost() *valgrind.Error {
	return &valgrind.Error{Unique: 9999, TID: 1, Kind: "Leak_DefinitelyLost", Sections: []valgrind.Section{stack(
		at(0x9003, "runtime.valgrindClientRequest.abi0", "/usr/local/go/src/runtime/valgrind_amd64.s", 21),
		at(0x9004, "runtime.valgrindMalloc", "/usr/local/go/src/runtime/valgrind.go", 60),
		at(0x9005, "runtime.cgogrindLose", "/usr/local/go/src/runtime/cgogrind_probe.go", 250))}}
}

// finish ends the report as memcheck does after M.Run has returned and os.Exit was called, leaks between FINISHED and the
// counts.
func (r *report) finish(leaks ...valgrind.Section) *report {
	if r.isDone && !r.past {
		r.exit()
	}
	r.add(valgrind.Status{State: "FINISHED"})
	if r.isReady && !r.blind {
		r.add(lost())
	}
	for _, l := range leaks {
		r.error("Leak_DefinitelyLost", l)
	}
	r.add(r.counts, valgrind.SuppressionCounts{})
	return r
}

// judged is what came out.
type judged struct {
	tests       map[string]result.Test
	order       []string
	findings    []*result.Finding
	plans       []*result.Plan
	progress    []string
	remaining   []string
	unconfirmed Selection
	code        result.ExitCode
}

func judge(t *testing.T, r *report, o Outcome) judged {
	t.Helper()
	return judgeConfig(t, testConfig(t), r, o)
}

func testConfig(t *testing.T) Config {
	dir := t.TempDir()
	files := map[string]string{
		"m/p/p.go": "package p\n\n// void dfree(char *p) {\n//   free(p); /* again */\n// }\nimport \"C\"\n\n" +
			"func Free(p *C.char) {\n\tC.dfree(p)\n}\n",
		"m/p/p_test.go": "package p\n\nfunc TestA() {\n\tFree(p)\n\tFree(q)\n}\n",
	}
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return Config{
		ImportPath: "example.com/m/p", Dir: filepath.Join(dir, "m/p"), ModulePath: "example.com/m",
		ModuleDir: filepath.Join(dir, "m"), GOROOT: "/usr/local/go", Binary: binary, Token: "f00d",
	}
}

func judgeConfig(t *testing.T, cfg Config, r *report, o Outcome) judged {
	t.Helper()
	out := judged{tests: make(map[string]result.Test)}
	var tally result.Tally
	j := New(cfg, func(m result.Message) {
		if err := tally.Handle(t.Context(), m); err != nil {
			t.Error(err)
		}
		switch {
		case m.Test != nil:
			out.tests[m.Test.Name] = *m.Test
			out.order = append(out.order, m.Test.Name)
		case m.Finding != nil:
			out.findings = append(out.findings, m.Finding)
		case m.Plan != nil:
			out.plans = append(out.plans, m.Plan)
		case m.Progress != nil:
			out.progress = append(out.progress, m.Progress.Text)
		}
	})
	p := j.Process([]string{"valgrind", binary})
	var printed sync.WaitGroup // the output comes while the report does
	printed.Go(func() { _, _ = p.Output().Write([]byte(r.output.String())) })
	for _, ev := range r.events {
		dir := cfg.Dir
		if e, ok := ev.(*valgrind.Error); ok {
			ev = located(e, dir)
		}
		p.Event(ev, nil)
	}
	printed.Wait()
	out.remaining = p.Finish(o)
	out.unconfirmed = p.Unconfirmed()
	j.Finish()
	sum := tally.Summary()
	if err := tally.Handle(t.Context(), result.Message{Summary: &sum}); err != nil {
		t.Error(err)
	}
	out.code = tally.ExitCode()
	return out
}

// located puts the folder of the package under test into frames of its files.
func located(e *valgrind.Error, dir string) *valgrind.Error {
	c := *e
	c.Sections = nil
	for _, s := range e.Sections {
		s.Stack = slices.Clone(s.Stack)
		for i := range s.Stack {
			if s.Stack[i].Dir == "P" {
				s.Stack[i].Dir = dir
			}
		}
		c.Sections = append(c.Sections, s)
	}
	return &c
}

func stack(frames ...valgrind.Frame) valgrind.Section { return valgrind.Section{Stack: frames} }

func labelled(label string, frames ...valgrind.Frame) valgrind.Section {
	return valgrind.Section{Text: valgrind.Text{Text: label}, Stack: frames}
}

// The frames of the package in testConfig, and those around them.
var (
	vgFree = valgrind.Frame{IP: 1, Function: "free", Dir: "./coregrind/m_replacemalloc", File: "vg_replace_malloc.c",
		Line: 872, Object: "/usr/libexec/valgrind/vgpreload_memcheck-amd64-linux.so"}
	libc = valgrind.Frame{IP: 2, Function: "strdup", Dir: "/build/glibc/string", File: "strdup.c", Line: 42,
		Object: "/lib/libc.so.6"}
	noSymbol = valgrind.Frame{IP: 0x4a3b1c4, Object: "/usr/lib/librados.so.2.0.0"}

	dfree     = at(3, "dfree", "P/p.go", 4)
	cgoStub   = at(4, "_cgo_0123456789ab_Cfunc_dfree", "/tmp/go-build/cgo-gcc-prolog", 49)
	asmcgo    = at(5, "runtime.asmcgocall.abi0", "/usr/local/go/src/runtime/asm_amd64.s", 923)
	cgocall   = at(6, "runtime.cgocall", "/usr/local/go/src/runtime/cgocall.go", 185)
	goStub    = at(7, "example.com/m/p._Cfunc_dfree", "./_cgo_gotypes.go", 60)
	goFree    = at(8, "example.com/m/p.Free", "P/p.go", 9)
	testA     = at(9, "example.com/m/p.TestA", "P/p_test.go", 4)
	testAelse = at(10, "example.com/m/p.TestA", "P/p_test.go", 5)
	testB     = at(11, "example.com/m/p.TestB", "P/p_test.go", 9)
	tRunner   = at(12, "testing.tRunner", "/usr/local/go/src/testing/testing.go", 1934)
	goexit    = at(13, "runtime.goexit.abi0", "/usr/local/go/src/runtime/asm_amd64.s", 1700)
)

// at is a frame of the test binary. The folder P stands for that of the package under test.
func at(ip uint64, function, file string, line int) valgrind.Frame {
	dir, file := path.Split(file)
	return valgrind.Frame{
		IP: ip, Function: function, Dir: strings.TrimSuffix(dir, "/"), File: file, Line: line, Object: binary,
	}
}

// identified are the frames that carry an identity, as memcheck shows them.
func identified(id uint64) []valgrind.Frame {
	call := valgrind.Frame{IP: callBase + id%callCount*callStride + 8, Function: "runtime.cgogrindCall.abi0"}
	sled := valgrind.Frame{IP: sledBase + id/callCount, Function: "runtime.cgogrindSled.abi0"}
	if id < callCount {
		return []valgrind.Frame{call}
	}
	return []valgrind.Frame{call, sled}
}

// freed is the stack of a free in C below a test function, with the identity given.
func freed(id uint64, test valgrind.Frame) valgrind.Section {
	s := []valgrind.Frame{vgFree, dfree, cgoStub}
	s = append(s, identified(id)...)
	return stack(append(s, asmcgo, cgocall, goStub, goFree, test, tRunner, goexit)...)
}

var whole = Outcome{ExitCode: 0}

func (j judged) verdicts() map[string]result.Verdict {
	out := make(map[string]result.Verdict)
	for name, t := range j.tests {
		out[name] = t.Verdict
	}
	return out
}

func (j judged) check(t *testing.T, code result.ExitCode, want map[string]result.Verdict) {
	t.Helper()
	if diff := cmp.Diff(want, j.verdicts()); diff != "" {
		t.Errorf("verdicts: %s\n%+v", diff, j.tests)
	}
	if j.code != code {
		t.Errorf("exit code %d, want %d", j.code, code)
	}
}

func (j judged) reason(t *testing.T, name string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(j.tests[name].Reason, part) {
			t.Errorf("%s: reason %q lacks %q", name, j.tests[name].Reason, part)
		}
	}
}

type verdicts = map[string]result.Verdict

func TestClean(t *testing.T) {
	r := newReport().plan("TestA", "TestB")
	r.begin("TestA")
	r.end("TestA", "pass")
	r.begin("TestB")
	r.end("TestB", "skip")
	r.done(0)
	j := judge(t, r.finish(), whole)
	j.check(t, result.ExitPass, verdicts{"TestA": result.Pass, "TestB": result.Skip})
	if diff := cmp.Diff([]*result.Plan{{Package: "example.com/m/p", Tests: []string{"TestA", "TestB"},
		Command: []string{"valgrind", binary}}}, j.plans); diff != "" {
		t.Error(diff)
	}
	if got := j.tests["TestA"].ElapsedS; got != 0.02 {
		t.Errorf("elapsed %v", got)
	}
	if got := j.progress[0]; got != "ran   TestA (0.02s)" {
		t.Errorf("progress %q: a test cannot pass before its leaks are known", got)
	}
}

func TestFinding(t *testing.T) {
	r := newReport().plan("TestA", "TestB")
	r.begin("TestA")
	s := freed(1, testA)
	freedAt := freed(1, testA)
	freedAt.Text.Text = "Address 0x4a3b040 is 0 bytes inside a block of size 4 free'd"
	r.error("InvalidFree", s, freedAt, labelled("Block was alloc'd at", libc, testA))
	r.end("TestA", "pass")
	r.begin("TestB")
	r.end("TestB", "pass")
	r.done(0)
	cfg := testConfig(t)
	j := judgeConfig(t, cfg, r.finish(), whole)
	j.check(t, result.ExitFindings, verdicts{"TestA": result.Fail, "TestB": result.Pass})
	j.reason(t, "TestA", "InvalidFree in dfree (p.go:4)")
	if len(j.findings) != 1 {
		t.Fatalf("%d findings", len(j.findings))
	}
	goFile, testFile := filepath.Join(cfg.Dir, "p.go"), filepath.Join(cfg.Dir, "p_test.go")
	blame := result.Frame{Function: "dfree", File: goFile, Line: 4, Object: binary, Lang: result.C,
		Source: "//   free(p); /* again */"}
	frees := []result.Frame{
		{Function: "free", Object: vgFree.Object},
		blame,
		{Function: "example.com/m/p.Free", File: goFile, Line: 9, Object: binary, Lang: result.Go, Source: "C.dfree(p)"},
		{Function: "example.com/m/p.TestA", File: testFile, Line: 4, Object: binary, Lang: result.Go, Source: "Free(p)"},
	}
	got := *j.findings[0]
	got.Fingerprint = ""
	want := result.Finding{
		Kind: "InvalidFree", Package: "example.com/m/p", Test: "TestA", Tests: []string{"TestA"}, Disposition: result.New,
		Message: "Invalid free() / delete / delete[] / realloc()", Blame: &blame, Caller: &frees[2],
		Other: &frees[3], Attribution: result.ByIdentity, Count: 1,
		Hint: "It was freed before, in the same line: it needs one owner. Set a pointer to nil when it is freed, and " +
			"make Close do nothing the second time. (more: cgogrind explain double-free)",
		Repro: "cgogrind test -run '^TestA$' example.com/m/p",
		Stacks: []result.Stack{
			{Frames: frees},
			{Label: "0 bytes inside a block of size 4 free'd", Frames: frees},
			{Label: "Block was alloc'd at", Frames: []result.Frame{
				{Function: "strdup", File: "/build/glibc/string/strdup.c", Line: 42, Object: "/lib/libc.so.6", Lang: result.C},
				frees[3],
			}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if repro := "cgogrind test -run '^TestA$' example.com/m/p"; j.tests["TestA"].Repro != repro {
		t.Errorf("repro %q, want %q", j.tests["TestA"].Repro, repro)
	}
}

func TestAllFrames(t *testing.T) {
	r := newReport().plan("TestA")
	r.begin("TestA")
	r.error("InvalidFree", freed(1, testA))
	r.end("TestA", "pass")
	r.done(0)
	cfg := testConfig(t)
	cfg.AllFrames = true
	j := judgeConfig(t, cfg, r.finish(), whole)
	var got []string
	for _, f := range j.findings[0].Stacks[0].Frames {
		got = append(got, f.Function)
	}
	want := []string{"free", "dfree", "_cgo_0123456789ab_Cfunc_dfree", "runtime.asmcgocall", "runtime.cgocall",
		"example.com/m/p._Cfunc_dfree", "example.com/m/p.Free", "example.com/m/p.TestA", "testing.tRunner", "runtime.goexit"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// One defect that two tests hit is one finding, and both fail.
func TestSameDefectInTwoTests(t *testing.T) {
	r := newReport().plan("TestA", "TestB")
	for i, test := range []valgrind.Frame{testA, testB} {
		name := test.Function[len("example.com/m/p."):]
		r.begin(name)
		r.error("InvalidFree", freed(uint64(i+1), test))
		r.end(name, "pass")
	}
	r.done(0)
	j := judge(t, r.finish(), whole)
	j.check(t, result.ExitFindings, verdicts{"TestA": result.Fail, "TestB": result.Fail})
	if len(j.findings) != 1 || !slices.Equal(j.findings[0].Tests, []string{"TestA", "TestB"}) || j.findings[0].Count != 2 {
		t.Errorf("findings: %+v", j.findings)
	}
}

// Two places in one function are two findings, told apart by their source.
func TestTwoPlacesInOneFunction(t *testing.T) {
	r := newReport().plan("TestA")
	r.begin("TestA")
	r.error("InvalidFree", stack(vgFree, testA))
	r.error("InvalidFree", stack(vgFree, testAelse))
	r.end("TestA", "pass")
	r.done(0)
	j := judge(t, r.finish(), whole)
	if len(j.findings) != 2 || j.findings[0].Fingerprint == j.findings[1].Fingerprint {
		t.Errorf("findings: %+v", j.findings)
	}
	if n := j.tests["TestA"].Findings; n != 2 {
		t.Errorf("the test counts %d findings", n)
	}
}

// The fingerprint does not depend on what else was named, nor on the test.
func TestFingerprintIsStable(t *testing.T) {
	fingerprint := func(change func(*Config), id uint64, test valgrind.Frame) string {
		r := newReport().plan("TestA")
		r.begin("TestA")
		r.error("InvalidFree", freed(id, test))
		r.end("TestA", "pass")
		r.done(0)
		cfg := testConfig(t)
		change(&cfg)
		return judgeConfig(t, cfg, r.finish(), whole).findings[0].Fingerprint
	}
	want := fingerprint(func(*Config) {}, 1, testA)
	if got := fingerprint(func(c *Config) { c.ImportPath = "example.com/m/q" }, 1, testA); got != want {
		t.Errorf("another package: %s, want %s", got, want)
	}
	if got := fingerprint(func(c *Config) { c.AllFrames = true }, 1, testA); got != want {
		t.Errorf("all frames: %s, want %s", got, want)
	}
	if got := fingerprint(func(*Config) {}, 9, testB); got != want {
		t.Errorf("another test: %s, want %s", got, want)
	}
}

func TestAttribution(t *testing.T) {
	other := stack(vgFree, noSymbol)
	twoRunning := func(r *report) {
		r.begin("TestA")
		r.pause("TestA")
		r.begin("TestB")
		r.pause("TestB")
		r.cont("TestA")
		r.cont("TestB")
	}
	endBoth := func(r *report) {
		r.end("TestA", "pass")
		r.end("TestB", "pass")
	}
	fail, pass := result.Fail, result.Pass
	for _, c := range []struct {
		name  string
		make  func(r *report)
		leaks []valgrind.Section
		want  verdicts
		tests []string
		how   result.Attribution
	}{
		{name: "identity of the one of two that run", make: func(r *report) {
			twoRunning(r)
			r.error("InvalidFree", freed(2, testA)) // the identity goes before the function
			endBoth(r)
		}, want: verdicts{"TestA": pass, "TestB": fail}, tests: []string{"TestB"}, how: result.ByIdentity},
		{name: "identity above the number of call slots", make: func(r *report) {
			r.lastID = 2*callCount + 2
			twoRunning(r)
			r.error("InvalidFree", freed(r.ids["TestB"], goexit))
			endBoth(r)
		}, want: verdicts{"TestA": pass, "TestB": fail}, tests: []string{"TestB"}, how: result.ByIdentity},
		{name: "identity of a test that has ended", make: func(r *report) {
			r.begin("TestA")
			r.end("TestA", "pass")
			r.begin("TestB")
			r.error("InvalidFree", freed(1, goexit))
			r.end("TestB", "pass")
		}, want: verdicts{"TestA": fail, "TestB": pass}, tests: []string{"TestA"}, how: result.ByIdentity},
		{name: "identity in the second stack", make: func(r *report) {
			twoRunning(r)
			alloc := freed(1, goexit)
			alloc.Text.Text = "Address 0x4a3b040 is 8 bytes inside a block of size 16 alloc'd"
			r.error("InvalidRead", other, alloc)
			endBoth(r)
		}, want: verdicts{"TestA": fail, "TestB": pass}, tests: []string{"TestA"}, how: result.ByIdentity},
		{name: "function in the error's stack before an identity in the second", make: func(r *report) {
			twoRunning(r)
			by := freed(1, goexit)
			by.Text.Text = "Address 0x4a3b040 is 8 bytes inside a block of size 16 free'd"
			r.error("InvalidRead", stack(goFree, testB), by)
			endBoth(r)
		}, want: verdicts{"TestA": pass, "TestB": fail}, tests: []string{"TestB"}, how: result.ByStack},
		{name: "identity zero is none", make: func(r *report) {
			twoRunning(r)
			r.error("InvalidFree", freed(0, testB))
			endBoth(r)
		}, want: verdicts{"TestA": pass, "TestB": fail}, tests: []string{"TestB"}, how: result.ByStack},
		{name: "function in the stack", make: func(r *report) {
			twoRunning(r)
			f := testB
			f.Function = "example.com/m/p_test.TestB.func1.2"
			r.error("InvalidFree", stack(vgFree, dfree, f))
			endBoth(r)
		}, want: verdicts{"TestA": pass, "TestB": fail}, tests: []string{"TestB"}, how: result.ByStack},
		{name: "only one runs", make: func(r *report) {
			r.begin("TestA")
			r.pause("TestA")
			r.begin("TestB")
			r.error("InvalidRead", other)
			r.end("TestB", "pass")
			r.cont("TestA")
			r.end("TestA", "pass")
		}, want: verdicts{"TestA": pass, "TestB": fail}, tests: []string{"TestB"}, how: result.Asynchronous},
		{name: "one of two", make: func(r *report) {
			twoRunning(r)
			r.error("InvalidRead", other)
			endBoth(r)
		}, want: verdicts{"TestA": result.Inconclusive, "TestB": result.Inconclusive},
			tests: []string{"TestA", "TestB"}, how: result.OneOf},
		{name: "before the first", make: func(r *report) {
			r.error("InvalidRead", other)
			r.begin("TestA")
			r.end("TestA", "pass")
			r.begin("TestB")
			r.end("TestB", "pass")
		}, want: verdicts{"TestA": pass, "TestB": pass, "[setup]": fail}, tests: []string{"[setup]"}, how: result.Outside},
		{name: "between", make: func(r *report) {
			r.begin("TestA")
			r.end("TestA", "pass")
			r.error("InvalidRead", other)
			r.begin("TestB")
			r.end("TestB", "pass")
		}, want: verdicts{"TestA": pass, "TestB": pass, "[between tests]": fail},
			tests: []string{"[between tests]"}, how: result.Outside},
		{name: "after the last", make: func(r *report) {
			r.begin("TestA")
			r.end("TestA", "pass")
			r.begin("TestB")
			r.end("TestB", "pass")
			r.error("InvalidRead", other)
		}, want: verdicts{"TestA": pass, "TestB": pass, "[teardown]": fail},
			tests: []string{"[teardown]"}, how: result.Outside},
		{name: "leak by identity", make: func(r *report) {
			r.begin("TestA")
			r.end("TestA", "pass")
			r.begin("TestB")
			r.end("TestB", "pass")
		}, leaks: []valgrind.Section{freed(1, goexit)},
			want: verdicts{"TestA": fail, "TestB": pass}, tests: []string{"TestA"}, how: result.ByIdentity},
		{name: "leak by function", make: func(r *report) {
			r.begin("TestA")
			r.end("TestA", "pass")
			r.begin("TestB")
			r.end("TestB", "pass")
		}, leaks: []valgrind.Section{freed(0, testB)},
			want: verdicts{"TestA": pass, "TestB": fail}, tests: []string{"TestB"}, how: result.ByStack},
		{name: "leak of nobody", make: func(r *report) {
			r.begin("TestA")
			r.end("TestA", "pass")
			r.begin("TestB")
			r.end("TestB", "pass")
		}, leaks: []valgrind.Section{other},
			want:  verdicts{"TestA": pass, "TestB": pass, "[teardown]": fail},
			tests: []string{"[teardown]"}, how: result.Outside},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newReport().plan("TestA", "TestB")
			c.make(r)
			r.done(0)
			j := judge(t, r.finish(c.leaks...), whole)
			j.check(t, result.ExitFindings, c.want)
			if len(j.findings) != 1 {
				t.Fatalf("%d findings", len(j.findings))
			}
			f := j.findings[0]
			if !slices.Equal(f.Tests, c.tests) || f.Test != c.tests[0] || f.Attribution != c.how {
				t.Errorf("test %q, tests %q by %q; want %q by %q", f.Test, f.Tests, f.Attribution, c.tests, c.how)
			}
		})
	}
}

// With -count, a test that fails the second time is run twice again.
func TestRoundsInTheCommand(t *testing.T) {
	r := newReport().plan("TestA", "TestB")
	for range 2 {
		for _, name := range []string{"TestA", "TestA/sub", "TestB"} {
			r.begin(name)
			if name == "TestB" {
				r.error("InvalidFree", stack(vgFree, dfree))
			}
			if name != "TestA" {
				r.end(name, "pass")
			}
			if name == "TestA/sub" {
				r.end("TestA", "pass")
			}
		}
	}
	r.begin("TestA")
	r.begin("TestA/sub")
	r.end("TestA/sub", "fail")
	r.end("TestA", "fail")
	r.done(0)
	j := judge(t, r.finish(), whole)
	for name, want := range map[string]string{
		"TestA/sub": "cgogrind test -count=3 -run '^TestA$/^sub$' example.com/m/p",
		"TestB":     "cgogrind test -count=2 -run '^TestB$' example.com/m/p",
	} {
		if got := j.tests[name].Repro; got != want {
			t.Errorf("repro %q, want %q", got, want)
		}
	}
	if got, want := j.findings[0].Repro, "cgogrind test -run '^TestB$' example.com/m/p"; got != want {
		t.Errorf("repro of the finding %q, want %q", got, want)
	}
}

func TestSubtests(t *testing.T) {
	r := newReport().plan("TestA")
	r.begin("TestA")
	r.begin("TestA/one")
	r.end("TestA/one", "pass")
	r.begin("TestA/two")
	r.error("InvalidFree", stack(vgFree, dfree))
	r.end("TestA/two", "pass")
	r.end("TestA", "pass")
	r.done(0)
	j := judge(t, r.finish(), whole)
	j.check(t, result.ExitFindings, verdicts{"TestA": result.Fail, "TestA/one": result.Pass, "TestA/two": result.Fail})
	j.reason(t, "TestA", "TestA/two fails")
	if got := j.tests["TestA/two"].Repro; got != "cgogrind test -run '^TestA$/^two$' example.com/m/p" {
		t.Errorf("repro %q", got)
	}
}

func TestGinkgoSpecs(t *testing.T) {
	r := newReport().plan("TestSuite")
	r.begin("TestSuite")
	r.mark("specs 2 %s", escape("Rados suite"))
	r.beginKind("node", "[BeforeSuite]")
	r.end("[BeforeSuite]", "pass")
	r.beginKind("spec", "Pools creates one (twice)")
	r.error("InvalidFree", stack(vgFree, dfree))
	r.end("Pools creates one (twice)", "pass")
	r.beginKind("spec", "Pools deletes one")
	r.end("Pools deletes one", "fail", "[FAIL] Expected 1 to equal 2")
	r.end("TestSuite", "fail")
	r.done(1)
	j := judge(t, r.finish(), Outcome{ExitCode: 1})
	j.check(t, result.ExitFindings, verdicts{"TestSuite": result.Fail, "Pools creates one (twice)": result.Fail,
		"Pools deletes one": result.Fail})
	j.reason(t, "Pools deletes one", "[FAIL] Expected 1 to equal 2")
	want := `cgogrind test -run '^TestSuite$' example.com/m/p -- '-ginkgo.focus=Pools creates one \(twice\)$'`
	if got := j.tests["Pools creates one (twice)"].Repro; got != want {
		t.Errorf("repro %q, want %q", got, want)
	}
}

func TestLostSpecsAreNoPass(t *testing.T) {
	r := newReport().plan("TestSuite")
	r.begin("TestSuite")
	r.mark("specs 3 Suite")
	r.beginKind("spec", "one")
	r.end("one", "pass")
	r.end("TestSuite", "pass")
	r.done(0)
	j := judge(t, r.finish(), whole)
	j.check(t, result.ExitInconclusive, verdicts{"TestSuite": result.Inconclusive, "one": result.Pass})
	j.reason(t, "TestSuite", "2 specs never began")
}

// TestOneVerdictForEachSpec: what the processes of a suite have in common has one verdict, and entries of one name are told
// apart by their order. What is worse the next time is told.
func TestOneVerdictForEachSpec(t *testing.T) {
	process := func(down bool, specs ...string) *report {
		r := newReport().plan("TestSuite")
		r.begin("TestSuite")
		r.mark("specs %d Suite", len(specs))
		for _, s := range specs {
			kind, rest, _ := strings.Cut(s, " ")
			name, status, _ := strings.Cut(rest, "=")
			r.beginKind(kind, name)
			switch {
			case status == "filtered":
				r.mark("end %d 0 skip 0 %s", r.lastID, escape(name))
			case status == "skip":
				r.end(name, status, "pending")
			case status != "down":
				r.end(name, status)
			}
		}
		if !down {
			r.end("TestSuite", "pass")
			r.done(0)
		}
		return r
	}
	var got []string
	j := New(testConfig(t), func(m result.Message) {
		if m.Test != nil && m.Test.Name != "TestSuite" {
			got = append(got, string(m.Test.Verdict)+" "+m.Test.Name)
		}
	})
	run := func(p *Process, r *report, o Outcome) {
		for _, ev := range r.finish().events {
			p.Event(ev, nil)
		}
		p.Finish(o)
	}
	run(j.Process(nil), process(true, "node [BeforeSuite]=fail", "spec same=pass", "spec same=fail", "spec same=pass", "spec crash=down"),
		Outcome{ExitCode: 2})
	run(j.Process(nil), process(false, "node [BeforeSuite]=fail", "spec same=filtered", "spec same=filtered", "spec same=filtered",
		"spec later=pass", "spec pending=skip", "node [AfterSuite]=fail"), whole)
	run(j.Confirm(nil), process(false, "node [BeforeSuite]=fail", "spec same=pass", "spec same=fail", "spec same=fail",
		"spec later=filtered", "spec pending=skip", "node [AfterSuite]=fail"), whole)
	want := []string{"fail [BeforeSuite]", "fail same", "fail crash", "pass later", "skip pending", "fail [AfterSuite]", "pass same",
		"fail same"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A spec that takes the process down does not take the verdicts of those after it along.
func TestSuiteGoesOnInAnotherProcess(t *testing.T) {
	first := newReport().plan("TestSuite", "TestZ")
	first.begin("TestSuite")
	first.mark("specs 3 %s", escape("My suite"))
	first.beginKind("node", "[BeforeSuite]")
	first.end("[BeforeSuite]", "pass")
	first.beginKind("spec", "one")
	first.end("one", "pass")
	first.beginKind("node", "[AfterSuite]") // waits while a spec runs
	first.beginKind("spec", "two (falls)")
	first.output.WriteString("\x1b[38;5;14mS\x1b[0m••SIGSEGV: segmentation violation\n")

	second := newReport().plan("TestSuite", "TestZ")
	second.begin("TestSuite")
	second.mark("specs 1 %s", escape("My suite"))
	for _, filtered := range []string{"one", "two (falls)"} {
		second.beginKind("spec", filtered)
		second.mark("end %d 0 skip 0 %s", second.lastID, escape(filtered))
	}
	second.beginKind("spec", "three")
	second.end("three", "pass")
	second.end("TestSuite", "pass")
	second.begin("TestZ")
	second.end("TestZ", "pass")
	second.done(0)

	third := newReport().plan("TestSuite")
	third.begin("TestSuite")
	third.mark("specs 1 %s", escape("My suite"))
	third.beginKind("spec", "one")
	third.end("one", "pass")
	third.end("TestSuite", "pass")
	third.done(0)

	var got []string
	j := New(testConfig(t), func(m result.Message) {
		if m.Test != nil && m.Test.Name == "two (falls)" && !strings.HasSuffix(m.Test.Reason, "SIGSEGV: segmentation violation") {
			t.Errorf("reason %q", m.Test.Reason)
		}
		if m.Test != nil {
			got = append(got, string(m.Test.Verdict)+" "+m.Test.Name)
		}
	})
	p := j.Process(nil)
	_, _ = p.Output().Write([]byte(first.output.String()))
	for _, ev := range first.finish().events {
		p.Event(ev, nil)
	}
	if remaining := p.Finish(Outcome{ExitCode: 2}); !slices.Equal(remaining, []string{"TestZ", "TestSuite"}) {
		t.Errorf("remaining %q", remaining)
	}
	if want := []string{"My suite one", "My suite two (falls)"}; !slices.Equal(p.BegunSpecs(), want) {
		t.Errorf("specs to skip %q, want %q", p.BegunSpecs(), want)
	}
	firstProcess := p
	p = j.Process(nil)
	for _, ev := range second.finish().events {
		p.Event(ev, nil)
	}
	if remaining := p.Finish(whole); len(remaining) != 0 {
		t.Errorf("remaining %q", remaining)
	}
	if len(p.Unconfirmed().Names) != 0 {
		t.Errorf("the second process leaves %+v", p.Unconfirmed())
	}
	unconfirmed := Selection{
		Names: []string{"one"}, Tests: []string{"TestSuite"}, Specs: []string{"My suite one"},
	}
	if diff := cmp.Diff(unconfirmed, firstProcess.Unconfirmed()); diff != "" {
		t.Error(diff)
	}
	p = j.Confirm(nil)
	third.exit()
	for _, ev := range third.finish().events {
		p.Event(ev, nil)
	}
	if remaining := p.Finish(whole); len(remaining) != 0 {
		t.Errorf("remaining %q", remaining)
	}
	want := []string{"fail two (falls)", "pass three", "pass TestZ", "fail TestSuite", "pass one"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestExpectations(t *testing.T) {
	for _, c := range []struct {
		name     string
		declare  string
		error    func(r *report)
		verdict  result.Verdict
		code     result.ExitCode
		disposed []result.Disposition
		reason   string
	}{
		{"met", "InvalidFree dfree", func(r *report) { r.error("InvalidFree", freed(1, testA)) },
			result.Pass, result.ExitPass, []result.Disposition{result.Expected}, "found as expected: InvalidFree in dfree"},
		{"met by a function above", "InvalidFree p.Free", func(r *report) {
			c := valgrind.Frame{Function: "helper", Dir: "/mod/q", File: "q.c", Line: 3, Object: binary}
			r.error("InvalidFree", stack(vgFree, c, goFree, testA))
		}, result.Pass, result.ExitPass, []result.Disposition{result.Expected}, ""},
		{"met by the blamed function's whole name", "InvalidFree example.com/m/p.Free", func(r *report) {
			r.error("InvalidFree", stack(vgFree, goFree, testA))
		}, result.Pass, result.ExitPass, []result.Disposition{result.Expected}, ""},
		{"not met", "InvalidFree dfree", func(*report) {}, result.Fail, result.ExitFail, nil,
			"InvalidFree in dfree was expected, and memcheck did not report it"},
		{"other kind", "InvalidRead dfree", func(r *report) { r.error("InvalidFree", freed(1, testA)) }, result.Fail,
			result.ExitFindings, []result.Disposition{result.New}, "memcheck found InvalidFree"},
		{"function below the blamed one", "InvalidFree TestA", func(r *report) { r.error("InvalidFree", freed(1, testA)) },
			result.Fail, result.ExitFindings, []result.Disposition{result.New}, ""},
		{"part of a name", "InvalidFree free", func(r *report) { r.error("InvalidFree", freed(1, testA)) },
			result.Fail, result.ExitFindings, []result.Disposition{result.New}, ""},
		{"another finding beside", "InvalidFree dfree", func(r *report) {
			r.error("InvalidFree", freed(1, testA))
			r.error("InvalidRead", stack(libc, testA))
		}, result.Fail, result.ExitFindings, []result.Disposition{result.Expected, result.New}, "memcheck found InvalidRead"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newReport().plan("TestA")
			r.begin("TestA")
			kind, function, _ := strings.Cut(c.declare, " ")
			r.mark("expect %s %s TestA", kind, escape(function))
			c.error(r)
			r.end("TestA", "pass")
			r.done(0)
			j := judge(t, r.finish(), whole)
			j.check(t, c.code, verdicts{"TestA": c.verdict})
			j.reason(t, "TestA", c.reason)
			var disposed []result.Disposition
			for _, f := range j.findings {
				disposed = append(disposed, f.Disposition)
			}
			if !slices.Equal(disposed, c.disposed) {
				t.Errorf("dispositions %q, want %q", disposed, c.disposed)
			}
		})
	}
}

// What one test expects is no excuse for another, even if the finding is the same.
func TestExpectationIsTheTestsOwn(t *testing.T) {
	r := newReport().plan("TestA", "TestB")
	r.begin("TestA")
	r.mark("expect InvalidFree dfree TestA")
	r.error("InvalidFree", freed(1, testA))
	r.end("TestA", "pass")
	r.begin("TestB")
	r.error("InvalidFree", freed(2, testB))
	r.end("TestB", "pass")
	r.done(0)
	j := judge(t, r.finish(), whole)
	j.check(t, result.ExitFindings, verdicts{"TestA": result.Pass, "TestB": result.Fail})
	if len(j.findings) != 2 || j.findings[0].Disposition != result.Expected || j.findings[1].Disposition != result.New {
		t.Errorf("findings %+v", j.findings)
	}
}

func TestExpectedLeak(t *testing.T) {
	r := newReport().plan("TestA")
	r.begin("TestA")
	r.mark("expect Leak_DefinitelyLost dfree TestA")
	r.end("TestA", "pass")
	r.done(0)
	j := judge(t, r.finish(freed(1, testA)), whole)
	j.check(t, result.ExitPass, verdicts{"TestA": result.Pass})
	f := j.findings[0]
	if f.Message != "40 bytes in 2 blocks are definitely lost" || f.Bytes != 40 || f.Blocks != 2 {
		t.Errorf("%q, %d bytes in %d blocks", f.Message, f.Bytes, f.Blocks)
	}
}

// What is said of a leak that several tests have is about all of it.
func TestMessageOfJoinedLeaks(t *testing.T) {
	r := newReport().plan("TestA", "TestA2")
	for _, name := range []string{"TestA", "TestA2"} {
		r.begin(name)
		r.end(name, "pass")
	}
	r.done(0)
	j := judge(t, r.finish(freed(1, testA), freed(2, testA)), whole)
	if len(j.findings) != 1 {
		t.Fatalf("findings %+v", j.findings)
	}
	f := j.findings[0]
	if f.Message != "80 bytes in 4 blocks are definitely lost" || f.Bytes != 80 || f.Blocks != 4 {
		t.Errorf("%q, %d bytes in %d blocks", f.Message, f.Bytes, f.Blocks)
	}
}

// The expectation's own token is not known to a test; any other mark needs it.
func TestForgedMarksAreNotObeyed(t *testing.T) {
	r := newReport().plan("TestA")
	r.begin("TestA")
	r.token = "-"
	r.mark("expect InvalidFree dfree TestA")
	r.token = "beef"
	r.mark("expect InvalidRead dfree TestA")
	r.mark("end 1 0 pass 1 TestA")
	r.token = "f00d"
	r.error("InvalidFree", freed(1, testA))
	j := judge(t, r.finish(), whole)
	if j.tests["TestA"].Verdict == result.Pass || j.code == result.ExitPass {
		t.Errorf("forged end: %+v", j.tests["TestA"])
	}
	if n := len(slices.DeleteFunc(j.progress, func(s string) bool { return !strings.Contains(s, "token") })); n != 2 {
		t.Errorf("%d notes about forged marks: %q", n, j.progress)
	}
}

func TestNilDereferenceInGoIsNoFinding(t *testing.T) {
	read := func(addr string, top valgrind.Frame) []valgrind.Section {
		return []valgrind.Section{stack(top, testA), labelled("Address " + addr + " is not stack'd, malloc'd or (recently) free'd")}
	}
	for _, c := range []struct {
		name string
		s    []valgrind.Section
		want result.Verdict
	}{
		{"Go", read("0x10", goFree), result.Pass},
		{"Go, wild", read("0x4a3b040", goFree), result.Fail},
		{"C in a preamble", read("0x10", dfree), result.Fail},
		{"C", read("0x0", libc), result.Fail},
		{"goroutine dump", []valgrind.Section{stack(valgrind.Frame{Function: "runtime.printhexopts", File: "print.go"},
			valgrind.Frame{Function: "runtime.traceback1", File: "traceback.go"})}, result.Pass},
		{"runtime reads freed memory for the user", []valgrind.Section{stack(
			valgrind.Frame{Function: "runtime.memmove", File: "memmove_amd64.s"}, goFree)}, result.Fail},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newReport().plan("TestA")
			r.begin("TestA")
			e := r.error("InvalidRead", c.s...)
			r.fold(e.Unique) // repeats of noise are noise
			r.end("TestA", "pass")
			r.done(0)
			j := judge(t, r.finish(), whole)
			if got := j.tests["TestA"].Verdict; got != c.want {
				t.Errorf("verdict %q, want %q", got, c.want)
			}
		})
	}
}

func TestFoldedRepeats(t *testing.T) {
	noise := []valgrind.Section{stack(goFree), labelled("Address 0x8 is not stack'd, malloc'd or (recently) free'd")}
	t.Run("of one error", func(t *testing.T) {
		r := newReport().plan("TestA", "TestB")
		r.begin("TestA")
		e := r.error("InvalidFree", freed(1, testA))
		r.end("TestA", "pass")
		r.begin("TestB")
		r.fold(e.Unique)
		r.fold(e.Unique)
		r.end("TestB", "pass")
		r.done(0)
		j := judge(t, r.finish(), whole)
		j.check(t, result.ExitFindings, verdicts{"TestA": result.Fail, "TestB": result.Fail})
		if f := j.findings[0]; len(j.findings) != 1 || !slices.Equal(f.Tests, []string{"TestA", "TestB"}) || f.Count != 3 {
			t.Errorf("findings %+v", f)
		}
	})
	t.Run("of one of two errors", func(t *testing.T) {
		r := newReport().plan("TestA", "TestB")
		r.begin("TestA")
		a := r.error("InvalidFree", freed(1, testA))
		b := r.error("InvalidRead", stack(libc, testA))
		r.fold(a.Unique)
		r.fold(b.Unique)
		r.end("TestA", "pass")
		r.begin("TestB")
		r.fold(a.Unique)
		r.end("TestB", "pass")
		r.done(0)
		j := judge(t, r.finish(), whole)
		j.check(t, result.ExitFindings, verdicts{"TestA": result.Fail, "TestB": result.Fail})
		j.reason(t, "TestB", "memcheck counted 1 more error of a kind that it had reported before", "InvalidFree in dfree")
	})
	t.Run("of an expected error in the test that expects it", func(t *testing.T) {
		r := newReport().plan("TestA", "TestB")
		for i, name := range []string{"TestA", "TestB"} {
			r.begin(name)
			r.mark("expect InvalidFree dfree %s", name)
			e := r.error("InvalidFree", freed(uint64(i+1), testA))
			r.fold(e.Unique)
			r.end(name, "pass")
		}
		r.done(0)
		judge(t, r.finish(), whole).check(t, result.ExitPass, verdicts{"TestA": result.Pass, "TestB": result.Pass})
	})
	t.Run("of an expected error in another test", func(t *testing.T) {
		r := newReport().plan("TestA", "TestB")
		r.begin("TestA")
		r.mark("expect InvalidFree dfree TestA")
		e := r.error("InvalidFree", freed(1, testA))
		r.end("TestA", "pass")
		r.begin("TestB")
		r.fold(e.Unique)
		r.end("TestB", "pass")
		r.done(0)
		judge(t, r.finish(), whole).check(t, result.ExitFindings, verdicts{"TestA": result.Pass, "TestB": result.Fail})
	})
	t.Run("of noise", func(t *testing.T) {
		r := newReport().plan("TestA", "TestB")
		r.begin("TestA")
		e := r.error("InvalidRead", noise...)
		r.end("TestA", "pass")
		r.begin("TestB")
		r.fold(e.Unique)
		r.end("TestB", "pass")
		r.done(0)
		judge(t, r.finish(), whole).check(t, result.ExitPass, verdicts{"TestA": result.Pass, "TestB": result.Pass})
	})
	t.Run("of noise or an error", func(t *testing.T) {
		r := newReport().plan("TestA", "TestB")
		r.begin("TestA")
		n := r.error("InvalidRead", noise...)
		e := r.error("InvalidFree", freed(1, testA))
		r.fold(n.Unique)
		r.fold(e.Unique)
		r.end("TestA", "pass")
		r.begin("TestB")
		r.fold(n.Unique)
		r.end("TestB", "pass")
		r.done(0)
		judge(t, r.finish(), whole).check(t, result.ExitFindings,
			verdicts{"TestA": result.Fail, "TestB": result.Inconclusive})
	})
	t.Run("in one of two that run", func(t *testing.T) {
		r := newReport().plan("TestA", "TestB", "TestC")
		r.begin("TestC")
		e := r.error("InvalidFree", stack(vgFree, dfree))
		r.end("TestC", "pass")
		r.begin("TestA")
		r.pause("TestA")
		r.begin("TestB")
		r.cont("TestA")
		r.fold(e.Unique)
		r.end("TestA", "pass")
		r.end("TestB", "pass")
		r.done(0)
		judge(t, r.finish(), whole).check(t, result.ExitFindings,
			verdicts{"TestA": result.Inconclusive, "TestB": result.Inconclusive, "TestC": result.Fail})
	})
	t.Run("counted a moment too late", func(t *testing.T) {
		// Another thread's error comes between a mark's reading of the counter and its printing.
		r := newReport().plan("TestA", "TestB")
		r.begin("TestA")
		r.error("InvalidFree", stack(vgFree, dfree))
		r.errors--
		r.end("TestA", "pass")
		r.errors++
		r.begin("TestB")
		r.end("TestB", "pass")
		r.done(0)
		judge(t, r.finish(), whole).check(t, result.ExitFindings, verdicts{"TestA": result.Fail, "TestB": result.Pass})
	})
}

// A leak check between tests tells in which test a leak appeared. Whether it is one is decided at the end.
func TestLeaksBetweenTests(t *testing.T) {
	inC := stack(libc) // of a thread that C made: it has no Go frame
	tests := func(check func(r *report, name string)) *report {
		r := newReport().plan("TestA", "TestB", "TestC")
		for _, name := range []string{"TestA", "TestB", "TestC"} {
			r.begin(name)
			r.end(name, "pass")
			check(r, name)
		}
		r.done(0)
		return r
	}
	leaks := func(r *report, found ...valgrind.Section) {
		r.mark("leaks begin")
		for _, s := range found {
			r.error("Leak_DefinitelyLost", s)
		}
		r.mark("leaks end")
	}
	t.Run("after its test", func(t *testing.T) {
		j := judge(t, tests(func(r *report, name string) {
			if name == "TestB" {
				leaks(r, inC)
			} else {
				leaks(r)
			}
		}).finish(inC), whole)
		j.check(t, result.ExitFindings, verdicts{"TestA": result.Pass, "TestB": result.Fail, "TestC": result.Pass})
		if f := j.findings[0]; len(j.findings) != 1 || f.Attribution != result.ByAppearance || f.Blocks != 2 {
			t.Errorf("%d findings, %s, %d blocks", len(j.findings), f.Attribution, f.Blocks)
		}
	})
	t.Run("after two tests", func(t *testing.T) {
		j := judge(t, tests(func(r *report, name string) {
			if name == "TestB" {
				leaks(r, inC)
			}
		}).finish(inC), whole)
		j.check(t, result.ExitFindings,
			verdicts{"TestA": result.Inconclusive, "TestB": result.Inconclusive, "TestC": result.Pass})
	})
	t.Run("more with each check", func(t *testing.T) {
		blocks := uint64(0)
		some := func(r *report) {
			blocks += 3
			e := r.error("Leak_DefinitelyLost", inC)
			e.What = valgrind.Text{Text: fmt.Sprintf("%d (+30) bytes in %d (+3) blocks are definitely lost in loss record 1 of 1",
				10*blocks, blocks), LeakedBytes: 10 * blocks, LeakedBlocks: blocks}
		}
		r := tests(func(r *report, name string) {
			r.mark("leaks begin")
			if name != "TestB" {
				some(r)
			}
			r.mark("leaks end")
		})
		some(r) // the user's own check
		j := judge(t, r.finish(inC), whole)
		j.check(t, result.ExitFindings, verdicts{"TestA": result.Fail, "TestB": result.Pass, "TestC": result.Fail})
		f := j.findings[0]
		if len(j.findings) != 1 || f.Bytes != 40 || f.Blocks != 2 || f.Message != "40 bytes in 2 blocks are definitely lost" {
			t.Errorf("%d findings, %d bytes in %d blocks, %s; want what the end says", len(j.findings), f.Bytes, f.Blocks, f.Message)
		}
	})
	t.Run("in two tests", func(t *testing.T) {
		j := judge(t, tests(func(r *report, name string) {
			if name == "TestB" {
				leaks(r)
			} else {
				leaks(r, inC)
			}
		}).finish(inC), whole)
		j.check(t, result.ExitFindings, verdicts{"TestA": result.Fail, "TestB": result.Pass, "TestC": result.Fail})
	})
	t.Run("no time for the last check", func(t *testing.T) {
		j := judge(t, tests(func(r *report, name string) {
			switch name {
			case "TestA":
				leaks(r)
			case "TestC":
				r.mark("leaks left")
			}
		}).finish(inC), whole)
		j.check(t, result.ExitFindings,
			verdicts{"TestA": result.Pass, "TestB": result.Inconclusive, "TestC": result.Inconclusive})
		if f := j.findings[0]; f.Attribution != result.OneOf {
			t.Errorf("attribution %s", f.Attribution)
		}
	})
	t.Run("gone at the end", func(t *testing.T) {
		j := judge(t, tests(func(r *report, name string) { leaks(r, inC) }).finish(), whole)
		j.check(t, result.ExitPass, verdicts{"TestA": result.Pass, "TestB": result.Pass, "TestC": result.Pass})
	})
	t.Run("with an identity", func(t *testing.T) {
		j := judge(t, tests(func(r *report, name string) {
			if name == "TestC" {
				leaks(r, freed(1, testA))
			}
		}).finish(freed(1, testA)), whole)
		j.check(t, result.ExitFindings, verdicts{"TestA": result.Fail, "TestB": result.Pass, "TestC": result.Pass})
	})
}

// Evidence that is incomplete is never a pass.
func TestIncompleteEvidence(t *testing.T) {
	tests := func(r *report) {
		r.begin("TestA")
		r.end("TestA", "pass")
		r.begin("TestB")
		r.end("TestB", "fail")
		r.done(1)
	}
	both := verdicts{"TestA": result.Inconclusive, "TestB": result.Fail}
	for _, c := range []struct {
		name   string
		make   func(r *report)
		out    Outcome
		want   verdicts
		reason string
	}{
		{"aborted memcheck", func(r *report) {
			tests(r)
			r.add(valgrind.Status{State: "FINISHED"})
		}, Outcome{ExitCode: 1}, both, "memcheck aborted"},
		{"no FINISHED", tests, Outcome{ExitCode: 1}, both, "FINISHED"},
		{"no suppression counts", func(r *report) {
			tests(r)
			r.add(valgrind.Status{State: "FINISHED"}, r.counts)
		}, Outcome{ExitCode: 1}, both, "suppcounts"},
		{"killed", tests, Outcome{ExitCode: -1, Signal: "SIGKILL"}, both, "killed by SIGKILL"},
		{"timeout", tests, Outcome{ExitCode: -1, Signal: "SIGKILL", Stopped: "the tests took longer than 1m0s"}, both,
			"longer than 1m0s"},
		{"leak check without a collection", func(r *report) {
			tests(r)
			r.mark("leaks skipped")
			r.finish()
		}, Outcome{ExitCode: 1}, both, "leaks may be missing"},
		{"complaint", func(r *report) {
			tests(r)
			r.finish()
		}, Outcome{ExitCode: 1, Complaint: "Memcheck: mc_leakcheck.c:2160: the 'impossible' happened"}, both, "impossible"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newReport().plan("TestA", "TestB")
			c.make(r)
			j := judge(t, r, c.out)
			j.check(t, result.ExitInconclusive, c.want)
			j.reason(t, "TestA", c.reason)
		})
	}
	t.Run("no report", func(t *testing.T) {
		r := newReport()
		r.events = nil
		r.output.WriteString("/tmp/p.test: error while loading shared libraries: libx.so.1: cannot open shared object file\n")
		j := judge(t, r, Outcome{ExitCode: 127})
		j.check(t, result.ExitInconclusive, verdicts{"[setup]": result.Inconclusive})
		j.reason(t, "[setup]", "did not start", "exit status 127", "libx.so.1")
	})
	t.Run("report without marks", func(t *testing.T) {
		r := newReport()
		r.events = r.events[:2]
		judge(t, r.finish(), whole).check(t, result.ExitInconclusive, verdicts{"[setup]": result.Inconclusive})
	})
	t.Run("any prefix", func(t *testing.T) {
		r := newReport().plan("TestA", "TestB", "TestC")
		for _, name := range []string{"TestA", "TestB", "TestC"} {
			r.begin(name)
			r.end(name, "pass")
		}
		r.done(0)
		r.finish()
		events := r.events
		for n := range len(events) {
			r.events = events[:n]
			if j := judge(t, r, whole); j.code == result.ExitPass {
				t.Errorf("exit code 0 with %d of %d events", n, len(events))
			}
		}
	})
}

func TestProcessGoesDown(t *testing.T) {
	t.Run("one test runs", func(t *testing.T) {
		r := newReport().plan("TestA", "TestB", "TestC")
		r.begin("TestA")
		r.end("TestA", "pass")
		r.begin("TestB")
		r.begin("TestB/sub")
		r.output.WriteString("\x16=== RUN   TestB/sub\nabout to fall\nSIGSEGV: segmentation violation\n\n")
		j := judge(t, r.finish(freed(r.ids["TestB/sub"], testB)), Outcome{ExitCode: 2})
		j.check(t, result.ExitInconclusive, // TestC is still to run
			verdicts{"TestB": result.Fail, "TestB/sub": result.Fail})
		if want := []string{"TestA"}; !slices.Equal(j.unconfirmed.Tests, want) || !slices.Equal(j.unconfirmed.Names, want) {
			t.Errorf("to run once more: %+v, want %q", j.unconfirmed, want)
		}
		j.reason(t, "TestB/sub", "took its process down", "exit status 2", "SIGSEGV: segmentation violation")
		if got := j.tests["TestB/sub"].Output; !strings.HasPrefix(got, "about to fall\n") {
			t.Errorf("output %q", got)
		}
		if !slices.Equal(j.remaining, []string{"TestC"}) {
			t.Errorf("remaining %q", j.remaining)
		}
		if len(j.findings) != 0 {
			t.Errorf("what a test that was cut short did not free is no leak: %+v", j.findings[0])
		}
	})
	t.Run("valgrind gives up", func(t *testing.T) {
		r := newReport().plan("TestA", "TestB", "TestC")
		r.begin("TestA")
		r.end("TestA", "pass")
		r.begin("TestB")
		j := judge(t, r, Outcome{ExitCode: 1, Complaint: "Valgrind's memory management: out of memory"})
		j.check(t, result.ExitInconclusive, verdicts{"TestB": result.Inconclusive})
		j.reason(t, "TestB", "valgrind gave up", "out of memory")
		if want := []string{"TestA"}; !slices.Equal(j.unconfirmed.Tests, want) {
			t.Errorf("to run once more: %q, want %q", j.unconfirmed.Tests, want)
		}
		if want := []string{"TestC"}; !slices.Equal(j.remaining, want) {
			t.Errorf("remaining %q, want %q", j.remaining, want)
		}
	})
	t.Run("several run", func(t *testing.T) {
		r := newReport().plan("TestA", "TestB", "TestC", "TestD")
		for _, name := range []string{"TestA", "TestB", "TestC"} {
			r.begin(name)
			r.pause(name)
		}
		r.cont("TestA")
		r.cont("TestB")
		r.output.WriteString("\x16--- FAIL: TestB (0.00s)\npanic: boom\n")
		j := judge(t, r.finish(), Outcome{ExitCode: 2})
		j.check(t, result.ExitInconclusive, verdicts{"TestA": result.Inconclusive, "TestB": result.Fail})
		if !slices.Equal(j.remaining, []string{"TestD", "TestC"}) {
			t.Errorf("remaining %q", j.remaining)
		}
	})
	t.Run("go test's timeout", func(t *testing.T) {
		r := newReport().plan("TestA")
		r.begin("TestA")
		r.output.WriteString("panic: test timed out after 2s\n\trunning tests:\n")
		j := judge(t, r.finish(), Outcome{ExitCode: 2})
		j.check(t, result.ExitInconclusive, verdicts{"TestA": result.Inconclusive})
		j.reason(t, "TestA", "test timed out after 2s")
	})
	t.Run("signal from outside", func(t *testing.T) {
		r := newReport().plan("TestA")
		r.begin("TestA")
		r.add(valgrind.FatalSignal{Signal: 15, Name: "SIGTERM"})
		j := judge(t, r.finish(), Outcome{ExitCode: -1, Signal: "SIGTERM"})
		j.check(t, result.ExitInconclusive, verdicts{"TestA": result.Inconclusive})
	})
	t.Run("fatal signal of its own", func(t *testing.T) {
		r := newReport().plan("TestA")
		r.begin("TestA")
		r.add(valgrind.FatalSignal{Signal: 11, Name: "SIGSEGV"})
		j := judge(t, r.finish(), Outcome{ExitCode: -1, Signal: "SIGSEGV"})
		j.check(t, result.ExitFail, verdicts{"TestA": result.Fail})
		j.reason(t, "TestA", "SIGSEGV")
	})
	t.Run("in TestMain", func(t *testing.T) {
		r := newReport()
		r.output.WriteString("panic: no configuration\n")
		j := judge(t, r.finish(), Outcome{ExitCode: 2})
		j.check(t, result.ExitFail, verdicts{"[setup]": result.Fail})
		j.reason(t, "[setup]", "panic: no configuration")
	})
	t.Run("after M.Run", func(t *testing.T) {
		r := newReport().plan("TestA")
		r.begin("TestA")
		r.end("TestA", "pass")
		r.done(0)
		j := judge(t, r.finish(), Outcome{ExitCode: 3})
		j.check(t, result.ExitFail, verdicts{"TestA": result.Pass, "[teardown]": result.Fail})
		j.reason(t, "[teardown]", "exit status 3")
	})
	t.Run("exit status 0 in a test", func(t *testing.T) {
		r := newReport().plan("TestA")
		r.begin("TestA")
		judge(t, r.finish(), whole).check(t, result.ExitFail, verdicts{"TestA": result.Fail})
	})
	t.Run("without M.Run", func(t *testing.T) {
		r := newReport()
		r.exit() // os.Exit was called
		judge(t, r.finish(), whole).check(t, result.ExitInconclusive, verdicts{})
	})
	t.Run("exit status 0 before M.Run, from C", func(t *testing.T) {
		j := judge(t, newReport().finish(), whole)
		j.check(t, result.ExitInconclusive, verdicts{"[setup]": result.Inconclusive})
		j.reason(t, "[setup]", "before its tests", "exit status 0")
	})
}

// TestConfirmedTwice: what passes once more in a process that does not end in order, either, has not passed.
func TestConfirmedTwice(t *testing.T) {
	for ready, want := range map[bool]result.Verdict{true: result.Pass, false: result.Inconclusive} {
		r := newReport().plan("TestA")
		r.begin("TestA")
		r.end("TestA", "pass")
		if ready {
			r.done(0)
			r.exit()
		}
		var got []result.Verdict
		j := New(testConfig(t), func(m result.Message) {
			if m.Test != nil && m.Test.Name == "TestA" {
				got = append(got, m.Test.Verdict)
			}
		})
		p := j.Confirm(nil)
		for _, ev := range r.finish().events {
			p.Event(ev, nil)
		}
		p.Finish(whole)
		if !slices.Equal(got, []result.Verdict{want}) {
			t.Errorf("with a leak check at the end %v: %q, want %q", ready, got, want)
		}
	}
}

// TestOwnFailure: whether a test that failed passes without memcheck is what testing says of it there, whatever the process
// made of that.
func TestOwnFailure(t *testing.T) {
	const fails = "fails only under memcheck"
	for _, c := range []struct {
		name, output string
		native       bool
	}{
		{"fails, and TestMain exits with 0", "\x16=== RUN   TestA\n\x16--- FAIL: TestA (0.00s)\nFAIL\n", false},
		{"passes, and the process fails", "\x16=== RUN   TestA\n\x16--- PASS: TestA (0.00s)\nPASS\nexit status 1\n", true},
		{"passes once of twice", "\x16--- PASS: TestA (0.00s)\n\x16--- FAIL: TestA (0.00s)\n", false},
		{"another one passes", "\x16--- PASS: TestB (0.00s)\nPASS\n", false},
		{"says itself that it passes", "\x16=== RUN   TestA\n--- PASS: TestA (0.00s)\npanic: x\n", false},
		{"skips", "\x16--- SKIP: TestA (0.00s)\nPASS\n", false},
		{"does not end", "\x16=== RUN   TestA\n", false},
		{"does not run", "testing: warning: no tests to run\nPASS\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got string
			j := New(testConfig(t), func(m result.Message) {
				if m.Test != nil && m.Test.Name == "TestA" {
					got = m.Test.Reason
				}
			})
			r := newReport().plan("TestA")
			r.begin("TestA")
			r.end("TestA", "fail")
			r.done(1)
			p := j.Process([]string{"valgrind", binary})
			for _, ev := range r.finish().events {
				p.Event(ev, nil)
			}
			failed := p.OwnFailures(Outcome{ExitCode: 1})
			if len(failed) != 1 {
				t.Fatalf("%d tests to run without memcheck", len(failed))
			}
			o := &Output{}
			fmt.Fprint(o, c.output)
			failed[0].FinishNative(o)
			p.Finish(Outcome{ExitCode: 1})
			if strings.Contains(got, fails) != c.native || !strings.Contains(got, "the test failed") {
				t.Errorf("%q, want it to say %q: %v", got, fails, c.native)
			}
		})
	}
}

// TestRunTwice: TestMain may call M.Run more than once, and a test may take the process down the second time.
func TestRunTwice(t *testing.T) {
	round := func(r *report, end ...string) {
		r.plan("TestA", "TestM")
		for _, name := range end {
			r.begin(name)
			r.end(name, "pass")
		}
	}
	r := newReport()
	round(r, "TestA", "TestM")
	r.done(0)
	round(r, "TestA")
	r.begin("TestM")
	r.add(valgrind.FatalSignal{Name: "SIGABRT"})
	r.past = true
	j := judge(t, r.finish(), Outcome{ExitCode: -1, Signal: "SIGABRT"})
	j.check(t, result.ExitInconclusive, verdicts{"TestM": result.Fail}) // so far: TestA runs once more
	j.reason(t, "TestM", "the test took its process down: SIGABRT")
	if len(j.plans) != 1 || len(j.plans[0].Tests) != 2 || len(j.remaining) != 0 {
		t.Errorf("plans %+v, remaining %q", j.plans, j.remaining)
	}
	// The rounds that passed are no verdicts.
	if got := slices.Compact(j.unconfirmed.Tests); !slices.Equal(got, []string{"TestA"}) {
		t.Errorf("to run once more: %q", got)
	}

	// In order, each round has its verdict.
	r = newReport()
	for range 2 {
		round(r, "TestA", "TestM")
		r.done(0)
	}
	j = judge(t, r.finish(), whole)
	j.check(t, result.ExitPass, verdicts{"TestA": result.Pass, "TestM": result.Pass})
	if len(j.order) != 4 {
		t.Errorf("verdicts on %q", j.order)
	}
}

// TestExitWithoutHooks: where the runtime was not asked to end the process, Go's garbage holds what leaked, and memcheck's
// report is whole nevertheless.
func TestExitWithoutHooks(t *testing.T) {
	make := func(leak bool) *report {
		r := newReport().plan("TestA", "TestB", "TestSkip")
		r.past = true
		r.begin("TestA")
		if leak {
			r.error("InvalidRead", freed(r.ids["TestA"], testA))
		}
		r.end("TestA", "pass")
		r.begin("TestB")
		r.end("TestB", "pass")
		r.begin("TestSkip")
		r.end("TestSkip", "skip", "not today")
		return r
	}
	r := make(false)
	r.done(0)
	j := judge(t, r.finish(), whole)
	j.check(t, result.ExitInconclusive, verdicts{
		"TestA": result.Inconclusive, "TestB": result.Inconclusive, "TestSkip": result.Skip})
	j.reason(t, "TestA", "leaks may be missing", "past Go's os.Exit (exit status 0)")
	if len(j.unconfirmed.Tests) != 0 {
		t.Errorf("%q are to run once more, to the same end", j.unconfirmed.Tests)
	}

	// A finding that is known makes no pass of it.
	cfg := testConfig(t)
	cfg.Dispose = func(result.Finding) result.Disposition { return result.Known }
	r = make(true)
	r.done(0)
	j = judgeConfig(t, cfg, r.finish(), whole)
	j.check(t, result.ExitInconclusive, verdicts{
		"TestA": result.Inconclusive, "TestB": result.Inconclusive, "TestSkip": result.Skip})
	r = make(true)
	r.done(0)
	j = judge(t, r.finish(), whole)
	if got := j.tests["TestA"]; got.Verdict != result.Fail || got.Otherwise != result.Inconclusive {
		t.Errorf("with a new finding %+v", got)
	}

	// Where nothing passed the process has a verdict.
	r = newReport().plan("TestSkip")
	r.past = true
	r.begin("TestSkip")
	r.end("TestSkip", "skip")
	r.done(0)
	j = judge(t, r.finish(), whole)
	j.check(t, result.ExitInconclusive, verdicts{"TestSkip": result.Skip, "[teardown]": result.Inconclusive})

	// A panic after M.Run.
	r = make(false)
	r.done(0)
	j = judge(t, r.finish(), Outcome{ExitCode: 2})
	j.check(t, result.ExitInconclusive, verdicts{"TestA": result.Inconclusive, "TestB": result.Inconclusive,
		"TestSkip": result.Skip, "[teardown]": result.Fail})
	j.reason(t, "TestA", "leaks may be missing: exit status 2")

	// Between two tests.
	j = judge(t, make(false).finish(), whole)
	if got := j.unconfirmed.Tests; !slices.Equal(got, []string{"TestA", "TestB"}) || j.tests["TestA"].Verdict != "" {
		t.Errorf("to run once more: %q, verdicts %v", got, j.tests)
	}
}

// TestOwedTests: what a process is known to run before it says so is not lost when it never does.
func TestOwedTests(t *testing.T) {
	var tests []*result.Test
	j := New(testConfig(t), func(m result.Message) {
		if m.Test != nil {
			tests = append(tests, m.Test)
		}
	})
	feed := func(r *report, owed ...string) []string {
		p := j.Process([]string{"valgrind", binary})
		p.Owe(owed)
		for _, ev := range r.events {
			p.Event(ev, nil)
		}
		return p.Finish(whole)
	}
	idle := newReport()
	idle.exit()
	if got := feed(idle.finish(), "TestA", "TestB"); !slices.Equal(got, []string{"TestA", "TestB"}) {
		t.Errorf("without M.Run, %q are left", got)
	}
	cut := newReport().plan("TestA", "TestB")
	cut.begin("TestA")
	if got := feed(cut.finish(), "TestA", "TestB"); !slices.Equal(got, []string{"TestB"}) {
		t.Errorf("after the first test, %q are left", got)
	}
	// The other one is gone from what M.Run ran.
	run := newReport().plan("TestA")
	run.begin("TestA")
	run.end("TestA", "pass")
	run.done(0)
	tests = nil
	if got := feed(run.finish(), "TestA", "TestB"); len(got) != 0 {
		t.Errorf("after M.Run, %q are left", got)
	}
	if len(tests) != 2 || tests[1].Name != "TestB" || tests[1].Verdict != result.Inconclusive {
		t.Errorf("verdicts %+v", tests)
	}
}

func TestSymbolLessFrame(t *testing.T) {
	fr := New(testConfig(t), nil).frames
	if diff := cmp.Diff(result.Frame{Object: noSymbol.Object, Offset: 0x1c4}, fr.Frame(noSymbol)); diff != "" {
		t.Error(diff)
	}
}

// Where memcheck's way through the stack leads over a word that is no return address, nothing is shown; a jump to
// nowhere is.
func TestLostFrame(t *testing.T) {
	nowhere := valgrind.Frame{IP: 0x1fff00046f}
	r := newReport().plan("TestA")
	r.begin("TestA")
	r.error("InvalidRead", stack(libc, nowhere, goFree, testA))
	r.error("InvalidJump", stack(nowhere, dfree, testA))
	r.end("TestA", "pass")
	r.done(0)
	j := judge(t, r.finish(), whole)
	for i, want := range []string{"strdup example.com/m/p.Free example.com/m/p.TestA", " dfree example.com/m/p.TestA"} {
		var got []string
		for _, f := range j.findings[i].Stacks[0].Frames {
			got = append(got, f.Function)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestMarks(t *testing.T) {
	m, token, err := parseMark("cgogrind1 f00d end 7 3 fail 1500 TestX/a%20b %5BFAIL%5D%0Ano ")
	want := markEnd{id: 7, errors: 3, status: "fail", elapsed: 1500, name: "TestX/a b", reason: "[FAIL]\nno"}
	if err != nil || token != "f00d" || m != want {
		t.Errorf("%+v %q %v", m, token, err)
	}
	if m, _, err := parseMark("somebody else's message"); m != nil || err != nil {
		t.Errorf("%v %v", m, err)
	}
	for _, bad := range []string{"cgogrind1", "cgogrind1 f00d", "cgogrind1 f00d jump 1", "cgogrind1 f00d begin 1 2 test",
		"cgogrind1 f00d begin one 2 test T", "cgogrind1 f00d begin 1 2 test T more", "cgogrind1 f00d plan %zz"} {
		if m, _, err := parseMark(bad); err == nil {
			t.Errorf("%q: %+v without an error", bad, m)
		}
	}
}

func TestOutput(t *testing.T) {
	var lines []string
	o := &Output{Line: func(s string) { lines = append(lines, s) }}
	text := "before\n" +
		"\x16=== RUN   TestA\nin A\nno newline\x16=== RUN   TestB\nin B\n\x16=== NAME  TestA\n    a_test.go:3: back in A\n" +
		"\x16--- FAIL: TestA (0.00s)\nafter A\n\x16=== NAME  TestB\nB again\n\x16--- PASS: TestB (0.00s)\nFAIL\nexit"
	for i := range len(text) { // in the smallest pieces
		if _, err := o.Write([]byte{text[i]}); err != nil {
			t.Fatal(err)
		}
	}
	o.Close()
	for name, want := range map[string]string{
		"TestA": "in A\nno newline\n    a_test.go:3: back in A\nafter A",
		"TestB": "in B\nB again",
		"":      "before\nexit",
		"TestC": "",
	} {
		if got := o.Tail(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	if !o.failed["TestA"] || o.failed["TestB"] {
		t.Errorf("failed: %v", o.failed)
	}
	if strings.Contains(strings.Join(lines, "\n"), marker) || !slices.Contains(lines, "=== RUN   TestA") {
		t.Errorf("lines: %q", lines)
	}
	for range 3 * maxTailLines {
		fmt.Fprintln(o, "more")
	}
	if got := o.Tail(""); strings.Count(got, "\n") != maxTailLines || !strings.HasPrefix(got, "…\n") {
		t.Errorf("%d lines: %.40q", strings.Count(got, "\n"), got)
	}
}

// A goroutine dump begins with what matters, and can be longer than anybody reads.
func TestOutputOfACrash(t *testing.T) {
	o := &Output{}
	fmt.Fprint(o, "\x16=== RUN   TestA\nSIGSEGV: segmentation violation\n")
	for i := range 1000 {
		fmt.Fprintf(o, "frame %d\n", i)
	}
	got := o.Tail("TestA")
	if !strings.HasPrefix(got, "SIGSEGV: segmentation violation\nframe 0\n") || !strings.HasSuffix(got, "frame 38\n…") {
		t.Errorf("%.60q … %q", got, got[max(0, len(got)-60):])
	}
}

// A dump of which no goroutine is the cause begins with one that hangs in a test, not with the runtime's.
func TestOutputOfATimeLimit(t *testing.T) {
	const idle = "goroutine 0 gp=0x6f9b80 m=0 mp=0x6fa500 [idle]:\nruntime.futex(0x1)\n\tsys_linux_amd64.s:558 +0x21\n\n"
	const first = "goroutine 1 gp=0x40 m=nil [chan receive]:\ntesting.(*T).Run(0x1, {0x2, 0x7}, 0x3)\n\ttesting.go:2109 +0x4fb\n" +
		"main.main()\n\t_testmain.go:57 +0x85\n\n"
	const parent = "goroutine 6 gp=0x41 m=nil [chan receive]:\ntesting.(*T).Run(0x1, {0x2, 0x3}, 0x3)\n\ttesting.go:2109 +0x4fb\n" +
		"example.com/m.TestA(0x4)\n\tm_test.go:7 +0x85\n\n"
	const child = "goroutine 7 gp=0x42 m=4 mp=0x43 [syscall]:\nexample.com/m._Cfunc_hang()\n\t_cgo_gotypes.go:100 +0x2\n" +
		"example.com/m.TestA.func1(0x4)\n\tm_test.go:8 +0x85\n\n"
	for _, head := range []string{"SIGQUIT: quit\nPC=0x48 m=0 sigcode=0\n\n", "panic: test timed out after 1s\n\n"} {
		o := &Output{}
		fmt.Fprint(o, "\x16=== RUN   TestA\n"+head+strings.Repeat(idle, 500)+first+parent+child)
		o.Close()
		got := o.Tail("TestA")
		if want := head + child + parent + idle; !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "\n…") {
			t.Errorf("%s", cmp.Diff(want, got))
		}
		o = &Output{}
		fmt.Fprint(o, "\x16=== RUN   TestA\n"+head+idle+"\x16=== NAME  TestA\nonward\n")
		if got, want := o.Tail("TestA"), head+idle+"onward"; got != want {
			t.Errorf("after a dump: %s", cmp.Diff(want, got))
		}
	}
	o := &Output{}
	fmt.Fprint(o, "\x16=== RUN   TestA\npanic: boom\n\n"+idle+child)
	o.Close()
	if got, want := o.Tail("TestA"), strings.TrimSuffix("panic: boom\n\n"+idle+child, "\n"); got != want {
		t.Errorf("after a panic: %s", cmp.Diff(want, got))
	}
}

// What the program is told while it runs is what the report says: a test that was cut short is not blamed for leaks.
func TestProgressNamesNoLeakOfATestThatWasCutShort(t *testing.T) {
	r := newReport().plan("TestA", "TestB")
	r.begin("TestA")
	r.end("TestA", "pass")
	r.begin("TestB")
	r.add(valgrind.FatalSignal{Signal: 11, Name: "SIGSEGV"})
	other := goFree
	other.Function += "B"
	testB := testA
	testB.Function = "example.com/m/p.TestB"
	r.error("Leak_DefinitelyLost", stack(libc, cgoStub, asmcgo, goStub, goFree, testA))
	r.error("Leak_DefinitelyLost", stack(libc, cgoStub, asmcgo, goStub, other, testB))
	j := judge(t, r.finish(), Outcome{ExitCode: -1, Signal: "SIGSEGV"})
	var told []string
	for _, s := range j.progress {
		if strings.HasPrefix(s, "Leak_") {
			told = append(told, s)
		}
	}
	if len(told) != 1 || len(j.findings) != 1 || !strings.Contains(told[0], "during TestA") {
		t.Errorf("told %q, findings %v", told, j.findings)
	}
}

// A signal ends the other threads in the middle of what they do: what they held then looks lost.
func TestThreadsEndedByASignalLeakNothing(t *testing.T) {
	for _, state := range []struct {
		name string
		end  bool
		want int
	}{{"in a test", false, 0}, {"after the last test", true, 1}} {
		r := newReport().plan("TestA")
		r.begin("TestA")
		if state.end {
			r.end("TestA", "pass")
		}
		r.add(valgrind.FatalSignal{Signal: 11, Name: "SIGSEGV"})
		r.error("Leak_DefinitelyLost", stack(libc, valgrind.Frame{Function: "start_thread", Object: "/lib/libc.so.6"}))
		j := judge(t, r.finish(), Outcome{ExitCode: -1, Signal: "SIGSEGV"})
		if len(j.findings) != state.want {
			t.Errorf("%s: %d findings: %v", state.name, len(j.findings), j.findings)
		}
	}
}

// Where a division failed is known in a process whose registers are exact: what it says counts. If there is none, the words
// say that the place is not exact.
func TestPlaceOfAFailedDivision(t *testing.T) {
	near := valgrind.Frame{IP: 1, Function: "near", Object: binary}
	exact := valgrind.Frame{IP: 2, Function: "exact", Object: binary}
	crashes := func(at valgrind.Frame, said string) *report {
		r := newReport().plan("TestA")
		r.begin("TestA")
		r.output.WriteString("\x16=== RUN   TestA\nSIGFPE: floating-point exception\n" + said + "\n")
		r.add(valgrind.FatalSignal{Signal: 8, Name: "SIGFPE", Stack: []valgrind.Frame{at, testA}})
		return r
	}
	o := Outcome{ExitCode: -1, Signal: "SIGFPE"}
	for _, again := range []bool{true, false} {
		var out string
		j := New(testConfig(t), func(m result.Message) {
			if m.Test != nil {
				out = m.Test.Output
			}
		})
		feed := func(p *Process, r *report) {
			_, _ = p.Output().Write([]byte(r.output.String()))
			for _, ev := range r.finish().events {
				p.Event(ev, nil)
			}
		}
		p := j.Process([]string{"valgrind", binary})
		feed(p, crashes(near, "at about 1"))
		a := p.Crashed(o)
		if a == nil || !a.Exact {
			t.Fatalf("to run alone: %+v", a)
		}
		alone := a.Process(j, nil)
		if again {
			feed(alone, crashes(exact, "at 2"))
		} else {
			r := newReport()
			r.begin("TestA")
			r.end("TestA", "pass")
			r.done(0)
			feed(alone, r)
		}
		a.FinishCrash(p, alone, o)
		p.Finish(o)
		j.Finish()
		want, not := "at 2\nSIGFPE at:\n    exact", "near"
		if !again {
			want, not = "to the nearest access to memory):\n    near", "exact"
		}
		if !strings.Contains(out, want) || strings.Contains(out, not+" (") {
			t.Errorf("again=%v: %s", again, out)
		}
	}

	r := newReport().plan("TestA")
	r.begin("TestA")
	r.add(valgrind.FatalSignal{Signal: 11, Name: "SIGSEGV"})
	p := New(testConfig(t), func(result.Message) {}).Process(nil)
	for _, ev := range r.finish().events {
		p.Event(ev, nil)
	}
	if a := p.Crashed(Outcome{ExitCode: -1, Signal: "SIGSEGV"}); a == nil || a.Exact {
		t.Errorf("after SIGSEGV: %+v", a)
	}
}

// valgrind tells of a fatal signal once more when other threads take long to end.
func TestFatalSignalToldTwice(t *testing.T) {
	r := newReport().plan("TestA")
	r.begin("TestA")
	r.add(valgrind.FatalSignal{Signal: 11, Name: "SIGSEGV", Stack: []valgrind.Frame{cgoStub, testA}})
	r.add(valgrind.FatalSignal{Signal: 11, Name: "SIGSEGV", Stack: []valgrind.Frame{testA}})
	j := judge(t, r.finish(), Outcome{ExitCode: -1, Signal: "SIGSEGV"})
	j.check(t, result.ExitFail, verdicts{"TestA": result.Fail})
	if out := j.tests["TestA"].Output; strings.Count(out, "SIGSEGV at:") != 1 {
		t.Errorf("output %q", out)
	}
}

// cgo wraps C.free(p) in a closure, so that it can check p: nobody wrote that.
func TestCgoClosuresAreLeftOut(t *testing.T) {
	closure := goFree
	closure.Function += ".func1"
	other := testA
	other.Function += ".func1"
	other.Line++
	inlined := closure
	inlined.Function = "example.com/m/p.TestA.Free.func1"
	r := newReport().plan("TestA")
	r.begin("TestA")
	r.mark("expect InvalidFree p.Free TestA")
	r.mark("expect InvalidRead p.Free TestA")
	r.error("InvalidFree", stack(vgFree, cgoStub, asmcgo, goStub, closure, goFree, other, testA))
	r.error("InvalidRead", stack(libc, cgoStub, asmcgo, goStub, inlined, goFree, testA))
	r.end("TestA", "pass")
	r.done(0)
	j := judge(t, r.finish(), whole)
	j.check(t, result.ExitPass, verdicts{"TestA": result.Pass})
	for i, want := range [][]string{
		{"free", "example.com/m/p.Free", "example.com/m/p.TestA.func1", "example.com/m/p.TestA"},
		{"strdup", "example.com/m/p.Free", "example.com/m/p.TestA"},
	} {
		var got []string
		for _, f := range j.findings[i].Stacks[0].Frames {
			got = append(got, f.Function)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	if b := j.findings[0].Blame; b == nil || b.Function != "example.com/m/p.Free" {
		t.Errorf("blame %+v", b)
	}
}
