// Package symbols names places in a program from the program's own debugging information (DWARF 2 to 5 in an ELF file):
// functions, those that the compiler inlined among them, files and lines. memcheck does the same, but takes the inlined
// functions of one compilation unit for another's where C and Go are linked together.
//
// Input is the path of the program and addresses as they are in its file. It answers for C and Go code only: the names
// of other languages need demangling. It does not read separate debugging information, nor that of shared libraries.
package symbols

import (
	"cmp"
	"debug/dwarf"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Frame is a function that runs at an address, and where in it.
type Frame struct {
	Function string
	File     string // the whole path, as the compiler saw it
	Line     int
}

// Table names addresses of one program. It is not safe for concurrent use.
type Table struct {
	data        *dwarf.Data
	relocatable bool
	path        string
	machine     elf.Machine
	addresses   map[string]uint64 // of functions, by symbol
	ranges      []unitRange       // sorted
	names       map[dwarf.Offset]string
	frames      map[uint64][]Frame // what was looked up before
}

type unit struct {
	entry     *dwarf.Entry
	loaded    bool
	files     []*dwarf.LineFile
	lines     []lineRange // sorted
	functions []function  // sorted
}

type unitRange struct {
	low, high uint64
	unit      *unit
}

type lineRange struct {
	low, high uint64
	file      string
	line      int
}

type function struct {
	low, high uint64
	offset    dwarf.Offset
}

// ErrNoDebugInfo is the error for a program without any: it was stripped.
var ErrNoDebugInfo = errors.New("it has no debugging information")

// Open reads the program's index of compilation units. The rest is read when it is needed.
func Open(path string) (*Table, error) {
	t := &Table{
		addresses: make(map[string]uint64), names: make(map[dwarf.Offset]string), frames: make(map[uint64][]Frame),
	}
	if err := t.read(path); err != nil {
		return nil, fmt.Errorf("reading the symbols of %s: %w", path, err)
	}
	return t, nil
}

func (t *Table) read(path string) error {
	f, err := elf.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	t.relocatable, t.path, t.machine = f.Type == elf.ET_DYN, path, f.Machine
	symbols, err := f.Symbols()
	if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return err
	}
	for _, s := range symbols {
		if elf.ST_TYPE(s.Info) == elf.STT_FUNC {
			t.addresses[s.Name] = s.Value
		}
	}
	if f.Section(".debug_info") == nil && f.Section(".zdebug_info") == nil {
		return ErrNoDebugInfo
	}
	if t.data, err = f.DWARF(); err != nil {
		return err
	}
	return t.readUnits()
}

// The languages of the units that are read, from the DWARF standard's table.
var languages = []int64{
	0x01, // C89
	0x02, // C
	0x0c, // C99
	0x1d, // C11
	0x2c, // C17
	0x16, // Go
}

func (t *Table) readUnits() error {
	r := t.data.Reader()
	for {
		e, err := r.Next()
		if err != nil {
			return err
		}
		if e == nil {
			break
		}
		r.SkipChildren()
		if e.Tag != dwarf.TagCompileUnit {
			continue
		}
		if language, _ := e.Val(dwarf.AttrLanguage).(int64); !slices.Contains(languages, language) {
			continue
		}
		ranges, err := t.data.Ranges(e)
		if err != nil {
			return err
		}
		u := &unit{entry: e}
		for _, rg := range ranges {
			t.ranges = append(t.ranges, unitRange{rg[0], rg[1], u})
		}
	}
	slices.SortFunc(t.ranges, func(a, b unitRange) int { return cmp.Compare(a.low, b.low) })
	return nil
}

// Bias is what the program's addresses in memory are higher than those in its file, given where the function of a
// symbol lies in memory. It is not ok if that cannot be known.
func (t *Table) Bias(symbol string, address uint64) (bias uint64, ok bool) {
	if !t.relocatable {
		return 0, true
	}
	link, ok := t.addresses[symbol]
	if !ok || address < link {
		return 0, false
	}
	return address - link, true
}

