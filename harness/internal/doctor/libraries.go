package doctor

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/cgogrind/cgogrind/harness/internal/artifact"
	"github.com/cgogrind/cgogrind/harness/internal/shell"
)

// library is a shared library as the dynamic linker finds it.
type library struct {
	name string // its soname, for example "librados.so.2"
	path string // with symbolic links resolved
}

// cacheLine is a line of ldconfig -p: "	librados.so.2 (libc6,x86-64) => /lib/x86_64-linux-gnu/librados.so.2".
var cacheLine = regexp.MustCompile(`(?m)^\s+(\S+) \(libc6,(?:x86-64|AArch64)[^)]*\) => (\S+)$`)

// findLibrary asks the dynamic linker's cache for a library whose name begins with prefix: "libc.so.6", "librados.so.".
func (e *examination) findLibrary(ctx context.Context, prefix string) (library, bool) {
	ldconfig := "/sbin/ldconfig" // of every glibc; /sbin is seldom on a user's PATH
	out, err := e.run(ctx, ldconfig, "-p")
	if err != nil {
		return library{}, false
	}
	for _, m := range cacheLine.FindAllStringSubmatch(out, -1) {
		if strings.HasPrefix(m[1], prefix) {
			if path, err := filepath.EvalSymlinks(m[2]); err == nil {
				return library{m[1], path}, true
			}
		}
	}
	return library{}, false
}

// debugInfo is how much of a library's debug information is at hand.
type debugInfo int

const (
	noSymbols   debugInfo = iota // names of exported functions only
	symbolTable                  // names of all functions
	fullDebug                    // files and lines, too
)

// debugOf reads from a library's file, and those that go with it, what valgrind and gdb can know of it.
func debugOf(path string) (debugInfo, error) {
	f, err := elf.Open(path)
	if err != nil {
		return noSymbols, fmt.Errorf("reading %s: %w", path, err)
	}
	defer f.Close()
	if hasSection(f, ".debug_info", ".zdebug_info") {
		return fullDebug, nil
	}
	if id := artifact.BuildID(f); len(id) > 2 {
		if _, err := os.Stat(filepath.Join("/usr/lib/debug/.build-id", id[:2], id[2:]+".debug")); err == nil {
			return fullDebug, nil
		}
	}
	if _, err := os.Stat("/usr/lib/debug" + path); err == nil {
		return fullDebug, nil
	}
	if hasSection(f, ".symtab") {
		return symbolTable, nil
	}
	return noSymbols, nil
}

func hasSection(f *elf.File, names ...string) bool {
	return slices.ContainsFunc(f.Sections, func(s *elf.Section) bool { return slices.Contains(names, s.Name) })
}

// canFetch is whether valgrind and gdb get debug information from a server.
func (e *examination) canFetch() bool {
	_, err := exec.LookPath("debuginfod-find")
	return shell.Getenv(e.cfg.Env, "DEBUGINFOD_URLS") != "" && err == nil
}

func (e *examination) libcRemedy() string {
	switch e.system.family {
	case "debian", "ubuntu":
		return e.system.install(packages{apt: "libc6-dbg"})
	case "fedora":
		return "dnf debuginfo-install glibc"
	}
	return e.system.debugSymbols("")
}

func (e *examination) libc(ctx context.Context) {
	const name = "libc symbols"
	const lacks = "stacks through libc (pthread, stdio, getaddrinfo) show no lines and may end early; where the dynamic loader " +
		"has no symbols at all, memcheck refuses to start"
	lib, ok := e.findLibrary(ctx, "libc.so.6")
	if !ok {
		e.bad(Check{
			Name: name, Status: Warning, Found: "no glibc (libc.so.6) in the dynamic linker's cache", Lacks: lacks,
			Remedy: "use a system with glibc: musl's valgrind and Go's cgo are untried here",
		})
		return
	}
	info, err := debugOf(lib.path)
	switch {
	case err != nil:
		e.bad(Check{Name: name, Status: Warning, Found: err.Error(), Lacks: lacks, Remedy: e.libcRemedy()})
	case info == fullDebug:
		e.good(name, "%s with files and lines", lib.path)
	case e.canFetch():
		e.good(name, "%s, from DEBUGINFOD_URLS when they are needed", lib.path)
	default:
		e.bad(Check{
			Name: name, Status: Warning, Found: lib.path + " has no debug information", Lacks: lacks, Remedy: e.libcRemedy(),
		})
	}
}

