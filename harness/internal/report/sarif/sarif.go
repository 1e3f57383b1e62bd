// Package sarif writes a run's findings as SARIF 2.1.0, which GitHub's code scanning, GitLab and editors read:
// https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
//
// Input is the run's messages. Every finding is a result; one that is known, suppressed or expected is a suppressed result.
// Inconclusive tests are notifications of the tool; other tests are not in it. Results are written as they come, and what
// belongs to all of them (rules, the invocation) after them, so that a run of any size takes little memory; without the
// summary the output is not whole and no valid JSON.
package sarif

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cgogrind/cgogrind/harness/internal/report"
	"github.com/cgogrind/cgogrind/harness/result"
)

// The objects of SARIF, as far as they are used here.
type (
	message struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	artifactLocation struct {
		URI       string `json:"uri"`
		URIBaseID string `json:"uriBaseId,omitempty"`
	}
	region struct {
		StartLine int      `json:"startLine"`
		Snippet   *message `json:"snippet,omitempty"`
	}
	physicalLocation struct {
		ArtifactLocation artifactLocation `json:"artifactLocation"`
		Region           *region          `json:"region,omitempty"`
	}
	logicalLocation struct {
		FullyQualifiedName string `json:"fullyQualifiedName"`
		Kind               string `json:"kind"`
	}
	location struct {
		ID               int               `json:"id,omitempty"`
		PhysicalLocation *physicalLocation `json:"physicalLocation,omitempty"`
		LogicalLocations []logicalLocation `json:"logicalLocations,omitempty"`
		Message          *message          `json:"message,omitempty"`
	}
	stackFrame struct {
		Location *location `json:"location,omitempty"`
		Module   string    `json:"module,omitempty"`
	}
	stack struct {
		Message *message     `json:"message,omitempty"`
		Frames  []stackFrame `json:"frames"`
	}
	threadFlowLocation struct {
		Location   location `json:"location"`
		Importance string   `json:"importance"`
	}
	threadFlow struct {
		Locations []threadFlowLocation `json:"locations"`
	}
	codeFlow struct {
		ThreadFlows []threadFlow `json:"threadFlows"`
	}
	suppression struct {
		Kind          string `json:"kind"`
		Status        string `json:"status"`
		Justification string `json:"justification"`
	}
	sarifResult struct {
		RuleID              string            `json:"ruleId"`
		RuleIndex           int               `json:"ruleIndex"`
		Level               string            `json:"level"`
		Message             message           `json:"message"`
		Locations           []location        `json:"locations"`
		RelatedLocations    []location        `json:"relatedLocations,omitempty"`
		Stacks              []stack           `json:"stacks,omitempty"`
		CodeFlows           []codeFlow        `json:"codeFlows,omitempty"`
		PartialFingerprints map[string]string `json:"partialFingerprints"`
		OccurrenceCount     uint64            `json:"occurrenceCount,omitempty"`
		Suppressions        []suppression     `json:"suppressions,omitempty"`
		Properties          properties        `json:"properties"`
	}
	properties struct {
		Disposition string   `json:"disposition"`
		Package     string   `json:"package"`
		Tests       []string `json:"tests"`
		Repro       string   `json:"repro,omitempty"`
		Cause       string   `json:"cause,omitempty"` // the fingerprint of the finding that came first
		Bytes       uint64   `json:"bytes,omitempty"`
		Blocks      uint64   `json:"blocks,omitempty"`
	}
	notification struct {
		Level   string  `json:"level"`
		Message message `json:"message"`
	}
	invocation struct {
		ExecutionSuccessful        bool              `json:"executionSuccessful"`
		ExitCode                   int               `json:"exitCode"`
		Arguments                  []string          `json:"arguments,omitempty"`
		StartTimeUTC               string            `json:"startTimeUtc,omitempty"`
		EndTimeUTC                 string            `json:"endTimeUtc,omitempty"`
		WorkingDirectory           *artifactLocation `json:"workingDirectory,omitempty"`
		ToolExecutionNotifications []notification    `json:"toolExecutionNotifications,omitempty"`
	}
	driver struct {
		Name           string       `json:"name"`
		Version        string       `json:"version,omitempty"`
		InformationURI string       `json:"informationUri"`
		Rules          []descriptor `json:"rules"`
	}
	tool struct {
		Driver driver `json:"driver"`
	}
)

