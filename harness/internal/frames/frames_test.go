package frames

import (
	"path"
	"strings"
	"testing"

	"github.com/cgogrind/cgogrind/valgrind"
)

const binary = "/tmp/work/p.test"

// at is a frame of the test binary.
func at(ip uint64, function, file string, line int) valgrind.Frame {
	dir, file := path.Split(file)
	return valgrind.Frame{
		IP: ip, Function: function, Dir: strings.TrimSuffix(dir, "/"), File: file, Line: line, Object: binary,
	}
}

func TestGoPackage(t *testing.T) {
	for function, want := range map[string]string{
		"example.com/m/p.TestA.func1.2":                     "example.com/m/p",
		"example.com/m/p.(*T).Method":                       "example.com/m/p",
		"example.com/m/p.Generic[go.shape.struct { x.Y }]":  "example.com/m/p",
		"gopkg.in/yaml%2ev3.Unmarshal":                      "gopkg.in/yaml.v3",
		"runtime.mallocgc":                                  "runtime",
		"main.main":                                         "main",
		"free":                                              "",
		"dfree.constprop.0":                                 "",
		"librados::IoCtxImpl::write(object_t const&, char)": "",
		"operator delete(void*)":                            "",
		"":                                                  "",
	} {
		if got := GoPackage(function); got != want {
			t.Errorf("%q: package %q, want %q", function, got, want)
		}
	}
}

// What follows the visible part of a goroutine's stack is no place that anybody called from.
func TestStackEndsWithKnownFunctions(t *testing.T) {
	r := New(Code{Binary: binary})
	goFree, testA := at(8, "example.com/m/p.Free", "/src/m/p/p.go", 9), at(9, "example.com/m/p.TestA", "/src/m/p/p_test.go", 4)
	vgFree := valgrind.Frame{IP: 1, Function: "free", Object: "/usr/libexec/valgrind/vgpreload_memcheck-amd64-linux.so"}
	noSymbol := valgrind.Frame{IP: 0x4a3b1c4, Object: "/usr/lib/librados.so.2.0.0"}
	stray := valgrind.Frame{IP: 0x5006ed, Object: binary}
	for _, c := range []struct {
		stack []valgrind.Frame
		want  int
	}{
		{[]valgrind.Frame{vgFree, goFree, testA, stray, stray}, 3},
		{[]valgrind.Frame{vgFree, stray, testA, noSymbol}, 4}, // inside, or in a library, it tells something
		{[]valgrind.Frame{stray}, 1},
	} {
		if got := r.Shown(c.stack); len(got) != c.want {
			t.Errorf("%d frames of %d: %+v", len(got), len(c.stack), got)
		}
	}
}

// Each name is one that the compiler made of a deferred call of C in the function below it.
func TestKnownAs(t *testing.T) {
	const pkg = "example.com/m/p."
	f := func(function string, line int) valgrind.Frame {
		return at(uint64(400+line), function, "/src/m/p/p.go", line)
	}
	stub, deferred := f(pkg+"_Cfunc_free", 0), f("runtime.deferreturn", 668)
	for _, c := range []struct {
		inner valgrind.Frame
		name  string
		outer []valgrind.Frame
		want  string
	}{
		{stub, pkg + "Text.Text.func1.func2", []valgrind.Frame{f(pkg+"Text", 24)}, pkg + "Text"},
		{stub, pkg + "TestText.Text.func1.func2", []valgrind.Frame{f(pkg+"Text", 24), f(pkg+"TestText", 4)}, pkg + "Text"},
		{stub, pkg + "Text.func1.1", []valgrind.Frame{f(pkg+"Text", 24)}, pkg + "Text"}, // not inlined
		{stub, pkg + "(*Buffer).Close.(*Buffer).Close.func2.func3", []valgrind.Frame{f(pkg+"(*Buffer).Close", 13)}, pkg + "(*Buffer).Close"},
		{stub, pkg + "Buffer.Value.Buffer.Value.func2.func3", []valgrind.Frame{f(pkg+"Buffer.Value", 18)}, pkg + "Buffer.Value"},
		{stub, pkg + "Loop.Loop.func1.func2", []valgrind.Frame{deferred, f(pkg+"Loop", 31)}, pkg + "Loop"},
		{stub, pkg + "In.func1.In.func1.1.2", []valgrind.Frame{f(pkg+"In.func1", 36), f(pkg+"In", 37)}, pkg + "In.func1"},
		{stub, pkg + "Own.func1.1", []valgrind.Frame{f(pkg+"Own.func1", 9), f(pkg+"Own", 10)}, pkg + "Own.func1"},
		{stub, pkg + "Generic[go.shape.string].Generic[go.shape.string].func1.func2", []valgrind.Frame{f(pkg+"Generic[go.shape.string]", 47)},
			pkg + "Generic[go.shape.string]"},
		{stub, pkg + "Text.func1", []valgrind.Frame{f(pkg+"Text", 24)}, ""},                     // the user's own
		{stub, pkg + "Text", []valgrind.Frame{f(pkg+"TestText", 24)}, ""},                       // no closure
		{f("crash", 3), pkg + "Text.Text.func1.func2", []valgrind.Frame{f(pkg+"Text", 24)}, ""}, // it calls no C
		{stub, pkg + "Text.Text.func1.func2", []valgrind.Frame{f("example.com/other.Text", 24)}, ""},
		{stub, pkg + "Text.Text.func1.func2", nil, ""},
	} {
		if got := KnownAs(append([]valgrind.Frame{c.inner, f(c.name, 9)}, c.outer...), 1); got != c.want {
			t.Errorf("%s is known as %q, want %q", c.name, got, c.want)
		}
	}
}

func TestProgramTier(t *testing.T) {
	r := New(Code{Program: true, Binary: "/home/u/p"})
	for _, c := range []struct {
		f    valgrind.Frame
		want Tier
	}{
		{valgrind.Frame{Function: "f", Object: "/home/u/p", Dir: "/home/u/src"}, Module},
		{valgrind.Frame{Function: "f", Object: "/home/u/libown.so", Dir: "/home/u/src"}, Module},
		{valgrind.Frame{Function: "f", Object: "/usr/lib/libx.so", Dir: "/somewhere/libx"}, None},
		{valgrind.Frame{Function: "abort", Object: "/lib/libc.so.6", Dir: "./stdlib"}, None},
		{valgrind.Frame{Function: "push", Object: "/home/u/p", Dir: "/usr/include/c++/12/bits"}, None},
		{valgrind.Frame{Function: "push", Object: "/home/u/p", Dir: "/rustc/5980/library/alloc/src"}, None},
		{valgrind.Frame{Function: "sys::f", Object: "/home/u/p", Dir: "/home/u/.cargo/registry/src/x/sys-1.0/src"}, Other},
		{valgrind.Frame{Function: "f", Object: "/home/u/p"}, None},
	} {
		if got := r.Tier(c.f); got != c.want {
			t.Errorf("%+v: tier %d, want %d", c.f, got, c.want)
		}
	}
}
