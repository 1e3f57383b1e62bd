package cli

import (
	"strings"

	"github.com/spf13/cobra"
)

// buildFlags are the flags of go build that test and run take; each by the index of goBuildFlags.
type buildFlags struct {
	tags   string
	values [len(goBuildFlags)]string
}

// goBuildFlags are handed to the go command as they are.
var goBuildFlags = [...]struct{ name, usage string }{
	{"mod", "module `MODE`: readonly, vendor or mod"},
	{"modfile", "another `FILE` in the place of go.mod"},
	{"ldflags", "`FLAGS` for the linker"},
	{"gcflags", "`FLAGS` for the compiler"},
	{"asmflags", "`FLAGS` for the assembler"},
	{"overlay", "a `FILE` that names replacements for source files, beside those of the runtime"},
	{"pgo", "the `PROFILE` to optimize by"},
	{"buildvcs", "whether to stamp binaries with what the version control says: `true, false, auto`"},
	{"toolexec", "a `PROGRAM` that runs the compiler and its like"},
}

func (f *buildFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.tags, "tags", "", "build `TAGS`, separated by commas")
	for i, b := range goBuildFlags {
		fs.StringVar(&f.values[i], b.name, "", b.usage)
	}
	fs.Lookup("buildvcs").NoOptDefVal = "true"
	complete(cmd, "mod", "readonly", "vendor", "mod")
	complete(cmd, "buildvcs", "true", "false", "auto")
}

// config is what the engine takes.
func (f *buildFlags) config() (tags, flags []string) {
	if f.tags != "" {
		tags = strings.FieldsFunc(f.tags, func(r rune) bool { return r == ',' || r == ' ' })
	}
	for i, b := range goBuildFlags {
		if f.values[i] != "" {
			flags = append(flags, "-"+b.name+"="+f.values[i])
		}
	}
	return tags, flags
}