const (
	schemaURI = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
	// baseID stands for the repository's root.
	baseID = "SRCROOT"
)

// Handler writes a run's results.
type Handler struct {
	out           *bufio.Writer
	config        result.Config
	places        report.Places
	tally         result.Tally
	results       int
	rules         []descriptor
	ruleIndex     map[string]int
	notifications []notification
	blamed        map[string]place  // where findings so far are blamed, by fingerprint
	files         map[string]string // their files, each once
}

// place is where a finding is blamed.
type place struct {
	file string
	line int
}

// New returns a Handler that writes to out.
func New(out io.Writer) *Handler {
	return &Handler{out: bufio.NewWriter(out), ruleIndex: make(map[string]int), blamed: make(map[string]place), files: make(map[string]string)}
}

// Handle writes a finding, and with the summary what belongs to all.
func (h *Handler) Handle(ctx context.Context, m result.Message) error {
	if err := h.tally.Handle(ctx, m); err != nil && m.Summary == nil {
		return err
	}
	var err error
	switch {
	case m.Config != nil:
		h.config, h.places = *m.Config, report.PlacesOf(m.Config)
		fmt.Fprintf(h.out, `{"$schema":%q,"version":"2.1.0","runs":[{"results":[`, schemaURI)
	case m.Finding != nil:
		if h.results > 0 {
			h.out.WriteByte(',')
		}
		h.results++
		h.out.WriteByte('\n')
		err = h.write(h.result(m.Finding))
	case m.Test != nil && m.Test.Verdict != result.Pass && m.Test.Verdict != result.Fail && m.Test.Verdict != result.Skip:
		t := m.Test
		text := fmt.Sprintf("%s: %s: %s", report.Line(t.Package), report.Line(t.Name), report.Line(string(t.Verdict)))
		if t.Reason != "" {
			text += ": " + report.Clean(t.Reason)
		}
		h.notifications = append(h.notifications, notification{"error", message{Text: text}})
	case m.Summary != nil:
		if err = h.end(m.Summary); err == nil {
			err = h.out.Flush()
		}
	}
	if err != nil {
		return fmt.Errorf("writing SARIF: %w", err)
	}
	return nil
}

// write writes an object, on one line.
func (h *Handler) write(v any) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := h.out.Write(bytes.TrimRight(buf.Bytes(), "\n"))
	return err
}

// end writes what comes after the results.
func (h *Handler) end(s *result.Summary) error {
	code := h.tally.ExitCode()
	inv := invocation{
		ExecutionSuccessful: code != result.ExitInconclusive && len(h.notifications) == 0, ExitCode: int(code),
		ToolExecutionNotifications: h.notifications,
	}
	for _, arg := range h.config.Command {
		inv.Arguments = append(inv.Arguments, report.Line(arg))
	}
	if dir := h.config.Dir; filepath.IsAbs(dir) {
		inv.WorkingDirectory = &artifactLocation{URI: folderURI(dir)}
	}
	if start := h.config.Started; !start.IsZero() && s.ElapsedS >= 0 && s.ElapsedS < 1e8 {
		inv.StartTimeUTC = start.UTC().Format(time.RFC3339)
		inv.EndTimeUTC = start.Add(time.Duration(s.ElapsedS * float64(time.Second))).UTC().Format(time.RFC3339)
	}
	rules := h.rules
	if rules == nil {
		rules = []descriptor{}
	}
	parts := []struct {
		name  string
		value any
	}{
		{"tool", tool{driver{"cgogrind", report.Line(h.config.Tool), "https://github.com/cgogrind/cgogrind", rules}}},
		{"invocations", []invocation{inv}},
		{"columnKind", "utf16CodeUnits"},
	}
	if root := h.root(); filepath.IsAbs(root) {
		parts = append(parts, struct {
			name  string
			value any
		}{"originalUriBaseIds", map[string]artifactLocation{baseID: {URI: folderURI(root)}}})
	}
	h.out.WriteString("\n]")
	for _, p := range parts {
		fmt.Fprintf(h.out, ",\n%q:", p.name)
		if err := h.write(p.value); err != nil {
			return err
		}
	}
	_, err := h.out.WriteString("}]}\n")
	return err
}

func (h *Handler) root() string { return cmp.Or(h.config.Root, h.config.Dir) }

