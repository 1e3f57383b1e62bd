// Package baseline keeps the findings that a repository knows of and lives with for now, and compares runs with them.
//
// Input is a baseline file and result messages; output is which findings are new, known, fixed or not looked for,
// what a run is worth in that light, and the file brought up to date. It runs nothing and prints nothing.
package baseline

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/cgogrind/cgogrind/harness/internal/input"
	"github.com/cgogrind/cgogrind/harness/internal/tomlfile"
	"github.com/cgogrind/cgogrind/harness/result"
)

// Version is the version of the file format, which is that of the fingerprints in it.
const Version = result.FingerprintVersion

// ErrFormer is what is wrong with a baseline whose fingerprints are of an earlier version: no finding has them any more.
// The findings are returned with it; Policy.Former is for them.
var ErrFormer = errors.New("its fingerprints are of an earlier version")

// formerError is ErrFormer with its place.
type formerError struct{ at *tomlfile.Error }

func (e formerError) Error() string   { return e.at.Error() }
func (e formerError) Unwrap() []error { return []error{ErrFormer, e.at} }

// Baseline is the known findings, by fingerprint.
type Baseline map[string]Entry

// Entry is a known finding. What it says beside Reason, Added, Expires, Blocks and Bytes is there for people who
// review the file.
type Entry struct {
	Comment  []string `toml:"-"` // the lines right above the block and in it that begin with #, without white space around
	Kind     string   `toml:"kind"`
	Function string   `toml:"function"` // that it is blamed on
	Source   string   `toml:"source,omitempty"`
	Packages []string `toml:"packages"` // whose tests hit it
	Test     string   `toml:"test"`     // the first of those
	Blocks   uint64   `toml:"blocks,omitzero"`
	Bytes    uint64   `toml:"bytes,omitzero"` // leaked
	Reason   string   `toml:"reason"`         // why it is lived with; empty until somebody writes it
	Added    Date     `toml:"added"`
	Expires  Date     `toml:"expires,omitempty"` // the last day on which it is lived with
}

// Date is a day, as 2006-01-02; empty for none.
type Date string

// UnmarshalText reads a day, as text or as TOML's own date.
func (d *Date) UnmarshalText(text []byte) error {
	s, _, _ := strings.Cut(string(text), "T00:00:00")
	if _, err := time.Parse(time.DateOnly, s); err != nil && s != "" {
		return fmt.Errorf("%q is no date: write it as \"2006-01-02\"", text)
	}
	*d = Date(s)
	return nil
}

// IsOver says whether the day is over at a time; none never is.
func (d Date) IsOver(now time.Time) bool {
	return d != "" && now.UTC().Format(time.DateOnly) > string(d)
}

var fingerprintPattern = regexp.MustCompile(`^[0-9a-f]{16}$`)

// Parse reads a baseline file's text; name is what to call it. Where the text is wrong, the error is a *tomlfile.Error.
func Parse(name, text string) (Baseline, error) {
	var file struct {
		Version int              `toml:"version"`
		Finding map[string]Entry `toml:"finding"`
	}
	if err := tomlfile.Decode(name, text, &file); err != nil {
		var e *tomlfile.Error
		if errors.As(err, &e) && !strings.Contains(text, "version") {
			e.Msg += ": is this a baseline? cgogrind gate --update writes one"
		}
		return nil, err
	}
	if file.Version != Version && file.Version != 1 {
		e := &tomlfile.Error{File: name, Line: max(1, tomlfile.Line(text, "version")), Key: "version"}
		switch {
		case file.Version > Version:
			e.Msg = fmt.Sprintf("%d is newer than this cgogrind, which knows %d: use the cgogrind that wrote the file",
				file.Version, Version)
		default:
			e.Msg = fmt.Sprintf("expected version = %d at the beginning: is this a baseline? cgogrind gate --update writes one",
				Version)
		}
		return nil, e
	}
	for fp, entry := range file.Finding {
		e := &tomlfile.Error{File: name, Line: tomlfile.Line(text, "finding", fp), Key: "finding." + fp}
		switch {
		case !fingerprintPattern.MatchString(fp):
			e.Msg = "that is no fingerprint: one is 16 hexadecimal digits in lower case"
		case entry.Kind == "":
			e.Msg = "the key kind is missing"
		case entry.Blocks > math.MaxInt64, entry.Bytes > math.MaxInt64: // the library lets negative numbers wrap around
			e.Msg = "blocks and bytes cannot be negative"
		default:
			continue
		}
		return nil, e
	}
	for fp, lines := range comments(text) {
		if entry, ok := file.Finding[fp]; ok {
			entry.Comment = lines
			file.Finding[fp] = entry
		}
	}
	if file.Version != Version {
		return file.Finding, formerError{&tomlfile.Error{
			File: name, Line: tomlfile.Line(text, "version"), Key: "version",
			Msg: fmt.Sprintf("%d has fingerprints that no finding has any more, since they now tell apart the Go code that called C: "+
				"cgogrind gate --update --baseline %s STREAM, with the stream of a whole run, writes version %d, and keeps "+
				"reasons, dates and comments", file.Version, name, Version),
		}}
	}
	return file.Finding, nil
}

