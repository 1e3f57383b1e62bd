package goruntime

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestCompilers: the C files compile without a warning, and no compiler makes a call of itself from our memcpy. clang takes
// mempcpy for memcpy plus an addition, whatever name the source has for it, and without optimisation, too.
func TestCompilers(t *testing.T) {
	files := map[string][]string{ // what must be undefined in the object, and what must not be
		"cgo-memcpy.c":   {"mempcpy", "memcpy"},
		"cgo-borrowed.c": {"dlsym", "strerror"},
	}
	for _, cc := range []string{"gcc", "clang"} {
		if _, err := exec.LookPath(cc); err != nil {
			if os.Getenv("CI") != "" {
				t.Errorf("%s is not there: ci/setup installs it", cc)
			}
			t.Logf("%s is not there", cc)
			continue
		}
		for _, flags := range []string{"-O0", "-O2", "-O3 -D_FORTIFY_SOURCE=2", "-std=c99 -pedantic"} {
			for name, symbols := range files {
				dir := t.TempDir()
				source, object := filepath.Join(dir, name), filepath.Join(dir, "out.o")
				if err := os.WriteFile(source, []byte(file("runtime/cgo/"+name)), 0o600); err != nil {
					t.Fatal(err)
				}
				args := append(strings.Fields(flags), "-fPIC", "-Wall", "-Wextra", "-Werror", "-c", "-o", object, source)
				if out, err := exec.CommandContext(t.Context(), cc, args...).CombinedOutput(); err != nil {
					t.Errorf("%s %s: %v\n%s", cc, strings.Join(args, " "), err, out)
					continue
				}
				undefined := undefinedIn(t, object)
				if !slices.Contains(undefined, symbols[0]) || slices.Contains(undefined, symbols[1]) {
					t.Errorf("%s %s: %s calls %q, want %s and not %s", cc, flags, name, undefined, symbols[0], symbols[1])
				}
				if own := calledInside(t, object, symbols[1]); own {
					t.Errorf("%s %s: %s calls its own %s", cc, flags, name, symbols[1])
				}
			}
		}
	}
}

func undefinedIn(t *testing.T, object string) []string {
	t.Helper()
	var names []string
	for _, s := range symbolsOf(t, object) {
		if s.Section == elf.SHN_UNDEF && s.Name != "" {
			names = append(names, s.Name)
		}
	}
	return names
}

// calledInside is whether the code of an object refers to a symbol of its own.
func calledInside(t *testing.T, object, symbol string) bool {
	t.Helper()
	symbols := symbolsOf(t, object)
	f, err := elf.Open(object)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, s := range f.Sections {
		if s.Type != elf.SHT_RELA || !strings.HasPrefix(s.Name, ".rela.text") {
			continue
		}
		data, err := s.Data()
		if err != nil {
			t.Fatal(err)
		}
		for ; len(data) >= 24; data = data[24:] {
			n := f.ByteOrder.Uint64(data[8:]) >> 32
			if n > 0 && symbols[n-1].Name == symbol {
				return true
			}
		}
	}
	return false
}

func symbolsOf(t *testing.T, object string) []elf.Symbol {
	t.Helper()
	f, err := elf.Open(object)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	return symbols
}
