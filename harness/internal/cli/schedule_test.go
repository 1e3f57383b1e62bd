package cli

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cgogrind/cgogrind/harness/result"
)

func TestParseShard(t *testing.T) {
	for _, c := range []struct {
		flag string
		env  []string
		want *result.Shard
		err  string
	}{
		{flag: "", want: nil},
		{flag: "1/1", want: &result.Shard{Index: 1, Count: 1}},
		{flag: "3/3", want: &result.Shard{Index: 3, Count: 3}},
		{flag: "0/3", err: "I from 1 to N"},
		{flag: "4/3", err: "I from 1 to N"},
		{flag: "2", err: "two numbers"},
		{flag: "a/b", err: "two numbers"},
		{flag: "auto", err: "JOB_COMPLETION_INDEX and CGOGRIND_SHARDS (a Kubernetes Indexed Job)"},
		{flag: "auto", env: []string{"CI_NODE_INDEX=2", "CI_NODE_TOTAL=4"}, want: &result.Shard{Index: 2, Count: 4}},
		{flag: "auto", env: []string{"BUILDKITE_PARALLEL_JOB=0", "BUILDKITE_PARALLEL_JOB_COUNT=2"},
			want: &result.Shard{Index: 1, Count: 2}},
		{flag: "auto", env: []string{"CIRCLE_NODE_INDEX=1", "CIRCLE_NODE_TOTAL=2"}, want: &result.Shard{Index: 2, Count: 2}},
		{flag: "auto", env: []string{"JOB_COMPLETION_INDEX=2", "CGOGRIND_SHARDS=3"}, want: &result.Shard{Index: 3, Count: 3}},
		{flag: "auto", env: []string{"JOB_COMPLETION_INDEX=2"}, err: "CGOGRIND_SHARDS is not"},
		{flag: "auto", env: []string{"JOB_COMPLETION_INDEX=3", "CGOGRIND_SHARDS=3"}, err: "I from 1 to N"},
	} {
		got, err := parseShard(c.flag, c.env)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q with %q: %s", c.flag, c.env, diff)
		}
		var usage *usageError
		if c.err == "" && err != nil || c.err != "" && (!errors.As(err, &usage) || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%q with %q: error %v, want %q", c.flag, c.env, err, c.err)
		}
	}
}

// Each flag of go test that is refused says why.
func TestRefusal(t *testing.T) {
	for text, want := range map[string]string{
		"unknown flag: --race":              "-race: the race detector",
		"unknown flag: --coverprofile":      "-coverprofile: run go test",
		"unknown shorthand flag: 'n' in -n": "-n: nothing is printed",
		"unknown shorthand flag: 'x' in -x": "-x: the commands of a build",
		"unknown flag: --benchmem":          "-benchmem: run go test -bench",
		"unknown flag: --no-such-flag":      "",
		"unknown shorthand flag: 'z' in -z": "",
		"flag needs an argument: --shard":   "",
	} {
		got, ok := refusal(text)
		if ok != (want != "") || !strings.HasPrefix(got, want) {
			t.Errorf("%q: %q, %v", text, got, ok)
		}
	}
}