func folderURI(dir string) string {
	return (&url.URL{Scheme: "file", Path: strings.TrimSuffix(dir, "/") + "/"}).String()
}

func (h *Handler) result(f *result.Finding) sarifResult {
	kind := cmp.Or(report.Line(f.Kind), "unknown")
	i, ok := h.ruleIndex[kind]
	if !ok {
		i = len(h.rules)
		h.ruleIndex[kind] = i
		h.rules = append(h.rules, rule(kind))
	}
	tests := make([]string, len(f.Tests))
	for i, t := range f.Tests {
		tests[i] = report.Line(t)
	}
	fingerprint := report.Line(f.Fingerprint)
	r := sarifResult{
		RuleID: kind, RuleIndex: i, Level: h.rules[i].DefaultConfiguration.Level, Message: message{Text: h.text(f, tests)},
		Locations: []location{h.primary(f)},
		PartialFingerprints: map[string]string{
			fmt.Sprintf("cgogrind/v%d", result.FingerprintVersion): fingerprint,
			// what GitHub compares; it would otherwise hash the line's surroundings
			"primaryLocationLineHash": fingerprint + ":1",
		},
		OccurrenceCount: min(f.Count, math.MaxInt32),
		Properties: properties{
			Disposition: report.Line(string(f.Disposition)), Package: report.Line(f.Package), Tests: tests,
			Repro: report.Line(f.Repro), Bytes: f.Bytes, Blocks: f.Blocks,
		},
	}
	h.relate(&r, f)
	h.relatePlaces(&r, f)
	switch f.Disposition {
	case result.Known:
		r.Suppressions = []suppression{{"external", "accepted", "known: the baseline has it"}}
	case result.Suppressed:
		r.Suppressions = []suppression{{"external", "accepted", "suppressed by a rule or an entry of a suppression file"}}
	case result.Expected:
		r.Suppressions = []suppression{{"inSource", "accepted", "expected: the test declares that it causes it"}}
	}
	for _, s := range f.Stacks {
		if len(s.Frames) > 0 {
			r.Stacks = append(r.Stacks, h.stack(s))
		}
	}
	r.CodeFlows = h.codeFlows(f)
	return r
}

// relate says which earlier finding this one has the cause of, and where that is.
func (h *Handler) relate(r *sarifResult, f *result.Finding) {
	if f.Cause == "" {
		if b := f.Blame; b != nil && b.File != "" {
			if _, ok := h.files[b.File]; !ok {
				h.files[b.File] = b.File
			}
			h.blamed[f.Fingerprint] = place{h.files[b.File], b.Line}
		}
		return
	}
	cause := report.Line(f.Cause)
	r.Properties.Cause = cause
	at, ok := h.blamed[f.Cause]
	if !ok {
		r.Message.Text += fmt.Sprintf(" It has the cause of finding %s, which came first.", cause)
		return
	}
	first := h.location(&result.Frame{File: at.file, Line: at.line})
	first.ID = 1
	first.Message = &message{Text: "Finding " + cause + " came first."}
	r.RelatedLocations = []location{first}
	r.Message.Text += fmt.Sprintf(" It has the cause of [finding %s](1), which came first.", cause)
}

// relatePlaces says where C was called, and where the memory was freed or made.
func (h *Handler) relatePlaces(r *sarifResult, f *result.Finding) {
	for _, p := range []struct {
		frame *result.Frame
		text  string
	}{{f.Caller, "caller"}, {f.Other, report.OtherLabel(f)}} {
		if p.frame == nil {
			continue
		}
		l := h.location(p.frame)
		if l.PhysicalLocation == nil {
			continue
		}
		l.ID, l.Message = len(r.RelatedLocations)+1, &message{Text: p.text}
		r.RelatedLocations = append(r.RelatedLocations, l)
	}
}

// text is what people see first: what it is and where, what to do, and which tests hit it.
func (h *Handler) text(f *result.Finding, tests []string) string {
	text := h.places.Headline(f) + "."
	if f.Hint != "" {
		text += " " + report.Line(f.Hint)
	}
	if len(tests) > 0 {
		text += fmt.Sprintf(" Hit by %s of %s.", strings.Join(tests, ", "), report.Line(f.Package))
	}
	return notLink.Replace(text)
}

