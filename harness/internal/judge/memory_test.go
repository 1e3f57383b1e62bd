package judge

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cgogrind/cgogrind/harness/internal/frames"
	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
)

// The frames in which Go's runtime speaks to memcheck, as memcheck shows them.
var (
	goRequestFrame  = at(30, "runtime.valgrindClientRequest.abi0", "/usr/local/go/src/runtime/valgrind_amd64.s", 35)
	goMallocFrame   = at(31, "runtime.valgrindMalloc", "/usr/local/go/src/runtime/valgrind.go", 60)
	goObjectFrame   = at(31, "runtime.cgogrindObject", "/usr/local/go/src/runtime/valgrind.go", 160)
	goMallocgcFrame = at(32, "runtime.mallocgc", "/usr/local/go/src/runtime/malloc.go", 1185)
	goFreeFrame     = at(33, "runtime.valgrindFree", "/usr/local/go/src/runtime/valgrind.go", 65)
	goSweepFrame    = at(34, "runtime.(*sweepLocked).sweep", "/usr/local/go/src/runtime/mgcsweep.go", 788)
	peek            = at(35, "peek", "P/p.go", 4)
)

// made is the stack of an allocation in Go by the runtime functions given, innermost first.
func made(functions ...string) []valgrind.Frame {
	s := []valgrind.Frame{goRequestFrame, goMallocFrame, goObjectFrame, goMallocgcFrame}
	for i, f := range functions {
		s = append(s, at(uint64(40+i), f, "/usr/local/go/src/runtime/slice.go", 117))
	}
	return append(s, goFree, testA, tRunner, goexit)
}

