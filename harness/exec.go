package harness

import (
	"bufio"
	"bytes"
	"context"
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/cgogrind/cgogrind/harness/internal/allocator"
	"github.com/cgogrind/cgogrind/harness/internal/build"
	"github.com/cgogrind/cgogrind/harness/internal/judge"
	"github.com/cgogrind/cgogrind/harness/internal/shell"
	"github.com/cgogrind/cgogrind/harness/result"
)

// subject is a program that will run.
type subject struct {
	path  string // absolute
	label string // what its verdicts are filed under
	name  string // of the verdict on all of it
	again string // the command that runs it again
	isGo  bool
	judge judge.Config

	libtest *judge.Libtest // for a Rust test binary
}

// finished finds out what a finished program is. It returns no subject for a Go test binary with its description: that
// is in r.built then.
func (r *run) finished(ctx context.Context, p Program) (*subject, result.ExitCode, error) {
	path, err := exec.LookPath(p.Path)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return nil, result.ExitUsage, fmt.Errorf("looking for the program: %w", err)
	}
	if interpreter := shebang(path); interpreter != "" {
		if !r.cfg.TraceChildren {
			return nil, result.ExitUsage, fmt.Errorf("%s is a script: memcheck would check %s and not what the script starts; "+
				"name that program, or add --trace-children", p.Path, interpreter)
		}
		s := r.plain(p, path)
		if p, err := exec.LookPath(interpreter); err == nil {
			path = p
		}
		code, err := r.inspect(ctx, allocator.Program{Path: path, Env: r.cfg.Env}, s.label)
		return s, code, err
	}

	info, err := buildinfo.ReadFile(path)
	isGo := err == nil
	var symbols symbolNames
	if symbols, err = readSymbolNames(path); err != nil {
		return nil, result.ExitUsage, fmt.Errorf("reading %s: %w", p.Path, err)
	}
	isTest := symbols.goTest || isGo && strings.HasSuffix(info.Path, ".test")
	built, goRuntime, err := build.Load(path)
	described := err == nil
	switch {
	case err != nil && !errors.Is(err, build.ErrNoDescription):
		return nil, result.ExitUsage, err
	case described && isTest:
		r.built, r.cfg.Runtime = built, goRuntime
		r.takeTestArgs(p.Args)
		if err := r.checkExpressions(); err != nil {
			return nil, result.ExitUsage, err
		}
		r.relocate(&r.built.Packages[0])
		code, err := r.inspectPackages(ctx)
		return nil, code, err
	case isGo && !symbols.instrumented && r.cfg.Runtime != result.Stock:
		return nil, result.ExitUsage, stockError(p.Path, info, symbols.any, isTest)
	case symbols.instrumented && isTest:
		return nil, result.ExitUsage, err
	case isGo && symbols.instrumented:
		r.cfg.Runtime = result.Instrumented
	}

	s := r.plain(p, path)
	if isGo {
		s.isGo, s.judge.Program = true, false
		s.judge.ModulePath = info.Main.Path
		r.built = &build.Result{GoVersion: info.GoVersion}
		if described {
			r.built = built
			s.of(built)
		}
	}
	if code, err := r.inspect(ctx, allocator.Program{Path: path, Env: r.cfg.Env}, s.label); err != nil {
		return nil, code, err
	}
	if symbols.libtest {
		s.libtest = r.listRustTests(ctx, path, p)
	}
	return s, 0, nil
}

// of takes what is known of a main package that was built.
func (s *subject) of(built *build.Result) {
	pkg := built.Packages[0]
	s.label, s.name = pkg.ImportPath, filepath.Base(s.path)
	s.judge.ImportPath, s.judge.Dir = pkg.ImportPath, pkg.Dir
	s.judge.ModulePath, s.judge.ModuleDir = pkg.ModulePath, pkg.ModuleDir
	s.judge.GOROOT = built.GOROOT
	s.isGo, s.judge.Program = true, false
}

// cargoHash is what cargo adds to the name of a test binary.
var cargoHash = regexp.MustCompile(`-[0-9a-f]{16}$`)

// plain is a program of which nothing but its path is known.
func (r *run) plain(p Program, path string) *subject {
	name := cargoHash.ReplaceAllString(filepath.Base(path), "")
	s := &subject{path: path, label: name, name: name}
	s.judge = judge.Config{ImportPath: name, Program: true}
	s.again = r.againCommand(p, p.Args)
	return s
}

// againCommand runs a finished program again.
func (r *run) againCommand(p Program, args []string) string {
	repro := r.repro(build.Package{})
	words := append([]string{"cgogrind", "exec"}, repro.Flags...)
	words = append(append(words, "--", p.Path), args...)
	env := repro.Env
	if shell.Getenv(r.cfg.Env, "CARGO") != "" { // which sets this for what it runs, and for libraries of its own only
		env = slices.DeleteFunc(env, func(kv string) bool { return strings.HasPrefix(kv, "LD_LIBRARY_PATH=") })
	}
	return shell.Command{Env: env, Args: words}.String()
}

// shebang returns the interpreter of a script, "" for what is none.
func shebang(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	line, err := bufio.NewReaderSize(f, 512).ReadSlice('\n')
	if err != nil && len(line) == 0 || !strings.HasPrefix(string(line), "#!") {
		return ""
	}
	return interpreter(string(line[2:]))
}

