package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cgogrind/cgogrind/harness/internal/input"
	"github.com/cgogrind/cgogrind/harness/internal/repository"
	"github.com/cgogrind/cgogrind/harness/internal/tomlfile"
)

// configNames are the names that a configuration file may have.
var configNames = []string{"cgogrind.toml", ".cgogrind.toml"}

const configHelp = `Flags that a repository wants every time are in cgogrind.toml or .cgogrind.toml, in the working directory or the
nearest one above it: a table for each command, whose keys are the command's flags, and for test the
key packages. Names of files are relative to the configuration file; flags on the command line win.

  [test]
  packages = ["./..."]
  timeout = "45m"
  suppressions = ["ci/librados.supp"]
  baseline = "cgogrind.baseline"

The report names the file that was used. Looking for one ends at the folder of the repository, or of
the module or workspace where there is no repository. A file that cgogrind found is used only if it,
and each folder from it to that of the repository, belongs to you or root and nobody else can write
there; otherwise cgogrind says so and runs nothing. A repository that belongs to somebody else, as in
a container, will do if git takes it for safe:

  git config --global --add safe.directory DIR

A file that --config names is used whoever wrote it, and --config none uses none.

Flags that name a program to run (valgrind, toolexec, an extld in ldflags) are for the command line only. Files
that a found configuration has cgogrind write lie in the repository.`

// maxConfig is the size of a configuration file, in bytes.
const maxConfig = input.Settings

// configure makes the commands take from the configuration file what the command line does not say.
func (a *app) configure(root *cobra.Command) {
	root.PersistentFlags().StringVar(&a.configFile, "config", "",
		"the configuration `FILE`; by default cgogrind.toml here or in the nearest folder above that the repository has,\nnone for no file")
	root.AddCommand(&cobra.Command{
		Use: "configuration", Short: "What a repository wants every time: cgogrind.toml", Long: configHelp,
	})
	for _, cmd := range root.Commands() {
		run := cmd.RunE
		if run == nil {
			continue
		}
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if dir := cmd.Flags().Lookup("C"); dir != nil {
				if err := a.changeDir(dir.Value.String()); err != nil {
					return err
				}
			}
			if err := a.applyConfig(cmd.Context(), root, cmd); err != nil {
				return err
			}
			return run(cmd, args)
		}
	}
}

// applyConfig sets the flags of a command that the command line does not set. All of the file is checked.
func (a *app) applyConfig(ctx context.Context, root, cmd *cobra.Command) error {
	file, within, err := a.findConfig(ctx)
	if err != nil || file == "" {
		return err
	}
	text, err := input.ReadFile(file, maxConfig)
	if err != nil {
		return usagef("reading the configuration: %v", err)
	}
	if a.configUsed, err = filepath.Abs(file); err != nil {
		return usagef("reading the configuration: %v", err)
	}
	var tables map[string]any
	if err := tomlfile.Decode(file, string(text), &tables); err != nil {
		return usagef("%v", err)
	}
	for _, table := range sortedKeys(tables) {
		wrong := func(key, format string, args ...any) error {
			path := []string{table}
			if key != "" {
				path = append(path, key)
			}
			return usagef("%v", &tomlfile.Error{
				File: file, Line: tomlfile.Line(string(text), path...), Key: strings.Join(path, "."),
				Msg: fmt.Sprintf(format, args...),
			})
		}
		keys, isTable := tables[table].(map[string]any)
		if !isTable {
			return wrong("", "it is in no table: keys stand below a command's name, as [test]")
		}
		of := commandNamed(root, table)
		if of == nil {
			return wrong("", "there is no such command: tables are called as commands")
		}
		set := make(map[string]string) // keys by the flags that they set
		for _, key := range sortedKeys(keys) {
			values, single, err := texts(keys[key])
			if err != nil {
				return wrong(key, "%v", err)
			}
			if table == "test" && key == "packages" {
				if of == cmd {
					a.packages = values
				}
				continue
			}
			flag := flagNamed(of, key)
			if flag == nil {
				return wrong(key, "cgogrind %s has no such flag: cgogrind help %[1]s lists them", table)
			}
			if why := commandLineOnly(flag, values); why != "" {
				return wrong(key, "%s", why)
			}
			if other := set[flag.Name]; other != "" {
				return wrong(key, "it is the same flag as %s", other)
			}
			set[flag.Name] = key
			if _, isList := flag.Value.(pflag.SliceValue); !isList && !single {
				return wrong(key, "it takes one value, not a list")
			}
			if of != cmd || flag.Changed {
				continue
			}
			for _, v := range values {
				v = besides(file, flag, v)
				if why := outside(within, flag, v); why != "" {
					return wrong(key, "%s", why)
				}
				if err := cmd.Flags().Set(flag.Name, v); err != nil {
					return wrong(key, "%q: %v", v, err)
				}
			}
		}
	}
	return nil
}

