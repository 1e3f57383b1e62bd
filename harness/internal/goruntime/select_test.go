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
	for name, text := range map[string]string{"go.mod": "module many\n\ngo 1.25\n", "many_test.go": src.String(), "select": skip.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ov, err := MakeStock(installed(t), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(map[string]any{"Replace": ov.Replace})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, data, 0o644); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "test", "-c", "-overlay", overlay, "-o", "many.test", ".")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run := exec.Command(filepath.Join(dir, "many.test"), "-test.v")
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
