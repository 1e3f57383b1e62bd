// Package expect lets a test declare the memory error that it must cause, for tests that show what an error looks like
// or that keep watch over the checking itself.
//
// A test that declares findings passes if its own checks pass and memcheck finds exactly these in it; it fails when one
// is missing or when there is another. Under plain go test, outside of memcheck, a declaration does nothing.
//
// The package sends what is declared to cgogrind, in memcheck's report. It checks nothing itself.
package expect

import (
	"strings"

	"github.com/cgogrind/cgogrind/valgrind/client"
)

// TB is what Finding needs of a test: *testing.T, *testing.F and Ginkgo's GinkgoT() have it.
type TB interface {
	Helper()
	Name() string
}

// Finding declares that the test that runs must cause a finding of this kind in this function. Call it in the test,
// before or after the error happens; several calls declare several findings.
//
// Kind is spelled as valgrind spells it: "InvalidFree", "InvalidRead", "UninitCondition", "Leak_DefinitelyLost", …
//
// Function is the function of the code under test that is to blame, in C ("free_text") or in Go, in full or from the
// package's name on ("rados.(*Conn).Shutdown").
func Finding(t TB, kind, function string) {
	t.Helper()
	if client.Running() == 0 {
		return
	}
	client.Print(mark(kind, function, t.Name()))
}

// mark is the text of the message: "cgogrind1 TOKEN expect KIND FUNCTION NAME". The run's token, which tells other
// messages from forged ones, is known to the instrumented runtime alone; "-" takes its place here, and is accepted for
// this message only: a forged one cannot hide an error, since a finding that was expected is reported as such.
func mark(kind, function, name string) string {
	return strings.Join([]string{"cgogrind1", "-", "expect", encode(kind), encode(function), encode(name)}, " ")
}

// encode percent-encodes the bytes that could be taken for something else: all but letters, digits and _./:- are
// written as %XX. The empty text is a lone percent sign.
func encode(s string) string {
	if s == "" {
		return "%"
	}
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("_./:-", c) >= 0:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}