// Each case is what memcheck 3.19 said about a planted bug.
func TestGoMemory(t *testing.T) {
	swept := []valgrind.Frame{goRequestFrame, goFreeFrame, goSweepFrame,
		at(36, "runtime.gcStart", "/usr/local/go/src/runtime/mgc.go", 1)}
	byC := []valgrind.Frame{vgFree, dfree, testA}
	const collected, past, before = " in Go memory that the garbage collector has freed", " past the end of Go memory",
		" before the beginning of Go memory"
	for _, c := range []struct {
		name     string
		kind     valgrind.Kind
		what     string
		sections []valgrind.Section
		message  string // added to what
		labels   []string
		hint     string
	}{
		{"inside a slice that was collected", "InvalidRead", "Invalid read of size 1", []valgrind.Section{
			labelled("Address 0x2be2f4a11140 is 0 bytes inside a block of size 64 alloc'd", made("runtime.makeslice")...)},
			collected, []string{"0 bytes inside a Go slice of 64 bytes, freed by the Go garbage collector, that was made at"},
			"runtime.Pinner"},
		{"collected, its span given back", "InvalidRead", "Invalid read of size 1", []valgrind.Section{
			labelled("Address 0x2be2f4b34050 is 1 bytes inside a block of size 45 free'd", swept...),
			labelled("Block was alloc'd at", made("runtime.slicebytetostring")...)},
			collected, []string{"1 byte inside a Go string of 45 bytes, freed by the Go garbage collector, that was made at"},
			"runtime.KeepAlive"},
		{"an older block at the same place", "InvalidWrite", "Invalid write of size 4", []valgrind.Section{
			labelled("Address 0x2be2f4b34050 is 4 bytes inside a recently re-allocated block of size 8 alloc'd",
				made("runtime.newobject")...)},
			collected, []string{"4 bytes inside a Go object of 8 bytes, freed by the Go garbage collector, that was made at"},
			"runtime.Pinner"},
		{"a system call on collected memory", "SyscallParam", "Syscall param write(buf) points to unaddressable byte(s)",
			[]valgrind.Section{labelled("Address 0x2be2f4b34050 is 0 bytes inside a block of size 8 alloc'd",
				made("runtime.rawbyteslice", "runtime.stringtoslicebyte")...)},
			collected, []string{"0 bytes inside a Go []byte of 8 bytes, freed by the Go garbage collector, that was made at"},
			"runtime.Pinner"},
		{"a system call on undefined memory", "SyscallParam", "Syscall param write(buf) points to uninitialised byte(s)",
			[]valgrind.Section{labelled("Address 0x2be2f4b34050 is 0 bytes inside a block of size 8 alloc'd", made()...)},
			"", []string{"0 bytes inside a Go object of 8 bytes made at"}, "calloc"},
		{"after a slice", "InvalidWrite", "Invalid write of size 1", []valgrind.Section{
			labelled("Address 0x2be2f4a70334 is 0 bytes after a block of size 100 alloc'd", made("runtime.makeslice")...)},
			past, []string{"0 bytes after a Go slice of 100 bytes made at"}, "C.CString"},
		{"after a large slice that grew", "InvalidWrite", "Invalid write of size 1", []valgrind.Section{
			labelled("Address 0x2be2f4a70334 is 1,000 bytes after a block of size 100,000 alloc'd",
				made("runtime.growslice")...)},
			past, []string{"1000 bytes after a Go slice of 100000 bytes grown at"}, "length"},
		{"after a string", "InvalidRead", "Invalid read of size 1", []valgrind.Section{
			labelled("Address 0x2be2f4b0a058 is 0 bytes after a recently re-allocated block of size 88 alloc'd",
				made("runtime.rawstringtmp", "runtime.concatstrings", "runtime.concatstring2")...)},
			past, []string{"0 bytes after a Go string of 88 bytes made at"}, "C.CString"},
		{"across the end", "InvalidRead", "Invalid read of size 8", []valgrind.Section{
			labelled("Address 0x2be2f4b0a058 is 60 bytes inside a block of size 64 alloc'd", made("runtime.makeslice")...)},
			past, []string{"60 bytes inside a Go slice of 64 bytes made at"}, "length"},
		{"before a slice", "InvalidRead", "Invalid read of size 1", []valgrind.Section{
			labelled("Address 0x2be2f4b0a058 is 1 bytes before a block of size 64 alloc'd", made("runtime.makeslice")...)},
			before, []string{"1 byte before a Go slice of 64 bytes made at"}, "negative"},
		{"the runtime's own", "InvalidRead", "Invalid read of size 1", []valgrind.Section{
			labelled("Address 0x2be2f4b0a058 is 64 bytes after a block of size 64 alloc'd",
				made("internal/runtime/maps.newTable")...)},
			past, []string{"64 bytes after a part of a Go map of 64 bytes made at"}, "length"},
		{"given to free", "MismatchedFree", "Mismatched free() / delete / delete []", []valgrind.Section{
			labelled("Address 0x2be2f4a70630 is 0 bytes inside a block of size 100 alloc'd", made("runtime.makeslice")...)},
			" of Go memory", []string{"0 bytes inside a Go slice of 100 bytes made at"}, "never give it to free"},
		{"used after C freed it", "InvalidRead", "Invalid read of size 1", []valgrind.Section{
			labelled("Address 0x2be2f4a70630 is 0 bytes inside a block of size 100 free'd", byC...),
			labelled("Block was alloc'd at", made("runtime.makeslice")...)},
			"", []string{"0 bytes inside a Go slice of 100 bytes that C code freed at", "that was made at"},
			"gave memory to free"},
		{"C's memory", "InvalidRead", "Invalid read of size 1", []valgrind.Section{
			labelled("Address 0x4a42398 is 0 bytes inside a block of size 8 free'd", byC...),
			labelled("Block was alloc'd at", libc, testA)},
			"", []string{"0 bytes inside a block of size 8 free'd", "Block was alloc'd at"}, "after Close"},
		{"libc's text", "InvalidFree", "Invalid free() / delete / delete[] / realloc()", []valgrind.Section{
			labelled("Address 0x4c5a5e2 is in a r-- mapped file /usr/lib/libc.so.6 segment")},
			"", []string{"in a r-- mapped file /usr/lib/libc.so.6 segment"}, "strerror_r"},
		{"nil in C", "InvalidWrite", "Invalid write of size 4", []valgrind.Section{
			labelled("Address 0x8 is not stack'd, malloc'd or (recently) free'd")},
			"", []string{"Address 0x8 is not stack'd, malloc'd or (recently) free'd"}, "The pointer was nil"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := &valgrind.Error{Kind: c.kind, Sections: append([]valgrind.Section{stack(peek, cgoStub, asmcgo, goFree, testA)},
				c.sections...)}
			e.What.Text = c.what
			a := tell(e)
			if want := c.what + c.message; a.message != want {
				t.Errorf("message %q, want %q", a.message, want)
			}
			var labels []string
			for _, s := range a.sections[1:] {
				labels = append(labels, s.Text.Text)
				if len(s.Stack) > 0 && s.Stack[0].Function != goFree.Function && !strings.Contains(s.Text.Text, "C code") &&
					!strings.Contains(strings.ToLower(s.Text.Text), "block") {
					t.Errorf("%q begins with %s", s.Text.Text, s.Stack[0].Function)
				}
			}
			if diff := cmp.Diff(c.labels, labels); diff != "" {
				t.Error(diff)
			}
			if got := hint(c.kind, a, true); c.hint == "" && got != "" || !strings.Contains(got, c.hint) {
				t.Errorf("hint %q, want %q in it", got, c.hint)
			}
		})
	}
}

