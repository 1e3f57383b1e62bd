package repro

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// aNote is a note as a core dump has it.
func aNote(name string, kind uint32, desc []byte) []byte {
	pad := func(b []byte) []byte { return append(b, make([]byte, -len(b)&3)...) }
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(name)+1))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(desc)))
	b = binary.LittleEndian.AppendUint32(b, kind)
	b = append(b, pad([]byte(name+"\x00"))...)
	return append(b, pad(desc)...)
}

func words(n ...uint64) []byte {
	var b []byte
	for _, w := range n {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b
}

// Notes are read up to the first that is cut, wherever that is.
func TestNotes(t *testing.T) {
	data := append(aNote("Go", 4, []byte("a/b")), aNote("GNU", 3, []byte{0xab, 0xcd})...)
	whole := len(aNote("Go", 4, []byte("a/b")))
	for n := range len(data) + 1 {
		var id buildID
		id.add(data[:n])
		want := buildID{}
		if n >= whole {
			want.golang = "a/b"
		}
		if n == len(data) {
			want.gnu = "abcd"
		}
		if id != want {
			t.Errorf("of %d bytes: %+v, want %+v", n, id, want)
		}
	}
	for range notes([]byte(strings.Repeat("\xff", 64))) {
		t.Error("a note that is longer than the file")
	}
}

func TestMappingsOfACoreDump(t *testing.T) {
	data := append(words(2, 4096, 0x400000, 0x402000, 0, 0x7000, 0x8000, 1), "/bin/p (deleted)\x00/lib/x\x00"...)
	want := []mapping{{0x400000, 0x402000, "/bin/p (deleted)"}, {0x7000, 0x8000, "/lib/x"}}
	if diff := cmp.Diff(want, mappings(data), cmp.AllowUnexported(mapping{})); diff != "" {
		t.Error(diff)
	}
	for n := range 64 { // the tables are cut
		if got := mappings(data[:n]); len(got) != 0 {
			t.Errorf("of %d bytes: %+v", n, got)
		}
	}
	if got := mappings(words(1<<62, 4096, 1, 2, 3)); got != nil {
		t.Errorf("%+v", got)
	}
	if got := auxv(words(6, 4096, atPhdr, 0x400040, 0, 0), atPhdr); got != 0x400040 {
		t.Errorf("0x%x", got)
	}
	if got := auxv(words(6, 4096, atPhdr)[:20], atPhdr); got != 0 {
		t.Errorf("0x%x of a vector that is cut", got)
	}
}

func TestFilesThatAreNoCoreDumps(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		file, says string
		is         error
	}{
		{filepath.Join(dir, "none"), "no such file", fs.ErrNotExist},
		{write("empty", ""), "not in ELF's format", ErrNotCore},
		{write("packed", "\x28\xb5\x2f\xfd"+strings.Repeat("\x00", 100)), "has to be unpacked (coredumpctl dump", ErrNotCore},
		{write("short", "\x7fELF"), "its end is missing", ErrNotCore},
		{self, "it is a program or library", ErrNotCore},
	} {
		c, err := OpenCore(tt.file)
		if err == nil || !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %+v, %v; want %q", tt.file, c, err, tt.says)
		}
	}
}

func TestTestCommand(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var tags string // with which this test was built
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "-tags" {
				tags = "-tags=" + s.Value + " "
			}
		}
	}
	want := "cgogrind test " + tags + "-run '^TestA$/^b\\.c$' github.com/cgogrind/cgogrind/harness/internal/repro"
	if got := TestCommand(self, "TestA/b.c"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := TestCommand(self, ""); got != "" {
		t.Errorf("%s of no test", got)
	}
	if got := TestCommand("/bin/sh", "TestA"); got != "" {
		t.Errorf("%s of a program that is not Go's", got)
	}
}

// aCore is a core dump with notes and memory.
func aCore(notes, memory []byte) []byte {
	h := elf.Header64{Type: uint16(elf.ET_CORE), Machine: uint16(elf.EM_X86_64), Version: 1, Ehsize: 64, Phentsize: 56, Phoff: 64, Phnum: 2}
	copy(h.Ident[:], elf.ELFMAG+"\x02\x01\x01")
	const start = 64 + 2*56
	var b bytes.Buffer
	for _, part := range []any{
		h,
		elf.Prog64{Type: uint32(elf.PT_NOTE), Off: start, Filesz: uint64(len(notes))},
		elf.Prog64{Type: uint32(elf.PT_LOAD), Off: start + uint64(len(notes)), Vaddr: goTextStart, Filesz: uint64(len(memory))},
		notes, memory,
	} {
		_ = binary.Write(&b, binary.LittleEndian, part) // never fails
	}
	return b.Bytes()
}

// Sizes in a damaged core dump are larger than the file: no memory is taken for them.
func TestSizesOfACoreDump(t *testing.T) {
	for _, size := range []uint64{1 << 40, 1 << 62, 1<<64 - 1} {
		whole := aCore(aNote("CORE", ntPrstatus, words(1, 2, 3)), make([]byte, 64))
		for _, at := range []int{64 + 32, 64 + 56 + 32} { // the sizes of the notes and of the memory in the file
			data := bytes.Clone(whole)
			binary.LittleEndian.PutUint64(data[at:], size)
			file := filepath.Join(t.TempDir(), "core")
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
			if c, err := OpenCore(file); !errors.Is(err, ErrNotCore) {
				t.Errorf("%d: %v, %v", size, c, err)
			}
		}
	}
}

// FuzzCore: a core dump is read, or refused as none, and what is not in the file takes no memory.
func FuzzCore(f *testing.F) {
	id := aNote("Go", 4, []byte("a/b"))
	var program bytes.Buffer // as it lies in memory
	h := elf.Header64{Phoff: 64, Phnum: 1, Phentsize: 56}
	copy(h.Ident[:], elf.ELFMAG)
	_ = binary.Write(&program, binary.LittleEndian, h) // never fails
	_ = binary.Write(&program, binary.LittleEndian, elf.Prog64{Type: uint32(elf.PT_NOTE), Vaddr: 120, Filesz: uint64(len(id))})
	program.Write(id)
	data := aCore(append(aNote("CORE", ntPrstatus, words(1, 2, 3)), aNote("CORE", ntFile,
		append(words(1, 4096, goTextStart, goTextStart+4096, 0), "/bin/p\x00"...))...), program.Bytes())
	f.Add(data)
	f.Add(data[:200])
	f.Add(aCore(aNote("CORE", ntAuxv, words(atPhdr, 1<<63)), nil))
	f.Add([]byte(elf.ELFMAG))
	file := filepath.Join(f.TempDir(), "core")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := OpenCore(file)
		if err != nil {
			if !errors.Is(err, ErrNotCore) || !strings.Contains(err.Error(), file) {
				t.Errorf("%v", err)
			}
			return
		}
		defer c.Close()
		if c.id.golang == "" {
			t.Error("it is of no Go program")
		}
		if err := c.Matches(file); err == nil && !bytes.Contains(data, []byte(c.id.golang)) {
			t.Errorf("it has the build id %s", c.id)
		}
	})
}
