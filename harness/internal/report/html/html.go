// Package html writes a run as one HTML file that needs nothing else: no network, no server, no other file.
//
// Input is the run's messages; the page is written with the summary. Its data is JSON in the page, each text and each frame
// once, which its script shows as far as somebody looks, so that it stays usable with tens of thousands of findings. Texts of
// the run reach the page as text only, and a content security policy lets no script run but the page's own.
package html

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/cgogrind/cgogrind/harness/internal/report"
	"github.com/cgogrind/cgogrind/harness/result"
)

// Handler collects a run's messages and writes the page with the summary.
type Handler struct {
	out      io.Writer
	readFile func(name string) ([]byte, error)
	config   result.Config
	places   report.Places
	tests    []result.Test
	findings *report.Store

	texts  []string // of the page's data
	textOf map[string]int
}

// New returns a Handler that writes to out. Sources are read with readFile; a file is shown only if it still has the line
// that the run saw.
func New(out io.Writer, readFile func(name string) ([]byte, error)) *Handler {
	return &Handler{out: out, readFile: readFile, textOf: make(map[string]int), findings: &report.Store{}}
}

// Share implements report.Sharer.
func (h *Handler) Share(s *report.Store) { h.findings = s }

// Handle takes a message.
func (h *Handler) Handle(_ context.Context, m result.Message) error {
	switch {
	case m.Config != nil:
		h.config, h.places = *m.Config, report.PlacesOf(m.Config)
	case m.Test != nil:
		h.tests = append(h.tests, *m.Test)
	case m.Finding != nil:
		h.findings.Add(m.Finding)
	case m.Summary != nil:
		if err := h.write(m.Summary); err != nil {
			return fmt.Errorf("writing HTML: %w", err)
		}
	}
	return nil
}

//go:embed page.html
var pageText string

//go:embed style.css
var style string

//go:embed script.js
var script string

var pages = template.Must(template.New("").Parse(pageText))

// page is what the templates show.
type page struct {
	Title, Headline, State string
	Policy                 string
	Style                  template.CSS
	Script                 template.JS
	Facts                  []fact
	Tests, Findings        []count
}

// fact is something about the run.
type fact struct{ Name, Value string }

// count is a number and what there are so many of; Class is for the style and the script.
type count struct {
	Number      int
	Name, Class string
}

func (h *Handler) write(s *result.Summary) error {
	w := bufio.NewWriterSize(h.out, 64<<10)
	p := h.page(s)
	if err := pages.ExecuteTemplate(w, "head", p); err != nil {
		return err
	}
	w.WriteString(`<script type="application/json" id="data">`) // by hand: a template has to end where it began, in text
	if err := h.writeData(w); err != nil {
		return err
	}
	w.WriteString("</script>")
	if err := pages.ExecuteTemplate(w, "tail", p); err != nil {
		return err
	}
	return w.Flush()
}

