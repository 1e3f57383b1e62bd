package valgrind

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ellipsis ends a text that was cut.
const ellipsis = "…"

// The texts that are kept to be shared: reports repeat objects, folders, files and functions all the time.
const (
	maxShared = 4096
	maxShort  = 128 // bytes of such a text
)

// texts decodes texts and shares equal short ones.
type texts map[string]string

func (t texts) decode(raw []byte) string {
	if len(raw) > maxShort {
		return decode(raw)
	}
	if v, ok := t[string(raw)]; ok {
		return v
	}
	if len(t) == maxShared {
		clear(t)
	}
	v := decode(raw)
	t[string(raw)] = v
	return v
}

// decode resolves references and replaces what is not UTF-8 or what XML forbids by U+FFFD. A reference that it does not
// know stays as it is.
func decode(raw []byte) string {
	i := 0
	for i < len(raw) && raw[i] != '&' && raw[i] < utf8.RuneSelf && isChar(rune(raw[i])) {
		i++
	}
	if i == len(raw) {
		return string(raw)
	}
	var b strings.Builder
	b.Grow(len(raw))
	b.Write(raw[:i])
	for i < len(raw) {
		r, n := utf8.DecodeRune(raw[i:])
		if r == '&' {
			if c, size, ok := reference(raw[i:]); ok {
				r, n = c, size
			}
		}
		if !isChar(r) {
			r = utf8.RuneError
		}
		b.WriteRune(r)
		i += n
	}
	return b.String()
}

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
