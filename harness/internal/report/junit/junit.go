// Package junit writes a run as JUnit XML, as Jenkins, GitLab and most CI systems read it: one suite for each package, one
// testcase for each test. New findings are failures of the tests that hit them, inconclusive tests are errors.
//
// Input is the run's messages; nothing is written before the summary. There is no standard, so the output keeps to what the
// schemas in use agree on: that of Ant (windyroad/JUnit-Schema) and that of Jenkins (junit-10.xsd of its xunit plugin). A
// testcase has at most one failure or error, as readers show only one; it tells of all findings of the test.
package junit

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cgogrind/cgogrind/harness/internal/report"
	"github.com/cgogrind/cgogrind/harness/result"
)

// Handler collects a run's messages and writes them with the summary.
type Handler struct {
	out      io.Writer
	config   result.Config
	print    report.Printer
	suites   []*suite
	byPath   map[string]*suite
	findings *report.Store
}

// suite is a package.
type suite struct {
	pkg    string
	cases  []*testcase
	byName map[string]*testcase
	quiet  []int // findings that fail no test, by their number in the store
}

// testcase is a test.
type testcase struct {
	test     result.Test
	findings []int // new ones, by their number in the store
}

// New returns a Handler that writes to out.
func New(out io.Writer) *Handler {
	return &Handler{out: out, byPath: make(map[string]*suite), findings: &report.Store{}}
}

// Share implements report.Sharer.
func (h *Handler) Share(s *report.Store) { h.findings = s }

// Handle takes a message; with the summary it writes all.
func (h *Handler) Handle(_ context.Context, m result.Message) error {
	switch {
	case m.Config != nil:
		h.config = *m.Config
		h.print.Places = report.PlacesOf(m.Config)
	case m.Plan != nil:
		h.suite(m.Plan.Package)
	case m.Test != nil:
		s := h.suite(m.Test.Package)
		if c := s.byName[m.Test.Name]; c != nil && c.test.Verdict == "" {
			c.test = *m.Test // a finding named it before
			return nil
		}
		s.add(m.Test)
	case m.Finding != nil:
		h.finding(m.Finding)
	case m.Summary != nil:
		if err := h.write(); err != nil {
			return fmt.Errorf("writing JUnit XML: %w", err)
		}
	}
	return nil
}

func (h *Handler) suite(pkg string) *suite {
	s := h.byPath[pkg]
	if s == nil {
		s = &suite{pkg: pkg, byName: make(map[string]*testcase)}
		h.byPath[pkg] = s
		h.suites = append(h.suites, s)
	}
	return s
}

func (s *suite) add(t *result.Test) *testcase {
	c := &testcase{test: *t}
	s.cases = append(s.cases, c)
	s.byName[t.Name] = c
	return c
}

// finding gives a finding to its tests. Those that have no verdict of their own get a testcase all the same: nothing is
// lost.
func (h *Handler) finding(f *result.Finding) {
	s, i := h.suite(f.Package), h.findings.Add(f)
	if !report.IsNew(f) {
		s.quiet = append(s.quiet, i)
		return
	}
	names := f.Tests
	if len(names) == 0 {
		names = []string{cmp.Or(f.Test, result.Between)}
	}
	for _, name := range names {
		c := s.byName[name]
		if c == nil {
			c = s.add(&result.Test{Package: f.Package, Name: name})
		}
		c.findings = append(c.findings, i)
	}
}

