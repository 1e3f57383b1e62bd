package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// The files of the results.
const (
	dataFile = "results.json"
	pageFile = "RESULTS.md"
	plotFile = "results.svg"
)

// Results are what results.json holds: the parts, each as it was last measured.
type Results struct {
	Parts []*Part `json:"parts"`
}

// Part is what one part measured.
type Part struct {
	Number  int       `json:"number"`
	Title   string    `json:"title"`
	Machine string    `json:"machine"` // with the versions
	Date    time.Time `json:"date"`
	Rounds  int       `json:"rounds"`
	Quick   bool      `json:"quick,omitempty"`
	Seconds float64   `json:"seconds"`
	Error   string    `json:"error,omitempty"` // why it did not end; the tables are what came before
	Tables  []*Table  `json:"tables,omitempty"`
	Figures []Figure  `json:"figures,omitempty"`
}

// Table is a table of the page.
type Table struct {
	Caption string   `json:"caption,omitempty"`
	Columns []string `json:"columns"`
	Rows    [][]Cell `json:"rows"`
}

// Cell is a text, or the values that were measured.
type Cell struct {
	Text   string    `json:"text,omitempty"`
	Values []float64 `json:"values,omitempty"`
}

// Figure is a panel of the plot.
type Figure struct {
	Title  string   `json:"title"`
	X      string   `json:"x"`
	Y      string   `json:"y"`
	LogX   bool     `json:"log_x,omitempty"`
	LogY   bool     `json:"log_y,omitempty"`
	Series []Series `json:"series"`
}

// Series is a line in a figure.
type Series struct {
	Name   string       `json:"name"`
	Points [][2]float64 `json:"points"`
}

// add adds a point.
func (s *Series) add(x, y float64) { s.Points = append(s.Points, [2]float64{x, y}) }

// table begins a table of the part that runs.
func (b *bench) table(caption string, columns ...string) *Table {
	t := &Table{Caption: caption, Columns: columns}
	b.result.Tables = append(b.result.Tables, t)
	return t
}

// row adds a row: texts, numbers, and measured values.
func (t *Table) row(cells ...any) {
	var row []Cell
	for _, c := range cells {
		switch c := c.(type) {
		case []float64:
			row = append(row, Cell{Values: c})
		case float64:
			row = append(row, Cell{Values: []float64{c}})
		default:
			row = append(row, Cell{Text: fmt.Sprint(c)})
		}
	}
	t.Rows = append(t.Rows, row)
}