// All frames are the runtime's, too, and the stack in which the collector gave the memory back.
func TestGoMemoryWithAllFrames(t *testing.T) {
	r := newReport().plan("TestA")
	r.begin("TestA")
	r.error("InvalidRead", stack(peek, asmcgo, cgocall, goFree, testA),
		labelled("Address 0x2be2f4b34050 is 1 bytes inside a block of size 45 free'd",
			goRequestFrame, goFreeFrame, goSweepFrame),
		labelled("Block was alloc'd at", made("runtime.slicebytetostring")...))
	r.end("TestA", "pass")
	r.done(0)
	cfg := testConfig(t)
	functions := func(all bool) []string {
		cfg.AllFrames = all
		var out []string
		for _, s := range judgeConfig(t, cfg, r.finish(), whole).findings[0].Stacks {
			out = append(out, "# "+s.Label)
			for _, f := range s.Frames {
				out = append(out, frames.ShortName(f.Function))
			}
		}
		return out
	}
	const label = "# 1 byte inside a Go string of 45 bytes, freed by the Go garbage collector, that was made at"
	want := []string{"# ", "peek", "p.Free", "p.TestA", label, "p.Free", "p.TestA"}
	if diff := cmp.Diff(want, functions(false)); diff != "" {
		t.Error(diff)
	}
	want = []string{"# ", "peek", "runtime.asmcgocall", "runtime.cgocall", "p.Free", "p.TestA",
		label, "runtime.valgrindClientRequest", "runtime.valgrindMalloc", "runtime.cgogrindObject", "runtime.mallocgc",
		"runtime.slicebytetostring", "p.Free", "p.TestA", "testing.tRunner", "runtime.goexit",
		"# its memory was taken back at", "runtime.valgrindClientRequest", "runtime.valgrindFree",
		"runtime.(*sweepLocked).sweep"}
	if diff := cmp.Diff(want, functions(true)); diff != "" {
		t.Error(diff)
	}
}

