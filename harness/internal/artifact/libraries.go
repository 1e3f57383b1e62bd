package artifact

import (
	"context"
	"debug/elf"
	"encoding/hex"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/cgogrind/cgogrind/harness/internal/child"
)

// Library is a shared library as the dynamic linker finds it for a program.
type Library struct {
	Name    string `json:"name"`               // as the program asks for it: "librados.so.2"
	Path    string `json:"path,omitempty"`     // empty if it is not found
	BuildID string `json:"build_id,omitempty"` // the GNU build id
}

// linkerLine is one that the dynamic linker prints: "	libc.so.6 => /lib/libc.so.6 (0x7f…)", "	libx.so => not found".
var linkerLine = regexp.MustCompile(`(?m)^\s+(\S+) => (?:(/\S+) \(0x[0-9a-f]+\)|not found)$`)

// Libraries asks the dynamic linker what a program would load with an environment. The program does not run. One that is
// linked statically has none.
func Libraries(ctx context.Context, program string, env []string) ([]Library, error) {
	f, err := elf.Open(program)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", program, err)
	}
	defer f.Close()
	i := slices.IndexFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
	if i < 0 {
		return nil, nil
	}
	interp := make([]byte, f.Progs[i].Filesz)
	if _, err := f.Progs[i].ReadAt(interp, 0); err != nil {
		return nil, fmt.Errorf("reading %s: %w", program, err)
	}
	// The linker itself is what runs: a program that was saved elsewhere might name another one.
	// It is asked as ldd asks: with --list it stops at the first library that is missing.
	cmd := exec.Command(strings.TrimRight(string(interp), "\x00"), program)
	cmd.Env = append(slices.Clone(env), "LD_TRACE_LOADED_OBJECTS=1")
	out, err := child.Output(ctx, cmd)
	found := linkerLine.FindAllStringSubmatch(string(out), -1)
	if err != nil && len(found) == 0 {
		return nil, fmt.Errorf("asking the dynamic linker for the libraries of %s: %w", program, err)
	}
	var libraries []Library
	for _, m := range found {
		l := Library{Name: m[1], Path: m[2]}
		if real, err := filepath.EvalSymlinks(l.Path); l.Path != "" && err == nil {
			l.Path = real
			l.BuildID = buildID(real)
		}
		libraries = append(libraries, l)
	}
	return libraries, nil
}

// buildID is a file's GNU build id in hexadecimal digits; empty if it has none.
func buildID(file string) string {
	f, err := elf.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	return BuildID(f)
}

// BuildID is the GNU build id of a program or library in hexadecimal digits; empty if it has none.
func BuildID(f *elf.File) string {
	s := f.Section(".note.gnu.build-id")
	if s == nil {
		return ""
	}
	note, err := s.Data()
	const header = 16 // three words, and "GNU" with a zero
	if err != nil || len(note) <= header {
		return ""
	}
	return hex.EncodeToString(note[header:])
}
