// Package suppressions holds the suppression files that runs under memcheck get, chooses among them by what a program
// loads, and reads, writes and checks such files, the users' own too.
//
// Input is valgrind's suppression format, as described in "Suppressing errors" of its manual
// (https://valgrind.org/docs/manual/manual-core.html#manual-core.suppress). The package runs nothing, and whether an
// error is suppressed is valgrind's decision.
package suppressions

import (
	"bytes"
	"debug/elf"
	"embed"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
)

// Set names a set of suppressions that comes with the tool.
type Set string

// The sets.
const (
	Go    Set = "go"    // for what Go's runtime tells memcheck
	Glibc Set = "glibc" // for what glibc does at the end of a program

	Librados Set = "librados" // for what librados loses by itself
)

// sets says of each set what a program loads that needs it: a shared library, as a pattern for its soname, or a section
// of its own.
var sets = []struct {
	Set
	library, section string
}{
	{Set: Go, section: ".go.buildinfo"},
	{Set: Glibc, library: "libc.so.6"},
	{Set: Librados, library: "librados.so.*"},
}

// Sets lists the sets that come with the tool.
func Sets() []Set {
	var all []Set
	for _, s := range sets {
		all = append(all, s.Set)
	}
	return all
}

//go:embed *.supp
var files embed.FS

// Select returns the sets for an ELF program, by the libraries that it asks for itself and by what it was made with.
func Select(program string) ([]Set, error) {
	f, err := elf.Open(program)
	if err != nil {
		return nil, fmt.Errorf("choosing suppressions for %s: %w", program, err)
	}
	defer f.Close()
	var libraries []string
	if f.Section(".dynamic") != nil {
		if libraries, err = f.ImportedLibraries(); err != nil {
			return nil, fmt.Errorf("choosing suppressions for %s: %w", program, err)
		}
	}
	var chosen []Set
	for _, s := range sets {
		loads := func(library string) bool { ok, _ := path.Match(s.library, library); return ok }
		if s.section != "" && f.Section(s.section) != nil || slices.ContainsFunc(libraries, loads) {
			chosen = append(chosen, s.Set)
		}
	}
	return chosen, nil
}

// Shipped returns the entries of sets, in their order. Each entry's File is the set's name with ".supp".
func Shipped(sets ...Set) ([]Entry, error) {
	var all []Entry
	for _, s := range sets {
		name := string(s) + ".supp"
		text, err := files.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("reading suppressions: there is no set %q, only %q", s, Sets())
		}
		entries, err := Parse(name, bytes.NewReader(text))
		if err != nil {
			return nil, err // a set that does not parse: a mistake of ours, which a test finds
		}
		all = append(all, entries...)
	}
	return all, nil
}

// Load reads suppression files. An error says which file, and where in it something else was expected.
func Load(paths ...string) ([]Entry, error) {
	var all []Entry
	for _, p := range paths {
		f, err := os.OpenFile(p, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe that nobody writes to is empty
		if err != nil {
			return nil, fmt.Errorf("reading suppressions: %w", err)
		}
		entries, err := Parse(p, f)
		_ = f.Close() // it was only read
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if _, err := e.Expires(); err != nil {
				return nil, &SyntaxError{e.File, e.Line, fmt.Sprintf("the comment of %s: %v", e.Name, err)}
			}
		}
		all = append(all, entries...)
	}
	return all, nil
}

// WriteByID writes entries into a file for --suppressions, each under its ID in the place of its name: memcheck counts by
// name what each hid, and names of users' entries need not differ from each other or from those of valgrind's own files.
func WriteByID(file string, entries []Entry) error {
	var b strings.Builder
	seen := make(map[string]bool)
	for _, e := range entries {
		if id := e.ID(); !seen[id] {
			seen[id] = true
			e.Name, e.Comment = id, nil
			b.WriteString(e.String())
		}
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		return fmt.Errorf("writing suppressions: %w", err)
	}
	return nil
}
