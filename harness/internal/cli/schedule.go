package cli

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cgogrind/cgogrind/harness"
	"github.com/cgogrind/cgogrind/harness/internal/shell"
	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind/memcheck"
)

// scheduleFlags say which tests run, in which processes, how long, and when leaks are looked for.
type scheduleFlags struct {
	flags                      *pflag.FlagSet // that they are in
	processes, split           int
	isolate, failFast, cgoOnly bool
	shard                      string
	budget, timeout, perTest   time.Duration
	leakCheck                  string
	leakKinds                  []string
}

func (f *scheduleFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	f.flags = fs
	fs.DurationVar(&f.timeout, "timeout", harness.DefaultTimeout, fmt.Sprintf("how long the tests of a package may take, as for "+
		"go test: memcheck\ngives them %d times as long; 0 for no limit", harness.TimeoutFactor))
	fs.DurationVar(&f.perTest, "test-timeout", harness.DefaultTestTimeout, fmt.Sprintf("how long one test may take, times %d, "+
		"too; 0 for no limit", harness.TimeoutFactor))
	fs.BoolVar(&f.failFast, "failfast", false, "begin no test of a package after one that failed, or that memcheck found something in")
	fs.IntVarP(&f.processes, "p", "p", 0, "run `N` processes at a time; as many as there are CPUs by default")
	fs.IntVar(&f.split, "split", 1, "let `N` processes share the tests of each package")
	fs.BoolVar(&f.isolate, "isolate", false, "run each top-level test in a process of its own")
	fs.StringVar(&f.shard, "shard", "", "run a part of the tests only, `I/N`: the Ith of N parts, chosen by the tests' names;\n"+
		"auto takes both from the variables of GitLab, Buildkite, CircleCI, or of a Kubernetes Indexed Job with\nCGOGRIND_SHARDS")
	fs.DurationVar(&f.budget, "budget", 0, "begin no test after this time, and slow ones, as they were before, last; what does "+
		"not fit is skipped")
	fs.BoolVar(&f.cgoOnly, "cgo-only", false, "leave out packages without C code in them and in what they import")
	fs.StringVar(&f.leakCheck, "leak-check", string(harness.LeakTest), "when to look for leaks, `WHEN`: test (after each test, "+
		"if that takes less than a\ntenth of the time, and at the end), package (at the end) or off")
	fs.StringSliceVar(&f.leakKinds, "leak-kinds", []string{string(memcheck.LeakDefinite)}, "the `KINDS` of leaks that are "+
		"findings: definite,indirect,possible,reachable")
	complete(cmd, "leak-check", string(harness.LeakTest), string(harness.LeakPackage), string(harness.LeakOff))
	complete(cmd, "leak-kinds", leakKinds...)
}

var leakKinds = []string{
	string(memcheck.LeakDefinite), string(memcheck.LeakIndirect), string(memcheck.LeakPossible), string(memcheck.LeakReachable),
}

// into sets what the flags say.
func (f *scheduleFlags) into(cfg *harness.Config, env []string) error {
	for _, d := range []struct {
		flag  string
		value time.Duration
		to    *time.Duration
	}{{"timeout", f.timeout, &cfg.Timeout}, {"test-timeout", f.perTest, &cfg.TestTimeout}} {
		switch *d.to = d.value; {
		case d.value < 0:
			return usagef("--%s=%s is negative: 0 is no limit", d.flag, d.value)
		case d.value == 0:
			*d.to = -1
		}
	}
	switch {
	case f.budget < 0:
		return usagef("--budget=%s is negative: leave it out for no limit", f.budget)
	case f.processes < 0, f.processes == 0 && f.flags.Changed("p"):
		return usagef("-p=%d: at least one process must run; without -p it is one for each CPU", f.processes)
	case f.split < 1:
		return usagef("--split=%d: it must be 1 or more", f.split)
	case f.isolate && f.split > 1:
		return usagef("--isolate and --split exclude each other: with --isolate each test has a process of its own already")
	}
	cfg.Budget, cfg.Processes, cfg.Split, cfg.Isolate = f.budget, f.processes, f.split, f.isolate
	cfg.FailFast, cfg.CgoOnly = f.failFast, f.cgoOnly
	switch cfg.LeakCheck = harness.LeakCheck(f.leakCheck); cfg.LeakCheck {
	case harness.LeakTest, harness.LeakPackage, harness.LeakOff:
	default:
		return usagef("--leak-check=%s: it is test, package or off", f.leakCheck)
	}
	for _, k := range f.leakKinds {
		if !slices.Contains(leakKinds, k) {
			return usagef("--leak-kinds: %q is none: there are %s", k, strings.Join(leakKinds, ", "))
		}
		cfg.LeakKinds = append(cfg.LeakKinds, memcheck.LeakKind(k))
	}
	var err error
	cfg.Shard, err = parseShard(f.shard, env)
	return err
}

