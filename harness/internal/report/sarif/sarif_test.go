package sarif_test

import (
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	checked "github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"github.com/xeipuuv/gojsonschema"

	"github.com/cgogrind/cgogrind/harness/internal/report/reporttest"
	"github.com/cgogrind/cgogrind/harness/internal/report/sarif"
	"github.com/cgogrind/cgogrind/harness/result"
)

var update = flag.Bool("update", false, "rewrite the goldens")

func format(w io.Writer) result.Handler { return sarif.New(w) }

func TestGolden(t *testing.T) {
	reporttest.Golden(t, *update, ".sarif", format, func(t *testing.T, doc string) { valid(t, doc) })
}

func TestFullDisk(t *testing.T) { reporttest.FullDisk(t, format) }

func TestAllThere(t *testing.T) { reporttest.AllThere(t, format) }

func TestHostile(t *testing.T) {
	got := reporttest.Write(t, reporttest.Hostile(), format)
	r := valid(t, got)
	for _, bad := range reporttest.Controls {
		if strings.Contains(got, bad) {
			t.Errorf("%q came through", bad)
		}
	}
	if n := len(r.Runs[0].Results); n != 8 {
		t.Errorf("%d results for 8 findings", n)
	}
}

// valid checks a document against the official schema and reads it with go-sarif. (Its Validate checks what it would write
// itself, with null for every list that is empty, which the schema refuses.)
func valid(t *testing.T, doc string) *checked.Report {
	t.Helper()
	got, err := gojsonschema.Validate(gojsonschema.NewStringLoader(schema(t)), gojsonschema.NewStringLoader(doc))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range got.Errors() {
		t.Error(e)
	}
	var r checked.Report
	if err := json.Unmarshal([]byte(doc), &r); err != nil {
		t.Fatal(err)
	}
	for _, run := range r.Runs {
		for _, res := range run.Results {
			if rules := run.Tool.Driver.Rules; res.RuleIndex >= len(rules) || *rules[res.RuleIndex].ID != *res.RuleID {
				t.Errorf("rule %d is not %s", res.RuleIndex, *res.RuleID)
			}
			if len(res.Locations) != 1 || res.Locations[0].PhysicalLocation == nil {
				t.Errorf("a result of rule %s has no file, which GitHub refuses", *res.RuleID)
			} else if r := res.Locations[0].PhysicalLocation.Region; r == nil || *r.StartLine < 1 {
				t.Errorf("a result of rule %s has no line, which GitHub asks for", *res.RuleID)
			}
		}
	}
	return &r
}

// schema returns OASIS's schema from go-sarif's source, where it is not exported.
var schema = func() func(testing.TB) string {
	once := sync.OnceValues(func() (string, error) {
		dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/owenrumney/go-sarif/v3").Output()
		if err != nil {
			return "", err
		}
		file := filepath.Join(strings.TrimSpace(string(dir)), "pkg/report/v210/sarif/schema.go")
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			return "", err
		}
		literal := ""
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.BasicLit); ok && s.Kind == token.STRING {
				literal = s.Value
			}
			return true
		})
		return strconv.Unquote(literal)
	})
	return func(t testing.TB) string {
		s, err := once()
		if err != nil || !strings.Contains(s, `"$schema"`) {
			t.Fatalf("reading the schema: %v", err)
		}
		return s
	}
}()

// The schema must refuse what is wrong, or it checks nothing.
func TestSchemaRefuses(t *testing.T) {
	good := reporttest.Write(t, reporttest.Stream(t, "wrap.jsonl"), format)
	for _, c := range [][2]string{
		{`"version":"2.1.0"`, `"version":"2.0.0"`}, {`"level":"error"`, `"level":"bad"`}, {`"startLine":`, `"startLine":-`},
		{`"ruleIndex"`, `"ruleNumber"`}, {`"text":`, `"words":`},
	} {
		bad := strings.Replace(good, c[0], c[1], 1)
		if bad == good {
			t.Fatalf("%s is not in the document", c[0])
		}
		got, err := gojsonschema.Validate(gojsonschema.NewStringLoader(schema(t)), gojsonschema.NewStringLoader(bad))
		if err != nil {
			t.Fatal(err)
		}
		if got.Valid() {
			t.Errorf("valid with %s in the place of %s", c[1], c[0])
		}
	}
}