// libraries looks at the C libraries that the packages link.
func (e *examination) libraries(ctx context.Context) {
	names, err := e.linked(ctx)
	if err != nil {
		e.bad(Check{
			Name: "libraries", Status: Warning, Found: err.Error(), Lacks: "which C libraries the packages link is not known",
			Remedy: "see what it says: go list -deps -test " + strings.Join(e.cfg.Patterns, " "),
		})
		return
	}
	for _, name := range names {
		check := "lib" + name + " symbols"
		lib, ok := e.findLibrary(ctx, "lib"+name+".so.")
		if !ok {
			continue // a static one, or one of the packages' own: -L says where
		}
		info, err := debugOf(lib.path)
		switch {
		case err != nil:
			e.bad(Check{Name: check, Status: Warning, Found: err.Error()})
		case info == fullDebug:
			e.good(check, "%s with files and lines", lib.path)
		case e.canFetch():
			e.good(check, "%s, from DEBUGINFOD_URLS when they are needed", lib.path)
		default:
			e.bad(Check{
				Name: check, Status: Warning, Found: lib.path + " has no debug information",
				Lacks:  "stacks show its exported functions without files and lines, and no others",
				Remedy: e.system.debugSymbols(e.packageOf(ctx, lib.path)),
			})
		}
	}
}

// linkFlag is -lrados among the linker's flags.
var linkFlag = regexp.MustCompile(`^-l([A-Za-z0-9_.+-]+)$`)

// linked are the names of the libraries that the packages' cgo code links, without "lib".
func (e *examination) linked(ctx context.Context) ([]string, error) {
	if !e.goRuns || len(e.cfg.Patterns) == 0 {
		return nil, nil
	}
	args := []string{"list", "-e", "-deps", "-test", "-json=CgoLDFLAGS,CgoPkgConfig", "--"}
	out, err := e.run(ctx, "go", append(args, e.cfg.Patterns...)...)
	if err != nil {
		return nil, fmt.Errorf("listing packages: %w", err)
	}
	var names []string
	for dec := json.NewDecoder(bytes.NewReader([]byte(out))); ; {
		var p struct{ CgoLDFLAGS, CgoPkgConfig []string }
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("reading go list: %w", err)
		}
		flags := p.CgoLDFLAGS
		if len(p.CgoPkgConfig) > 0 {
			// What pkg-config does not know the build will complain about.
			if out, err := e.run(ctx, "pkg-config", append([]string{"--libs", "--"}, p.CgoPkgConfig...)...); err == nil {
				flags = append(flags, strings.Fields(out)...)
			}
		}
		for _, f := range flags {
			m := linkFlag.FindStringSubmatch(f)
			if m != nil && !slices.Contains([]string{"c", "m", "dl", "pthread", "resolv", "rt"}, m[1]) && !slices.Contains(names, m[1]) {
				names = append(names, m[1])
			}
		}
	}
	return names, nil
}

// packageOf is the package that a file belongs to; empty if that is not known.
func (e *examination) packageOf(ctx context.Context, path string) string {
	switch e.system.family {
	case "debian", "ubuntu":
		// "librados2: /usr/lib/x86_64-linux-gnu/librados.so.2.0.0"; with merged /usr either spelling may be known.
		for _, p := range []string{path, strings.TrimPrefix(path, "/usr")} {
			if out, err := e.run(ctx, "dpkg", "-S", p); err == nil {
				pkg, _, _ := strings.Cut(out, ":")
				return pkg
			}
		}
	case "fedora":
		if out, err := e.run(ctx, "rpm", "-qf", "--qf", "%{NAME}", path); err == nil {
			return out
		}
	}
	return ""
}

// foreign are allocators whose own entry points memcheck does not see, by a part of their libraries' names.
var foreign = []string{"jemalloc", "tcmalloc", "mimalloc", "hoard", "snmalloc", "rpmalloc"}

// allocator looks for one that is preloaded into every program.
func (e *examination) allocator(context.Context) {
	preload, _ := os.ReadFile("/etc/ld.so.preload")
	from := map[string]string{"/etc/ld.so.preload": string(preload)}
	for _, kv := range e.cfg.Env {
		if v, ok := strings.CutPrefix(kv, "LD_PRELOAD="); ok {
			from["LD_PRELOAD"] = v
		}
	}
	for _, source := range []string{"LD_PRELOAD", "/etc/ld.so.preload"} {
		for _, lib := range strings.FieldsFunc(from[source], func(r rune) bool { return strings.ContainsRune(" :\n\t", r) }) {
			for _, name := range foreign {
				if strings.Contains(filepath.Base(lib), name) {
					e.bad(Check{
						Name: "allocator", Status: Warning, Found: source + " loads " + lib,
						Lacks:  "memory from entry points of its own is not checked",
						Remedy: "leave it out of " + source + " while testing",
					})
					return
				}
			}
		}
	}
	e.good("allocator", "none is preloaded: the system's malloc, unless a package links another")
}
