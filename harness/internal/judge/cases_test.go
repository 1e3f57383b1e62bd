package judge

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
)

var (
	update   = flag.Bool("update", false, "rewrite what the cases in testdata/cases expect")
	caseFrom = flag.String("case-from", "", "make a case of the process in `DIR`, a folder of cgogrind test --save for one package")
	caseName = flag.String("case", "", "the `NAME` of the case that -case-from makes")
)

const (
	caseDir    = "testdata/cases"
	caseGOROOT = "/usr/local/go"
)

// caseConfig is what a case says beside the report.
type caseConfig struct {
	ImportPath string `json:"import_path"`
	Dir        string `json:"dir"`
	ModulePath string `json:"module_path"`
	ModuleDir  string `json:"module_dir"`
	Token      string `json:"token"`
	ExitCode   int    `json:"exit_code"`
}

// sourcesOfCases is the folder that $WORK stands for in the cases.
func sourcesOfCases(t *testing.T) string {
	dir, err := filepath.Abs(caseDir)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestCases judges real reports. A file is a case: memcheck's report and the program's output of a process, and what comes
// of them. testdata/cases/README.md says how to add one.
func TestCases(t *testing.T) {
	if *caseFrom != "" {
		makeCase(t)
	}
	files, err := filepath.Glob(caseDir + "/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases (%v)", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := judgeCase(t, a)
			i := len(a.Files) - 1
			if a.Files[i].Name != "want" {
				t.Fatalf("the last file is %s, not want", a.Files[i].Name)
			}
			if *update {
				a.Files[i].Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(a), 0o666); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(a.Files[i].Data), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func fileOf(t *testing.T, a *txtar.Archive, name string) []byte {
	t.Helper()
	for _, f := range a.Files {
		if f.Name == name {
			return bytes.ReplaceAll(f.Data, []byte("$WORK"), []byte(sourcesOfCases(t)))
		}
	}
	t.Fatalf("the case has no %s", name)
	return nil
}

// judgeCase tells the messages that the judge makes of a case, and checks that the report alone is diagnosed as they say.
func judgeCase(t *testing.T, a *txtar.Archive) string {
	t.Helper()
	var c caseConfig
	if err := json.Unmarshal(fileOf(t, a, "config.json"), &c); err != nil {
		t.Fatal(err)
	}
	report := fileOf(t, a, "report.xml")
	var out strings.Builder
	var findings []*result.Finding
	j := New(Config{
		ImportPath: c.ImportPath, Dir: c.Dir, ModulePath: c.ModulePath, ModuleDir: c.ModuleDir, GOROOT: caseGOROOT, Token: c.Token,
		Binary: filepath.Join(sourcesOfCases(t), "the.test"),
	}, func(m result.Message) {
		switch {
		case m.Test != nil:
			fmt.Fprintf(&out, "%s %s: %s\n", m.Test.Verdict, m.Test.Name, m.Test.Reason)
		case m.Finding != nil:
			findings = append(findings, m.Finding)
		}
	})
	p := j.Process(nil)
	_, _ = p.Output().Write(fileOf(t, a, "output"))
	kept := NewReport("the.test")
	diagnosed := make(map[string]Diagnosis)
	for ev, err := range valgrind.Read(bytes.NewReader(report)) {
		p.Event(ev, err)
		switch ev := ev.(type) {
		case valgrind.ClientMessage:
			kept.Message(ev)
		case *valgrind.Error:
			if d, ok := kept.Diagnose(ev); ok {
				diagnosed[d.Fingerprint] = d
			}
		}
	}
	if left := p.Finish(Outcome{ExitCode: c.ExitCode}); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
	j.Finish()
	for _, f := range findings {
		tellFinding(&out, f)
		d, ok := diagnosed[f.Fingerprint]
		if !ok {
			t.Errorf("the kept report has no finding %s", f.Fingerprint)
			continue
		}
		if diff := cmp.Diff(Diagnosis{Hint: f.Hint, Fingerprint: f.Fingerprint, Message: d.Message, Places: d.Places, Stacks: f.Stacks}, d); diff != "" {
			t.Errorf("the kept report is diagnosed otherwise: %s", diff)
		}
		for _, pair := range [][2]*result.Frame{{d.Blame, f.Blame}, {d.Caller, f.Caller}, {d.Other, f.Other}} {
			if diff := cmp.Diff(pair[1], pair[0]); diff != "" {
				t.Errorf("the kept report points elsewhere: %s", diff)
			}
		}
	}
	return strings.ReplaceAll(out.String(), sourcesOfCases(t), "$WORK")
}

// tellFinding writes what matters of a finding.
func tellFinding(out *strings.Builder, f *result.Finding) {
	fmt.Fprintf(out, "\n%s %s: %s\n  tests %s (%s)\n", f.Kind, f.Fingerprint, f.Message, strings.Join(f.Tests, ", "), f.Attribution)
	if f.Cause != "" {
		fmt.Fprintf(out, "  cause %s\n", f.Cause)
	}
	if f.Blocks > 0 {
		fmt.Fprintf(out, "  %d bytes in %d blocks\n", f.Bytes, f.Blocks)
	}
	for _, p := range []struct {
		name  string
		frame *result.Frame
	}{{"blame", f.Blame}, {"caller", f.Caller}, {"other", f.Other}} {
		if p.frame != nil {
			fmt.Fprintf(out, "  %s %s %s:%d: %s\n", p.name, p.frame.KnownName(), p.frame.File, p.frame.Line, p.frame.Source)
		}
	}
	if f.Hint != "" {
		fmt.Fprintf(out, "  hint %s\n", f.Hint)
	}
	for _, s := range f.Stacks {
		fmt.Fprintf(out, "  stack %s\n", s.Label)
		for _, fr := range s.Frames {
			fmt.Fprintf(out, "    %s %s:%d\n", fr.KnownName(), filepath.Base(fr.File), fr.Line)
		}
	}
}

// makeCase makes a case of a process that was saved. The sources must be those in testdata/cases.
func makeCase(t *testing.T) {
	t.Helper()
	reports, _ := filepath.Glob(*caseFrom + "/0.*.xml")
	if len(reports) != 1 || *caseName == "" {
		t.Fatalf("-case-from needs -case NAME and a folder with one report 0.*.xml: there are %d", len(reports))
	}
	report, err := os.ReadFile(reports[0])
	if err != nil {
		t.Fatal(err)
	}
	output, err := os.ReadFile(*caseFrom + "/0.output")
	if err != nil {
		t.Fatal(err)
	}
	between := func(text, after, before string) string {
		_, rest, _ := strings.Cut(text, after)
		out, _, _ := strings.Cut(rest, before)
		return out
	}
	text := string(report)
	binary := between(between(text, "<argv>", "</argv>"), "<exe>", "</exe>")
	text = strings.ReplaceAll(text, binary, "$WORK/the.test")
	text = strings.ReplaceAll(text, sourcesOfCases(t), "$WORK")
	text = strings.ReplaceAll(text, filepath.Dir(filepath.Dir(filepath.Dir(binary))), "/tmp/cgogrind")
	c := caseConfig{
		ImportPath: "example.com/m/p", Dir: "$WORK/m/p", ModulePath: "example.com/m", ModuleDir: "$WORK/m",
		Token: between(text, "<text>cgogrind1 ", " "),
	}
	config, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	a := &txtar.Archive{Files: []txtar.File{
		{Name: "config.json", Data: append(config, '\n')}, {Name: "output", Data: output},
		{Name: "report.xml", Data: []byte(text)}, {Name: "want"},
	}}
	*update = true
	if err := os.WriteFile(filepath.Join(caseDir, *caseName+".txtar"), txtar.Format(a), 0o666); err != nil {
		t.Fatal(err)
	}
}
