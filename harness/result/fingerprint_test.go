package result_test

import (
	"regexp"
	"testing"

	"github.com/cgogrind/cgogrind/harness/result"
)

func TestFingerprint(t *testing.T) {
	one := func(frames ...result.Frame) []result.Stack { return []result.Stack{{Frames: frames}} }
	base := one(
		result.Frame{Function: "free", Object: "/usr/libexec/valgrind/vgpreload_memcheck-amd64-linux.so", Line: 538},
		result.Frame{Function: "dfree", Object: "/tmp/a/p.test", File: "/home/a/p.go", Line: 7, Source: "free(p);"},
		result.Frame{Function: "example.com/p.TestA.func2.1", File: "/home/a/p_test.go", Line: 9, Source: "C.dfree(p)"})
	const kind = "InvalidFree"
	want := result.Fingerprint(kind, base)
	if !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(want) {
		t.Errorf("fingerprint %q", want)
	}
	sameFunction := func(a, b string) func(t *testing.T) {
		return func(t *testing.T) {
			first := result.Fingerprint(kind, one(result.Frame{Function: a}))
			if second := result.Fingerprint(kind, one(result.Frame{Function: b})); first != second {
				t.Errorf("%q and %q differ", a, b)
			}
		}
	}
	t.Run("cgo hash", sameFunction("_cgo_0123456789ab_Cfunc_free", "_cgo_ba9876543210_Cfunc_free"))
	t.Run("cgo export hash", sameFunction("_cgoexp_0123456789ab_cb", "_cgoexp_ba9876543210_cb"))
	t.Run("closure", sameFunction("example.com/p.TestA.func2.1", "example.com/p.TestA.func3.1"))
	t.Run("go statement", sameFunction("example.com/p.TestA.gowrap1", "example.com/p.TestA.gowrap2"))
	t.Run("range over func", sameFunction("example.com/p.TestA-range1", "example.com/p.TestA-range2"))
	t.Run("init", sameFunction("example.com/p.init.0", "example.com/p.init.1"))
	t.Run("gcc clone", sameFunction("dfree.constprop.0", "dfree.isra.0.part.1"))
	t.Run("generic function", sameFunction("p.Map[go.shape.int]", "p.Map[go.shape.struct { F func([2]int) []string }]"))
	t.Run("an inlined closure", sameFunction("p.Map[go.shape.int].Map[go.shape.int].func1.func2", "p.Map[go.shape.[]int].Map[go.shape.[]int].func1.func2"))
	t.Run("its closure", sameFunction("p.(*Set[go.shape.int]).Add.func1", "p.(*Set[go.shape.string]).Add.func2"))
	t.Run("g++ clone", sameFunction("ns::Box<int>::get(int) [clone .isra.0]", "ns::Box<int>::get(int)"))
	t.Run("symbol version", sameFunction("memcpy@@GLIBC_2.14", "memcpy@GLIBC_2.2.5"))

	for _, c := range []struct {
		name   string
		kind   string
		change func(f []result.Frame)
		same   bool
	}{
		{"line", kind, func(f []result.Frame) { f[1].Line = 12; f[2].Line = 80 }, true},
		{"file moved", kind, func(f []result.Frame) { f[1].File = "/ci/p.go" }, true},
		{"object moved", kind, func(f []result.Frame) { f[1].Object = "/tmp/b/p.test" }, true},
		{"source indented", kind, func(f []result.Frame) { f[1].Source = "\tfree(p);  " }, true},
		{"kind", "InvalidRead", func([]result.Frame) {}, false},
		{"source", kind, func(f []result.Frame) { f[1].Source = "free(q);" }, false},
		{"function", kind, func(f []result.Frame) { f[1].Function = "efree" }, false},
		{"unknown kind", "FdBadUse", func([]result.Frame) {}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			frames := append([]result.Frame{}, base[0].Frames...)
			c.change(frames)
			if got := result.Fingerprint(c.kind, one(frames...)); (got == want) != c.same {
				t.Errorf("%s and %s: same should be %v", got, want, c.same)
			}
		})
	}

	t.Run("no symbol", func(t *testing.T) {
		a := result.Fingerprint(kind, one(result.Frame{Object: "/usr/lib/librados.so.2.0.0", Offset: 0x1a4}))
		moved := result.Fingerprint(kind, one(result.Frame{Object: "/opt/lib/librados.so.2.0.0", Offset: 0x1a4}))
		other := result.Fingerprint(kind, one(result.Frame{Object: "/usr/lib/librados.so.2.0.0", Offset: 0x1a8}))
		if a != moved || a == other {
			t.Errorf("%s, moved %s, other place %s", a, moved, other)
		}
	})
	t.Run("stacks are not run together", func(t *testing.T) {
		f, g := result.Frame{Function: "f"}, result.Frame{Function: "g"}
		if result.Fingerprint(kind, one(f, g)) == result.Fingerprint(kind, []result.Stack{{Frames: []result.Frame{f}},
			{Frames: []result.Frame{g}}}) {
			t.Error("one stack of two frames is two stacks of one")
		}
	})
	t.Run("no frames", func(t *testing.T) {
		if result.Fingerprint(kind, nil) == result.Fingerprint("InvalidRead", nil) {
			t.Error("the kind has no part in it")
		}
	})
}