// The elements of a suite, in the order that the schemas want: properties, cases, the output.
type (
	xmlProperties struct {
		XMLName    xml.Name      `xml:"properties"`
		Properties []xmlProperty `xml:"property"`
	}
	xmlProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	xmlCase struct {
		XMLName   xml.Name    `xml:"testcase"`
		Name      string      `xml:"name,attr"`
		Classname string      `xml:"classname,attr"`
		Time      string      `xml:"time,attr"`
		Skipped   *xmlSkipped `xml:"skipped"`
		Error     *xmlProblem `xml:"error"`
		Failure   *xmlProblem `xml:"failure"`
	}
	xmlSkipped struct {
		Message string `xml:"message,attr,omitempty"`
	}
	xmlProblem struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",innerxml"`
	}
	xmlOutput struct {
		XMLName xml.Name
		Text    string `xml:",innerxml"`
	}
)

func (h *Handler) write() error {
	w := bufio.NewWriter(h.out)
	w.WriteString(xml.Header)
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	all := xml.StartElement{Name: xml.Name{Local: "testsuites"}}
	if err := enc.EncodeToken(all); err != nil {
		return err
	}
	for i, s := range h.suites {
		if err := h.writeSuite(enc, i, s); err != nil {
			return err
		}
	}
	if err := enc.EncodeToken(all.End()); err != nil {
		return err
	}
	if err := enc.Close(); err != nil {
		return err
	}
	w.WriteString("\n")
	return w.Flush()
}

func (h *Handler) writeSuite(enc *xml.Encoder, id int, s *suite) error {
	started := h.config.Started
	if started.IsZero() {
		started = time.Unix(0, 0)
	}
	name := cmp.Or(report.Line(s.pkg), "?")
	counts := make(map[outcome]int)
	var elapsed float64
	for _, c := range s.cases {
		counts[c.outcome()]++
		elapsed += c.test.ElapsedS
	}
	start := xml.StartElement{Name: xml.Name{Local: "testsuite"}}
	for _, a := range [][2]string{
		{"package", name}, {"id", strconv.Itoa(id)}, {"name", name},
		{"timestamp", started.UTC().Format("2006-01-02T15:04:05")}, {"hostname", "localhost"},
		{"tests", strconv.Itoa(len(s.cases))}, {"failures", strconv.Itoa(counts[failure])},
		{"errors", strconv.Itoa(counts[broken])}, {"skipped", strconv.Itoa(counts[skipped])}, {"time", seconds(elapsed)},
	} {
		start.Attr = append(start.Attr, xml.Attr{Name: xml.Name{Local: a[0]}, Value: a[1]})
	}
	if err := enc.EncodeToken(start); err != nil {
		return err
	}
	if err := enc.Encode(xmlProperties{Properties: h.properties()}); err != nil {
		return err
	}
	for _, c := range s.cases {
		if err := enc.Encode(h.element(name, c)); err != nil {
			return err
		}
	}
	var out strings.Builder
	for _, i := range s.quiet {
		f := h.findings.Finding(i)
		fmt.Fprintf(&out, "%s: %s\n", report.Line(string(f.Disposition)), h.print.Headline(f))
	}
	for _, o := range []xmlOutput{{xml.Name{Local: "system-out"}, chardata(out.String())}, {XMLName: xml.Name{Local: "system-err"}}} {
		if err := enc.Encode(o); err != nil {
			return err
		}
	}
	return enc.EncodeToken(start.End())
}

func (h *Handler) properties() []xmlProperty {
	c := &h.config
	props := []xmlProperty{
		{"cgogrind", c.Tool}, {"go", c.Go}, {"valgrind", c.Valgrind}, {"runtime", string(c.Runtime)},
		{"configuration", report.Near(c.Configuration, c.Dir)},
	}
	for i := range props {
		props[i].Value = report.Line(props[i].Value)
	}
	return slices.DeleteFunc(props, func(p xmlProperty) bool { return p.Value == "" })
}

// outcome is how a testcase ended, in JUnit's terms.
type outcome int

const (
	success outcome = iota
	skipped
	failure
	broken // an error, as JUnit says
)

func (c *testcase) outcome() outcome {
	found := len(c.findings) > 0
	switch c.test.Verdict {
	case result.Pass, "":
		if !found {
			return success
		}
	case result.Skip:
		if !found {
			return skipped
		}
	case result.Fail:
	default:
		return broken
	}
	return failure
}

func (h *Handler) element(class string, c *testcase) xmlCase {
	t := &c.test
	xc := xmlCase{Name: report.Line(t.Name), Classname: class, Time: seconds(t.ElapsedS)}
	p := &xmlProblem{Message: report.Line(t.Reason), Type: "failure"}
	if len(c.findings) > 0 {
		p.Type = report.Line(h.findings.Brief(c.findings[0]).Kind)
		if p.Message == "" {
			p.Message = h.print.Headline(h.findings.Finding(c.findings[0]))
		}
	}
	switch c.outcome() {
	case skipped:
		xc.Skipped = &xmlSkipped{p.Message}
	case failure:
		p.Text = h.body(c)
		xc.Failure = p
	case broken:
		p.Type, p.Text = report.Line(string(t.Verdict)), h.body(c)
		xc.Error = p
	}
	return xc
}

// body tells all of a test that did not pass: the reason, the findings, its output.
func (h *Handler) body(c *testcase) string {
	var b bytes.Buffer
	t := &c.test
	if t.Reason != "" {
		fmt.Fprintf(&b, "%s\n", report.Clean(t.Reason))
	}
	if t.Repro != "" {
		fmt.Fprintf(&b, "again: %s\n", report.Line(t.Repro))
	}
	for _, group := range h.findings.Group(c.findings) {
		b.WriteString("\n")
		h.print.Finding(&b, h.findings.Finding(group[0]))
		h.print.Others(&b, h.findings.Some(group[1:]))
	}
	if t.Output != "" {
		fmt.Fprintf(&b, "\noutput:\n%s\n", strings.TrimRight(report.Clean(t.Output), "\n"))
	}
	return chardata(b.String())
}

// chardata escapes text that was cleaned and leaves its lines as they are.
func chardata(s string) string { return escapes.Replace(s) }

// escapes has, besides what means something, what XML forbids and Clean lets through.
var escapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\uFFFE", "\uFFFD", "\uFFFF", "\uFFFD")

func seconds(s float64) string { return strconv.FormatFloat(max(s, 0), 'f', 3, 64) }
