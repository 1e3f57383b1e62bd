package repro

import (
	"cmp"
	"context"
	"debug/buildinfo"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/cgogrind/cgogrind/harness/internal/shell"
	"github.com/cgogrind/cgogrind/harness/result"
)

// Core is the core dump of a Go program, as the kernel, gcore or valgrind (vgcore.PID) writes it.
type Core struct {
	Path string
	// Program is the path of the program when it ran; empty if the dump does not tell, as valgrind's do not.
	Program string
	// Cut says that the end of the file is missing.
	Cut bool

	size   uint64 // of the file
	id     buildID
	signal string // empty if there was none
	fault  string // its address, if it has one
	f      *elf.File
}

// buildID tells builds of a program apart. Either may be empty.
type buildID struct{ golang, gnu string }

func (id buildID) String() string {
	if id.golang == "" {
		return cmp.Or(id.gnu, "none")
	}
	const enough = 20 // characters of the first part, which says what it was built from
	return id.golang[:min(enough, len(id.golang))] + "…"
}

// What can be wrong with a core dump.
var (
	ErrNotCore     = errors.New("it is no core dump that can be read")
	ErrOtherBinary = errors.New("the core dump is not of this binary")
)

// OpenCore reads what a core dump says of its program. The caller closes it.
func OpenCore(path string) (*Core, error) {
	f, err := elf.Open(path)
	if err != nil {
		start, readErr := readStart(path, len(elf.ELFMAG))
		switch {
		case readErr != nil:
			return nil, fmt.Errorf("reading the core dump: %w", readErr)
		case start == elf.ELFMAG:
			return nil, fmt.Errorf("reading %s: %w: its end is missing (%w): see ulimit -c, and whether the disk was full",
				path, ErrNotCore, err)
		}
		return nil, fmt.Errorf("reading %s: %w: it is not in ELF's format; one that is compressed has to be unpacked "+
			"(coredumpctl dump, zstd -d, lz4 -d)", path, ErrNotCore)
	}
	c := &Core{Path: path, f: f}
	if err := c.read(); err != nil {
		f.Close()
		return nil, fmt.Errorf("reading %s: %w: %w", path, ErrNotCore, err)
	}
	return c, nil
}

// readStart reads the first bytes of a file, or less if it is shorter.
func readStart(path string, n int) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, int64(n)))
	return string(b), err
}

// Close closes the file.
func (c *Core) Close() error { return c.f.Close() }

func (c *Core) read() error {
	switch {
	case c.f.Type != elf.ET_CORE:
		return fmt.Errorf("it is a program or library; give the core dump with --core, and then the test binary")
	case c.f.Machine != elf.EM_X86_64:
		return fmt.Errorf("it is of another kind of machine, %s", c.f.Machine)
	}
	info, err := os.Stat(c.Path)
	if err != nil {
		return err
	}
	c.size = uint64(info.Size())
	var header uint64 // where the program's ELF header is
	var files []mapping
	first := true
	for _, p := range c.f.Progs {
		if p.Type == elf.PT_LOAD {
			c.Cut = c.Cut || p.Off+p.Filesz > uint64(info.Size())
			continue
		}
		if p.Type != elf.PT_NOTE {
			continue
		}
		if p.Filesz > uint64(info.Size()) {
			return errors.New("its notes are cut")
		}
		data := make([]byte, p.Filesz)
		if _, err := p.ReadAt(data, 0); err != nil {
			return fmt.Errorf("its notes are cut: %w", err)
		}
		for n := range notes(data) {
			switch {
			case n.kind == ntPrstatus && first:
				first = false // the thread that the signal struck comes first
				if len(n.desc) >= 14 {
					c.signal = unix.SignalName(unix.Signal(binary.LittleEndian.Uint16(n.desc[12:])))
				}
			case n.kind == ntSiginfo && len(n.desc) >= 24 && int32(binary.LittleEndian.Uint32(n.desc[8:])) > 0:
				c.fault = fmt.Sprintf("0x%x", binary.LittleEndian.Uint64(n.desc[16:]))
			case n.kind == ntAuxv:
				header = auxv(n.desc, atPhdr) - uint64(binary.Size(elf.Header64{}))
			case n.kind == ntFile:
				files = mappings(n.desc)
			}
		}
	}
	if header == 0 {
		header = goTextStart // valgrind writes no auxiliary vector
	}
	for _, m := range files {
		if m.from <= header && header < m.to {
			c.Program = strings.TrimSuffix(m.file, " (deleted)")
		}
	}
	if c.id, err = c.buildID(header); err != nil {
		return fmt.Errorf("it does not tell which program it is of (%w): it may be cut (see ulimit -c), or "+
			"/proc/PID/coredump_filter leaves out ELF headers", err)
	}
	if c.id.golang == "" {
		return fmt.Errorf("it is of a program that is not Go's, %s: gdb reads that as it is",
			cmp.Or(c.Program, "whose path it does not tell"))
	}
	return nil
}

