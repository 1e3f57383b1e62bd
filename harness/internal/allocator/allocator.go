// Package allocator finds out before a run which allocators a program uses, and whether memcheck sees the memory that
// they hand out.
//
// memcheck replaces the functions malloc, free, operator new and their kin, by name, in the program and in every library
// that has them, whoever made them: a program that is linked to jemalloc, tcmalloc or mimalloc, or runs with one of them
// in LD_PRELOAD, is checked like any other. What it does not see is memory from functions with other names: mallocx of
// jemalloc, the je_malloc of a build with a prefix, mi_heap_malloc of mimalloc; and nothing at all is replaced in a
// program that is linked statically, as no library can be loaded into it. A function with such a name that is the same
// code as malloc (tc_malloc of tcmalloc, mi_malloc of mimalloc's library) is replaced with it.
//
// Input is the program and the environment that it will run with. Which libraries it loads is asked of its own dynamic
// linker. The package does not see what the program loads later by dlopen, and no pools that a program keeps within
// memory from malloc.
package allocator

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cgogrind/cgogrind/harness/internal/child"
)

// System is the name of the C library's own allocator.
const System = "system"

// Program is a program that will run.
type Program struct {
	Path string   // relative to this process's directory unless absolute
	Dir  string   // its working directory; this process's if empty
	Env  []string // its environment; this process's if nil
}

// Report says what a program's memory comes from.
type Report struct {
	// Name is whose malloc the program gets: "system", "jemalloc", "tcmalloc", …; empty for a program without any.
	Name string
	// Objects are the files that were inspected: the program and all that it loads.
	Objects []string
	// Unseen are the sources of memory that memcheck does not check.
	Unseen []Unseen
	// Unsure are doubts, a sentence each: sources of memory that the program may use, which could not be told.
	Unsure []string
}

// Unseen is a source of memory that memcheck does not see.
type Unseen struct {
	Allocator string // "jemalloc"; empty if Static
	Function  string // mallocx; empty if it is not known, because the object's symbols were stripped
	Object    string // the file that has the function
	User      string // a file that calls it
	Static    bool   // the whole program: it is linked statically
}

// String says what is not checked, in a sentence without a full stop.
func (u Unseen) String() string {
	switch {
	case u.Static:
		return u.Object + " is linked statically, so that memcheck can replace none of its malloc, free and their kin"
	case u.Function == "":
		return fmt.Sprintf("%s holds %s, and has no symbols by which memcheck could find its functions", u.Object, u.Allocator)
	case u.User == u.Object:
		return fmt.Sprintf("%s takes memory from %s of %s, which memcheck does not see", u.User, u.Function, u.Allocator)
	}
	return fmt.Sprintf("%s takes memory from %s of %s (%s), which memcheck does not see", u.User, u.Function, u.Allocator,
		u.Object)
}

// Source names the source in a word or three.
func (u Unseen) Source() string {
	switch {
	case u.Static:
		return "any memory"
	case u.Function == "":
		return u.Allocator
	}
	return u.Function
}

// Remedy says how to make the memory visible, in a sentence without a full stop.
func (u Unseen) Remedy() string {
	switch {
	case u.Static:
		return "link it dynamically (without -static; for Rust a -gnu target, not -musl)"
	case u.Function == "":
		return "keep the symbols (no -s, no strip), or build it for memcheck with the system's allocator"
	}
	return "build it for memcheck with malloc in the place of " + u.Function + " (for Rust: without #[global_allocator])"
}

// UnseenError is the error of a program some of whose memory memcheck does not check.
type UnseenError struct {
	Program string
	Unseen  []Unseen
}

func (e *UnseenError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "memcheck cannot check all memory of %s:", e.Program)
	for _, u := range e.Unseen {
		fmt.Fprintf(&b, "\n  %s\n    %s", u, u.Remedy())
	}
	b.WriteString("\n--allocator=warn goes on without: bugs in that memory are missed")
	return b.String()
}

// MissingError is the error of a program that cannot start because libraries are missing.
type MissingError struct {
	Program string
	Text    string // what the dynamic linker says
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("%s cannot start: %s; install what is missing, or tell where it is with LD_LIBRARY_PATH",
		e.Program, e.Text)
}

// ErrNotELF is the error for a file that is no program in the ELF format.
var ErrNotELF = errors.New("it is no ELF program")

// Inspector inspects programs, and libraries that several of them load once. The zero value is ready. It is not safe for
// concurrent use.
type Inspector struct {
	objects map[string]*object
}