var blockHead = regexp.MustCompile(`^\[\s*finding\s*\.\s*["']?([0-9a-f]{16})["']?\s*\]`)

// comments returns the comment lines of a file's blocks, by fingerprint. What stands alone between blank lines belongs to
// none.
func comments(text string) map[string][]string {
	out := make(map[string][]string)
	var above []string
	block := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "":
			above, block = nil, ""
		case line[0] == '#' && block != "":
			out[block] = append(out[block], line)
		case line[0] == '#':
			above = append(above, line)
		case line[0] == '[':
			block = ""
			if m := blockHead.FindStringSubmatch(line); m != nil {
				block = m[1]
				out[block] = append(out[block], above...)
			}
			above = nil
		}
	}
	return out
}

// Read reads a baseline file.
func Read(name string) (Baseline, error) {
	text, err := input.ReadFile(name, input.Baseline)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the baseline: %w: cgogrind gate --update --baseline %s STREAM makes one", err, name)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the baseline: %w", err)
	}
	return Parse(name, string(text))
}

const preamble = `# Findings that this repository knows of and lives with for now: cgogrind test and gate do not fail for them.
# Written by cgogrind gate --update, which keeps these, and the comments of a block:
#   reason   why it is lived with: an upstream bug, a plan. Write one for each.
#   expires  the last day on which it is, as "2006-01-02"; after it the gate fails. May be left out.
version = 2
`

// Format returns the file's text: a block a finding, sorted by package, function, kind and fingerprint.
func (b Baseline) Format() string {
	var out bytes.Buffer
	out.WriteString(preamble)
	for _, fp := range b.sorted() {
		e := b[fp]
		for _, s := range []*string{&e.Kind, &e.Function, &e.Source, &e.Test, &e.Reason} {
			*s = strings.ToValidUTF8(*s, "\uFFFD")
		}
		packages := e.Packages
		e.Packages = make([]string, len(packages)) // an empty list is written, too
		for i, p := range packages {
			e.Packages[i] = strings.ToValidUTF8(p, "\uFFFD")
		}
		out.WriteString("\n")
		for _, line := range e.Comment {
			fmt.Fprintln(&out, line)
		}
		fmt.Fprintf(&out, "[finding.%s]\n", fp)
		enc := toml.NewEncoder(&out)
		enc.Indent = ""
		if err := enc.Encode(e); err != nil {
			panic(err) // strings and numbers can be encoded
		}
	}
	return out.String()
}

func (b Baseline) sorted() []string {
	fps := make([]string, 0, len(b))
	for fp := range b {
		fps = append(fps, fp)
	}
	slices.SortFunc(fps, func(x, y string) int {
		a, c := b[x], b[y]
		return cmp.Or(slices.Compare(a.Packages, c.Packages), cmp.Compare(a.Function, c.Function),
			cmp.Compare(a.Kind, c.Kind), cmp.Compare(x, y))
	})
	return fps
}