func TestDispositions(t *testing.T) {
	r := valid(t, reporttest.Write(t, reporttest.Stream(t, "wrap.jsonl"), format))
	suppressed := 0
	for _, res := range r.Runs[0].Results {
		suppressed += len(res.Suppressions)
		if len(res.Suppressions) > 0 && res.PartialFingerprints["cgogrind/v2"] != "c3bdb189a8993845" {
			t.Errorf("suppressed: %v", res.PartialFingerprints)
		}
	}
	if suppressed != 1 {
		t.Errorf("%d are suppressed, want the known one", suppressed)
	}
	if inv := r.Runs[0].Invocations[0]; *inv.ExecutionSuccessful || *inv.ExitCode != int(result.ExitFindings) || len(inv.ToolExecutionNotifications) != 1 {
		t.Errorf("the inconclusive test does not show: %+v", inv)
	}
}

// In the plain text of a message, [text](place) is a link.
func TestNoLinks(t *testing.T) {
	f := &result.Finding{Kind: "InvalidRead", Disposition: result.New, Tests: []string{"TestX/[a](1)"},
		Blame: &result.Frame{Function: "ns::name[abi:cxx11](int)", File: "/src/x.cc", Line: 7}}
	r := valid(t, reporttest.Write(t, []result.Message{{Config: &result.Config{}}, {Finding: f}, {Summary: &result.Summary{New: 1}}}, format))
	text := *r.Runs[0].Results[0].Message.Text
	if strings.Contains(text, "](") || !strings.Contains(text, "ns::name[abi:cxx11] (int)") || !strings.Contains(text, "[a] (1)") {
		t.Error(text)
	}
}

// A block's story is told in the order in which it happened.
func TestCodeFlow(t *testing.T) {
	r := valid(t, reporttest.Write(t, reporttest.Stream(t, "wrap.jsonl"), format))
	for _, res := range r.Runs[0].Results {
		if *res.RuleID != "InvalidRead" {
			continue
		}
		var got []string
		for _, l := range res.CodeFlows[0].ThreadFlows[0].Locations {
			p := l.Location.PhysicalLocation
			got = append(got, *p.ArtifactLocation.URI+":"+strconv.Itoa(*p.Region.StartLine)+" "+*l.Location.Message.Text)
		}
		want := "names/names.go:11 Block was alloc'd at\nnames/names.go:17 0 bytes inside a block of size 8 free'd\nnames/names.go:20 Invalid read of size 8"
		if strings.Join(got, "\n") != want {
			t.Errorf("%s", strings.Join(got, "\n"))
		}
		return
	}
	t.Error("no InvalidRead")
}

// A result says where the finding is blamed that has its cause and came first.
func TestCauses(t *testing.T) {
	r := valid(t, reporttest.Write(t, reporttest.Stream(t, "causes.jsonl"), format))
	related := 0
	for _, res := range r.Runs[0].Results {
		if len(res.RelatedLocations) == 0 {
			continue
		}
		related++
		at := res.RelatedLocations[0]
		if text := *at.Message.Text; !strings.Contains(*res.Message.Text, "[finding "+strings.Fields(text)[1]+"](1)") || at.ID != 1 {
			t.Errorf("%s: %s", *res.Message.Text, text)
		}
		if res.PartialFingerprints["cgogrind/v2"] == "2a4d6dcc3efa53e8" && *at.PhysicalLocation.Region.StartLine != 29 {
			t.Errorf("it came first at %+v", at.PhysicalLocation.Region)
		}
	}
	if related != 10 {
		t.Errorf("%d results are related to others", related)
	}
}
