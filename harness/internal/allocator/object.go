package allocator

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// object is a program or a library.
type object struct {
	path    string
	library string // the allocator whose library it is; empty if it is none
	hidden  string // the allocator that it holds without symbols, as far as known; empty if none

	exports map[string]bool // functions that others can call
	imports map[string]bool
	entries []function // functions that hand out memory and that memcheck does not replace
	maker   string     // the allocator that a function of the object, replaced or not, belongs to; empty if none
	used    []function // the entries that the object calls itself
	unsure  []function // the entries that it may call itself: the code of its machine is not read
}

// function is a function of an allocator.
type function struct {
	name, allocator string
	address         uint64
}

// replaced are the functions that memcheck replaces in every object, from the symbols of valgrind 3.19's
// vgpreload_memcheck (those for the soname "VgSoSynsomalloc"); later versions add names, and take none away.
var replaced = regexp.MustCompile(`^(malloc|calloc|realloc|memalign|aligned_alloc|posix_memalign|valloc|free|cfree|` +
	`malloc_usable_size|_Zn[wa]m(St11align_val_t)?(RKSt9nothrow_t)?|_Zd[la]Pvm?(St11align_val_t)?(RKSt9nothrow_t)?)$`)

// allocators are the names of libraries, of functions that hand out memory, and of all functions, and a text that is
// in the code of no program but one that holds the allocator.
var allocators = []struct {
	name      string
	library   *regexp.Regexp // of the file's name
	functions *regexp.Regexp
	own       *regexp.Regexp // all functions of it: calls between them do not count
	text      string
}{
	{
		"jemalloc", regexp.MustCompile(`^libjemalloc`),
		regexp.MustCompile(`^(\w*_)?(mallocx|rallocx)$|` +
			`^((\w+_)?je|_rjem)_(malloc|calloc|realloc|memalign|aligned_alloc|posix_memalign|valloc)$`),
		regexp.MustCompile(`^(\w+_)?je_|^_rjem_|^(\w*_)?(m|r|x|d|sd)allocx$`), "<jemalloc>: ",
	},
	{
		"mimalloc", regexp.MustCompile(`^libmimalloc`),
		regexp.MustCompile(`^mi_(heap_)?(new|(m|z|c|re|rec|rez)alloc)\w*$`),
		regexp.MustCompile(`^_?mi_`), "mimalloc: error: ",
	},
	{
		"tcmalloc", regexp.MustCompile(`^libtcmalloc`),
		regexp.MustCompile(`^(tc_|TCMallocInternal)(malloc|Malloc|calloc|Calloc|realloc|Realloc|memalign|Memalign|new|New)\w*$`),
		regexp.MustCompile(`^tc_|TCMalloc|tcmalloc`), "TCMALLOC_",
	},
	{
		"rpmalloc", regexp.MustCompile(`^librpmalloc`),
		regexp.MustCompile(`^rp(malloc|calloc|realloc|memalign|aligned_alloc|zalloc)\w*$`),
		regexp.MustCompile(`^_?rp(malloc|calloc|realloc|memalign|aligned|zalloc|free)`), "",
	},
	{
		"snmalloc", regexp.MustCompile(`^libsnmalloc`),
		regexp.MustCompile(`^sn_(rust_)?(malloc|calloc|realloc|alloc|memalign|aligned_alloc)\w*$`),
		regexp.MustCompile(`^sn_|snmalloc`), "",
	},
	{
		"TBB's scalable allocator", regexp.MustCompile(`^libtbbmalloc`),
		regexp.MustCompile(`^scalable_(malloc|calloc|realloc|posix_memalign|aligned_malloc|aligned_realloc)$`),
		regexp.MustCompile(`^scalable_|3rml`), "",
	},
	{
		"memkind", regexp.MustCompile(`^libmemkind`),
		regexp.MustCompile(`^(memkind|hbw)_(malloc|calloc|realloc|posix_memalign)$`), regexp.MustCompile(`^(memkind|hbw)_`), "",
	},
	{
		"dlmalloc", nil, regexp.MustCompile(`^dl(malloc|calloc|realloc|memalign)$`),
		regexp.MustCompile(`^dl(malloc|calloc|realloc|memalign|free)$`), "",
	},
	{"Hoard", regexp.MustCompile(`^libhoard`), nil, nil, ""},
}

