package judge

import (
	"debug/buildinfo"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/cgogrind/cgogrind/harness/internal/frames"
	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
)

// Diagnosis says what an error is, whoever caused it, and whom it points to.
type Diagnosis struct {
	Message, Hint, Fingerprint string
	frames.Places
	Stacks []result.Stack
}

// diagnose says what an error is that was put into Go's terms. With trim, stacks end at the code under test.
func diagnose(fr *frames.Reader, e *valgrind.Error, a account, trim bool) Diagnosis {
	d := Diagnosis{
		Message: a.message, Places: fr.Places(e.Kind, a.sections),
		Fingerprint: result.Fingerprint(string(e.Kind), fr.Significant(e.Kind, a.sections)),
	}
	d.Hint = inPlace(hint(e.Kind, a, !fr.Code.Program), fr, d.Places, a)
	shown := a.sections
	if fr.Code.AllFrames {
		shown = a.raw
	}
	for _, s := range shown {
		if trim && !fr.Code.AllFrames {
			s.Stack = fr.Trim(s.Stack)
		}
		d.Stacks = append(d.Stacks, result.Stack{Label: s.Text.Text, Frames: fr.Shown(s.Stack)})
	}
	return d
}

// inPlace puts the places that a hint speaks of into it.
func inPlace(hint string, fr *frames.Reader, p frames.Places, a account) string {
	if !strings.Contains(hint, "{") {
		return hint
	}
	line, freed, made, owner := "the call", "in the same line", "", ""
	if p.Blame != nil && p.Blame.Line > 0 {
		line = placeOf(p.Blame)
	}
	for _, s := range a.sections {
		f := fr.Second(s.Stack, p)
		switch {
		case f == nil || f.Line == 0:
		case strings.HasSuffix(s.Text.Text, "free'd"):
			freed = "at " + placeOf(f)
			if m := receiver.FindStringSubmatch(f.Function); m != nil {
				owner = ", a " + m[1] + ","
			}
		case strings.HasSuffix(s.Text.Text, " made at"), strings.HasSuffix(s.Text.Text, " grown at"):
			made = ", made at " + placeOf(f) + ","
		}
	}
	return strings.NewReplacer("{line}", line, "{freed}", freed, "{made}", made, "{owner}", owner).Replace(hint)
}

// receiver matches the name of a method of a pointer, and its type.
var receiver = regexp.MustCompile(`\.\((\*[^()]+)\)\.`)

// placeOf is a file's name and a line in it.
func placeOf(f *result.Frame) string { return fmt.Sprintf("%s:%d", path.Base(f.File), f.Line) }

// Report diagnoses the errors of a report of memcheck that was kept, as those of a run are, without a verdict on anything.
// What was under test it gathers from the report, and from the program and the sources where these are still there.
type Report struct {
	judge   *Judge
	process *Process
	exe     string
	known   bool // the code under test is
}

// NewReport returns a Report on a program; exe is as it was named on memcheck's command line.
func NewReport(exe string) *Report {
	r := &Report{exe: exe}
	r.begin(Config{Program: true})
	return r
}

func (r *Report) begin(cfg Config) {
	layout := markLayout{}
	if r.process != nil {
		layout = r.process.layout
	}
	r.judge = New(cfg, func(result.Message) {})
	r.process = r.judge.Process(nil)
	r.process.layout = layout
}

// Message takes a mark: it may say where the program was loaded.
func (r *Report) Message(m valgrind.ClientMessage) {
	if m, _, err := parseMark(m.Text); err == nil {
		if layout, ok := m.(markLayout); ok { // of the instrumented runtime
			r.process.layout = layout
			if cfg := r.judge.cfg; cfg.Program {
				cfg.Program = false
				r.begin(cfg)
			}
		}
	}
}

// Diagnose says what an error is. It is no defect if ok is false.
func (r *Report) Diagnose(e *valgrind.Error) (d Diagnosis, ok bool) {
	if !r.known {
		r.learn(e)
	}
	e = r.process.named(e)
	if r.process.isNoise(e) {
		return Diagnosis{}, false
	}
	return diagnose(r.judge.frames, e, tell(e), r.judge.cfg.Program), true
}

// learn finds out from an error's stacks what was under test: the module of the test, or of main, in them. Until one has
// such a frame, the program is taken for one of C.
func (r *Report) learn(e *valgrind.Error) {
	cfg := r.judge.cfg
	var outermost valgrind.Frame // of Go code that is not the standard library's
	for _, s := range e.Sections {
		for _, f := range s.Stack {
			if cfg.Binary == "" && path.Base(f.Object) == path.Base(r.exe) {
				cfg.Binary = f.Object
			}
			pkg := frames.GoPackage(f.Function)
			root, isGo := strings.CutSuffix(f.Dir, "/src/runtime")
			if pkg == "runtime" && isGo {
				cfg.GOROOT, cfg.Program = root, false
			}
		}
	}
	if cfg.Binary != "" && cfg.ModulePath == "" {
		if info, err := buildinfo.ReadFile(cfg.Binary); err == nil {
			cfg.Program, cfg.ModulePath, cfg.ImportPath = false, info.Main.Path, strings.TrimSuffix(info.Path, ".test")
		}
	}
	fr := frames.New(frames.Code{GOROOT: cfg.GOROOT, Binary: cfg.Binary})
	for _, s := range e.Sections {
		for _, f := range s.Stack {
			if fr.Tier(f) != frames.None && fr.Lang(f) == result.Go {
				outermost = f
			}
		}
	}
	if outermost.Function != "" {
		r.known = true
		pkg := strings.TrimSuffix(frames.GoPackage(outermost.Function), "_test")
		cfg.Program, cfg.Dir = false, outermost.Dir
		if cfg.ImportPath == "" {
			cfg.ImportPath = pkg
		}
		if dir, module := moduleOf(outermost.Dir); dir != "" && (cfg.ModulePath == "" || module == cfg.ModulePath) {
			cfg.ModuleDir, cfg.ModulePath = dir, module
		}
	}
	if cfg.Program != r.judge.cfg.Program || cfg.Binary != r.judge.cfg.Binary || r.known {
		r.begin(cfg)
	}
}

// moduleOf returns the folder and the path of the module that a folder is in; empty if there is none.
func moduleOf(dir string) (root, module string) {
	for ; filepath.IsAbs(dir); dir = filepath.Dir(dir) {
		if text, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil {
			return dir, modfile.ModulePath(text)
		}
		if dir == "/" {
			break
		}
	}
	return "", ""
}