// Inspect inspects a program. The error is a *MissingError when the program could not start, and matches ErrNotELF for
// a script and the like.
func (in *Inspector) Inspect(ctx context.Context, p Program) (*Report, error) {
	path, err := filepath.Abs(p.Path)
	if err != nil {
		return nil, fmt.Errorf("inspecting %s: %w", p.Path, err)
	}
	f, err := elf.Open(path)
	if err != nil {
		var format *elf.FormatError
		if errors.As(err, &format) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = ErrNotELF
		}
		return nil, fmt.Errorf("inspecting %s: %w", p.Path, err)
	}
	defer f.Close()
	linker, err := interpreter(f)
	if err != nil {
		return nil, fmt.Errorf("inspecting %s: %w", p.Path, err)
	}
	if linker == "" {
		return &Report{Objects: []string{path}, Unseen: []Unseen{{Object: path, User: path, Static: true}}}, nil
	}
	loaded, err := libraries(ctx, linker, path, p)
	if err != nil {
		return nil, err
	}
	r := &Report{}
	var objects []*object
	for _, name := range append([]string{path}, loaded...) {
		o := in.objects[name]
		if o == nil {
			if o, err = readObject(name); err != nil {
				return nil, fmt.Errorf("inspecting %s, which %s loads: %w", name, p.Path, err)
			}
			if in.objects == nil {
				in.objects = make(map[string]*object)
			}
			in.objects[name] = o
		}
		objects = append(objects, o)
		r.Objects = append(r.Objects, name)
	}
	r.judge(objects)
	return r, nil
}

// Err is an *UnseenError if memcheck does not check all of the program's memory.
func (r *Report) Err() error {
	if len(r.Unseen) == 0 {
		return nil
	}
	return &UnseenError{Program: r.Objects[0], Unseen: r.Unseen}
}

// interpreter returns the program's dynamic linker, "" if it has none.
func interpreter(f *elf.File) (string, error) {
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		b := make([]byte, p.Filesz)
		if _, err := p.ReadAt(b, 0); err != nil {
			return "", fmt.Errorf("reading the name of its dynamic linker: %w", err)
		}
		return strings.TrimRight(string(b), "\x00"), nil
	}
	return "", nil
}

// libraries asks the dynamic linker what it would load, in its order: LD_PRELOAD first. The program does not run.
func libraries(ctx context.Context, linker, path string, p Program) ([]string, error) {
	cmd := exec.Command(linker, "--list", path)
	cmd.Dir, cmd.Env = p.Dir, p.Env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := child.Output(ctx, cmd)
	if err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("inspecting %s: %w", p.Path, context.Cause(ctx))
		}
		said := strings.TrimSpace(stderr.String())
		if said == "" {
			said = fmt.Sprintf("its dynamic linker %s: %v", linker, err)
		}
		return nil, &MissingError{p.Path, said}
	}
	var out []string
	for line := range strings.Lines(string(stdout)) {
		name, to, arrow := strings.Cut(strings.TrimSpace(line), " => ")
		if !arrow {
			to = name
		}
		to, _, _ = strings.Cut(to, " (0x")
		switch {
		case to == "not found":
			return nil, &MissingError{p.Path, "it needs " + name + ", which is not found"}
		case !filepath.IsAbs(to) && strings.Contains(to, "/"):
			to = filepath.Join(p.Dir, to)
		case !filepath.IsAbs(to):
			continue // linux-vdso.so.1, which is the kernel's
		}
		if _, err := os.Stat(to); err == nil {
			out = append(out, to)
		}
	}
	return out, nil
}

// judge finds the process's malloc, and what memcheck does not see.
func (r *Report) judge(objects []*object) {
	for _, o := range objects {
		if o.exports["malloc"] {
			r.Name = o.nameOfMalloc()
			break
		}
	}
	for _, o := range objects {
		var users []Unseen
		for _, fn := range o.entries {
			for _, other := range objects {
				if other != o && o.exports[fn.name] && other.imports[fn.name] {
					users = append(users, Unseen{Allocator: fn.allocator, Function: fn.name, Object: o.path, User: other.path})
				}
			}
		}
		for _, fn := range o.used {
			users = append(users, Unseen{Allocator: fn.allocator, Function: fn.name, Object: o.path, User: o.path})
		}
		for _, fn := range o.unsure[:min(1, len(o.unsure))] {
			r.Unsure = append(r.Unsure, fmt.Sprintf("whether %s takes memory from %s of %s, which memcheck does not see, cannot "+
				"be told from its code", o.path, fn.name, fn.allocator))
		}
		if o.hidden != "" && len(users) == 0 {
			if o.exports["malloc"] {
				r.Unsure = append(r.Unsure, fmt.Sprintf("%s holds %s and has no symbols: memcheck sees its malloc, and whether it "+
					"takes memory from functions with other names cannot be told", o.path, o.hidden))
			} else {
				users = append(users, Unseen{Allocator: o.hidden, Object: o.path, User: o.path})
			}
		}
		// One function for each pair of files says enough.
		for _, u := range users {
			same := func(v Unseen) bool { return v.Object == u.Object && v.User == u.User && v.Allocator == u.Allocator }
			if !slices.ContainsFunc(r.Unseen, same) {
				r.Unseen = append(r.Unseen, u)
			}
		}
	}
}
