package harness

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cgogrind/cgogrind/harness/internal/build"
	"github.com/cgogrind/cgogrind/harness/internal/judge"
	"github.com/cgogrind/cgogrind/harness/internal/shell"
	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind/memcheck"
)

// reproVariables are environment variables that have a part in what is built or found.
var reproVariables = []string{
	"GOTOOLCHAIN", "GOEXPERIMENT", "GOFLAGS", "GODEBUG", "GOGC", "GOMEMLIMIT", "GOMAXPROCS", "GOAMD64", "GOARM64",
	"CGO_ENABLED", "CC", "CXX", "CGO_CFLAGS", "CGO_CPPFLAGS", "CGO_CXXFLAGS", "CGO_LDFLAGS",
	"LD_PRELOAD", "LD_LIBRARY_PATH", "GLIBC_TUNABLES", "MALLOC_PERTURB_", "MALLOC_ARENA_MAX",
}

// withSeed gives -test.shuffle=on a number, so that the run can be repeated.
func withSeed(flags []string) []string {
	flags = slices.Clone(flags)
	for i, f := range flags {
		if f == "-test.shuffle=on" {
			flags[i] = "-test.shuffle=" + strconv.FormatInt(time.Now().UnixNano(), 10)
		}
	}
	return flags
}

// takeTestArgs adds flags of the test binaries and takes those among them that the engine sets itself: the binary obeys
// the last one of a name, and a process that is to go on after a crash would begin anew.
func (r *run) takeTestArgs(args []string) {
	for _, flag := range []struct {
		name string
		set  func(string)
	}{
		{"test.run", func(v string) { r.cfg.Run = v }},
		{"test.skip", func(v string) { r.cfg.Skip = v }},
		{"test.timeout", func(v string) {
			if d, err := time.ParseDuration(v); err == nil {
				r.cfg.Timeout = d
			}
			if r.cfg.Timeout == 0 {
				r.cfg.Timeout = -1
			}
		}},
	} {
		for i, a := range args {
			name, value, hasValue := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(a, "-"), "-"), "=")
			switch {
			case name != flag.name || !strings.HasPrefix(a, "-"):
			case hasValue:
				flag.set(value)
			case i+1 < len(args):
				flag.set(args[i+1])
			}
		}
		args = withoutFlags(args, flag.name)
	}
	args = slices.DeleteFunc(slices.Clone(args), func(a string) bool {
		switch strings.TrimPrefix(strings.TrimPrefix(a, "-"), "-") {
		case a:
			return false
		case "test.failfast", "test.failfast=true":
			r.cfg.FailFast = true
			return true
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(a, "-"), "=")
		return name == "-test.v" || name == "test.v" // the engine sets it, to read the output
	})
	r.cfg.TestFlags = withSeed(append(r.cfg.TestFlags, args...))
}

// testFlags are the further flags of a package's test binary. Ginkgo, which runs containers in a random order, gets a
// seed, so that the processes of a run have the same order and the run can be repeated.
func (r *run) testFlags(p build.Package) []string {
	if !p.HasGinkgo || len(withoutFlags(r.cfg.TestFlags, "ginkgo.seed")) < len(r.cfg.TestFlags) {
		return r.cfg.TestFlags
	}
	return append([]string{"-ginkgo.seed=" + strconv.FormatInt(r.start.Unix(), 10)}, r.cfg.TestFlags...)
}

// repro is what a command to run a package's test again takes over from this run.
func (r *run) repro(of build.Package) judge.Repro {
	var p judge.Repro
	if of.ImportPath == build.CommandLine {
		p.Packages = r.cfg.Patterns
	}
	for _, name := range reproVariables {
		value := shell.Getenv(r.cfg.Env, name)
		switch name {
		case "GOTOOLCHAIN":
			if !strings.HasPrefix(value, "go") {
				value = "" // local, auto, path: it names no version
			}
		case "GOFLAGS":
			if words, err := shell.Fields(value); err == nil { // the build has read them
				value = shell.JoinFields(slices.DeleteFunc(words, func(f string) bool {
					return strings.HasPrefix(strings.TrimLeft(f, "-"), "buildvcs")
				}))
			}
		}
		if value != "" {
			p.Env = append(p.Env, name+"="+value)
		}
	}

	if len(r.cfg.Tags) > 0 {
		p.Flags = append(p.Flags, "-tags="+strings.Join(r.cfg.Tags, ","))
	}
	p.Flags = append(p.Flags, r.cfg.BuildFlags...)
	if r.cfg.Runtime == result.Stock {
		p.Flags = append(p.Flags, "--runtime=stock")
	}
	if r.cfg.GCStress > 0 {
		p.Flags = append(p.Flags, "--gc-stress="+strconv.Itoa(r.cfg.GCStress))
	}
	if r.cfg.Profile != "" && r.cfg.Profile != ProfileDefault {
		p.Flags = append(p.Flags, "--profile="+string(r.cfg.Profile))
	}
	if r.cfg.CgoCheck2 {
		p.Flags = append(p.Flags, "--cgocheck2")
	}
	if kinds := r.cfg.LeakKinds; len(kinds) > 0 && !slices.Equal(kinds, []memcheck.LeakKind{memcheck.LeakDefinite}) {
		names := make([]string, len(kinds))
		for i, k := range kinds {
			names[i] = string(k)
		}
		p.Flags = append(p.Flags, "--leak-kinds="+strings.Join(names, ","))
	}
	if r.cfg.TraceChildren {
		p.Flags = append(p.Flags, "--trace-children")
	}
	if r.cfg.AllowUnseen {
		p.Flags = append(p.Flags, "--allocator=warn")
	}
	if r.cfg.Skip != "" {
		p.Flags = append(p.Flags, "-skip="+r.cfg.Skip)
	}
	// Tests are named, and counted, by flags of their own.
	for _, f := range withoutFlags(r.testFlags(of), "test.run", "test.count", "ginkgo.focus") {
		name, value, _ := strings.Cut(f, "=")
		switch name {
		case "-test.short", "-test.cpu", "-test.shuffle", "-test.parallel":
			f = "-" + strings.TrimPrefix(name, "-test.")
			if value != "" {
				f += "=" + value
			}
			p.Flags = append(p.Flags, f)
		default:
			p.TestFlags = append(p.TestFlags, f)
		}
	}
	return p
}