// shardVariables are those in which CI systems say which of several equal jobs one is.
var shardVariables = []struct {
	system, index, count string
	first                int // the first job's index
}{
	{"GitLab CI", "CI_NODE_INDEX", "CI_NODE_TOTAL", 1},
	{"Buildkite", "BUILDKITE_PARALLEL_JOB", "BUILDKITE_PARALLEL_JOB_COUNT", 0},
	{"CircleCI", "CIRCLE_NODE_INDEX", "CIRCLE_NODE_TOTAL", 0},
	{"a Kubernetes Indexed Job", "JOB_COMPLETION_INDEX", "CGOGRIND_SHARDS", 0},
}

func parseShard(s string, env []string) (*result.Shard, error) {
	var index, count string
	first := 1
	switch s {
	case "":
		return nil, nil
	case "auto":
		found := slices.IndexFunc(shardVariables, func(v struct {
			system, index, count string
			first                int
		}) bool {
			return shell.Getenv(env, v.index) != ""
		})
		if found < 0 {
			var names []string
			for _, v := range shardVariables {
				names = append(names, fmt.Sprintf("%s and %s (%s)", v.index, v.count, v.system))
			}
			return nil, usagef("--shard=auto: the environment does not say which shard this is: none of these is set: %s; "+
				"say it with --shard=I/N", strings.Join(names, ", "))
		}
		v := shardVariables[found]
		index, count, first = shell.Getenv(env, v.index), shell.Getenv(env, v.count), v.first
		if count == "" {
			return nil, usagef("--shard=auto: %s is set and %s is not: set it to the number of jobs", v.index, v.count)
		}
		s = fmt.Sprintf("auto (%s=%s, %s=%s)", v.index, index, v.count, count)
	default:
		index, count, _ = strings.Cut(s, "/")
	}
	i, err1 := strconv.Atoi(index)
	n, err2 := strconv.Atoi(count)
	i += 1 - first
	if err1 != nil || err2 != nil || i < 1 || i > n {
		return nil, usagef("--shard=%s: it is I/N, two numbers, with I from 1 to N, or auto", s)
	}
	return &result.Shard{Index: i, Count: n}, nil
}

// refused are flags of go test that make no sense here, and why.
var refused = map[string]string{
	"race": "the race detector and valgrind both want to watch every access: run go test -race on its own",
	"msan": "the memory sanitizer cannot run under valgrind, which finds the same and more",
	"asan": "the address sanitizer replaces malloc, so that memcheck would not see the memory: run go test -asan on its own",
	"cover": "what the tests cover is the same without memcheck, in a tenth of the time: run go test -cover on its own. " +
		"Tests that run again after a crash would be counted twice here",
	"coverprofile": "run go test -coverprofile on its own",
	"coverpkg":     "run go test -coverpkg on its own",
	"covermode":    "run go test -covermode on its own",
	"bench":        "times under memcheck say nothing about times without it: run go test -bench on its own",
	"fuzz": "fuzzing lives from speed, and memcheck is slow. The seeds of fuzz targets, testdata/fuzz included, run as " +
		"tests: fuzz with go test -fuzz, and keep its corpus",
	"list":         "go test -list does it, and needs no memcheck",
	"exec":         "the tests run under valgrind: that is their -exec. --valgrind chooses the valgrind",
	"trimpath":     "blame and source lines need the real paths of the files",
	"n":            "nothing is printed in the place of being run: --keep-work shows what was built",
	"x":            "the commands of a build are those of go test -x -c; --keep-work keeps what was built",
	"work":         "--keep-work keeps the temporary folder",
	"a":            "packages are built anew when they have changed; go clean -cache forgets all of them",
	"buildmode":    "a test binary is an executable: leave it out",
	"cpuprofile":   "it would show memcheck's time, not yours: run go test -cpuprofile on its own",
	"memprofile":   "run go test -memprofile on its own: memcheck adds nothing to it",
	"blockprofile": "it would show memcheck's time, not yours: run go test -blockprofile on its own",
	"mutexprofile": "it would show memcheck's time, not yours: run go test -mutexprofile on its own",
	"trace":        "it would show memcheck's time, not yours: run go test -trace on its own",
	"benchmem":     "run go test -bench on its own",
	"benchtime":    "run go test -bench on its own",
	"fuzztime":     "run go test -fuzz on its own",
}

// refusal explains an error about a flag that is not known, if it is one of go test's.
func refusal(text string) (string, bool) {
	for _, prefix := range []string{"unknown flag: --", "unknown shorthand flag: "} {
		if name, ok := strings.CutPrefix(text, prefix); ok {
			name = strings.Trim(strings.Fields(name)[0], "'\"")
			why, ok := refused[name]
			return fmt.Sprintf("-%s: %s", name, why), ok
		}
	}
	return "", false
}

// changeDir is -C: what else the command line names is relative to dir.
func (a *app) changeDir(dir string) error {
	if dir == "" {
		return nil
	}
	if err := os.Chdir(dir); err != nil {
		return usagef("-C: %v", err)
	}
	wd, err := os.Getwd()
	if err != nil {
		return usagef("-C: %v", err)
	}
	a.Env = append(slices.Clone(a.Env), "PWD="+wd)
	return nil
}
