package judge

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cgogrind/cgogrind/harness/internal/symbols"
	"github.com/cgogrind/cgogrind/valgrind"
)

func TestExpanded(t *testing.T) {
	frame := func(function, file string, line int) valgrind.Frame {
		return at(7, function, file, line)
	}
	helper := []symbols.Frame{
		{Function: "clamp", File: "/src/m/p/p.h", Line: 4}, {Function: "scale", File: "/src/m/p/p.c", Line: 9},
	}
	for _, c := range []struct {
		name  string
		group []valgrind.Frame
		chain []symbols.Frame
		want  []valgrind.Frame // nil: as they were
	}{
		{name: "right",
			group: []valgrind.Frame{frame("clamp", "/src/m/p/p.h", 4), frame("scale", "/src/m/p/p.c", 9)}, chain: helper},
		{name: "right, with what the linker adds to names",
			group: []valgrind.Frame{frame("clamp", "/src/m/p/p.h", 4), frame("scale.constprop.0", "/src/m/p/p.c", 9)},
			chain: helper},
		{name: "an assembler function", group: []valgrind.Frame{asmcgo},
			chain: []symbols.Frame{{Function: "runtime.asmcgocall", File: "/usr/local/go/src/runtime/asm_amd64.s", Line: 923}}},
		{name: "cgo's wrapper", group: []valgrind.Frame{cgoStub},
			chain: []symbols.Frame{{Function: cgoStub.Function, File: "cgo-gcc-prolog", Line: 49}}},
		{name: "not covered", group: []valgrind.Frame{cgoStub}},
		{name: "a Go function in C code", // valgrind 3.19, a C helper of go-ceph's rados
			group: []valgrind.Frame{frame("internal/strconv.pow10", "/usr/local/go/src/internal/strconv/atofeisel.go", 35),
				frame("scale.isra.0", "/usr/local/go/src/internal/strconv/atofeisel.go", 35)},
			chain: helper,
			want:  []valgrind.Frame{frame("clamp", "/src/m/p/p.h", 4), frame("scale.isra.0", "/src/m/p/p.c", 9)}},
		{name: "without what is inlined",
			group: []valgrind.Frame{frame("example.com/m/p.TestA", "/src/m/p/p.go", 33)},
			chain: []symbols.Frame{{Function: "example.com/m/p.fill", File: "/src/m/p/p.go", Line: 33},
				{Function: "example.com/m/p.TestA", File: "/src/m/p/p_test.go", Line: 30}},
			want: []valgrind.Frame{frame("example.com/m/p.fill", "/src/m/p/p.go", 33),
				frame("example.com/m/p.TestA", "/src/m/p/p_test.go", 30)}},
		{name: "one that calls itself",
			group: []valgrind.Frame{frame("scale", "/src/m/p/p.c", 4), frame("scale", "/src/m/p/p.c", 4)},
			chain: helper,
			want: []valgrind.Frame{frame("clamp", "/src/m/p/p.h", 4), frame("scale", "/src/m/p/p.c", 9),
				frame("clamp", "/src/m/p/p.h", 4), frame("scale", "/src/m/p/p.c", 9)}},
		{name: "one inlined in itself",
			group: []valgrind.Frame{frame("scale", "/src/m/p/p.c", 4), frame("scale", "/src/m/p/p.c", 4)},
			chain: []symbols.Frame{
				{Function: "scale", File: "/src/m/p/p.c", Line: 4}, {Function: "scale", File: "/src/m/p/p.c", Line: 9}},
			want: []valgrind.Frame{frame("scale", "/src/m/p/p.c", 4), frame("scale", "/src/m/p/p.c", 9)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := c.want
			if want == nil {
				want = c.group
			}
			if diff := cmp.Diff(want, expanded(c.group, c.chain)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
