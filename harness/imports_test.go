package harness_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/cgogrind/cgogrind/"

// layers are the packages from the outside in: imports point one way, to a later layer. A name stands for the packages
// below it, too; the longest name that fits counts.
var layers = [][]string{
	{"harness/cmd", "harness/internal/bench"}, // commands
	{"harness/internal/cli"},
	{"harness/internal/repro"},
	{"harness", "harness/internal/report", "harness/internal/saved"},
	{"harness/internal/judge", "harness/internal/build"},
	{"harness/internal"},
	{"harness/internal/frames", "harness/internal/input"},
	{"harness/result", "harness/expect", "suppressions", "valgrind/memcheck"},
	{"valgrind"},
	{"valgrind/client"},
}

func layer(pkg string) int {
	best, at := -1, -1
	for i, names := range layers {
		for _, n := range names {
			if (pkg == n || strings.HasPrefix(pkg, n+"/")) && len(n) > best {
				best, at = len(n), i
			}
		}
	}
	return at
}

func TestImportsPointOneWay(t *testing.T) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Standard", "../harness/...", "../valgrind/...", "../suppressions/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("listing packages: %v", err)
	}
	seen := 0
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		seen++
		from := strings.TrimPrefix(p.ImportPath, module)
		if layer(from) < 0 {
			t.Errorf("%s belongs to no layer", from)
		}
		for _, imp := range p.Imports {
			to, ours := strings.CutPrefix(imp, module)
			switch {
			case !ours:
				if strings.HasPrefix(from, "valgrind") || from == "harness/result" || from == "harness/expect" {
					if first, _, _ := strings.Cut(imp, "/"); strings.Contains(first, ".") {
						t.Errorf("%s imports %s: it is to use the standard library only", from, imp)
					}
				}
			case strings.HasPrefix(to, "scenarios"):
				t.Errorf("%s imports %s: nothing imports the scenarios", from, to)
			case strings.HasPrefix(from, "harness/internal/report/") && !slices.Contains([]string{"harness/result", "harness/internal/report"}, to):
				t.Errorf("%s imports %s: a format imports harness/result and harness/internal/report only", from, to)
			case layer(to) < layer(from), layer(to) == layer(from) && !strings.HasPrefix(to, from+"/") && !strings.HasPrefix(from, "harness/internal"):
				t.Errorf("%s imports %s: imports point the other way", from, to)
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d packages were looked at", seen)
	}
}