// Whether the span of a collected object was given back or not, and in which frames the runtime did it, changes from
// run to run: an asynchronous thread of C has no other code under test in its stacks.
func TestFingerprintOfCollectedMemory(t *testing.T) {
	fingerprint := func(sections ...valgrind.Section) string {
		r := newReport().plan("TestA")
		r.begin("TestA")
		r.error("InvalidWrite", append([]valgrind.Section{stack(noSymbol)}, sections...)...)
		r.end("TestA", "pass")
		r.done(0)
		f := judge(t, r.finish(), whole).findings[0]
		if f.Blame == nil || f.Blame.Function != goFree.Function {
			t.Errorf("blame %+v", f.Blame)
		}
		return f.Fingerprint
	}
	kept := fingerprint(
		labelled("Address 0x1f4b34050 is 1 bytes inside a block of size 45 alloc'd", made("runtime.makeslice")...))
	gone := fingerprint(
		labelled("Address 0x1f4b34050 is 1 bytes inside a block of size 45 free'd",
			goRequestFrame, goFreeFrame, goSweepFrame, testB),
		labelled("Block was alloc'd at", made("runtime.makeslice")...))
	other := fingerprint(labelled("Address 0x1f4b34050 is 1 bytes inside a block of size 45 alloc'd",
		made("runtime.mallocgcSmallNoscan", "runtime.makeslice64")...))
	if kept != gone || kept != other {
		t.Errorf("fingerprints %s, %s, %s", kept, gone, other)
	}
}

// C code that frees a Go object is told once, not again when the runtime takes back what it takes for its own.
func TestGoTakesBackWhatCFreed(t *testing.T) {
	r := newReport().plan("TestA")
	r.begin("TestA")
	r.error("MismatchedFree", stack(vgFree, dfree, testA),
		labelled("Address 0x2be2f4a70630 is 0 bytes inside a block of size 100 alloc'd", made("runtime.makeslice")...))
	r.end("TestA", "pass")
	r.done(0)
	r.error("InvalidFree", stack(goRequestFrame, goFreeFrame, goSweepFrame),
		labelled("Address 0x2be2f4a70630 is 0 bytes inside a block of size 100 free'd", vgFree, dfree, testA),
		labelled("Block was alloc'd at", made("runtime.makeslice")...))
	j := judge(t, r.finish(), whole)
	j.check(t, result.ExitFindings, verdicts{"TestA": result.Fail})
	if len(j.findings) != 1 || j.findings[0].Kind != "MismatchedFree" {
		t.Errorf("findings %+v", j.findings)
	}
}

func TestLeakHints(t *testing.T) {
	malloc := valgrind.Frame{Function: "malloc", Object: vgFree.Object}
	cmalloc := at(50, "_cgo_0123456789ab_Cfunc__Cmalloc", "/tmp/go-build/_cgo_export.c", 32)
	for _, c := range []struct {
		stack []valgrind.Frame
		want  string
	}{
		{[]valgrind.Frame{malloc, cmalloc, asmcgo, at(51, "example.com/m/p._cgo_cmalloc.abi0", "./_cgo_gotypes.go", 1),
			at(52, "example.com/m/p._Cfunc_CString", "./_cgo_gotypes.go", 2), goFree, testA}, "C.CString and C.CBytes make a copy"},
		{[]valgrind.Frame{malloc, cmalloc, asmcgo, at(52, "example.com/m/p._Cfunc_CBytes", "./_cgo_gotypes.go", 2), testA},
			"C.CString and C.CBytes make a copy"},
		{[]valgrind.Frame{malloc, cmalloc, asmcgo, at(52, "example.com/m/p._Cfunc__CMalloc", "./_cgo_gotypes.go", 2), testA},
			"what C.malloc returns"},
		{[]valgrind.Frame{malloc, libc, cgoStub, testA}, "The last pointer to this memory is gone"},
	} {
		r := newReport().plan("TestA")
		r.begin("TestA")
		r.end("TestA", "pass")
		r.done(0)
		f := judge(t, r.finish(stack(c.stack...)), whole).findings[0]
		if !strings.Contains(f.Hint, c.want) || f.Repro == "" || f.Disposition != result.New {
			t.Errorf("hint %q, want %q in it; repro %q", f.Hint, c.want, f.Repro)
		}
	}
}
