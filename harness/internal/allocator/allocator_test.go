package allocator_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cgogrind/cgogrind/harness/internal/allocator"
)

// planted writes behind a block and leaks another, with the functions of an allocator.
const planted = `
#include <stdlib.h>
#include PROTOTYPES
__attribute__((noinline)) char *get(int n) { return MALLOC; }
int main(void) {
	volatile char *p = get(40);
	p[40] = 1;
	FREE;
	return p == NULL;
}
`

// kinds are programs and what memcheck makes of each: TestAgreesWithMemcheck compares.
var kinds = []struct {
	name       string
	prototypes string // header
	malloc     string
	free       string
	flags      string // after the source; LIB is the folder of libraries
	rename     bool   // build against jemalloc.a with a prefix
	strip      bool
	preload    string // a library in LD_PRELOAD
	allocator  string // as reported
	unseen     string // a part of the report; empty if memcheck sees the memory
	unsure     bool
}{
	{name: "system", allocator: "system"},
	{name: "system-stripped", strip: true, allocator: "system"},
	{name: "static", flags: "-static", unseen: "is linked statically"},
	{name: "jemalloc", flags: "-Wl,--no-as-needed -ljemalloc", allocator: "jemalloc"},
	{name: "jemalloc-preloaded", preload: "libjemalloc.so.2", allocator: "jemalloc"},
	{name: "jemalloc-archive", flags: "LIB/libjemalloc.a -lm -lstdc++", allocator: "jemalloc"},
	{
		name: "jemalloc-archive-stripped", flags: "LIB/libjemalloc.a -lm -lstdc++", strip: true, allocator: "jemalloc",
		unsure: true,
	},
	{
		name: "mallocx", prototypes: "<jemalloc/jemalloc.h>", malloc: "mallocx(n, 0)", free: "dallocx((void *)p, 0)",
		flags: "-ljemalloc", allocator: "jemalloc", unseen: "mallocx of jemalloc",
	},
	{
		name: "mallocx-archive", prototypes: "<jemalloc/jemalloc.h>", malloc: "mallocx(n, 0)", free: "dallocx((void *)p, 0)",
		flags: "LIB/libjemalloc.a -lm -lstdc++", allocator: "jemalloc", unseen: "mallocx of jemalloc",
	},
	{
		name: "prefix", malloc: "_rjem_malloc(n)", free: "_rjem_free((void *)p)", flags: "-lm -lstdc++", rename: true,
		allocator: "system", unseen: "_rjem_malloc of jemalloc",
	},
	{
		name: "prefix-unused", flags: "-Wl,--undefined=_rjem_malloc -lm -lstdc++", rename: true, allocator: "system",
	},
	{
		name: "prefix-stripped", malloc: "_rjem_malloc(n)", free: "_rjem_free((void *)p)", flags: "-lm -lstdc++",
		rename: true, strip: true, allocator: "system", unseen: "holds jemalloc, and has no symbols",
	},
	{name: "tcmalloc", flags: "-Wl,--no-as-needed -ltcmalloc_minimal", allocator: "tcmalloc"},
	{name: "tcmalloc-preloaded", preload: "libtcmalloc_minimal.so.4", allocator: "tcmalloc"},
	{
		name: "tc_malloc", prototypes: "<gperftools/tcmalloc.h>", malloc: "tc_malloc(n)", free: "tc_free((void *)p)",
		flags: "-ltcmalloc_minimal", allocator: "tcmalloc", // the same code as malloc
	},
	{name: "mimalloc", flags: "-Wl,--no-as-needed -lmimalloc", allocator: "mimalloc"},
	{
		name: "mi_malloc", prototypes: "<mimalloc.h>", malloc: "mi_malloc(n)", free: "mi_free((void *)p)",
		flags: "-lmimalloc", allocator: "mimalloc", // the same code as malloc
	},
	{
		name: "mi_heap_malloc", prototypes: "<mimalloc.h>", malloc: "mi_heap_malloc(mi_heap_get_default(), n)",
		free: "(void)0", flags: "-lmimalloc", allocator: "mimalloc", unseen: "mi_heap_malloc of mimalloc",
	},
}