// goTextStart is where Go's linker puts programs that are not position-independent.
const goTextStart = 0x400000

// Types of notes in a core dump, and of an entry of the auxiliary vector: linux/elf.h, linux/auxvec.h.
const (
	ntPrstatus = 1
	ntAuxv     = 6
	ntFile     = 0x46494c45
	ntSiginfo  = 0x53494749
	atPhdr     = 3
)

type note struct {
	name string
	kind uint32
	desc []byte
}

// notes reads notes, up to the first that is cut.
func notes(data []byte) func(func(note) bool) {
	return func(yield func(note) bool) {
		for len(data) >= 12 {
			nameSize, descSize := uint64(binary.LittleEndian.Uint32(data)), uint64(binary.LittleEndian.Uint32(data[4:]))
			n := note{kind: binary.LittleEndian.Uint32(data[8:])}
			desc := 12 + (nameSize+3)&^3
			end := desc + (descSize+3)&^3
			if end > uint64(len(data)) {
				return
			}
			n.name = strings.TrimRight(string(data[12:12+nameSize]), "\x00")
			n.desc = data[desc : desc+descSize]
			if !yield(n) {
				return
			}
			data = data[end:]
		}
	}
}

// auxv looks up an entry of the auxiliary vector.
func auxv(data []byte, key uint64) uint64 {
	for ; len(data) >= 16; data = data[16:] {
		if binary.LittleEndian.Uint64(data) == key {
			return binary.LittleEndian.Uint64(data[8:])
		}
	}
	return 0
}

type mapping struct {
	from, to uint64
	file     string
}

// mappings reads NT_FILE: their number, the size of a page, begin, end and offset of each, and then the names.
func mappings(data []byte) []mapping {
	if len(data) < 16 {
		return nil
	}
	n := binary.LittleEndian.Uint64(data)
	data = data[16:]
	if n > uint64(len(data))/24 {
		return nil
	}
	names := strings.Split(string(data[24*n:]), "\x00")
	var all []mapping
	for i := range int(n) {
		if i < len(names) {
			m := data[24*i:]
			all = append(all, mapping{binary.LittleEndian.Uint64(m), binary.LittleEndian.Uint64(m[8:]), names[i]})
		}
	}
	return all
}

// memory reads the program's memory.
func (c *Core) memory(address, size uint64) ([]byte, error) {
	for _, p := range c.f.Progs {
		if p.Type == elf.PT_LOAD && p.Vaddr <= address && address-p.Vaddr <= p.Filesz && size <= p.Filesz-(address-p.Vaddr) && size <= c.size {
			b := make([]byte, size)
			_, err := p.ReadAt(b, int64(address-p.Vaddr))
			return b, err
		}
	}
	return nil, fmt.Errorf("there is nothing of the address 0x%x in it", address)
}

// buildID reads the build ids of the program whose ELF header is at an address in memory.
func (c *Core) buildID(header uint64) (buildID, error) {
	var h elf.Header64
	b, err := c.memory(header, uint64(binary.Size(h)))
	if err != nil {
		return buildID{}, err
	}
	_, _ = binary.Decode(b, binary.LittleEndian, &h) // it has the size
	if string(h.Ident[:4]) != elf.ELFMAG {
		return buildID{}, fmt.Errorf("there is no program at the address 0x%x", header)
	}
	progs := make([]elf.Prog64, h.Phnum)
	if b, err = c.memory(header+h.Phoff, uint64(binary.Size(progs))); err != nil {
		return buildID{}, err
	}
	_, _ = binary.Decode(b, binary.LittleEndian, progs)
	bias := header
	for _, p := range progs {
		if elf.ProgType(p.Type) == elf.PT_LOAD && p.Off == 0 {
			bias = header - p.Vaddr
		}
	}
	var id buildID
	for _, p := range progs {
		if elf.ProgType(p.Type) != elf.PT_NOTE {
			continue
		}
		if b, err = c.memory(bias+p.Vaddr, p.Filesz); err != nil {
			return buildID{}, err
		}
		id.add(b)
	}
	return id, nil
}

func (id *buildID) add(data []byte) {
	const gnuBuildID, goBuildID = 3, 4
	for n := range notes(data) {
		switch {
		case n.name == "Go" && n.kind == goBuildID:
			id.golang = string(n.desc)
		case n.name == "GNU" && n.kind == gnuBuildID:
			id.gnu = fmt.Sprintf("%x", n.desc)
		}
	}
}

