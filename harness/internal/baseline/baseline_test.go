package baseline

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cgogrind/cgogrind/harness/internal/tomlfile"
	"github.com/cgogrind/cgogrind/harness/result"
)

var two = Baseline{
	"00000000000000b0": {Kind: "InvalidFree", Function: "example.com/b.Free", Source: `C.free(p) // "again"`,
		Packages: []string{"example.com/b", "example.com/c"}, Test: "TestFree/[x=\"1\"]",
		Reason: "go-ceph#1", Added: "2026-01-02", Expires: "2026-03-04"},
	"ffffffffffffffff": {Kind: "Leak_DefinitelyLost", Function: "leak", Packages: []string{"example.com/a"}, Test: "TestA",
		Blocks: 2, Bytes: 40, Added: "2026-01-02"},
}

const twoText = preamble + `
[finding.ffffffffffffffff]
kind = "Leak_DefinitelyLost"
function = "leak"
packages = ["example.com/a"]
test = "TestA"
blocks = 2
bytes = 40
reason = ""
added = "2026-01-02"

[finding.00000000000000b0]
kind = "InvalidFree"
function = "example.com/b.Free"
source = "C.free(p) // \"again\""
packages = ["example.com/b", "example.com/c"]
test = "TestFree/[x=\"1\"]"
reason = "go-ceph#1"
added = "2026-01-02"
expires = "2026-03-04"
`

func TestFormat(t *testing.T) {
	if diff := cmp.Diff(twoText, two.Format()); diff != "" {
		t.Error(diff)
	}
	got, err := Parse("b", twoText)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(two, got); diff != "" {
		t.Error(diff)
	}
}

// What people write beside the keys stays, above the block that it stands in.
func TestComments(t *testing.T) {
	text := strings.NewReplacer("[finding.fff", "# ask Ann\r\n\t# about it\n[finding.fff", "kind = \"InvalidFree\"", "  # gone in 2.0 \nkind = \"InvalidFree\"",
		"\n\n[finding.000", "\n\n# of no block\n\n[ finding . \"000", "b0]", "b0\" ]").Replace(twoText)
	b, err := Parse("b", text)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer("[finding.fff", "# ask Ann\n# about it\n[finding.fff", "[finding.000", "# gone in 2.0\n[finding.000").Replace(twoText)
	if diff := cmp.Diff(want, b.Format()); diff != "" {
		t.Error(diff)
	}
}

func TestParseErrors(t *testing.T) {
	block := func(head, rest string) string { return "version = 2\n[finding." + head + "]\n" + rest }
	const fp = "00000000000000b0"
	for _, c := range []struct{ text, want string }{
		{"", "b:1: version: expected version = 2 at the beginning: is this a baseline?"},
		{"{}", "b:1: expected '.' or '=', but got '{' instead: is this a baseline?"},
		{"version = 3\n", "b:1: version: 3 is newer than this cgogrind"},
		{"version = 2\n\n<<<<<<< HEAD\n", "b:3: a conflict marker: git could not merge the file"},
		{block(fp, "kind = \"A\"\n=======\nkind = \"B\"\n"), "b:4: a conflict marker"},
		{block("xyz", "kind = \"A\"\n"), "b:2: finding.xyz: that is no fingerprint"},
		{block(fp, "test = \"A\"\n"), "b:2: finding." + fp + ": the key kind is missing"},
		{block(fp, "kind = \"A\"\ncolour = 1\n"), "b:4: finding." + fp + ".colour: there is no such key"},
		{block(fp, "kind = \"A\"\nexpires = \"soon\"\n"), "b:4: finding." + fp + ".expires: \"soon\" is no date"},
		{block(fp, "kind = \"A\"\nblocks = -1\n"), "b:2: finding." + fp + ": blocks and bytes cannot be negative"},
		{block(fp, "kind = \"A\"\n") + block(fp, "kind = \"A\"\n")[12:],
			"b:4: finding: Key 'finding." + fp + "' has already been defined"},
	} {
		_, err := Parse("b", c.text)
		var e *tomlfile.Error
		if !errors.As(err, &e) || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q:\n got %v\nwant %s…", c.text, err, c.want)
		}
	}
	// TOML's own dates do, too.
	b, err := Parse("b", block(fp, "kind = \"A\"\nadded = 2026-01-02\n"))
	if err != nil || b[fp].Added != "2026-01-02" {
		t.Errorf("%+v, %v", b, err)
	}
}

