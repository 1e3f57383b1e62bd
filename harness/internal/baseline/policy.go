package baseline

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cgogrind/cgogrind/harness/result"
)

// Policy decides about findings.
type Policy struct {
	Known Baseline
	// Former are findings known by fingerprints of an earlier version. They decide nothing: Run.Update takes from them what
	// people wrote.
	Former Baseline
	// NoWorse makes a known leak new as soon as it has more blocks or bytes than the baseline says.
	NoWorse bool
	Deny    []Rule // findings that are new although the baseline has them
	Allow   []Rule // findings that are suppressed although it does not
}

// Dispose decides about a finding that no test expects: New, Known or Suppressed. Deny goes before the baseline, that
// before Allow. Of the finding it looks at the fingerprint, the kind, the package, the bytes and the blocks.
func (p *Policy) Dispose(f result.Finding) result.Disposition {
	fits := func(r Rule) bool { return r.Matches(&f) }
	if slices.ContainsFunc(p.Deny, fits) {
		return result.New
	}
	if e, ok := p.Known[f.Fingerprint]; ok && !(p.NoWorse && e.isWorse(&f)) {
		return result.Known
	}
	if slices.ContainsFunc(p.Allow, fits) {
		return result.Suppressed
	}
	return result.New
}

// like returns the entry of a finding that was known by another fingerprint: of the same kind, in the same package, with the
// line that was blamed in one of its stacks.
func (b Baseline) like(f *result.Finding) Entry {
	for _, fp := range b.sorted() {
		e := b[fp]
		if e.Kind != f.Kind || !slices.Contains(e.Packages, f.Package) {
			continue
		}
		is := func(fr result.Frame) bool {
			return fr.KnownName() == e.Function && (e.Source == "" || fr.Source == e.Source)
		}
		if f.Blame == nil && e.Function == "" || f.Blame != nil && is(*f.Blame) ||
			slices.ContainsFunc(f.Stacks, func(s result.Stack) bool { return slices.ContainsFunc(s.Frames, is) }) {
			return e
		}
	}
	return Entry{}
}

// isWorse says whether a finding leaks more than when the entry was written.
func (e *Entry) isWorse(f *result.Finding) bool { return f.Blocks > e.Blocks || f.Bytes > e.Bytes }

// Expired lists the fingerprints of the entries whose last day is over.
func (b Baseline) Expired(now time.Time) []string {
	var out []string
	for _, fp := range b.sorted() {
		if b[fp].Expires.IsOver(now) {
			out = append(out, fp)
		}
	}
	return out
}

// Rule matches findings by what they are.
type Rule struct {
	text       string
	conditions []func(*result.Finding) bool
}

func (r Rule) String() string { return r.text }

// Matches says whether all conditions of the rule hold for a finding.
func (r Rule) Matches(f *result.Finding) bool {
	for _, holds := range r.conditions {
		if !holds(f) {
			return false
		}
	}
	return true
}

var conditionPattern = regexp.MustCompile(`^(kind|package|bytes|blocks)(=|<=|>=)(.+)$`)

// RuleHelp says how a rule is written.
const RuleHelp = `conditions joined by commas: kind=PATTERN (Leak_*), package=PATTERN (example.com/x/...), ` +
	`and for leaks bytes<=N, bytes>=N, blocks<=N, blocks>=N`

// ParseRule reads a rule: conditions joined by commas, all of which must hold.
func ParseRule(text string) (Rule, error) {
	r := Rule{text: text}
	for _, c := range strings.Split(text, ",") {
		m := conditionPattern.FindStringSubmatch(strings.TrimSpace(c))
		if m == nil {
			return Rule{}, fmt.Errorf("%q: expected %s", c, RuleHelp)
		}
		holds, err := condition(m[1], m[2], m[3])
		if err != nil {
			return Rule{}, fmt.Errorf("%q: %w", c, err)
		}
		r.conditions = append(r.conditions, holds)
	}
	return r, nil
}

func condition(field, op, value string) (func(*result.Finding) bool, error) {
	switch field {
	case "kind":
		if _, err := path.Match(value, ""); err != nil || op != "=" {
			return nil, fmt.Errorf("expected kind=PATTERN, with * for any text")
		}
		return func(f *result.Finding) bool { ok, _ := path.Match(value, f.Kind); return ok }, nil
	case "package":
		if op != "=" {
			return nil, fmt.Errorf("expected package=PATTERN, with ... for any text")
		}
		re := packagePattern(value)
		return func(f *result.Finding) bool { return re.MatchString(f.Package) }, nil
	}
	limit, err := strconv.ParseUint(value, 10, 64)
	if err != nil || op == "=" {
		return nil, fmt.Errorf("expected %s<=N or %s>=N, with a whole number", field, field)
	}
	return func(f *result.Finding) bool {
		n := f.Bytes
		if field == "blocks" {
			n = f.Blocks
		}
		if !strings.HasPrefix(f.Kind, "Leak_") { // other kinds have neither
			return false
		}
		if op == "<=" {
			return n <= limit
		}
		return n >= limit
	}, nil
}

// packagePattern reads a pattern as the go command does: ... is any text, and x/... is x, too.
func packagePattern(pattern string) *regexp.Regexp {
	re := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\.\.\.`, `.*`)
	if prefix, ok := strings.CutSuffix(re, `/.*`); ok {
		re = prefix + `(/.*)?`
	}
	return regexp.MustCompile(`^` + re + `$`)
}
