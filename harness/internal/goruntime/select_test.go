package goruntime

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestSelect: the instructions of a process choose among more tests than its arguments could name. It runs outside memcheck.
func TestSelect(t *testing.T) {
	const count = 6000
	dir := t.TempDir()
	var src, skip strings.Builder
	src.WriteString("package many\n\nimport (\n\t\"flag\"\n\t\"testing\"\n)\n\n" +
		"type all []string\n\nfunc (a *all) String() string { return \"\" }\n" +
		"func (a *all) Set(s string) error { *a = append(*a, s); return nil }\n\n" +
		"var focus, omit all\n\n" +
		"func init() { flag.Var(&focus, \"ginkgo.focus\", \"\"); flag.Var(&omit, \"ginkgo.skip\", \"\") }\n\n" +
		"func TestFlags(t *testing.T) { t.Logf(\"focus %q skip %q short %v\", focus, omit, testing.Short()) }\n\n")
	for i := range count {
		fmt.Fprintf(&src, "func Test%030d(t *testing.T) {}\n", i)
		if i != 4711 {
			fmt.Fprintf(&skip, "skip Test%030d\n", i)
		}
	}
	skip.WriteString("flag test.short \"true\"\nspec \"S two\"\nspec \"S one (1)\"\nspec \"S two\"\nskipspec \"S x.\\ny\"\n")
	binary := buildStock(t, dir, map[string]string{"many_test.go": src.String(), "select": skip.String()}, nil)
	run := exec.Command(binary, "-test.v")
	run.Dir, run.Env = dir, append(os.Environ(), "CGOGRIND_SELECT="+filepath.Join(dir, "select"))
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var ran []string
	for line := range strings.Lines(string(out)) {
		if name, ok := strings.CutPrefix(line, "=== RUN   "); ok {
			ran = append(ran, strings.TrimSpace(name))
		}
	}
	if want := []string{"TestFlags", fmt.Sprintf("Test%030d", 4711)}; !slices.Equal(ran, want) {
		t.Errorf("%d tests ran: %.200q, want %q", len(ran), ran, want)
	}
	if want := fmt.Sprintf("focus %q skip %q short true", []string{`^(?:S one \(1\)|S two)$`}, []string{"^(?:S x\\.\ny)$"}); !strings.Contains(string(out), want) {
		t.Errorf("no %s in\n%s", want, out)
	}
}

// buildStock builds a module's tests with the overlay of the stock runtime, of which change may change files.
func buildStock(t *testing.T, dir string, files map[string]string, change map[string]func(string) string) (binary string) {
	t.Helper()
	files["go.mod"] = "module many\n\ngo 1.25\n"
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tc := installed(t)
	ov, err := MakeStock(tc, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range change {
		at := filepath.Join(tc.GOROOT, "src", name)
		text, err := os.ReadFile(ov.Replace[at])
		if err != nil {
			t.Fatal(err)
		}
		ov.Replace[at] = filepath.Join(t.TempDir(), filepath.Base(name))
		if err := os.WriteFile(ov.Replace[at], []byte(edit(string(text))), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := json.Marshal(map[string]any{"Replace": ov.Replace})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, data, 0o644); err != nil {
		t.Fatal(err)
	}
	binary = filepath.Join(dir, "many.test")
	build := exec.Command("go", "test", "-c", "-overlay", overlay, "-o", binary, ".")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// TestMarksOfParallelTests: between the marks around a leak check there is no other, however many tests end meanwhile. It
// runs outside memcheck, with requests that print themselves.
func TestMarksOfParallelTests(t *testing.T) {
	dir := t.TempDir()
	var src strings.Builder
	src.WriteString("package many\n\nimport \"testing\"\n\n")
	for i := range 40 {
		fmt.Fprintf(&src, "func Test%d(t *testing.T) { t.Parallel() }\n", i)
	}
	replaced := func(s, old, new string) string {
		if strings.Count(s, old) != 1 {
			t.Fatalf("cgogrind_stock.go has %q %d times", old, strings.Count(s, old))
		}
		return strings.Replace(s, old, new, 1)
	}
	binary := buildStock(t, dir, map[string]string{"many_test.go": src.String(), "select": "leaks 100000\n"},
		map[string]func(string) string{
			"testing/cgogrind_stock.go": func(s string) string {
				s = replaced(s, "func cgogrindRequest(code, a1, a2, a3, a4, a5 uintptr) uintptr\n",
					"func cgogrindRequest(code, a1, a2, a3, a4, a5 uintptr) uintptr {\n"+
						"\tif code == cgogrindDoLeakCheck {\n\t\tos.Stderr.WriteString(\"check\\n\")\n\t\tfor range 10 {\n"+
						"\t\t\truntime.Gosched()\n\t\t}\n\t}\n\treturn 1\n}\n")
				return replaced(s, "\tb := append(", "\tos.Stderr.WriteString(text + \"\\n\")\n\tb := append(")
			},
			"testing/cgogrind_stock_" + installed(t).GOARCH + ".s": func(string) string { return "// Nothing.\n" },
		})
	run := exec.Command(binary, "-test.parallel=40")
	run.Dir, run.Env = dir, append(os.Environ(), "CGOGRIND_SELECT="+filepath.Join(dir, "select"))
	var stderr strings.Builder
	run.Stderr = &stderr
	if err := run.Run(); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	lines := strings.Split(stderr.String(), "\n")
	checks := 0
	for i, line := range lines {
		if line == "leaks begin" {
			checks++
			if !slices.Equal(lines[i:min(i+3, len(lines))], []string{"leaks begin", "check", "leaks end"}) {
				t.Errorf("in line %d: %q", i, lines[i:min(i+3, len(lines))])
			}
		}
	}
	if checks < 40 {
		t.Errorf("%d checks:\n%s", checks, stderr.String())
	}
}