// notLink keeps a name such as f[abi:cxx11](int) from being taken for a link: SARIF's plain text has those of Markdown.
var notLink = strings.NewReplacer("](", "] (")

// primary is where the finding is shown: at the blame, or as near as is known. GitHub refuses a result without a file, and
// its documentation asks for a line.
func (h *Handler) primary(f *result.Finding) location {
	l := h.nearest(f)
	if l.PhysicalLocation.Region == nil {
		l.PhysicalLocation.Region = &region{StartLine: 1}
	}
	return l
}

// nearest is the first known of the blame, a frame with a file, and the package.
func (h *Handler) nearest(f *result.Finding) location {
	if f.Blame != nil {
		if l := h.location(f.Blame); l.PhysicalLocation != nil {
			return l
		}
	}
	for _, s := range f.Stacks {
		for i := range s.Frames {
			if l := h.location(&s.Frames[i]); l.PhysicalLocation != nil {
				return l
			}
		}
	}
	pkg := cmp.Or(report.Line(f.Package), "unknown")
	return location{
		PhysicalLocation: &physicalLocation{ArtifactLocation: artifactLocation{URI: (&url.URL{Path: pkg}).String(), URIBaseID: baseID}},
		LogicalLocations: []logicalLocation{{pkg, "module"}},
	}
}

func (h *Handler) location(f *result.Frame) location {
	var l location
	if f.File != "" {
		l.PhysicalLocation = &physicalLocation{ArtifactLocation: h.artifact(f.File)}
		if f.Line > 0 {
			l.PhysicalLocation.Region = &region{StartLine: f.Line}
			if f.Source != "" {
				l.PhysicalLocation.Region.Snippet = &message{Text: report.Line(f.Source)}
			}
		}
	}
	if name := report.Line(f.KnownName()); name != "" {
		l.LogicalLocations = []logicalLocation{{name, "function"}}
	}
	return l
}

// artifact names a file: relative to the repository's root if it is in it.
func (h *Handler) artifact(file string) artifactLocation {
	if !filepath.IsAbs(file) {
		return artifactLocation{URI: (&url.URL{Path: file}).String()}
	}
	if rel, ok := report.Within(h.root(), file); ok {
		return artifactLocation{URI: (&url.URL{Path: rel}).String(), URIBaseID: baseID}
	}
	return artifactLocation{URI: (&url.URL{Scheme: "file", Path: file}).String()}
}

func (h *Handler) stack(s result.Stack) stack {
	out := stack{Frames: make([]stackFrame, len(s.Frames))}
	if s.Label != "" {
		out.Message = &message{Text: report.Line(s.Label)}
	}
	for i := range s.Frames {
		f := &s.Frames[i]
		if l := h.location(f); l.PhysicalLocation != nil || l.LogicalLocations != nil {
			if p := l.PhysicalLocation; p != nil && p.Region != nil {
				p.Region.Snippet = nil // stacks are most of a large file
			}
			out.Frames[i].Location = &l
		}
		if f.Object != "" {
			out.Frames[i].Module = filepath.Base(report.Line(f.Object))
		}
	}
	return out
}

// codeFlows tells the finding in the order in which it came about: a block was allocated, freed, used. memcheck tells it
// the other way round. Of each stack it shows the frame that is blamed, or else the innermost one whose source is known.
func (h *Handler) codeFlows(f *result.Finding) []codeFlow {
	var steps []threadFlowLocation
	for i, s := range slices.Backward(f.Stacks) {
		at := slices.IndexFunc(s.Frames, func(fr result.Frame) bool { return report.IsBlamed(&fr, f.Blame) })
		if at < 0 {
			at = slices.IndexFunc(s.Frames, func(fr result.Frame) bool { return fr.Source != "" && fr.Line > 0 })
		}
		if at < 0 {
			continue
		}
		l := h.location(&s.Frames[at])
		if l.PhysicalLocation == nil {
			continue
		}
		text, importance := report.Line(s.Label), "important"
		if i == 0 {
			text, importance = cmp.Or(text, report.Message(f)), "essential"
		}
		if text != "" {
			l.Message = &message{Text: text}
		}
		steps = append(steps, threadFlowLocation{l, importance})
	}
	if len(steps) < 2 { // the location itself says as much
		return nil
	}
	return []codeFlow{{[]threadFlow{{steps}}}}
}