func TestAgreesWithMemcheck(t *testing.T) {
	need(t, "valgrind", "gcc", "objcopy", "strip")
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			source := planted
			for from, to := range map[string][2]string{
				"PROTOTYPES": {k.prototypes, "<stddef.h>"}, "MALLOC": {k.malloc, "malloc(n)"}, "FREE": {k.free, "free((void *)p)"},
			} {
				text := to[0]
				if text == "" {
					text = to[1]
				}
				source = strings.Replace(source, from, text, 1)
			}
			source = strings.Replace(source, "__attribute__", "void *_rjem_malloc(size_t); void _rjem_free(void *);\n__attribute__", 1)
			file := filepath.Join(dir, "planted.c")
			if err := os.WriteFile(file, []byte(source), 0o666); err != nil {
				t.Fatal(err)
			}
			program := filepath.Join(dir, "planted")
			lib := strings.TrimSpace(command(t, dir, "gcc", "-print-file-name=libjemalloc.a"))
			if !filepath.IsAbs(lib) {
				missing(t, "libjemalloc-dev is not installed")
			}
			args := []string{"-g", "-O0", "-o", program, file}
			if k.rename {
				archive := filepath.Join(dir, "libprefix.a")
				rename := []string{lib, archive}
				for _, f := range []string{"malloc", "calloc", "realloc", "free", "memalign", "aligned_alloc", "posix_memalign",
					"valloc", "malloc_usable_size", "mallocx", "rallocx", "xallocx", "sallocx", "dallocx", "sdallocx", "nallocx",
					"__libc_malloc", "__libc_calloc", "__libc_realloc", "__libc_free", "__libc_memalign", "__libc_valloc",
					"__posix_memalign", "__malloc_hook", "__free_hook", "__realloc_hook", "__memalign_hook"} {
					rename = append(rename, "--redefine-sym", f+"=_rjem_"+f)
				}
				command(t, dir, "objcopy", rename...)
				command(t, dir, "ar", "d", archive, "jemalloc_cpp.o") // operator new
				args = append(args, archive)
			}
			args = append(args, strings.Fields(strings.ReplaceAll(k.flags, "LIB", filepath.Dir(lib)))...)
			if k.rename {
				args = append(args, filepath.Join(dir, "libprefix.a"))
			}
			command(t, dir, "gcc", args...)
			if k.strip {
				command(t, dir, "strip", program)
			}

			env := os.Environ()
			if k.preload != "" {
				env = append(env, "LD_PRELOAD="+k.preload)
			}
			r, err := new(allocator.Inspector).Inspect(context.Background(), allocator.Program{Path: program, Env: env})
			if err != nil {
				t.Fatal(err)
			}
			if r.Name != k.allocator {
				t.Errorf("the allocator is %q, want %q", r.Name, k.allocator)
			}
			var unseen *allocator.UnseenError
			switch err := r.Err(); {
			case k.unseen == "" && err != nil:
				t.Errorf("refused: %v", err)
			case k.unseen != "" && !errors.As(err, &unseen):
				t.Error("not refused")
			case k.unseen != "" && !strings.Contains(err.Error(), k.unseen):
				t.Errorf("refused without %q: %v", k.unseen, err)
			}
			if (len(r.Unsure) > 0) != k.unsure {
				t.Errorf("doubts: %q", r.Unsure)
			}
			if !slices.Contains(r.Objects, program) {
				t.Errorf("inspected: %q", r.Objects)
			}

			cmd := exec.Command("valgrind", "--command-line-only=yes", "-q", "--error-exitcode=99", "--vgdb=no",
				"--undef-value-errors=no", program)
			cmd.Env = env
			_ = cmd.Run() // its exit code is looked at
			if found := cmd.ProcessState.ExitCode() == 99; found == (k.unseen != "") {
				t.Errorf("memcheck found the bug: %t, and the report says that it cannot see: %q", found, k.unseen)
			}
		})
	}
}

func TestMissingLibrary(t *testing.T) {
	need(t, "gcc")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "lib.c"), "int f(void) { return 0; }\n")
	write(t, filepath.Join(dir, "main.c"), "int f(void); int main(void) { return f(); }\n")
	lib := filepath.Join(dir, "libgone.so")
	command(t, dir, "gcc", "-shared", "-fPIC", "-o", lib, "lib.c")
	command(t, dir, "gcc", "-o", "main", "main.c", lib)

	program := allocator.Program{Path: filepath.Join(dir, "main"), Dir: dir}
	r, err := new(allocator.Inspector).Inspect(context.Background(), program)
	if err != nil || !slices.Contains(r.Objects, lib) {
		t.Errorf("%+v, %v", r, err)
	}
	if err := os.Remove(lib); err != nil {
		t.Fatal(err)
	}
	_, err = new(allocator.Inspector).Inspect(context.Background(), program)
	var missing *allocator.MissingError
	if !errors.As(err, &missing) || !strings.Contains(err.Error(), "libgone.so") {
		t.Errorf("without its library: %v", err)
	}
}

func TestNoProgram(t *testing.T) {
	script := filepath.Join(t.TempDir(), "script")
	write(t, script, "#!/bin/sh\n")
	if _, err := new(allocator.Inspector).Inspect(context.Background(), allocator.Program{Path: script}); !errors.Is(err, allocator.ErrNotELF) {
		t.Errorf("a script: %v", err)
	}
	if _, err := new(allocator.Inspector).Inspect(context.Background(), allocator.Program{Path: script + "x"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func command(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// need skips a test where a program is missing, but in CI.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			missing(t, err.Error())
		}
	}
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}
