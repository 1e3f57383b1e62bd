package report_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cgogrind/cgogrind/harness/internal/report"
	"github.com/cgogrind/cgogrind/harness/result"
)

// What has one cause, one kind and one line is told in one line, with its number.
func TestOthersAreGrouped(t *testing.T) {
	var others []*result.Finding
	add := func(kind, message string, line int, test string) {
		f := &result.Finding{
			Fingerprint: fmt.Sprintf("%016x", len(others)), Kind: kind, Message: message, Package: "m/p", Tests: []string{test},
		}
		if line > 0 {
			f.Blame = &result.Frame{Function: "m/p.Read", File: "p.go", Line: line}
		}
		others = append(others, f)
	}
	for i := range 31 {
		add("InvalidRead", fmt.Sprint("Invalid read of size ", 1<<(i%3)), 7, fmt.Sprint("Test", i%2))
	}
	add("InvalidWrite", "Invalid write of size 4", 7, "TestA")
	add("InvalidRead", "Invalid read of size 4", 8, "TestA")
	add("InvalidRead", "Invalid read of size 4", 8, "TestA")
	add("InvalidRead", "Invalid read of size 4", 0, "TestA")
	add("InvalidRead", "Invalid read of size 4", 0, "TestA")
	var b strings.Builder
	report.Printer{}.Others(&b, others)
	const want = `    36 more findings with this cause:
      31 times InvalidRead in p.Read (p.go:7)  0000000000000000 0000000000000001 0000000000000002 0000000000000003 0000000000000004 0000000000000005 0000000000000006 0000000000000007 and 23 more
        test   Test0, Test1  m/p
      InvalidWrite: Invalid write of size 4 in p.Read (p.go:7)  000000000000001f
        test   TestA  m/p
      2 times InvalidRead: Invalid read of size 4 in p.Read (p.go:8)  0000000000000020 0000000000000021
        test   TestA  m/p
      InvalidRead: Invalid read of size 4  0000000000000022
        test   TestA  m/p
      InvalidRead: Invalid read of size 4  0000000000000023
        test   TestA  m/p
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestOtherLabel(t *testing.T) {
	for label, want := range map[string]string{
		"0 bytes inside a block of size 8 free'd": "freed", "Block was alloc'd at": "made", "0 bytes inside a block of size 8 alloc'd": "made",
		"that was grown at": "made",
		"Uninitialised value was created by a heap allocation":                                      "made",
		"0 bytes inside a text of 17 bytes that strerror lent at":                                   "lent",
		"0 bytes inside a Go slice of 8 bytes that C code freed at":                                 "freed",
		"0 bytes inside a Go slice of 8 bytes, freed by the Go garbage collector, that was made at": "made",
		"something else": "other",
	} {
		at := result.Frame{Function: "f", File: "f.go", Line: 3}
		f := &result.Finding{Other: &at, Stacks: []result.Stack{{}, {Label: label, Frames: []result.Frame{at}}}}
		if got := report.OtherLabel(f); got != want {
			t.Errorf("%q: %q, want %q", label, got, want)
		}
	}
}