// A baseline of an earlier version is known as such, with all that people wrote into it.
func TestFormerVersion(t *testing.T) {
	got, err := Parse("b", strings.Replace(twoText, "version = 2", "version = 1", 1))
	var e *tomlfile.Error
	if !errors.Is(err, ErrFormer) || !errors.As(err, &e) || !strings.Contains(err.Error(), "cgogrind gate --update --baseline b STREAM") {
		t.Fatalf("the error is %v", err)
	}
	if diff := cmp.Diff(two, got); diff != "" {
		t.Error(diff)
	}
	if _, err := Parse("b", twoText); errors.Is(err, ErrFormer) {
		t.Error("this version is an earlier one")
	}
}

// What people wrote of a finding is kept when it gets another fingerprint: that it was blamed on C code is no obstacle.
func TestUpdateFromFormerVersion(t *testing.T) {
	former := Baseline{
		"00000000000000a1": {Kind: "Leak_DefinitelyLost", Function: "describe", Source: "char *s = NULL;", Packages: []string{"m/p"},
			Test: "TestEntry", Reason: "upstream bug 1", Added: "2026-01-01", Comment: []string{"# ask Ann"}},
		"00000000000000a2": {Kind: "InvalidRead", Function: "look", Packages: []string{"m/p"}, Test: "TestEntry", Reason: "fixed"},
	}
	leak := func(fp, function, pkg string) *result.Finding {
		return &result.Finding{
			Fingerprint: fp, Kind: "Leak_DefinitelyLost", Package: pkg, Test: "TestEntry", Tests: []string{"TestEntry"},
			Blame:  &result.Frame{Function: function},
			Stacks: []result.Stack{{Frames: []result.Frame{{Function: "describe", Source: "char *s = NULL;"}, {Function: function}}}},
		}
	}
	r := &Run{
		Tests:    []*result.Test{{Package: "m/p", Name: "TestEntry", Verdict: result.Fail}},
		Findings: []*result.Finding{leak("00000000000000b1", "p.Entry", "m/p"), leak("00000000000000b2", "p.Entry", "m/q")},
	}
	p := &Policy{Former: former}
	c := r.Judge(p)
	if len(c.New) != 2 {
		t.Errorf("%d findings are new: an earlier version decides nothing", len(c.New))
	}
	got := r.Update(p, c, "2026-11-28", "")
	want := Baseline{
		"00000000000000b1": {Kind: "Leak_DefinitelyLost", Function: "p.Entry", Packages: []string{"m/p"}, Test: "TestEntry",
			Reason: "upstream bug 1", Added: "2026-01-01", Comment: []string{"# ask Ann"}},
		"00000000000000b2": {Kind: "Leak_DefinitelyLost", Function: "p.Entry", Packages: []string{"m/q"}, Test: "TestEntry",
			Added: "2026-11-28"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if lost := r.NotRun(former); len(lost) != 0 {
		t.Errorf("%q did not run", lost)
	}
	if lost := (&Run{}).NotRun(former); len(lost) != 2 {
		t.Errorf("without a test only %q did not run", lost)
	}
}

func TestRead(t *testing.T) {
	name := filepath.Join(t.TempDir(), "b")
	if _, err := Read(name); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "gate --update") {
		t.Errorf("Read of nothing: %v", err)
	}
	if err := os.WriteFile(name, []byte(twoText), 0o666); err != nil {
		t.Fatal(err)
	}
	got, err := Read(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(two, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(twoText)
	f.Add("version = 2\n[finding.00000000000000b0]\nkind = \"\\u0000\xff\"\nadded = 2026-01-02\n")
	f.Fuzz(func(t *testing.T, text string) {
		b, err := Parse("f", text)
		if err != nil {
			var e *tomlfile.Error
			if !errors.As(err, &e) || e.Line < 0 || e.Line > strings.Count(text, "\n")+1 {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		again, err := Parse("f", b.Format())
		if err != nil {
			t.Fatalf("%q is written as %q: %v", text, b.Format(), err)
		}
		if again.Format() != b.Format() {
			t.Fatalf("%q is written as %q and then as %q", text, b.Format(), again.Format())
		}
	})
}