// flagNamed is a command's flag, by its name or its letter. Nil for one that makes no sense in a file.
func flagNamed(of *cobra.Command, key string) *pflag.Flag {
	flag := of.Flags().Lookup(key)
	if flag == nil && len(key) == 1 {
		flag = of.Flags().ShorthandLookup(key)
	}
	if flag == nil || slices.Contains([]string{"help", "config"}, flag.Name) {
		return nil
	}
	return flag
}

// external matches linker flags that name a program.
var external = regexp.MustCompile(`(^|[\s'"=])--?extld\b`)

// commandLineOnly says why a flag has no place in a configuration: one file must not decide what runs on the machines of
// all who have the repository. Empty for the others.
func commandLineOnly(flag *pflag.Flag, values []string) string {
	const why = "it names a program to run, which a configuration file does not: give it on the command line"
	switch flag.Name {
	case "valgrind", "toolexec":
		return why
	case "ldflags":
		if slices.ContainsFunc(values, external.MatchString) {
			return "with -extld " + why
		}
	case "C":
		return "the working directory decides which configuration is used: give it on the command line"
	}
	return ""
}

// written are the flags that name a file or folder that is written.
var written = []string{"stream", "junit", "sarif", "html", "markdown", "save", "output", "file"}

// outside says why a file is not written, if it lies outside of a folder; within is empty for none.
func outside(within string, flag *pflag.Flag, name string) string {
	if within == "" || name == "" || !slices.Contains(written, flag.Name) {
		return ""
	}
	real, err := filepath.Abs(name)
	if err == nil {
		real, err = resolve(real)
	}
	if err != nil {
		return err.Error()
	}
	if rel, err := filepath.Rel(within, real); err != nil || !filepath.IsLocal(rel) {
		return fmt.Sprintf("%s is not in the repository (%s): a configuration that was found writes there only; "+
			"give it on the command line", real, within)
	}
	return ""
}

// resolve resolves symbolic links as far as a path exists.
func resolve(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return real, err
	}
	if to, err := os.Readlink(path); err == nil { // it leads to what does not exist yet
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		return resolve(to)
	}
	dir, err := resolve(filepath.Dir(path))
	return filepath.Join(dir, filepath.Base(path)), err
}

// findConfig returns the configuration file's name, "" if there is none. within is the folder that a file may write in; it
// is empty if the command line names the file.
func (a *app) findConfig(ctx context.Context) (file, within string, err error) {
	switch a.configFile {
	case "none":
		return "", "", nil
	case "":
	default:
		return a.configFile, "", nil
	}
	dir, err := os.Getwd()
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return "", "", fmt.Errorf("finding the configuration: %w", err)
	}
	root, err := repository.Root(dir)
	if err != nil {
		return "", "", fmt.Errorf("finding the configuration: %w", err)
	}
	for way := ""; ; way = filepath.Join("..", way) { // to dir: short, as long as it is here
		for _, name := range configNames {
			switch _, err := os.Lstat(filepath.Join(dir, name)); {
			case err == nil:
				file := filepath.Join(way, name)
				return file, root, a.mayObey(ctx, root, filepath.Join(dir, name), file)
			case !errors.Is(err, fs.ErrNotExist):
				return "", "", usagef("finding the configuration: %v", err)
			}
		}
		if dir == root {
			return "", "", nil
		}
		dir = filepath.Dir(dir)
	}
}

// mayObey fails if somebody else can have written a configuration file.
func (a *app) mayObey(ctx context.Context, root, path, file string) error {
	err := repository.NewTrust(ctx, root, a.Env).Check(path)
	var unsafe *repository.Error
	if !errors.As(err, &unsafe) {
		if err != nil {
			return usagef("finding the configuration: %v", err)
		}
		return nil
	}
	text := fmt.Sprintf("%s is not used, as somebody else may have written it: %v.", file, unsafe)
	if unsafe.Remedy != "" {
		text += "\nIf that is as it should be: " + unsafe.Remedy
	}
	return usagef("%s\nThis run alone: --config %s uses the file, --config none does without", text, file)
}

func commandNamed(root *cobra.Command, name string) *cobra.Command {
	i := slices.IndexFunc(root.Commands(), func(c *cobra.Command) bool { return c.Name() == name })
	if i < 0 {
		return nil
	}
	return root.Commands()[i]
}

// texts returns what a flag would be set to.
func texts(value any) (values []string, single bool, err error) {
	switch v := value.(type) {
	case string:
		return []string{v}, true, nil
	case bool, int64, float64:
		return []string{fmt.Sprint(v)}, true, nil
	case []any:
		for _, e := range v {
			text, one, err := texts(e)
			if err != nil || !one {
				return nil, false, errors.New("expected a list of texts, numbers or truth values")
			}
			values = append(values, text...)
		}
		return values, false, nil
	}
	return nil, false, errors.New("expected a text, a number, a truth value or a list of them")
}

// besides makes a file's name in the configuration relative to it.
func besides(config string, flag *pflag.Flag, value string) string {
	kind, _ := pflag.UnquoteUsage(flag)
	if kind != "FILE" && kind != "DIR" && !(kind == "PATH" && strings.Contains(value, "/")) || filepath.IsAbs(value) || value == "" {
		return value
	}
	return filepath.Join(filepath.Dir(config), value)
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