// IsNilCheck says whether the instruction at an address of the program's file is Go's check for nil: TESTB AX, (R), which reads a
// byte and does nothing with it. It knows x86-64 only.
func (t *Table) IsNilCheck(pc uint64) bool {
	if t.machine != elf.EM_X86_64 {
		return false
	}
	f, err := elf.Open(t.path)
	if err != nil {
		return false
	}
	defer f.Close()
	for _, s := range f.Sections {
		if s.Flags&elf.SHF_EXECINSTR == 0 || pc < s.Addr || pc-s.Addr >= s.FileSize {
			continue
		}
		code := make([]byte, 3)
		n, _ := s.ReadAt(code, int64(pc-s.Addr)) // less at the section's end
		return isNilCheck(code[:n])
	}
	return false
}

// isNilCheck reads an instruction: an optional REX prefix that extends the address only, the opcode of TEST r/m8, r8, and a ModR/M
// byte that names AL and memory.
func isNilCheck(code []byte) bool {
	if len(code) > 0 && (code[0] == 0x40 || code[0] == 0x41) {
		code = code[1:]
	}
	return len(code) >= 2 && code[0] == 0x84 && code[1]>>6 != 3 && code[1]>>3&7 == 0
}

// Frames returns the functions that run at an address of the program's file, the innermost inlined one first. It
// returns none if the debugging information does not cover the address, is damaged there, or is another language's.
func (t *Table) Frames(pc uint64) []Frame {
	if f, ok := t.frames[pc]; ok {
		return f
	}
	f := t.lookUp(pc)
	t.frames[pc] = f
	return f
}

func (t *Table) lookUp(pc uint64) []Frame {
	i, ok := covering(t.ranges, pc, func(r unitRange) (uint64, uint64) { return r.low, r.high })
	if !ok {
		return nil
	}
	u := t.ranges[i].unit
	if !u.loaded {
		u.loaded = true
		if err := t.load(u); err != nil {
			u.lines, u.functions = nil, nil
		}
	}
	fn, ok := covering(u.functions, pc, func(f function) (uint64, uint64) { return f.low, f.high })
	if !ok {
		return nil
	}
	line, ok := covering(u.lines, pc, func(l lineRange) (uint64, uint64) { return l.low, l.high })
	if !ok {
		return nil
	}
	chain, err := t.chain(u.functions[fn].offset, pc)
	if err != nil {
		return nil
	}
	at := u.lines[line]
	file, number := at.file, at.line
	var frames []Frame
	for _, c := range slices.Backward(chain) {
		frames = append(frames, Frame{Function: c.name, File: file, Line: number})
		if number = c.callLine; c.callFile >= 0 && c.callFile < len(u.files) && u.files[c.callFile] != nil {
			file = u.files[c.callFile].Name
		}
	}
	return frames
}

// covering finds the range that pc is in, among ranges that are sorted and do not overlap.
func covering[T any](all []T, pc uint64, ends func(T) (low, high uint64)) (int, bool) {
	i, found := slices.BinarySearchFunc(all, pc, func(r T, pc uint64) int {
		low, _ := ends(r)
		return cmp.Compare(low, pc)
	})
	if !found {
		i--
	}
	if i < 0 {
		return 0, false
	}
	low, high := ends(all[i])
	return i, low <= pc && pc < high
}

// load reads a unit's lines and where its functions are.
func (t *Table) load(u *unit) error {
	if err := t.loadLines(u); err != nil {
		return err
	}
	r := t.data.Reader()
	r.Seek(u.entry.Offset)
	if _, err := r.Next(); err != nil {
		return err
	}
	for {
		e, err := r.Next()
		if err != nil {
			return err
		}
		if e == nil || e.Tag == 0 {
			break
		}
		if e.Tag == dwarf.TagSubprogram {
			ranges, err := t.data.Ranges(e)
			if err != nil {
				return err
			}
			for _, rg := range ranges {
				u.functions = append(u.functions, function{rg[0], rg[1], e.Offset})
			}
		}
		r.SkipChildren()
	}
	slices.SortFunc(u.functions, func(a, b function) int { return cmp.Compare(a.low, b.low) })
	return nil
}

