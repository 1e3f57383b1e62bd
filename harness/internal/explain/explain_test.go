package explain

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cgogrind/cgogrind/harness/internal/report"
	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind/memcheck"
)

var update = flag.Bool("update", false, "rewrite the code and the reports in the pages")

// bug is a planted bug with what was reported: scenarios/planted/check writes it.
type bug struct {
	Class, Name, Twin, Kind string
	Page, Hint              string
	Finding                 *result.Finding `json:"finding"`
}

func bugs(t *testing.T) []bug {
	t.Helper()
	f, err := os.Open("testdata/planted.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []bug
	for dec := json.NewDecoder(bufio.NewReader(f)); dec.More(); {
		var b bug
		if err := dec.Decode(&b); err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	if len(out) < 30 {
		t.Fatalf("%d planted bugs", len(out))
	}
	return out
}

// insert is a comment in a page, and what follows it, up to a line that ends it. The test writes that.
//
//	<!-- source NAME -->    a function of scenarios/planted, in Go or C: NAME or TYPE.METHOD
//	<!-- report NAME -->    the report of the bug of that name
//	<!-- patterns -->       the patterns of the class
var insert = regexp.MustCompile("(?m)^<!-- (source|report|patterns) ?(\\S*) -->\n(?:```[a-z]*\n(?s:.*?)\n```\n|(?:- .*\n|  .*\n)+)?")

func TestPagesShowThePlantedBugs(t *testing.T) {
	all := bugs(t)
	for _, p := range Pages() {
		file := filepath.Join("pages", string(p.Group), p.Name+".md")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		now := insert.ReplaceAllStringFunc(string(text), func(block string) string {
			m := insert.FindStringSubmatch(block)
			head, _, _ := strings.Cut(block, "\n")
			switch m[1] {
			case "source":
				lang, code := source(t, m[2])
				return fmt.Sprintf("%s\n```%s\n%s\n```\n", head, lang, code)
			case "report":
				return fmt.Sprintf("%s\n```text\n%s\n```\n", head, render(t, all, m[2]))
			}
			return head + "\n" + patternsOf(t, all, p.Name)
		})
		if now == string(text) {
			continue
		}
		if !*update {
			t.Errorf("%s does not show what is in scenarios/planted, or how a report looks now: "+
				"go test ./harness/internal/explain -update rewrites it\n%s", file, cmp.Diff(string(text), now))
			continue
		}
		if err := os.WriteFile(file, []byte(now), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// render is the report of a bug as a person sees it.
func render(t *testing.T, all []bug, name string) string {
	t.Helper()
	i := slices.IndexFunc(all, func(b bug) bool { return b.Name == name })
	if i < 0 {
		t.Fatalf("there is no planted bug %s", name)
	}
	f := *all[i].Finding
	f.Repro = "" // a long line
	var b bytes.Buffer
	report.Printer{}.Finding(&b, &f)
	return strings.TrimRight(b.String(), "\n")
}

// patternsOf lists the patterns of a class.
func patternsOf(t *testing.T, all []bug, class string) string {
	t.Helper()
	var names []string
	for _, b := range all {
		if b.Class == class && !slices.Contains(names, b.Page) {
			names = append(names, b.Page)
		}
	}
	if len(names) == 0 {
		t.Fatalf("the class %s has no bugs", class)
	}
	var b strings.Builder
	for _, name := range names {
		p, ok := Find(name)
		if !ok {
			t.Fatalf("there is no page %s", name)
		}
		fmt.Fprintf(&b, "- %s: %s\n", p.Name, p.Title)
	}
	return b.String()
}

const planted = "../../../scenarios/planted"

// source returns a function or type of the planted bugs with its comment, and its language.
func source(t *testing.T, name string) (lang, code string) {
	t.Helper()
	paths, err := filepath.Glob(planted + "/*.go")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no sources in %s (%v)", planted, err)
	}
	type hit struct{ lang, code string }
	var hits []hit
	for _, p := range paths {
		if strings.HasSuffix(p, "_test.go") {
			continue
		}
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, p, text, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if named(d) == name {
				from := d.Pos()
				if doc := comments(d); doc != nil {
					from = doc.Pos()
				}
				hits = append(hits, hit{"go", string(text[fset.Position(from).Offset:fset.Position(d.End()).Offset])})
			}
		}
		inC := regexp.MustCompile(`(?m)^(?://.*\n)*(?:LIBRARY|static)[^\n;=]*\b` + regexp.QuoteMeta(name) +
			`\([^\n]*\{\n(?s:.*?)^\}`)
		for _, code := range inC.FindAllString(string(text), -1) {
			hits = append(hits, hit{"c", code})
		}
	}
	if len(hits) != 1 {
		t.Fatalf("scenarios/planted has %d functions %s", len(hits), name)
	}
	return hits[0].lang, hits[0].code
}

// named is the name of a declaration: F, T or T.M.
func named(d ast.Decl) string {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			return d.Name.Name
		}
		recv := d.Recv.List[0].Type
		if star, ok := recv.(*ast.StarExpr); ok {
			recv = star.X
		}
		return fmt.Sprintf("%s.%s", recv, d.Name.Name)
	case *ast.GenDecl:
		if spec, ok := d.Specs[0].(*ast.TypeSpec); ok {
			return spec.Name.Name
		}
	}
	return ""
}

func comments(d ast.Decl) *ast.CommentGroup {
	switch d := d.(type) {
	case *ast.FuncDecl:
		return d.Doc
	case *ast.GenDecl:
		return d.Doc
	}
	return nil
}

// Every planted bug has the pages of its class, its kind, its pattern and its hint, and its pattern's page shows the bug
// and its twin.
func TestEveryBugHasItsPages(t *testing.T) {
	for _, b := range bugs(t) {
		for name, group := range map[string]Group{b.Class: Class, b.Kind: Kind, b.Page: Pattern} {
			if p, ok := Find(name); !ok || p.Group != group {
				t.Errorf("%s: there is no page for the %s %s", b.Name, group, name)
			}
		}
		page, _ := Find(b.Page)
		for _, want := range []string{"func " + b.Name + "(", "func " + b.Twin + "(", b.Class, b.Kind} {
			if !strings.Contains(page.Text, want) {
				t.Errorf("the page %s does not show %s", b.Page, want)
			}
		}
		if b.Hint != "" {
			if _, ok := Find(b.Hint); !ok {
				t.Errorf("%s: there is no page for the hint %s", b.Name, b.Hint)
			}
		}
	}
}

// kinds are those that memcheck 3.27 can report, with Go's own check.
var kinds = []string{
	"CgoCheck", "ClientCheck", "CoreMemError", "FdBadClose", "FdBadUse", "FdNotClosed", "FishyValue", "InvalidAlignment",
	"InvalidFree", "InvalidJump", "InvalidMemPool", "InvalidRead", "InvalidSize", "InvalidSizeAndAlignment", "InvalidWrite",
	"Leak_DefinitelyLost", "Leak_IndirectlyLost", "Leak_PossiblyLost", "Leak_StillReachable",
	"MismatchedAllocateDeallocateAlignment", "MismatchedAllocateDeallocateSize", "MismatchedFree", "Overlap",
	"ReallocSizeZero", "SyscallParam", "UninitCondition", "UninitValue",
}

func TestEveryKindHasAPage(t *testing.T) {
	var got []string
	for _, p := range Pages() {
		if p.Group == Kind {
			got = append(got, p.Name)
		}
	}
	if diff := cmp.Diff(kinds, got); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
}

// The kinds of the valgrind that is installed stand in its tool.
func TestEveryKindOfTheInstalledValgrindHasAPage(t *testing.T) {
	v, err := memcheck.Find(t.Context(), "")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	var tools []string
	for _, dir := range []string{"../libexec/valgrind", "../lib/valgrind", "usr/libexec/valgrind"} {
		found, err := filepath.Glob(filepath.Join(filepath.Dir(v.Path), dir, "memcheck-*-linux"))
		if err != nil {
			t.Fatal(err)
		}
		tools = append(tools, found...)
	}
	if len(tools) == 0 {
		t.Skipf("the tools of %s are not where they usually are", v.Path)
	}
	seen := 0
	for _, tool := range tools {
		text, err := os.ReadFile(tool)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`<kind>([A-Za-z]+)</kind>`).FindAllSubmatch(text, -1) {
			seen++
			if p, ok := Find(string(m[1])); !ok || p.Group != Kind {
				t.Errorf("%s reports %s, and there is no page for it", tool, m[1])
			}
		}
	}
	if seen == 0 {
		t.Errorf("no kinds in %s", tools)
	}
}

