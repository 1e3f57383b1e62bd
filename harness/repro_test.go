package harness

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cgogrind/cgogrind/harness/internal/build"
	"github.com/cgogrind/cgogrind/harness/internal/judge"
	"github.com/cgogrind/cgogrind/harness/result"
)

func TestRepro(t *testing.T) {
	r := &run{cfg: Config{
		Env:  []string{"HOME=/h", "GODEBUG=madvdontneed=1", "GOTOOLCHAIN=go1.25.4", "GOFLAGS=-buildvcs=false -trimpath", "CC=clang"},
		Tags: []string{"pacific", "x"}, BuildFlags: []string{"-ldflags=-X main.v=1"}, GCStress: 1, CgoCheck2: true,
		Runtime: result.Stock, Run: "TestA|TestB", Skip: "TestC",
		TestFlags: []string{"-test.short", "-test.shuffle=42", "-test.count=3", "-ginkgo.focus=x", "-ginkgo.seed=7", "-v", "-own=1"},
	}}
	want := judge.Repro{
		Env:       []string{"GOTOOLCHAIN=go1.25.4", "GOFLAGS=-trimpath", "GODEBUG=madvdontneed=1", "CC=clang"},
		Flags:     []string{"-tags=pacific,x", "-ldflags=-X main.v=1", "--runtime=stock", "--gc-stress=1", "--cgocheck2", "-skip=TestC", "-short", "-shuffle=42"},
		TestFlags: []string{"-ginkgo.seed=7", "-v", "-own=1"},
	}
	if diff := cmp.Diff(want, r.repro(build.Package{})); diff != "" {
		t.Error(diff)
	}

	// What was named by its Go files has no other name.
	r.cfg.Patterns = []string{"p/a.go", "p/a_test.go"}
	want.Packages = r.cfg.Patterns
	if diff := cmp.Diff(want, r.repro(build.Package{ImportPath: build.CommandLine})); diff != "" {
		t.Error(diff)
	}
	want.Packages = nil

	// Ginkgo has a random order: its seed is given once, where there is a suite.
	r.start = time.Unix(1700000000, 0)
	ginkgo := build.Package{HasGinkgo: true}
	if diff := cmp.Diff(want, r.repro(ginkgo)); diff != "" {
		t.Error(diff)
	}
	r.cfg.TestFlags = []string{"-test.short", "-own=1"}
	if diff := cmp.Diff([]string{"-ginkgo.seed=1700000000", "-own=1"}, r.repro(ginkgo).TestFlags); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"-own=1"}, r.repro(build.Package{}).TestFlags); diff != "" {
		t.Error(diff)
	}

	// What names no version and changes nothing is not worth a word.
	r = &run{cfg: Config{Env: []string{"GOTOOLCHAIN=local", "GOFLAGS=-buildvcs=false", "CC=", "PATH=/bin"}}}
	if diff := cmp.Diff(judge.Repro{}, r.repro(build.Package{})); diff != "" {
		t.Error(diff)
	}
}

func TestShuffleGetsASeedThatCanBeRepeated(t *testing.T) {
	asked := []string{"-test.short", "-test.shuffle=on"}
	got := withSeed(asked)
	if seed, ok := strings.CutPrefix(got[1], "-test.shuffle="); !ok || strings.Trim(seed, "0123456789") != "" || seed == "" {
		t.Errorf("%q", got)
	}
	if asked[1] != "-test.shuffle=on" {
		t.Errorf("the caller's flags became %q", asked)
	}
	if diff := cmp.Diff([]string{"-test.shuffle=7"}, withSeed([]string{"-test.shuffle=7"})); diff != "" {
		t.Error(diff)
	}
}
