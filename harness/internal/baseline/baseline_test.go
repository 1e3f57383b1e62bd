package baseline

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cgogrind/cgogrind/harness/internal/tomlfile"
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
	block := func(head, rest string) string { return "version = 1\n[finding." + head + "]\n" + rest }
	const fp = "00000000000000b0"
	for _, c := range []struct{ text, want string }{
		{"", "b:1: version: expected version = 1 at the beginning: is this a baseline?"},
		{"{}", "b:1: expected '.' or '=', but got '{' instead: is this a baseline?"},
		{"version = 2\n", "b:1: version: 2 is newer than this cgogrind"},
		{"version = 1\n\n<<<<<<< HEAD\n", "b:3: a conflict marker: git could not merge the file"},
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
	f.Add("version = 1\n[finding.00000000000000b0]\nkind = \"\\u0000\xff\"\nadded = 2026-01-02\n")
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
