package valgrind

import (
	"bytes"
	"runtime"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ellipsis ends a text that was cut.
const ellipsis = "…"

// The texts that are kept to be shared: reports repeat objects, folders, files and functions all the time.
const (
	maxShared = 512 << 10 // bytes of all such texts, as a report spells them
	maxShare  = 4 << 10   // bytes of one
	minShare  = 64        // bytes that even a shorter one costs
)

// maxGarbage is how many bytes of longer texts may become garbage before it is collected. A report full of them makes
// garbage faster than the collector, which runs beside the program, sees it: that took 40 MiB instead of 20.
const maxGarbage = 4 << 20

// texts decodes texts and shares equal ones.
type texts struct {
	known   map[string]string // by what the report has
	size    int
	garbage int // bytes of longer texts
}

func (t *texts) decode(raw []byte) string {
	if len(raw) > maxShare {
		t.garbage += len(raw)
		if t.garbage > maxGarbage {
			t.garbage = 0
			runtime.GC()
		}
		return decode(raw)
	}
	if v, ok := t.known[string(raw)]; ok {
		return v
	}
	t.size += max(len(raw), minShare)
	if t.known == nil || t.size > maxShared {
		t.known, t.size = map[string]string{}, max(len(raw), minShare)
	}
	key := string(raw)
	v := key
	if plain(raw) < len(raw) {
		v = decode(raw)
	}
	t.known[key] = v
	return v
}

// decode resolves references and replaces what is not UTF-8 or what XML forbids by U+FFFD. A reference that it does not
// know stays as it is.
func decode(raw []byte) string {
	n := plain(raw)
	if n == len(raw) {
		return string(raw)
	}
	var b strings.Builder
	b.Grow(len(raw))
	for {
		b.Write(raw[:n])
		raw = raw[n:]
		if len(raw) == 0 {
			return b.String()
		}
		r, size := utf8.DecodeRune(raw)
		if r == '&' {
			if c, n, ok := reference(raw); ok {
				r, size = c, n
			}
		}
		if !isChar(r) {
			r = utf8.RuneError
		}
		b.WriteRune(r)
		raw = raw[size:]
		n = plain(raw)
	}
}

// plain is the number of bytes that raw begins with and that stand for themselves.
func plain(raw []byte) int {
	for i, c := range raw {
		if !isPlain[c] {
			return i
		}
	}
	return len(raw)
}

var isPlain = func() (is [256]bool) {
	for c := range rune(utf8.RuneSelf) {
		is[c] = isChar(c) && c != '&'
	}
	return is
}()

// isChar is XML's production Char.
func isChar(r rune) bool {
	switch {
	case r < 0x20:
		return r == '\t' || r == '\n' || r == '\r'
	default:
		return utf8.ValidRune(r) && r != 0xFFFE && r != 0xFFFF
	}
}

// maxReference is the longest reference: &#x10FFFF; with some zeros.
const maxReference = 12

// reference reads the character or entity reference that raw begins with.
func reference(raw []byte) (r rune, size int, ok bool) {
	semicolon := bytes.IndexByte(raw[:min(len(raw), maxReference)], ';')
	if semicolon < 0 {
		return 0, 0, false
	}
	size = semicolon + 1
	name := string(raw[1:semicolon])
	switch name {
	case "lt":
		return '<', size, true
	case "gt":
		return '>', size, true
	case "amp":
		return '&', size, true
	case "quot":
		return '"', size, true
	case "apos":
		return '\'', size, true
	}
	digits, found := strings.CutPrefix(name, "#")
	if !found {
		return 0, 0, false
	}
	base := 10
	if hex, found := strings.CutPrefix(digits, "x"); found {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 31)
	return rune(n), size, err == nil
}

// wholePrefix is p without a reference or a character that is not whole at its end.
func wholePrefix(p []byte) []byte {
	if i := bytes.LastIndexByte(p, '&'); i >= 0 && len(p)-i < maxReference && bytes.IndexByte(p[i:], ';') < 0 {
		p = p[:i]
	}
	for i := len(p) - 1; i >= max(0, len(p)-utf8.UTFMax); i-- {
		if utf8.RuneStart(p[i]) {
			if !utf8.FullRune(p[i:]) {
				p = p[:i]
			}
			break
		}
	}
	return p
}

// number reads a decimal number, perhaps with thousands separators, or a hexadecimal one after 0x.
func number(raw []byte) (n uint64, ok bool) {
	raw = bytes.TrimSpace(raw)
	base, limit := uint64(10), ^uint64(0)
	if len(raw) > 2 && raw[0] == '0' && raw[1]|0x20 == 'x' {
		base = 16
		raw = raw[2:]
	}
	for i, c := range raw {
		var digit uint64
		switch {
		case '0' <= c && c <= '9':
			digit = uint64(c - '0')
		case base == 16 && 'a' <= c|0x20 && c|0x20 <= 'f':
			digit = uint64(c|0x20-'a') + 10
		case base == 10 && c == ',' && i > 0 && i < len(raw)-1:
			continue
		default:
			return 0, false
		}
		if n > (limit-digit)/base {
			return 0, false
		}
		n = n*base + digit
	}
	return n, len(raw) > 0
}
