package judge

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cgogrind/cgogrind/harness/result"
)

// What Go prints in these cases; P stands for the package's folder.
const (
	storedDump = `write of unpinned Go pointer 0xa2a0c864150 to non-Go memory 0xecde050
fatal error: unpinned Go pointer stored into non-Go memory

runtime stack:
runtime.throw({0x5aa2ad?, 0xa2a0c88ef18?})
	/usr/local/go/src/runtime/panic.go:1229 +0x48 fp=0x7ffea54df978 sp=0x7ffea54df948 pc=0x48c348

goroutine 7 gp=0xa2a0c8d23c0 m=0 mp=0x6f80e0 [running]:
runtime.systemstack_switch()
	/usr/local/go/src/runtime/asm_amd64.s:516 +0x8 fp=0xa2a0c88eec8 sp=0xa2a0c88eeb8 pc=0x4918a8
runtime.cgoCheckPtrWrite(0xecde050, 0xa2a0c864150)
	/usr/local/go/src/runtime/cgocheck.go:65 +0xe5 fp=0xa2a0c88eef8 sp=0xa2a0c88eec8 pc=0x4186c5
example.com/m/p.(*T).Free.func1({0xa2a0c864150, 0x1}, ...)
	P/p.go:9 +0x5d fp=0xa2a0c88ef30 sp=0xa2a0c88eef8 pc=0x54751d
example.com/m/p.(*T).Free(0xa2a0c864150)
	P/p.go:9 +0x5d fp=0xa2a0c88ef30 sp=0xa2a0c88eef8 pc=0x54751d
example.com/m/p.TestA(0xa2a0c902248?)
	P/p_test.go:4 +0x5b fp=0xa2a0c88ef58 sp=0xa2a0c88ef30 pc=0x54707b
testing.tRunner(0xa2a0c902248, 0x5ad108)
	/usr/local/go/src/testing/testing.go:2036 +0x12a fp=0xa2a0c88efc0 sp=0xa2a0c88ef58 pc=0x4fb76a
created by testing.(*T).Run in goroutine 1
	/usr/local/go/src/testing/testing.go:2101 +0x6d7

goroutine 1 gp=0xa2a0c8541e0 m=nil [chan receive]:
runtime.gopark(0x5ad290, 0xa2a0c8b62e8, 0x13, 0x7, 0x2)
	/usr/local/go/src/runtime/proc.go:462 +0x136 fp=0xa2a0c89f8e8 sp=0xa2a0c89f8b8 pc=0x48c4d6
`
	passedDump = "\x16--- FAIL: TestA (0.00s)\n" + `panic: runtime error: argument of cgo function has Go pointer to unpinned Go pointer [recovered, repanicked]

goroutine 20 [running]:
testing.tRunner.func1.2({0x5747a0, 0x1bf200a1c2a0})
	/usr/local/go/src/testing/testing.go:1974 +0x232
testing.tRunner.func1()
	/usr/local/go/src/testing/testing.go:1977 +0x349
panic({0x5747a0?, 0x1bf200a1c2a0?})
	/usr/local/go/src/runtime/panic.go:860 +0x13a
example.com/m/p.(*T).Free.func1(...)
	P/p.go:9
example.com/m/p.(*T).Free(0x1bf200a06080)
	P/p.go:9 +0x26
example.com/m/p.TestA(0x1bf200a72248?)
	P/p_test.go:4 +0x9f
testing.tRunner(0x1bf200a72248, 0x5ad0f8)
	/usr/local/go/src/testing/testing.go:2036 +0x12a
created by testing.(*T).Run in goroutine 1
	/usr/local/go/src/testing/testing.go:2101 +0x6d7
FAIL	example.com/m/p	0.011s
`
)

func TestCgoCheck(t *testing.T) {
	for _, c := range []struct {
		name, output, message string
	}{
		{"cgocheck2", storedDump, "unpinned Go pointer stored into non-Go memory"},
		{"an argument", passedDump, "argument of cgo function has Go pointer to unpinned Go pointer"},
		{"an argument, Go 1.25", strings.Replace(passedDump, "argument of cgo function", "cgo argument", 1),
			"cgo argument has Go pointer to unpinned Go pointer"},
		{"a result", strings.Replace(passedDump, "error: argument of cgo function has Go pointer to",
			"error: /src/p.go:7: result of Go function f called from cgo is unpinned Go string or points to", 1),
			"result of Go function f called from cgo is unpinned Go string or points to unpinned Go pointer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := testConfig(t)
			r := newReport().plan("TestA", "TestB")
			r.begin("TestA")
			r.output.WriteString("\x16=== RUN   TestA\n" + strings.ReplaceAll(c.output, "P/", cfg.Dir+"/"))
			j := judgeConfig(t, cfg, r.finish(), Outcome{ExitCode: 2})
			j.check(t, result.ExitFindings, verdicts{"TestA": result.Fail})
			j.reason(t, "TestA", "took its process down", "; found CgoCheck in p.(*T).Free (p.go:9)")
			if diff := cmp.Diff([]string{"TestB"}, j.remaining); diff != "" {
				t.Error(diff)
			}
			if len(j.findings) != 1 {
				t.Fatalf("%d findings", len(j.findings))
			}
			f := j.findings[0]
			want := []result.Frame{
				{Function: "example.com/m/p.(*T).Free", File: filepath.Join(cfg.Dir, "p.go"), Line: 9, Object: binary,
					Lang: result.Go, Source: "C.dfree(p)"},
				{Function: "example.com/m/p.TestA", File: filepath.Join(cfg.Dir, "p_test.go"), Line: 4, Object: binary,
					Lang: result.Go, Source: "Free(p)"},
			}
			if f.Kind != "CgoCheck" || f.Message != c.message || !strings.Contains(f.Hint, "runtime.Pinner") ||
				f.Attribution != result.ByStack {
				t.Errorf("%+v", f)
			}
			if diff := cmp.Diff([]result.Stack{{Frames: want}}, f.Stacks); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Only what ended the process counts.
func TestNoCgoCheck(t *testing.T) {
	for _, c := range []struct{ name, output string }{
		{"another panic", strings.Replace(passedDump, "argument of cgo function has Go pointer to unpinned", "nil", 1)},
		{"in what a test prints", "unpinned Go pointer stored into non-Go memory\n"},
		{"the process went on", storedDump + "\x16=== RUN   TestB\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newReport().plan("TestA")
			r.begin("TestA")
			r.output.WriteString("\x16=== RUN   TestA\n" + c.output)
			if j := judge(t, r.finish(), Outcome{ExitCode: 2}); len(j.findings) != 0 {
				t.Errorf("%+v", j.findings[0])
			}
		})
	}
}