func (h *Handler) page(s *result.Summary) *page {
	expected := 0
	for i := range h.findings.Len() {
		if h.findings.Brief(i).Disposition == result.Expected {
			expected++
		}
	}
	hash := sha256.Sum256([]byte(script))
	p := &page{
		Policy: "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-" +
			base64.StdEncoding.EncodeToString(hash[:]) + "'; base-uri 'none'; form-action 'none'",
		Style: template.CSS(style), Script: template.JS(script),
		Tests: []count{
			{s.Passed, "passed", "pass"}, {s.Failed, "failed", "fail"}, {s.Inconclusive, "inconclusive", "inconclusive"},
			{s.Skipped, "skipped", "skip"},
		},
		Findings: []count{
			{s.New, "new", "new"}, {s.Known, "known", "known"}, {s.Suppressed, "suppressed", "suppressed"}, {expected, "expected", "expected"},
		},
	}
	switch {
	case s.New == 1:
		p.Headline, p.State = "memcheck found a new defect", "fail"
	case s.New > 0:
		p.Headline, p.State = fmt.Sprintf("memcheck found %d new defects", s.New), "fail"
	case s.Inconclusive > 0:
		p.Headline, p.State = "The evidence is incomplete", "inconclusive"
	case s.Passed+s.Failed+s.Skipped == 0:
		p.Headline, p.State = "No test ran", "inconclusive"
	case s.Failed > 0:
		p.Headline, p.State = "Tests failed; memcheck found nothing new", "fail"
	default:
		p.Headline, p.State = "memcheck found nothing new", "pass"
	}
	p.Title = p.Headline + " – cgogrind"
	took := time.Duration(0)
	if s.ElapsedS > 0 && s.ElapsedS < 1e9 {
		took = time.Duration(s.ElapsedS * float64(time.Second)).Round(10 * time.Millisecond)
	}
	started := ""
	if !h.config.Started.IsZero() {
		started = h.config.Started.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	runtime := ""
	if h.config.Runtime == result.Stock {
		runtime = "stock: expect false errors"
	}
	for _, f := range []fact{
		{"started", started}, {"took", took.String()}, {"cgogrind", h.config.Tool}, {"Go", h.config.Go},
		{"valgrind", h.config.Valgrind}, {"runtime", runtime}, {"allocator", h.config.Allocator}, {"folder", h.config.Dir},
		{"command", strings.Join(h.config.Command, " ")}, {"flags of", report.Near(h.config.Configuration, h.config.Dir)},
	} {
		if f.Value = report.Line(f.Value); f.Value != "" {
			p.Facts = append(p.Facts, f)
		}
	}
	return p
}

// text returns the number of a text in the page's data.
func (h *Handler) text(s string) int {
	if i, ok := h.textOf[s]; ok {
		return i
	}
	h.texts = append(h.texts, s)
	h.textOf[s] = len(h.texts) - 1
	return len(h.texts) - 1
}

func (h *Handler) line(s string) int { return h.text(report.Line(s)) }

// The page's data. Texts are numbers in its list of texts, frames numbers in its list of frames; -1 is none.
type (
	dataFrame struct {
		Function int    `json:"f"`
		Full     string `json:"n,omitempty"` // the compiler's name of the function, if it is known by another
		Place    int    `json:"p"`
		File     int    `json:"t"` // the whole path
		Lang     string `json:"l,omitempty"`
		Source   int    `json:"s"`
		Excerpt  []any  `json:"x,omitempty"` // the first line's number and lines
	}
	dataStack struct {
		Label  int      `json:"l"`
		Frames []uint32 `json:"f"`
	}
	dataFinding struct {
		Fingerprint string      `json:"i"`
		Kind        int         `json:"k"`
		Package     int         `json:"p"`
		Tests       []int       `json:"t"`
		OneOf       bool        `json:"o,omitempty"`
		Disposition string      `json:"d"`
		Message     int         `json:"m"`
		Blame       int         `json:"b"`
		Caller      int         `json:"u"`
		Other       int         `json:"v"`
		OtherLabel  string      `json:"w,omitempty"`
		Stacks      []dataStack `json:"s"`
		Count       uint64      `json:"c"`
		Bytes       uint64      `json:"y,omitempty"`
		Blocks      uint64      `json:"n,omitempty"`
		Hint        int         `json:"h"`
		Cause       string      `json:"g,omitempty"` // the fingerprint of the finding that came first
		Repro       int         `json:"r"`
	}
	dataTest struct {
		Package int     `json:"p"`
		Name    int     `json:"n"`
		Verdict string  `json:"v"`
		Reason  int     `json:"w"`
		Elapsed float64 `json:"e"`
		Output  int     `json:"o"`
		Repro   int     `json:"r"`
	}
)

// writeData writes an object: the findings, tests, frames and texts, each a list with an element a line.
func (h *Handler) writeData(w *bufio.Writer) error {
	// json escapes < > & and U+2028, so that nothing in it ends the element that it stands in.
	write := func(name string, n int, element func(int) any) error {
		fmt.Fprintf(w, "%q:[", name)
		for i := range n {
			if i > 0 {
				w.WriteByte(',')
			}
			b, err := json.Marshal(element(i))
			if err != nil {
				return err
			}
			w.WriteByte('\n')
			w.Write(b)
		}
		_, err := w.WriteString("]")
		return err
	}
	w.WriteByte('{')
	if err := write("findings", h.findings.Len(), func(i int) any { return h.finding(i) }); err != nil {
		return err
	}
	w.WriteByte(',')
	if err := write("tests", len(h.tests), func(i int) any { return h.test(&h.tests[i]) }); err != nil {
		return err
	}
	w.WriteByte(',')
	frames := h.findings.Frames()
	excerpts := excerpts{readFile: h.readFile, room: maxExcerpts}
	if err := write("frames", len(frames), func(i int) any { return h.frame(&frames[i], &excerpts) }); err != nil {
		return err
	}
	w.WriteByte(',')
	if err := write("texts", len(h.texts), func(i int) any { return h.texts[i] }); err != nil {
		return err
	}
	return w.WriteByte('}')
}

func (h *Handler) finding(i int) dataFinding {
	f := h.findings.Brief(i)
	blame, caller, other := h.findings.Places(i)
	labels, frames := h.findings.Stacks(i)
	d := dataFinding{
		Fingerprint: report.Line(f.Fingerprint), Kind: h.line(f.Kind), Package: h.line(f.Package), Tests: []int{},
		OneOf: f.Attribution == result.OneOf, Disposition: disposition(f), Message: h.text(report.Message(f)), Blame: blame, Caller: caller, Other: other,
		Stacks: []dataStack{}, Count: f.Count, Bytes: f.Bytes, Blocks: f.Blocks, Hint: h.text(report.Clean(f.Hint)),
		Repro: h.line(f.Repro), Cause: report.Line(f.Cause),
	}
	if other >= 0 {
		d.OtherLabel = report.OtherLabel(h.findings.Finding(i))
	}
	for _, t := range f.Tests {
		d.Tests = append(d.Tests, h.line(t))
	}
	for j := range frames {
		d.Stacks = append(d.Stacks, dataStack{h.line(labels[j]), frames[j]})
	}
	return d
}

// disposition is one that the page knows.
func disposition(f *result.Finding) string {
	if report.IsNew(f) {
		return string(result.New)
	}
	return string(f.Disposition)
}

func (h *Handler) test(t *result.Test) dataTest {
	d := dataTest{
		Package: h.line(t.Package), Name: h.line(t.Name), Verdict: string(t.Verdict), Reason: h.text(report.Clean(t.Reason)),
		Elapsed: t.ElapsedS, Output: h.text(report.Clean(t.Output)), Repro: h.line(t.Repro),
	}
	switch t.Verdict {
	case result.Pass, result.Fail, result.Skip:
	default:
		d.Verdict = string(result.Inconclusive)
	}
	return d
}

func (h *Handler) frame(f *result.Frame, from *excerpts) dataFrame {
	d := dataFrame{
		Function: h.text(report.Function(f)), Place: h.text(h.places.Location(f)), File: h.line(cmp.Or(f.File, f.Object)),
		Source: h.line(f.Source),
	}
	if f.Name != "" {
		d.Full = report.Line(f.Function)
	}
	if f.Lang == result.C || f.Lang == result.Go {
		d.Lang = string(f.Lang)
	}
	if first, lines := from.around(f); lines != nil {
		d.Excerpt = []any{first}
		for _, l := range lines {
			d.Excerpt = append(d.Excerpt, h.text(strings.ReplaceAll(report.Clean(l), "\n", " ")))
		}
	}
	return d
}

const (
	maxExcerpts = 4 << 20 // bytes of sources in a page
	around      = 3       // lines before and after the one that matters
	maxLine     = 400     // bytes of a line
)

// excerpts reads sources around the lines of frames.
type excerpts struct {
	readFile func(string) ([]byte, error)
	room     int
	file     map[string][][]byte // lines of files; nil for one that cannot be read
}

// sourceFiles are the files that may be shown: a stream must not name a file of secrets and have it in the report.
var sourceFiles = []string{".go", ".c", ".h", ".cc", ".cpp", ".cxx", ".hpp", ".hh", ".s", ".rs", ".m", ".mm"}

// around returns some lines and the number of the first. They are those that the run saw: the frame's own line must be there.
func (e *excerpts) around(f *result.Frame) (first int, lines []string) {
	if f.Source == "" || f.Line < 1 || e.room <= 0 || !slices.Contains(sourceFiles, strings.ToLower(path.Ext(f.File))) {
		return 0, nil
	}
	all, ok := e.file[f.File]
	if !ok {
		if e.file == nil {
			e.file = make(map[string][][]byte)
		}
		if b, err := e.readFile(f.File); err == nil {
			all = bytes.Split(b, []byte("\n"))
		}
		e.file[f.File] = all
	}
	if f.Line > len(all) || strings.TrimSpace(string(all[f.Line-1])) != f.Source {
		return 0, nil
	}
	first = max(1, f.Line-around)
	for _, l := range all[first-1 : min(len(all), f.Line+around)] {
		text := strings.ToValidUTF8(string(l[:min(len(l), maxLine)]), "\uFFFD")
		e.room -= len(text)
		lines = append(lines, strings.TrimRight(text, "\r"))
	}
	return first, lines
}
