package expect

import (
	"bytes"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cgogrind/cgogrind/valgrind"
	"github.com/cgogrind/cgogrind/valgrind/client"
	"github.com/cgogrind/cgogrind/valgrind/memcheck"
)

func TestEncode(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", "%"},
		{"InvalidFree", "InvalidFree"},
		{"TestFree/sub_case#01", "TestFree/sub_case%2301"},
		{"rados.(*Conn).Shutdown", "rados.%28%2AConn%29.Shutdown"},
		{"example.com/m/pkg.F[...]", "example.com/m/pkg.F%5B...%5D"},
		{"std::string::~string()", "std::string::%7Estring%28%29"},
		{"a spec, with blanks", "a%20spec%2C%20with%20blanks"},
		{"%", "%25"},
		{"100%\n\x00\xff", "100%25%0A%00%FF"},
		{"Köln", "K%C3%B6ln"},
		{"a-b_c.d/e:f", "a-b_c.d/e:f"},
	} {
		got := encode(c.in)
		if got != c.want {
			t.Errorf("encode(%q) = %q, want %q", c.in, got, c.want)
		}
		if back, err := url.PathUnescape(strings.TrimSuffix(got, "%")); err != nil || back != c.in {
			t.Errorf("encode(%q) = %q is read back as %q, %v", c.in, got, back, err)
		}
	}
	for c := range 256 {
		in := string([]byte{byte(c)})
		if back, err := url.PathUnescape(encode(in)); err != nil || back != in || strings.ContainsAny(encode(in), " \n\t\x00") {
			t.Errorf("encode(%q) = %q is read back as %q, %v", in, encode(in), back, err)
		}
	}
}

func TestMark(t *testing.T) {
	got := mark("InvalidFree", "rados.(*Conn).Shutdown", "TestA/b c")
	if want := "cgogrind1 - expect InvalidFree rados.%28%2AConn%29.Shutdown TestA/b%20c"; got != want {
		t.Errorf("mark = %q, want %q", got, want)
	}
	if got, want := mark("", "", ""), "cgogrind1 - expect % % %"; got != want {
		t.Errorf("mark = %q, want %q", got, want)
	}
}

// named is the smallest TB.
type named string

func (n named) Helper()      {}
func (n named) Name() string { return string(n) }

var (
	_ TB = (*testing.T)(nil)
	_ TB = (*testing.F)(nil)
)

// TestFindingUnderMemcheck runs itself again under memcheck and looks for the marks in the report. The stock Go runtime
// is good for so much.
func TestFindingUnderMemcheck(t *testing.T) {
	if client.Running() > 0 {
		Finding(t, "InvalidFree", "free_text")
		Finding(named("a spec"), "Leak_DefinitelyLost", "rados.(*Conn).Shutdown")
		return
	}
	v, err := memcheck.Find(t.Context(), "")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	r, err := memcheck.Run(t.Context(), memcheck.Command{
		Valgrind: v,
		Options:  memcheck.Options{XMLFile: filepath.Join(t.TempDir(), "%p.xml"), LeakCheck: memcheck.LeakNo},
		Program:  os.Args[0],
		Args:     []string{"-test.run=^TestFindingUnderMemcheck$"},
		Env:      append(os.Environ(), "GODEBUG=asyncpreemptoff=1,cpu.rdtscp=off", "GOGC=off"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Reports) == 0 {
		t.Fatalf("no report; %+v\n%s", r, r.Stderr)
	}
	text, err := os.ReadFile(r.Reports[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for event, err := range valgrind.Read(bytes.NewReader(text)) {
		if err != nil {
			t.Fatal(errors.Join(err, errors.New(string(r.Stderr))))
		}
		if m, is := event.(valgrind.ClientMessage); is {
			got = append(got, strings.TrimSpace(m.Text))
		}
	}
	want := []string{
		"cgogrind1 - expect InvalidFree free_text TestFindingUnderMemcheck",
		"cgogrind1 - expect Leak_DefinitelyLost rados.%28%2AConn%29.Shutdown a%20spec",
	}
	if !slices.Equal(got, want) {
		t.Errorf("marks %q, want %q", got, want)
	}
}

// TestFindingOutsideMemcheck: nothing is asked of the test but what every test has, and nothing happens.
func TestFindingOutsideMemcheck(t *testing.T) {
	if client.Running() > 0 {
		t.Skip("under valgrind")
	}
	Finding(t, "InvalidFree", "free_text")
	Finding(named(""), "", "")
}
