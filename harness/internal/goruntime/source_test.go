package goruntime

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeTree is a GOROOT with the given files below src.
func fakeTree(t *testing.T, files map[string]string) *tree {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		f := filepath.Join(root, "src", name)
		if err := os.MkdirAll(filepath.Dir(f), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return &tree{tc: Toolchain{GOROOT: root, Version: "go1.26.0", GOARCH: "amd64"}, current: "test", files: map[string]*source{}}
}

const sample = `package p

type t struct {
	a, b int
}

func (x *t) f(on bool) {
	if on &&
		x.a == 1 {
		call(1,
			2)
	}
	x.b++
}
`

func TestEditGo(t *testing.T) {
	tr := fakeTree(t, map[string]string{"p/p.go": sample})
	err := tr.editGo("p/p.go", func(g *goFile) {
		f := g.fn("(*t).f")
		f.start("enter()")
		f.stmt("if on").cond("!off && ")
		f.stmt("call(1, 2)").replace("other()")
		f.stmt("x.b++").after("after()")
		f.stmt("x.b++").before("before()")
		g.field("t", "b", "c int")
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `package p

type t struct {
	a, b int; c int
}

func (x *t) f(on bool) { enter();
	if !off && on &&
		x.a == 1 {
		other()

	}
	before(); x.b++; after()
}
`
	if got := tr.files["p/p.go"].text; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestEditGoKeepsLines(t *testing.T) {
	ov, err := Make(installed(t), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for old, replaced := range ov.Replace {
		before, err := os.ReadFile(old)
		if err != nil || !strings.HasSuffix(old, ".go") || strings.Contains(old, "bytealg") || filepath.Base(old) == "valgrind.go" {
			continue // new, or replaced as a whole
		}
		after, err := os.ReadFile(replaced)
		if err != nil {
			t.Fatal(err)
		}
		if b, a := strings.Count(string(before), "\n"), strings.Count(string(after), "\n"); b != a {
			t.Errorf("%s had %d lines, has %d", old, b, a)
		}
	}
}

// TestNoFit: whatever a transformation does not find is a FitError with its name, the version and a way out.
func TestNoFit(t *testing.T) {
	for name, f := range map[string]func(*tree) error{
		"no file":     func(tr *tree) error { return tr.editGo("p/none.go", func(*goFile) {}) },
		"no function": func(tr *tree) error { return tr.editGo("p/p.go", func(g *goFile) { g.fn("g").start("x()") }) },
		"no statement": func(tr *tree) error {
			return tr.editGo("p/p.go", func(g *goFile) { g.fn("(*t).f").stmt("return").replace("") })
		},
		"two statements": func(tr *tree) error {
			return tr.editGo("p/p.go", func(g *goFile) { g.fn("(*t).f").stmt("").replace("") })
		},
		"no if": func(tr *tree) error {
			return tr.editGo("p/p.go", func(g *goFile) { g.fn("(*t).f").stmt("x.b++").cond("y") })
		},
		"no field": func(tr *tree) error { return tr.editGo("p/p.go", func(g *goFile) { g.field("t", "z", "c int") }) },
		"no syntax": func(tr *tree) error {
			return tr.editGo("p/p.go", func(g *goFile) { g.fn("(*t).f").stmt("x.b++").after("if {") })
		},
		"exists": func(tr *tree) error { return tr.add("p/p.go", "package p") },
		"no asm": func(tr *tree) error { return tr.asmReplace("p/p.s", "·f", []string{"RET"}, "\tNOP\n") },
	} {
		t.Run(name, func(t *testing.T) {
			tr := fakeTree(t, map[string]string{"p/p.go": sample, "p/p.s": "TEXT ·f(SB),4,$0\n\tRET\n\tRET\n"})
			var fit *FitError
			if err := f(tr); !errors.As(err, &fit) {
				t.Fatalf("got %v, not a FitError", err)
			}
			for _, want := range []string{`"test"`, "go1.26.0", "--runtime=stock"} {
				if !strings.Contains(fit.Error(), want) {
					t.Errorf("%q does not say %s", fit, want)
				}
			}
		})
	}
}

func TestAsmReplace(t *testing.T) {
	tr := fakeTree(t, map[string]string{"p/p.s": `#include "textflag.h"

TEXT ·f(SB),NOSPLIT,$0-0
	MOVQ	AX, BX	// move
#ifdef X
	NOP
#endif
	RET

TEXT ·g(SB),NOSPLIT,$0-0
	MOVQ	AX, BX
	NOP
	RET
`})
	if err := tr.asmReplace("p/p.s", "·f", []string{"MOVQ AX, BX", "NOP"}, "\tCALL ·h(SB)\n"); err != nil {
		t.Fatal(err)
	}
	if got := tr.files["p/p.s"].text; !strings.Contains(got, "$0-0\n\tCALL ·h(SB)\n#endif\n\tRET\n\nTEXT ·g(SB),NOSPLIT,$0-0\n\tMOVQ	AX, BX\n\tNOP") {
		t.Errorf("got\n%s", got)
	}
}

func TestSupported(t *testing.T) {
	for v, want := range map[string]bool{
		"go1.24.9": false, "go1.25": true, "go1.25.4": true, "go1.26rc1": true, "go1.27.1": true, "go1.28": false,
		"go1.270": false, "devel go1.27-abcdef": false,
	} {
		if supported(v) != want {
			t.Errorf("supported(%q) = %v", v, !want)
		}
	}
}
