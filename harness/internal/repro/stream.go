package repro

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/cgogrind/cgogrind/harness/internal/artifact"
	"github.com/cgogrind/cgogrind/harness/internal/shell"
	"github.com/cgogrind/cgogrind/harness/result"
)

// Stream is a saved result stream, as far as it matters here.
type Stream struct {
	Name     string // the file's
	Config   result.Config
	Findings []*result.Finding
	// processes are the tests of each process that ran some, in the order in which they began.
	processes []*process
	// Cut is what is wrong with the stream's end; nil if it is whole. What came before is of use all the same.
	Cut error
}

type process struct {
	pkg     string
	planned []string // top-level tests
	tests   []*result.Test
}

// Open reads a stream's file, or the one in a folder of test --save.
func Open(name string) (*Stream, error) {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		file := filepath.Join(name, artifact.StreamFile)
		if _, err := os.Stat(file); err != nil {
			return nil, fmt.Errorf("reading %s: it has no %s, so cgogrind test --save did not write it", name, artifact.StreamFile)
		}
		name = file
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("reading the stream: %w", err)
	}
	defer f.Close()
	return Read(f, name)
}

// Read reads a stream. One that is cut is read as far as it goes; the error is that of one that is none.
func Read(r io.Reader, name string) (*Stream, error) {
	s := &Stream{Name: name}
	last := map[string]*process{} // by package, that of the test before
	begun := false
	for m, err := range result.Decode(r) {
		if err != nil {
			if !begun || !errors.Is(err, result.ErrTruncated) {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			s.Cut = err
			break
		}
		switch {
		case m.Config != nil:
			begun, s.Config = true, *m.Config
		case m.Plan != nil:
			p := &process{pkg: m.Plan.Package, planned: m.Plan.Tests}
			last[p.pkg] = p
			s.processes = append(s.processes, p)
		case m.Test != nil:
			p := s.processOf(m.Test, last[m.Test.Package])
			last[p.pkg] = p
			p.tests = append(p.tests, m.Test)
		case m.Finding != nil:
			s.Findings = append(s.Findings, m.Finding)
		}
	}
	return s, nil
}

// processOf is the process that a test ran in: the last that was to run it, since verdicts come when processes have
// ended, and others of the package may have begun before. A Ginkgo spec, which no plan names, follows its suite's test.
func (s *Stream) processOf(t *result.Test, last *process) *process {
	top, _, _ := strings.Cut(t.Name, "/")
	for _, p := range slices.Backward(s.processes) {
		if p.pkg == t.Package && slices.Contains(p.planned, top) {
			return p
		}
	}
	if last == nil {
		last = &process{pkg: t.Package}
		s.processes = append(s.processes, last)
	}
	return last
}

// What can be wrong with a fingerprint.
var (
	ErrUnknown   = errors.New("no finding has this fingerprint")
	ErrAmbiguous = errors.New("several findings have fingerprints that begin so")
	ErrProgram   = errors.New("it is a finding of a program, and repro runs tests")
)

// MinPrefix is how many digits of a fingerprint have to be given.
const MinPrefix = 4

var hex = regexp.MustCompile(`^[0-9a-f]{1,16}$`)

// IsFingerprint says whether a word can be the beginning of a fingerprint.
func IsFingerprint(word string) bool { return hex.MatchString(word) }

// Find looks in the streams, the newest first, for the finding whose fingerprint begins so.
func Find(streams []*Stream, prefix string) (Target, error) {
	if len(prefix) < MinPrefix {
		return Target{}, fmt.Errorf("%s is too short for a fingerprint: give %d digits or more", prefix, MinPrefix)
	}
	for _, s := range streams {
		byPrint := map[string]*result.Finding{}
		for _, f := range s.Findings {
			// One that a test expects and another does not is two findings.
			if old := byPrint[f.Fingerprint]; strings.HasPrefix(f.Fingerprint, prefix) && (old == nil || f.Disposition == result.New) {
				byPrint[f.Fingerprint] = f
			}
		}
		var found []*result.Finding
		for _, f := range s.Findings {
			if byPrint[f.Fingerprint] == f {
				found = append(found, f)
			}
		}
		switch len(found) {
		case 0:
			continue
		case 1:
			return s.target(found[0])
		}
		return Target{}, fmt.Errorf("%w: %s in %s\n%s", ErrAmbiguous, prefix, s.Name, list(found))
	}
	return Target{}, unknown(streams, prefix)
}

func unknown(streams []*Stream, prefix string) error {
	if len(streams) == 0 {
		return fmt.Errorf("%w: %s; no run of this module is kept on this machine: name a stream with --from FILE "+
			"(cgogrind test --stream FILE writes one)", ErrUnknown, prefix)
	}
	var all []*result.Finding
	seen := map[string]bool{}
	for _, s := range streams {
		for _, f := range s.Findings {
			if !seen[f.Fingerprint] {
				seen[f.Fingerprint] = true
				all = append(all, f)
			}
		}
	}
	if len(all) == 0 {
		return fmt.Errorf("%w: %s; there are no findings in %s", ErrUnknown, prefix, names(streams))
	}
	return fmt.Errorf("%w: %s; in %s there are\n%s", ErrUnknown, prefix, names(streams), list(all))
}

func names(streams []*Stream) string {
	if len(streams) == 1 {
		return streams[0].Name
	}
	return fmt.Sprintf("the last %d runs", len(streams))
}

// list shows a few findings, a line each.
func list(findings []*result.Finding) string {
	const most = 10
	var lines []string
	for i, f := range findings {
		if i == most {
			lines = append(lines, fmt.Sprintf("  and %d more", len(findings)-most))
			break
		}
		lines = append(lines, fmt.Sprintf("  %s  %s  %s %s", f.Fingerprint, Title(f), f.Package, f.Test))
	}
	return strings.Join(lines, "\n")
}

func (s *Stream) target(f *result.Finding) (Target, error) {
	t := Target{Package: f.Package, Fingerprints: []string{f.Fingerprint}, Title: Title(f), Stream: s}
	if !strings.HasPrefix(f.Test, "[") {
		t.Test = f.Test
	}
	var err error
	t.Command, err = s.command(f.Repro)
	return t, err
}

// command reads the command that a finding or a test carries.
func (s *Stream) command(line string) (shell.Command, error) {
	c, err := shell.Parse(line)
	if err == nil && len(c.Args) > 1 && c.Args[0] == "cgogrind" && (c.Args[1] == "run" || c.Args[1] == "exec") {
		return c, fmt.Errorf("%w: run it again with\n  %s", ErrProgram, line)
	}
	if err != nil || len(c.Args) < 2 || c.Args[0] != "cgogrind" || c.Args[1] != "test" {
		return c, fmt.Errorf("%s has no command to run it again that this cgogrind understands (%q); the stream was written by %s",
			s.Name, line, cmp.Or(s.Config.Tool, "an unknown version"))
	}
	return c, nil
}

// TargetOf looks for a test in the streams, the newest first: one that failed, with its findings. Without one the
// target is any failure of the test, with the flags.
func TargetOf(streams []*Stream, pkg, test string, flags []string) (Target, error) {
	for _, s := range streams {
		for _, p := range s.processes {
			for _, t := range p.tests {
				if t.Package != pkg || t.Name != test || t.Repro == "" {
					continue
				}
				target := Target{Package: pkg, Test: test, Verdict: t.Verdict, Title: "test " + test + ": " + string(t.Verdict), Stream: s}
				for _, f := range s.Findings {
					if f.Package == pkg && slices.Contains(f.Tests, test) {
						target.Fingerprints = append(target.Fingerprints, f.Fingerprint)
						target.Title = "test " + test + ": " + Title(f)
					}
				}
				if n := len(target.Fingerprints); n > 1 {
					target.Title = fmt.Sprintf("test %s: %d findings", test, n)
				}
				var err error
				target.Command, err = s.command(t.Repro)
				return target, err
			}
		}
	}
	args := slices.Concat([]string{"cgogrind", "test"}, flags)
	if top, _, _ := strings.Cut(test, "/"); goTest.MatchString(top) {
		var levels []string
		for _, l := range strings.Split(test, "/") {
			levels = append(levels, "^"+regexp.QuoteMeta(l)+"$")
		}
		args = append(args, "-run", strings.Join(levels, "/"), pkg)
	} else { // the text of a Ginkgo spec
		args = append(args, pkg, "--", "-ginkgo.focus="+regexp.QuoteMeta(test)+"$")
	}
	return Target{Package: pkg, Test: test, Title: "test " + test, Command: shell.Command{Args: args}}, nil
}

// goTest is the name of what go test runs.
var goTest = regexp.MustCompile(`^(Test|Example|Fuzz)[\pL\pN_]*$`)
