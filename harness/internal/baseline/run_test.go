package baseline

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cgogrind/cgogrind/harness/result"
)

const pkg = "example.com/p"

// run is a run of one package with these messages.
func run(t *testing.T, messages ...any) *Run {
	t.Helper()
	var r Run
	var tally result.Tally
	put := func(m result.Message) {
		if err := errors.Join(tally.Handle(t.Context(), m), r.Handle(t.Context(), m)); err != nil {
			t.Fatal(err)
		}
	}
	put(result.Message{Config: &result.Config{RunID: "1", ProtocolVersion: result.ProtocolVersion}})
	for _, m := range messages {
		switch m := m.(type) {
		case result.Test:
			m.Package = pkg
			put(result.Message{Plan: &result.Plan{Package: pkg, Tests: []string{m.Name}}})
			put(result.Message{Test: &m})
		case result.Finding:
			m.Package, m.Test = pkg, m.Tests[0]
			if m.Disposition == "" {
				m.Disposition = result.New
			}
			m.Blame = &result.Frame{Function: "in" + m.Kind, Source: "f();"}
			put(result.Message{Finding: &m})
		default:
			t.Fatalf("%T", m)
		}
	}
	sum := tally.Summary()
	sum.ElapsedS, sum.Suppressions = 3, []result.Suppression{{ID: "s", Count: 2}}
	put(result.Message{Summary: &sum})
	return &r
}

func verdicts(r *Run) map[string]result.Verdict {
	out := map[string]result.Verdict{}
	for _, t := range r.Tests {
		out[t.Name] = t.Verdict
	}
	return out
}

const (
	free  = "00000000000000f0"
	leak  = "00000000000000e0"
	read1 = "00000000000000d0"
)

func findings() []any {
	return []any{
		result.Test{Name: "TestFree", Verdict: result.Fail, Reason: "memcheck found", Otherwise: result.Pass},
		result.Test{Name: "TestGroup/leak", Verdict: result.Fail, Otherwise: result.Pass},
		result.Test{Name: "TestGroup", Verdict: result.Fail, Otherwise: result.Pass},
		result.Test{Name: "TestOwn", Verdict: result.Fail},
		result.Test{Name: "TestOne", Verdict: result.Inconclusive, Otherwise: result.Pass},
		result.Test{Name: "TestLost", Verdict: result.Inconclusive},
		result.Test{Name: "[teardown]", Verdict: result.Fail, Otherwise: result.Pass},
		result.Finding{Fingerprint: free, Kind: "InvalidFree", Tests: []string{"TestFree", "TestOwn"}},
		result.Finding{Fingerprint: leak, Kind: "Leak_DefinitelyLost", Bytes: 40, Blocks: 2,
			Tests: []string{"TestGroup/leak", "[teardown]"}},
		result.Finding{Fingerprint: read1, Kind: "InvalidRead", Tests: []string{"TestOne"}, Attribution: result.OneOf},
	}
}