// A name that a page mentions in a list, or after "see", is a page.
func TestPagesNameEachOther(t *testing.T) {
	name := regexp.MustCompile(`\b[a-z]+(?:-[a-z]+)+\b`)
	list := regexp.MustCompile(`(?m)(?:^- [^:\n]+: |\bsee ).*(?:\n  .*)*`)
	seen := 0
	for _, p := range Pages() {
		for _, line := range list.FindAllString(p.Text, -1) {
			for _, n := range name.FindAllString(line, -1) {
				if _, ok := Find(n); ok {
					seen++
				} else if p.Group == Kind {
					t.Errorf("%s names %s, which is no page", p.Name, n)
				}
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d names in the pages", seen)
	}
}

func TestFind(t *testing.T) {
	for _, name := range []string{"InvalidFree", "invalidfree", "strerror", "STRERROR", "ownership"} {
		p, ok := Find(name)
		if !ok || !strings.EqualFold(p.Name, name) || p.Title == "" || !strings.HasPrefix(p.Text, "# "+p.Name+": ") {
			t.Errorf("%s: %v %+v", name, ok, p)
		}
		if strings.Contains(p.Text, "<!--") {
			t.Errorf("%s: comments are left in the text", name)
		}
	}
	if p, ok := Find("nothing"); ok {
		t.Errorf("%+v", p)
	}
	names := make(map[string]bool)
	for _, p := range Pages() {
		if names[strings.ToLower(p.Name)] {
			t.Errorf("two pages are called %s", p.Name)
		}
		names[strings.ToLower(p.Name)] = true
	}
}

func TestParse(t *testing.T) {
	if _, err := parse("a", Class, "# b: title\n"); err == nil {
		t.Error("a page with another name is no error")
	}
}