// cLibrary matches the names of the C library's files.
var cLibrary = regexp.MustCompile(`^(libc\.so|libc-|libc\.musl|ld-musl)`)

func readObject(path string) (*object, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	o := &object{path: path, exports: map[string]bool{}, imports: map[string]bool{}}
	base := filepath.Base(path)
	if soname, err := f.DynString(elf.DT_SONAME); err == nil && len(soname) > 0 {
		base = soname[0]
	}
	for _, a := range allocators {
		if a.library != nil && a.library.MatchString(base) {
			o.library = a.name
		}
	}
	dynamic, err := f.DynamicSymbols()
	if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return nil, fmt.Errorf("reading its dynamic symbols: %w", err)
	}
	static, err := f.Symbols()
	if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return nil, fmt.Errorf("reading its symbols: %w", err)
	}
	for _, s := range dynamic {
		if s.Section == elf.SHN_UNDEF {
			o.imports[s.Name] = true
		} else if isFunction(s) {
			o.exports[s.Name] = true
		}
	}
	o.sort(slices.Concat(dynamic, static))
	if len(static) == 0 {
		if err := o.searchTexts(f); err != nil {
			return nil, err
		}
	}
	// The libraries of allocators call their functions themselves.
	if o.library == "" && len(o.entries) > 0 {
		if err := o.findUses(f, slices.Concat(dynamic, static)); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func isFunction(s elf.Symbol) bool {
	t := elf.ST_TYPE(s.Info)
	return s.Section != elf.SHN_UNDEF && (t == elf.STT_FUNC || t == elf.STT_GNU_IFUNC)
}

// sort keeps the functions of allocators that memcheck does not replace.
func (o *object) sort(symbols []elf.Symbol) {
	seen := map[uint64]bool{} // addresses that memcheck redirects
	for _, s := range symbols {
		if isFunction(s) && mayAllocate(s.Name) && replaced.MatchString(s.Name) {
			seen[s.Value] = true
		}
	}
	known := map[string]bool{}
	for _, s := range symbols {
		if !isFunction(s) || known[s.Name] || !mayAllocate(s.Name) {
			continue
		}
		for _, a := range allocators {
			if a.functions == nil || !a.functions.MatchString(s.Name) {
				continue
			}
			known[s.Name] = true
			o.maker = a.name
			if !seen[s.Value] {
				o.entries = append(o.entries, function{s.Name, a.name, s.Value})
			}
			break
		}
	}
}

// mayAllocate is quick: there are many symbols, and few of them are functions of allocators.
func mayAllocate(name string) bool {
	return strings.Contains(name, "alloc") || strings.Contains(name, "Alloc") || strings.Contains(name, "free") ||
		strings.Contains(name, "memalign") || strings.Contains(name, "new") || strings.Contains(name, "New") ||
		strings.HasPrefix(name, "_Z")
}

// nameOfMalloc names the allocator of an object that has a malloc.
func (o *object) nameOfMalloc() string {
	switch {
	case o.library != "":
		return o.library
	case cLibrary.MatchString(filepath.Base(o.path)):
		return System
	case o.maker != "":
		return o.maker
	case o.hidden != "":
		return o.hidden
	}
	return "the malloc of " + filepath.Base(o.path)
}

// searchTexts looks for allocators in an object without symbols.
func (o *object) searchTexts(f *elf.File) error {
	if o.library != "" {
		return nil
	}
	section := f.Section(".rodata")
	if section == nil || section.Type == elf.SHT_NOBITS {
		return nil
	}
	data, err := section.Data()
	if err != nil {
		return fmt.Errorf("reading its constants: %w", err)
	}
	for _, a := range allocators {
		if a.text != "" && bytes.Contains(data, []byte(a.text)) {
			o.hidden = a.name
		}
	}
	return nil
}

// findUses looks for calls of the entries, and for their addresses in data, in the code of the object other than the
// allocator's own.
func (o *object) findUses(f *elf.File, symbols []elf.Symbol) error {
	if f.Machine != elf.EM_X86_64 {
		o.unsure = o.entries
		return nil
	}
	targets := map[uint64]function{}
	for _, e := range o.entries {
		targets[e.address] = e
	}
	own := ownCode(symbols)
	used := map[string]bool{}
	use := func(at uint64, e function) {
		if !own.has(at) && !used[e.name] {
			used[e.name] = true
			o.used = append(o.used, e)
		}
	}
	inData := f.Type == elf.ET_EXEC || f.Section(".relr.dyn") != nil // addresses stand there as they are
	for _, s := range f.Sections {
		code := s.Flags&elf.SHF_EXECINSTR != 0
		if s.Flags&elf.SHF_ALLOC == 0 || s.Type != elf.SHT_RELA && (s.Type != elf.SHT_PROGBITS || !code && !inData) {
			continue
		}
		data, err := s.Data()
		if err != nil {
			return fmt.Errorf("reading its section %s: %w", s.Name, err)
		}
		switch {
		case code:
			codeRefs(data, s.Addr, targets, use)
		case s.Type == elf.SHT_RELA:
			const relativeType = uint64(elf.R_X86_64_RELATIVE)
			for ; len(data) >= 24; data = data[24:] { // offset, type and symbol, addend
				e, ok := targets[binary.LittleEndian.Uint64(data[16:])]
				if ok && binary.LittleEndian.Uint64(data[8:]) == relativeType {
					use(binary.LittleEndian.Uint64(data), e)
				}
			}
		default:
			for ; len(data) >= 8; data = data[8:] {
				if e, ok := targets[binary.LittleEndian.Uint64(data)]; ok {
					use(0, e)
				}
			}
		}
	}
	return nil
}

// codeRefs finds the instructions of x86-64 that hold the address of a target: call, jmp, lea, and mov of an absolute
// address.
func codeRefs(code []byte, base uint64, targets map[uint64]function, use func(at uint64, e function)) {
	for i := 2; i+4 <= len(code); i++ {
		relative := code[i-1] == 0xe8 || code[i-1] == 0xe9 || code[i-2] == 0x8d && code[i-1]&0xc7 == 0x05
		absolute := code[i-1]&0xf8 == 0xb8
		if !relative && !absolute {
			continue
		}
		to := uint64(binary.LittleEndian.Uint32(code[i:]))
		if relative {
			to = base + uint64(i) + 4 + uint64(int32(to))
		}
		if e, ok := targets[to]; ok {
			use(base+uint64(i), e)
		}
	}
}

// codeRanges are where the functions of allocators are, sorted.
type codeRanges []struct{ low, high uint64 }

func ownCode(symbols []elf.Symbol) codeRanges {
	var out codeRanges
	for _, s := range symbols {
		if !isFunction(s) {
			continue
		}
		for _, a := range allocators {
			if a.own != nil && a.own.MatchString(s.Name) || replaced.MatchString(s.Name) {
				out = append(out, struct{ low, high uint64 }{s.Value, s.Value + s.Size})
				break
			}
		}
	}
	slices.SortFunc(out, func(a, b struct{ low, high uint64 }) int { return cmp.Compare(a.low, b.low) })
	return out
}

func (r codeRanges) has(at uint64) bool {
	i, found := slices.BinarySearchFunc(r, at, func(c struct{ low, high uint64 }, at uint64) int {
		return cmp.Compare(c.low, at)
	})
	return found || i > 0 && at < r[i-1].high
}