// figure adds a figure to the part that runs.
func (b *bench) figure(f Figure) {
	f.Series = slices.DeleteFunc(f.Series, func(s Series) bool { return len(s.Points) == 0 })
	if len(f.Series) > 0 {
		b.result.Figures = append(b.result.Figures, f)
	}
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

// String is the median, and the least and the most if there are several.
func (c Cell) String() string {
	switch len(c.Values) {
	case 0:
		return strings.NewReplacer("|", `\|`, "\n", " ").Replace(c.Text)
	case 1:
		return number(c.Values[0])
	}
	return fmt.Sprintf("%s (%s to %s)", number(median(c.Values)), number(slices.Min(c.Values)), number(slices.Max(c.Values)))
}

// number has three digits, more before the point.
func number(v float64) string {
	switch {
	case v >= 100 || v <= -100 || v == float64(int64(v)):
		return fmt.Sprintf("%.0f", v)
	case v >= 10 || v <= -10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// put adds a part, in the place of its former self.
func (r *Results) put(p *Part) {
	r.Parts = slices.DeleteFunc(r.Parts, func(o *Part) bool { return o.Number == p.Number })
	r.Parts = append(r.Parts, p)
	slices.SortFunc(r.Parts, func(a, b *Part) int { return a.Number - b.Number })
}

// readResults reads what was measured before.
func readResults(dir string) (*Results, error) {
	r := new(Results)
	if dir == "" {
		return r, nil
	}
	data, err := os.ReadFile(filepath.Join(dir, dataFile))
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(data, r)
	}
	if err != nil {
		return nil, fmt.Errorf("reading former results: %w", err)
	}
	return r, nil
}

// save writes the data, the page and the plot.
func (r *Results) save(dir string) error {
	if dir == "" {
		return nil
	}
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return fmt.Errorf("saving the results: %w", err)
	}
	old, err := os.ReadFile(filepath.Join(dir, pageFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("saving the results: %w", err)
	}
	svg, err := plotSVG(r)
	if err != nil {
		return fmt.Errorf("plotting the results: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("saving the results: %w", err)
	}
	for name, text := range map[string][]byte{
		dataFile: append(data, '\n'), pageFile: []byte(r.page(string(old))), plotFile: svg,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return fmt.Errorf("saving the results: %w", err)
		}
	}
	return nil
}

// page puts the tables between their marks in a page; what has no place yet comes at its end. What people have written
// outside the marks stays.
func (r *Results) page(old string) string {
	if strings.TrimSpace(old) == "" {
		old = "# What cgogrind costs and saves\n\nMade by `ci/bench/run`: what stands between the marks is measured anew.\n"
	}
	page := old
	for _, p := range r.Parts {
		begin, end := fmt.Sprintf("<!-- part %d -->", p.Number), fmt.Sprintf("<!-- end of part %d -->", p.Number)
		text := begin + "\n" + p.markdown() + end
		from, to := strings.Index(page, begin), strings.Index(page, end)
		if from >= 0 && to > from {
			page = page[:from] + text + page[to+len(end):]
		} else {
			page = strings.TrimRight(page, "\n") + "\n\n" + text + "\n"
		}
	}
	return page
}

// markdown is the part's section.
func (p *Part) markdown() string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "## %d. %s\n\n", p.Number, p.Title)
	how := fmt.Sprintf("%d rounds, median (least to most)", p.Rounds)
	if p.Rounds == 1 {
		how = "one round: no spread"
	}
	if p.Quick {
		how += ", small sizes (`--quick`)"
	}
	fmt.Fprintf(&b, "%s: %s. %s.\n\n", p.Date.Format(time.DateOnly), p.Machine, how)
	for _, t := range p.Tables {
		if t.Caption != "" {
			fmt.Fprintf(&b, "%s\n\n", t.Caption)
		}
		fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(t.Columns, " | "), strings.Repeat("---|", len(t.Columns)))
		for _, row := range t.Rows {
			var cells []string
			for _, c := range row {
				cells = append(cells, c.String())
			}
			fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
		}
		b.WriteString("\n")
	}
	if len(p.Figures) > 0 {
		fmt.Fprintf(&b, "Plotted in [%s](%s).\n\n", plotFile, plotFile)
	}
	if p.Error != "" {
		fmt.Fprintf(&b, "**Failed:**\n\n```\n%s\n```\n\n", p.Error)
	}
	return b.String()
}

// machine describes it, with the versions of what is measured.
func (b *bench) machine() (string, error) {
	model := runtime.GOARCH
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(data)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	gcc, err := exec.CommandContext(b.ctx, "gcc", "-dumpfullversion").Output()
	if err != nil {
		return "", fmt.Errorf("asking gcc for its version: %w", err)
	}
	text := fmt.Sprintf("%s, valgrind %s, gcc %s; %s, %d processors", b.version, b.vg.Version, strings.TrimSpace(string(gcc)), model,
		runtime.NumCPU())
	if total, _ := memory(); total > 0 {
		text += fmt.Sprintf(", %.0f GB", float64(total)/1e9)
	}
	if data, err := os.ReadFile("/proc/loadavg"); err == nil {
		text += fmt.Sprintf("; load %s at the start", strings.Fields(string(data))[0])
	}
	return text, nil
}

// memory is that of the machine, and what of it programs can have, in bytes; 0 if it is not known.
func memory() (total, available int64) {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(data)) {
		var kilobytes int64
		name, value, _ := strings.Cut(line, ":")
		if _, err := fmt.Sscan(value, &kilobytes); err != nil {
			continue
		}
		switch name {
		case "MemTotal":
			total = kilobytes << 10
		case "MemAvailable":
			available = kilobytes << 10
		}
	}
	return total, available
}