// interpreter is the program that the rest of a line after #! names: that which env starts, if it names env, whose -S splits what
// the kernel hands on as one argument. Empty for none.
func interpreter(line string) string {
	words := strings.Fields(line)
	if len(words) == 0 || filepath.Base(words[0]) != "env" {
		return strings.Join(words[:min(1, len(words))], "")
	}
	for i := 1; i < len(words); i++ {
		word := words[i]
		if name, value, _ := strings.Cut(word, "="); strings.HasPrefix(word, "--") {
			switch {
			case name == "--split-string":
				word = value
			case (name == "--unset" || name == "--chdir") && name == word:
				i++
			}
			if word != value {
				continue
			}
		} else if strings.HasPrefix(word, "-") {
			var takes bool
			if word, takes = afterS(word[1:]); takes {
				i++
			}
		}
		if word = strings.Trim(word, `"'`); word != "" && !strings.Contains(word, "=") {
			return word
		}
	}
	return words[0]
}

// afterS is what follows S in short options of env, which may be written together; takes says that the next word is an
// option's value.
func afterS(options string) (rest string, takes bool) {
	for i, c := range options {
		switch c {
		case 'S':
			return options[i+1:], false
		case 'u', 'C':
			return "", i+1 == len(options)
		}
	}
	return "", false
}

// symbolNames says what the symbols of a program tell.
type symbolNames struct {
	any          bool // it has symbols
	instrumented bool // it holds the instrumented Go runtime
	goTest       bool // it is a Go test binary: the path that it is built from tells for packages other than main
	libtest      bool // it is a Rust test binary
}

// rustTestMain is the symbol of the function that a Rust test binary's main calls, in either mangling.
var rustTestMain = regexp.MustCompile(`^(_RNv.*4test16test_main_static|_ZN4test16test_main_static17h[0-9a-f]{16}E)$`)

func readSymbolNames(path string) (n symbolNames, err error) {
	f, err := elf.Open(path)
	if err != nil {
		var format *elf.FormatError
		if errors.As(err, &format) {
			err = fmt.Errorf("it is no program for Linux: %w", err)
		}
		return n, err
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return n, err
	}
	for _, s := range symbols {
		n.any = true
		switch {
		case s.Name == "runtime.cgogrindBeforeExit":
			n.instrumented = true
		case s.Name == "testing.MainStart":
			n.goTest = true
		case strings.HasPrefix(s.Name, "_") && rustTestMain.MatchString(s.Name):
			n.libtest = true
		}
	}
	return n, nil
}

// stockError refuses a Go program that memcheck cannot check, and says how to build one that it can.
func stockError(path string, info *buildinfo.BuildInfo, hasSymbols, isTest bool) error {
	why := fmt.Sprintf("it has the stock Go runtime (%s), which drowns memcheck in false errors", info.GoVersion)
	if !hasSymbols {
		why = "its symbols were stripped, so that memcheck cannot name what it finds, nor can it be told from a program " +
			"with the stock Go runtime"
	}
	of := strings.TrimSuffix(info.Path, ".test")
	if of == "" || of == "command-line-arguments" {
		of = "PACKAGE"
	}
	build := shell.Command{Args: []string{"cgogrind", "run", "-o", path, of}}
	if isTest {
		build = shell.Command{Args: []string{"cgogrind", "test", "-c", "-o", path, of}}
	}
	return fmt.Errorf("%s: %s; build it with\n  %s\nor run it as it is with --runtime=stock", path, why, build)
}

// relocate makes a test binary run where it is when the folder of its package is on another machine.
func (r *run) relocate(p *build.Package) {
	if _, err := os.Stat(p.Dir); !errors.Is(err, fs.ErrNotExist) {
		return
	}
	fmt.Fprintf(r.cfg.Notes, "%s: the package's folder %s is not here, so that its tests run in %s\n", p.ImportPath, p.Dir,
		r.cfg.Dir)
	p.Dir, p.SourceDir = r.cfg.Dir, p.Dir
}

// listRustTests asks a Rust test binary which tests it would run with these arguments; nil if it does not say.
func (r *run) listRustTests(ctx context.Context, path string, p Program) *judge.Libtest {
	var chosen []string // the arguments without those that make it list twice
	for _, a := range p.Args {
		if a == "--list" || a == "--help" || a == "-h" || strings.HasPrefix(a, "--format") {
			return nil
		}
		chosen = append(chosen, a)
	}
	list := func(extra ...string) ([]string, error) {
		ctx, cancel := context.WithTimeout(ctx, listTimeout)
		defer cancel()
		cmd := exec.Command(path, slices.Concat([]string{"--list", "--format=terse"}, extra, chosen)...)
		var out bytes.Buffer
		cmd.Env, cmd.Stdout = r.cfg.Env, &out
		if err := r.work.run(ctx, cmd); err != nil {
			return nil, err
		}
		var names []string
		for line := range strings.Lines(out.String()) {
			line = strings.TrimSpace(line)
			for _, kind := range []string{": test", ": benchmark"} {
				if name, ok := strings.CutSuffix(line, kind); ok {
					names = append(names, name)
				}
			}
		}
		return names, nil
	}
	l := &judge.Libtest{}
	var err error
	if l.Tests, err = list(); err != nil {
		return nil
	}
	if !slices.Contains(p.Args, "--ignored") && !slices.Contains(p.Args, "--include-ignored") {
		if l.Ignored, err = list("--ignored"); err != nil {
			return nil
		}
	}
	l.Alone = func(test string) string { return r.againCommand(p, []string{"--exact", test}) }
	if len(l.Tests) == 0 {
		return nil
	}
	return l
}
