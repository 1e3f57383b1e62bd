package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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
  baseline = "cgogrind.baseline"`

// configure makes the commands take from the configuration file what the command line does not say.
func (a *app) configure(root *cobra.Command) {
	root.PersistentFlags().StringVar(&a.configFile, "config", "",
		"the configuration `FILE`; by default cgogrind.toml here or in the nearest folder above, none for no file")
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
			if err := a.applyConfig(root, cmd); err != nil {
				return err
			}
			return run(cmd, args)
		}
	}
}

// applyConfig sets the flags of a command that the command line does not set. All of the file is checked.
func (a *app) applyConfig(root, cmd *cobra.Command) error {
	file, err := findConfig(a.configFile)
	if err != nil || file == "" {
		return err
	}
	text, err := os.ReadFile(file)
	if err != nil {
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
			flag := of.Flags().Lookup(key)
			if flag == nil || key == "help" {
				return wrong(key, "cgogrind %s has no such flag: cgogrind help %[1]s lists them", table)
			}
			if _, isList := flag.Value.(pflag.SliceValue); !isList && !single {
				return wrong(key, "it takes one value, not a list")
			}
			if of != cmd || flag.Changed {
				continue
			}
			for _, v := range values {
				if err := cmd.Flags().Set(key, besides(file, flag, v)); err != nil {
					return wrong(key, "%q: %v", v, err)
				}
			}
		}
	}
	return nil
}

// findConfig returns the configuration file's name, "" if there is none.
func findConfig(named string) (string, error) {
	switch named {
	case "none":
		return "", nil
	case "":
	default:
		return named, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the configuration: %w", err)
	}
	way := "" // to dir: short, as long as it is here
	for {
		for _, name := range configNames {
			_, err := os.Stat(filepath.Join(dir, name))
			switch {
			case err == nil:
				return filepath.Join(way, name), nil
			case !errors.Is(err, fs.ErrNotExist):
				return "", usagef("finding the configuration: %v", err)
			}
		}
		above := filepath.Dir(dir)
		if above == dir {
			return "", nil
		}
		dir, way = above, filepath.Join("..", way)
	}
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
	if kind != "FILE" && !(kind == "PATH" && strings.Contains(value, "/")) || filepath.IsAbs(value) || value == "" {
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
