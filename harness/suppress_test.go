package harness

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/cgogrind/cgogrind/harness/result"
)

// What memcheck counted by ID comes back under the users' names, the entries that hid nothing included.
func TestSuppressed(t *testing.T) {
	dir := t.TempDir()
	users := filepath.Join(dir, "mine.supp")
	err := os.WriteFile(users, []byte("# expires: 2026-01-31\n{\n   same\n   Memcheck:Cond\n   fun:f\n}\n"+
		"{\n   same\n   Memcheck:Cond\n   fun:g\n}\n"), 0o666)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSuppressed(dir, []string{users})
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file, err := s.file(program)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.file(program); err != nil || again != file {
		t.Errorf("for the same program %s, %v; want %s", again, err, file)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range s.all {
		if strings.Count(string(text), "   "+e.ID()+"\n") != 1 {
			t.Errorf("%s is not there once:\n%s", e.Name, text)
		}
	}
	byName := func(name string) string {
		for _, e := range s.all {
			if e.Name == name {
				return e.ID()
			}
		}
		t.Fatalf("no entry %s", name)
		return ""
	}
	s.count(map[string]uint64{byName("go-heap-object"): 2, byName("same"): 3, "of valgrind's own files": 5})
	s.count(map[string]uint64{byName("same"): 1})
	want := []result.Suppression{
		{Name: "go-heap-object", File: "go.supp", Count: 2},
		{Name: "same", File: users, Line: 2, Expires: "2026-01-31", Count: 4},
		{Name: "same", File: users, Line: 7},
	}
	var got []result.Suppression
	for _, e := range s.summary() {
		if e.File == "go.supp" {
			e.Line = 0
		}
		if e.File != "glibc.supp" { // a test binary without cgo loads no libc
			got = append(got, e)
		}
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(result.Suppression{}, "ID")); diff != "" {
		t.Error(diff)
	}

	for day, n := range map[string]int{"2026-01-31": 0, "2026-02-01": 1} {
		now, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		got := s.expired(now)
		if len(got) != n || n == 1 && !strings.Contains(got[0], "mine.supp:2: the suppression same expired") {
			t.Errorf("on %s expired: %q", day, got)
		}
	}
}