func TestJudge(t *testing.T) {
	known := func(fps ...string) Baseline {
		b := Baseline{}
		for _, fp := range fps {
			b[fp] = Entry{Kind: "K", Packages: []string{pkg}, Test: "TestFree", Bytes: 40, Blocks: 2}
		}
		return b
	}
	rule := func(text string) []Rule {
		r, err := ParseRule(text)
		if err != nil {
			t.Fatal(err)
		}
		return []Rule{r}
	}
	all := map[string]result.Verdict{"TestFree": "fail", "TestGroup/leak": "fail", "TestGroup": "fail", "TestOwn": "fail",
		"TestOne": "inconclusive", "[teardown]": "fail"}
	none := map[string]result.Verdict{"TestFree": "pass", "TestGroup/leak": "pass", "TestGroup": "pass", "TestOwn": "fail",
		"TestOne": "pass"}
	for _, c := range []struct {
		name   string
		policy Policy
		want   map[string]result.Verdict
		fresh  int
		more   Comparison // Worse, Fixed, NotRun
	}{
		{"no baseline", Policy{}, all, 3, Comparison{}},
		{"all known", Policy{Known: known(free, leak, read1)}, none, 0, Comparison{}},
		{"leak known", Policy{Known: known(leak)}, map[string]result.Verdict{"TestFree": "fail", "TestGroup/leak": "pass",
			"TestGroup": "pass", "TestOwn": "fail", "TestOne": "inconclusive"}, 2, Comparison{}},
		{"fixed", Policy{Known: known(free, leak, read1, "00000000000000c0")}, none, 0,
			Comparison{Fixed: []string{"00000000000000c0"}}},
		{"not run", Policy{Known: Baseline{free: {}, leak: {}, read1: {},
			"00000000000000c0": {Test: "TestOther", Packages: []string{pkg}}}}, none, 0, Comparison{NotRun: []string{"00000000000000c0"}}},
		{"inconclusive is not run", Policy{Known: Baseline{free: {}, leak: {}, read1: {},
			"00000000000000c0": {Test: "TestLost", Packages: []string{pkg}}}}, none, 0,
			Comparison{NotRun: []string{"00000000000000c0"}}},
		{"no worse", Policy{Known: known(free, leak, read1), NoWorse: true}, none, 0, Comparison{}},
		{"worse", Policy{Known: Baseline{free: {}, read1: {}, leak: {Bytes: 40, Blocks: 1}}, NoWorse: true},
			map[string]result.Verdict{"TestFree": "pass", "TestGroup/leak": "fail", "TestGroup": "fail", "TestOwn": "fail",
				"TestOne": "pass", "[teardown]": "fail"}, 1, Comparison{Worse: []string{leak}}},
		{"deny", Policy{Known: known(free, leak, read1), Deny: rule("kind=Invalid*")}, map[string]result.Verdict{
			"TestFree": "fail", "TestGroup/leak": "pass", "TestGroup": "pass", "TestOwn": "fail", "TestOne": "inconclusive"}, 2, Comparison{}},
		{"allow", Policy{Allow: rule("package=example.com/...")}, none, 0, Comparison{}},
		{"allow leaks that are small", Policy{Known: known(free, read1), Allow: rule("kind=Leak_*, bytes<=40")}, none, 0,
			Comparison{}},
		{"allow smaller leaks", Policy{Known: known(free, read1), Allow: rule("kind=Leak_*, bytes<=39")},
			map[string]result.Verdict{"TestFree": "pass", "TestGroup/leak": "fail", "TestGroup": "fail", "TestOwn": "fail", "TestOne": "pass",
				"[teardown]": "fail"}, 1, Comparison{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := run(t, findings()...)
			got := r.Judge(&c.policy)
			c.want["TestLost"] = result.Inconclusive
			if diff := cmp.Diff(c.want, verdicts(r)); diff != "" {
				t.Errorf("verdicts (-want +got):\n%s", diff)
			}
			if len(got.New) != c.fresh {
				t.Errorf("%d new, want %d", len(got.New), c.fresh)
			}
			got.New, got.Known = nil, nil
			if diff := cmp.Diff(c.more, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A stream that was judged against another baseline is judged anew, in both directions.
func TestJudgeOverrules(t *testing.T) {
	r := run(t,
		result.Test{Name: "TestFree/sub", Verdict: result.Pass}, result.Test{Name: "TestFree", Verdict: result.Pass},
		result.Test{Name: "TestX", Verdict: result.Skip},
		result.Finding{Fingerprint: free, Kind: "InvalidFree", Tests: []string{"TestFree/sub"}, Disposition: result.Known},
		result.Finding{Fingerprint: leak, Kind: "Leak_DefinitelyLost", Disposition: result.Known,
			Tests: []string{"[teardown]"}},
		result.Finding{Fingerprint: read1, Kind: "InvalidRead", Tests: []string{"TestX"}, Disposition: result.Expected})
	if c := r.Judge(&Policy{}); len(c.New) != 2 {
		t.Errorf("%d new", len(c.New))
	}
	want := map[string]result.Verdict{"TestFree/sub": "fail", "TestFree": "fail", "TestX": "skip", "[teardown]": "fail"}
	if diff := cmp.Diff(want, verdicts(r)); diff != "" {
		t.Error(diff)
	}
	if c := r.Judge(&Policy{Known: Baseline{free: {}, leak: {}}}); len(c.New) != 0 || len(c.Known) != 2 {
		t.Errorf("%d new, %d known", len(c.New), len(c.Known))
	}
	want = map[string]result.Verdict{"TestFree/sub": "pass", "TestFree": "pass", "TestX": "skip"}
	if diff := cmp.Diff(want, verdicts(r)); diff != "" {
		t.Error(diff)
	}
}

// The specs of a Ginkgo suite do not have its name: it goes on failing as long as one of them may.
func TestJudgeSuites(t *testing.T) {
	suite := func() *Run {
		return run(t,
			result.Test{Name: "writes", Verdict: result.Fail, Otherwise: result.Pass},
			result.Test{Name: "TestSuite", Verdict: result.Fail, Otherwise: result.Pass},
			result.Finding{Fingerprint: free, Kind: "InvalidFree", Tests: []string{"writes"}})
	}
	r := suite()
	r.Judge(&Policy{})
	if diff := cmp.Diff(map[string]result.Verdict{"writes": "fail", "TestSuite": "fail"}, verdicts(r)); diff != "" {
		t.Error(diff)
	}
	r = suite()
	r.Judge(&Policy{Known: Baseline{free: {}}})
	if diff := cmp.Diff(map[string]result.Verdict{"writes": "pass", "TestSuite": "pass"}, verdicts(r)); diff != "" {
		t.Error(diff)
	}
}

func TestUpdate(t *testing.T) {
	policy := Policy{Known: Baseline{
		leak: {Kind: "Leak_DefinitelyLost", Packages: []string{"example.com/gone", pkg}, Test: "TestOld",
			Comment: []string{"# ask Ann"}, Reason: "because", Added: "2026-01-01", Expires: "2027-01-01", Bytes: 400, Blocks: 20},
		"00000000000000c0": {Kind: "K", Packages: []string{pkg}, Test: "TestFree"},
		"00000000000000c1": {Kind: "K", Packages: []string{pkg}, Test: "TestOther", Reason: "not run"},
		"00000000000000c2": {Kind: "K", Packages: []string{pkg}, Test: "TestOther"},
	}}
	deny, err := ParseRule("kind=InvalidRead")
	if err != nil {
		t.Fatal(err)
	}
	policy.Deny = []Rule{deny}
	r := run(t, findings()...)
	got := r.Update(&policy, r.Judge(&policy), "2026-02-02", "go-ceph#1")
	want := Baseline{
		free: {Kind: "InvalidFree", Function: "inInvalidFree", Source: "f();", Packages: []string{pkg}, Test: "TestFree",
			Reason: "go-ceph#1", Added: "2026-02-02"},
		leak: {Kind: "Leak_DefinitelyLost", Function: "inLeak_DefinitelyLost", Source: "f();",
			Packages: []string{"example.com/gone", pkg}, Test: "TestGroup/leak",
			Comment: []string{"# ask Ann"}, Reason: "because", Added: "2026-01-01", Expires: "2027-01-01", Bytes: 40, Blocks: 2},
		"00000000000000c1": policy.Known["00000000000000c1"],
		"00000000000000c2": {Kind: "K", Packages: []string{pkg}, Test: "TestOther", Reason: "go-ceph#1"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	again := r.Update(&Policy{Known: got, Deny: policy.Deny}, r.Judge(&Policy{Known: got}), "2026-03-03", "")
	if diff := cmp.Diff(got, again); diff != "" {
		t.Errorf("an update without a change changes something:\n%s", diff)
	}
}

// What is emitted is a whole stream, with the counts of the verdicts as they are by then.
func TestEmit(t *testing.T) {
	r := run(t, findings()...)
	r.Judge(&Policy{Known: Baseline{free: {}, leak: {}, read1: {}}})
	var out bytes.Buffer
	code, err := r.Emit(t.Context(), result.NewEncoder(&out))
	if err != nil || code != result.ExitInconclusive {
		t.Errorf("code %d, %v", code, err)
	}
	if again, err := result.ReadExitCode(bytes.NewReader(out.Bytes())); again != code || err != nil {
		t.Errorf("the stream has code %d, %v", again, err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	want := `{"summary":{"passed":4,"failed":1,"inconclusive":1,"skipped":0,"findings":3,"new":0,"known":3,` +
		`"suppressed":0,"elapsed_s":3,"suppressions":[{"id":"s","name":"","file":"","line":0,"count":2}]}}`
	if got := lines[len(lines)-1]; got != want {
		t.Errorf("summary %s\nwant    %s", got, want)
	}
}

func TestRules(t *testing.T) {
	f := result.Finding{Kind: "Leak_DefinitelyLost", Package: "example.com/p/q", Bytes: 100, Blocks: 3}
	for text, want := range map[string]bool{
		"kind=Leak_*": true, "kind=Leak": false, "package=example.com/p/q": true, "package=example.com/p": false,
		"package=example.com/p/...": true, "package=example.com/p/q/...": true,
		"package=...q": true, "package=example.com/q": false, "bytes<=100": true, "bytes<=99": false,
		"bytes>=100": true, "bytes>=101": false, "blocks<=3": true, "blocks>=4": false,
		"kind=Leak_*, bytes>=101": false,
	} {
		r, err := ParseRule(text)
		if err != nil || r.Matches(&f) != want {
			t.Errorf("%s: %v, %v", text, r.Matches(&f), err)
		}
	}
	// A limit in bytes says nothing about what has none.
	if r, err := ParseRule("bytes<=100"); err != nil || r.Matches(&result.Finding{Kind: "InvalidWrite"}) {
		t.Errorf("bytes<=100 matches an InvalidWrite (%v)", err)
	}
	for _, text := range []string{"", "kind", "kind<=x", "kind=[", "colour=red", "bytes=3", "bytes<=many", "kind=A,,"} {
		if _, err := ParseRule(text); err == nil || !strings.Contains(err.Error(), "expected") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestExpired(t *testing.T) {
	day := func(s string) time.Time { d, _ := time.Parse(time.DateOnly, s); return d }
	if got := two.Expired(day("2026-03-04")); got != nil {
		t.Errorf("on its last day: %q", got)
	}
	if got := two.Expired(day("2026-03-05")); !slices.Equal(got, []string{"00000000000000b0"}) {
		t.Errorf("the day after: %q", got)
	}
}