func (t *Table) loadLines(u *unit) error {
	r, err := t.data.LineReader(u.entry)
	if err != nil || r == nil {
		return err
	}
	var last dwarf.LineEntry
	within := false // a sequence
	for {
		var e dwarf.LineEntry
		if err := r.Next(&e); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		if within && e.Address > last.Address && last.File != nil {
			u.lines = append(u.lines, lineRange{last.Address, e.Address, last.File.Name, last.Line})
		}
		last, within = e, !e.EndSequence
	}
	u.files = r.Files()
	slices.SortFunc(u.lines, func(a, b lineRange) int { return cmp.Compare(a.low, b.low) })
	return nil
}

// call is a function and, if it is inlined, where it is called from.
type call struct {
	name     string
	callFile int // -1 if not known
	callLine int
}

// chain returns the function whose entry is at offset and those inlined in it around pc, the outermost first.
func (t *Table) chain(offset dwarf.Offset, pc uint64) ([]call, error) {
	r := t.data.Reader()
	r.Seek(offset)
	e, err := r.Next()
	if err != nil || e == nil {
		return nil, err
	}
	name, err := t.name(e)
	if err != nil {
		return nil, err
	}
	chain := []call{{name: name, callFile: -1}}
	for depth := 1; e.Children && depth > 0; {
		e, err := r.Next()
		if err != nil {
			return nil, err
		}
		if e == nil {
			break
		}
		if e.Tag == 0 {
			depth--
			continue
		}
		inside := false
		if e.Tag == dwarf.TagInlinedSubroutine || e.Tag == dwarf.TagLexDwarfBlock {
			if inside, err = t.covers(e, pc); err != nil {
				return nil, err
			}
		}
		if inside && e.Tag == dwarf.TagInlinedSubroutine {
			c := call{callFile: -1}
			if c.name, err = t.name(e); err != nil {
				return nil, err
			}
			if n, ok := e.Val(dwarf.AttrCallFile).(int64); ok {
				c.callFile = int(n)
			}
			if n, ok := e.Val(dwarf.AttrCallLine).(int64); ok {
				c.callLine = int(n)
			}
			chain = append(chain, c)
		}
		switch {
		case !e.Children:
		case inside:
			depth++
		default:
			r.SkipChildren()
		}
	}
	return chain, nil
}

// covers says whether an entry's code is at pc. A block without addresses holds whatever is in it.
func (t *Table) covers(e *dwarf.Entry, pc uint64) (bool, error) {
	ranges, err := t.data.Ranges(e)
	if err != nil {
		return false, err
	}
	if len(ranges) == 0 {
		return e.Tag == dwarf.TagLexDwarfBlock, nil
	}
	return slices.ContainsFunc(ranges, func(rg [2]uint64) bool { return rg[0] <= pc && pc < rg[1] }), nil
}

// maxOrigins is how many references lead from an entry to the one with its name; a damaged file may have a circle.
const maxOrigins = 8

// name returns a function's name, its own or that of the function that it is a copy of.
func (t *Table) name(e *dwarf.Entry) (string, error) {
	first := e.Offset
	if name, ok := t.names[first]; ok {
		return name, nil
	}
	r := t.data.Reader()
	for range maxOrigins {
		if name, ok := e.Val(dwarf.AttrName).(string); ok {
			t.names[first] = name
			return name, nil
		}
		origin, ok := e.Val(dwarf.AttrAbstractOrigin).(dwarf.Offset)
		if !ok {
			if origin, ok = e.Val(dwarf.AttrSpecification).(dwarf.Offset); !ok {
				break
			}
		}
		r.Seek(origin)
		var err error
		if e, err = r.Next(); err != nil {
			return "", err
		}
		if e == nil {
			break
		}
	}
	return "", errors.New("a function has no name")
}