// Matches fails if the core dump is not of a binary.
func (c *Core) Matches(file string) error {
	f, err := elf.Open(file)
	if err != nil {
		return fmt.Errorf("reading the test binary: %w", err)
	}
	defer f.Close()
	var id buildID
	for _, p := range f.Progs {
		if p.Type == elf.PT_NOTE {
			data, err := io.ReadAll(p.Open())
			if err != nil {
				return fmt.Errorf("reading the test binary: %w", err)
			}
			id.add(data)
		}
	}
	if id != c.id {
		return fmt.Errorf("%w: %s is of a program with the build id %s, and %s has %s", ErrOtherBinary, c.Path, c.id,
			file, id)
	}
	return nil
}

// Examine shows in gdb what a core dump tells: of its signal, the test and the goroutine, and the C and Go stack. The
// binary is that of the dump. The test is empty if none had called what the signal struck.
func (g GDB) Examine(ctx context.Context, c *Core, file, goroot string) (test string, err error) {
	work, err := os.MkdirTemp("", "cgogrind-")
	if err != nil {
		return "", fmt.Errorf("making a temporary folder: %w", err)
	}
	defer os.RemoveAll(work)
	script, err := g.script(work)
	if err != nil {
		return "", err
	}
	if g.Batch {
		g.describe(c, file)
	}
	status := filepath.Join(work, "gdb.status")
	// The binary names the script of the Go that built it, which may be on another machine.
	args := append(g.options(goroot), "-iex", "set auto-load python-scripts off", "-x", script)
	if goScript := filepath.Join(goroot, "src", "runtime", "runtime-gdb.py"); goroot != "" {
		args = append(args, "-ex", "source "+goScript)
	}
	args = append(args, "-ex", "cgogrind core", "-ex", "set pagination on", file)
	path, err := filepath.Abs(c.Path)
	if err != nil {
		return "", err
	}
	env := []string{
		"CGOGRIND_GDB_CORE=" + path, "CGOGRIND_GDB_STATUS=" + status,
		"CGOGRIND_GDB_SIGNAL=" + c.signal, "CGOGRIND_GDB_FAULT=" + c.fault,
	}
	if err := g.run(ctx, args, env, ""); err != nil {
		return "", err
	}
	if err := ctx.Err(); err != nil {
		return "", context.Cause(ctx)
	}
	said, err := os.ReadFile(status)
	if err != nil {
		return "", &RunError{result.ExitInconclusive, fmt.Errorf("gdb did not read the core dump: its messages say why")}
	}
	return strings.TrimPrefix(string(said), "test "), nil
}

// describe says what the binary is.
func (g GDB) describe(c *Core, file string) {
	fmt.Fprintf(g.Stdout, "core dump %s\n  of %s\n", c.Path, file)
	if info, err := buildinfo.ReadFile(file); err == nil {
		fmt.Fprintf(g.Stdout, "  %s  %s\n", info.Path, info.GoVersion)
		for _, s := range info.Settings {
			switch s.Key {
			case "-tags", "-race", "-msan", "-asan", "CGO_CFLAGS", "CGO_LDFLAGS", "GOEXPERIMENT", "vcs.revision",
				"vcs.time", "vcs.modified":
				if s.Value != "" {
					fmt.Fprintf(g.Stdout, "  %s=%s\n", s.Key, s.Value)
				}
			}
		}
	}
	fmt.Fprintln(g.Stdout)
}

// TestCommand is the command that runs a test again that a core dump named; empty if the binary does not tell its
// package.
func TestCommand(file, test string) string {
	info, err := buildinfo.ReadFile(file)
	if err != nil || test == "" || !strings.HasSuffix(info.Path, ".test") {
		return ""
	}
	var levels []string
	for _, l := range strings.Split(test, "/") {
		levels = append(levels, "^"+regexp.QuoteMeta(l)+"$")
	}
	args := []string{"cgogrind", "test"}
	for _, s := range info.Settings {
		if s.Key == "-tags" {
			tags := slices.DeleteFunc(strings.Split(s.Value, ","), func(t string) bool { return t == "valgrind" || t == "" })
			if len(tags) > 0 { // without the one of the instrumented runtime
				args = append(args, "-tags="+strings.Join(tags, ","))
			}
		}
	}
	args = append(args, "-run", strings.Join(levels, "/"), strings.TrimSuffix(info.Path, ".test"))
	return shell.Command{Args: args}.String()
}
