package symbols_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cgogrind/cgogrind/harness/internal/symbols"
)

// program builds testdata/program: C and Go with inlined functions, each in several units.
func program(tb testing.TB, flags ...string) string {
	tb.Helper()
	if _, err := exec.LookPath("gcc"); err != nil {
		if os.Getenv("CI") != "" {
			tb.Fatal(err)
		}
		tb.Skip(err)
	}
	name := filepath.Join(tb.TempDir(), "program")
	cmd := exec.Command("go", append([]string{"build", "-o", name}, flags...)...)
	cmd.Args = append(cmd.Args, ".")
	cmd.Dir = filepath.Join("testdata", "program")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return name
}

// The program says for some of its addresses what is there: Go's own tables do for Go, comments in the source for C.
func TestFrames(t *testing.T) {
	for _, c := range []struct {
		name  string
		flags []string
	}{
		{"at a fixed address", nil},
		{"position-independent", []string{"-buildmode=pie"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := program(t, c.flags...)
			out, err := exec.Command(path).CombinedOutput()
			if err != nil {
				t.Fatal(err)
			}
			table, err := symbols.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			var bias uint64
			places := 0
			for line := range strings.Lines(string(out)) {
				address, want, _ := strings.Cut(strings.TrimSpace(line), " ")
				pc, err := strconv.ParseUint(address, 0, 64)
				if err != nil {
					t.Fatal(err)
				}
				if !strings.Contains(want, ":") {
					var ok bool
					if bias, ok = table.Bias(want, pc); !ok {
						t.Fatalf("no bias from %s at %#x", want, pc)
					}
					continue
				}
				places++
				var got []string
				for _, f := range table.Frames(pc - bias) {
					got = append(got, fmt.Sprintf("%s %s:%d", f.Function, filepath.Base(f.File), f.Line))
				}
				if diff := cmp.Diff(want, strings.Join(got, ",")); diff != "" {
					t.Error(diff)
				}
			}
			if places != 3 {
				t.Errorf("%d places in\n%s", places, out)
			}
			if f := table.Frames(1); f != nil {
				t.Errorf("at address 1: %v", f)
			}
		})
	}
}

func TestOpen(t *testing.T) {
	if _, err := symbols.Open(program(t, "-ldflags=-s -w")); !errors.Is(err, symbols.ErrNoDebugInfo) {
		t.Errorf("a stripped program: %v", err)
	}
	if _, err := symbols.Open("symbols.go"); err == nil {
		t.Error("a source file has symbols")
	}
	if _, err := symbols.Open("none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// A hundred findings have some two thousand frames, in as many places at most.
func BenchmarkFrames(b *testing.B) {
	path := program(b)
	for b.Loop() {
		table, err := symbols.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		named := 0
		for pc := uint64(0x402000); named < 2000; pc += 97 {
			if len(table.Frames(pc)) > 0 {
				named++
			}
		}
	}
}

// FuzzOpen: a program with damaged debugging information is refused, or some of its places have no names; each answer is the
// same when asked for again.
func FuzzOpen(f *testing.F) {
	dir := f.TempDir()
	if _, err := exec.LookPath("gcc"); err != nil {
		f.Skip(err)
	}
	source := filepath.Join(dir, "a.c")
	if err := os.WriteFile(source, []byte("static inline int g(int x) { return x * 3; }\nint f(int x) { return g(x) + 1; }\n"), 0o600); err != nil {
		f.Fatal(err)
	}
	for _, flags := range [][]string{{"-gdwarf-4"}, {"-gdwarf-5", "-O2"}, {"-gdwarf-2", "-shared", "-nostdlib"}} {
		object := filepath.Join(dir, "object")
		if flags[len(flags)-1] != "-nostdlib" {
			flags = append(flags, "-c")
		}
		if out, err := exec.Command("gcc", append(flags, "-o", object, source)...).CombinedOutput(); err != nil {
			f.Fatalf("%v\n%s", err, out)
		}
		data, err := os.ReadFile(object)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, uint64(4))
		f.Add(data[:len(data)/2], uint64(0))
	}
	file := filepath.Join(dir, "damaged")
	f.Fuzz(func(t *testing.T, data []byte, pc uint64) {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		table, err := symbols.Open(file)
		if err != nil {
			if !strings.Contains(err.Error(), file) {
				t.Error(err)
			}
			return
		}
		for _, pc := range []uint64{pc, 0, 4, 0x1000, 1<<64 - 1} {
			first := table.Frames(pc)
			if diff := cmp.Diff(first, table.Frames(pc)); diff != "" {
				t.Error(diff)
			}
		}
		table.Bias("f", pc)
	})
}
