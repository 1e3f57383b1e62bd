package build

import (
	"debug/elf"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cgogrind/cgogrind/harness/internal/shell"
)

// unwelcome are flags in GOFLAGS with which the tests cannot run under memcheck, and why.
var unwelcome = map[string]string{
	"race":     "the race detector's runtime and valgrind cannot both watch the memory",
	"msan":     "the memory sanitizer's runtime cannot run under valgrind",
	"asan":     "the address sanitizer replaces malloc, so that memcheck would not see the memory",
	"cover":    "coverage counters are no part of what memcheck should see",
	"trimpath": "blame and source lines need the real paths of the files",
}

// goFlags are the words of GOFLAGS; none if it cannot be read, which newBuilder has complained of.
func (b *builder) goFlags() []string {
	words, err := shell.Fields(b.goEnv.GOFLAGS)
	if err != nil {
		return nil
	}
	return words
}

// checkFlags refuses settings of the user's that cannot be combined with ours.
func (b *builder) checkFlags() error {
	for _, f := range b.goFlags() {
		name, value, _ := strings.Cut(strings.TrimLeft(f, "-"), "=")
		if why, ok := unwelcome[name]; ok && value != "false" {
			return fmt.Errorf("GOFLAGS has %s, which cannot be combined with memcheck: %s; unset it for this run", f, why)
		}
	}
	return nil
}

// checkSymbols refuses a binary that the user's flags for the linker left without symbols.
func checkSymbols(binary string) error {
	f, err := elf.Open(binary)
	if err != nil {
		return fmt.Errorf("reading %s: %w", filepath.Base(binary), err)
	}
	defer f.Close()
	if f.SectionByType(elf.SHT_SYMTAB) == nil {
		return fmt.Errorf("the linker left out the symbols of %s (-s in -ldflags), without which memcheck names nothing that it "+
			"finds and suppressions match nothing: leave -s out of -ldflags or GOFLAGS for this run", filepath.Base(binary))
	}
	return nil
}

// userOverlay is the file that the user's -overlay names, on the command line or in GOFLAGS; empty if none does.
func (b *builder) userOverlay() string {
	name := ""
	for _, f := range b.goFlags() {
		if v, ok := strings.CutPrefix(strings.TrimLeft(f, "-"), "overlay="); ok {
			name = v
		}
	}
	for _, f := range b.cfg.Flags {
		if v, ok := strings.CutPrefix(strings.TrimLeft(f, "-"), "overlay="); ok {
			name = v
		}
	}
	if name != "" && !filepath.IsAbs(name) {
		name = filepath.Join(b.cfg.Dir, name)
	}
	return name
}

// addUserOverlay adds the replacements of the user's overlay to ours.
func (b *builder) addUserOverlay() error {
	name := b.userOverlay()
	if name == "" {
		return nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("reading the overlay: %w", err)
	}
	var overlay struct{ Replace map[string]string }
	if err := json.Unmarshal(data, &overlay); err != nil {
		return fmt.Errorf("reading the overlay %s: %w; it is {\"Replace\": {\"/the/file.go\": \"/what/replaces/it.go\"}}", name, err)
	}
	abs := func(path string) string {
		if path == "" || filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(b.cfg.Dir, path)
	}
	for from, to := range overlay.Replace {
		from, to = abs(from), abs(to)
		if _, ours := b.replace[from]; ours {
			return fmt.Errorf("the overlay %s replaces %s, which cgogrind replaces, too: build with --runtime=stock, or leave "+
				"that file alone", name, from)
		}
		b.replace[from] = to
	}
	return nil
}

// buildFlags are the user's flags without the overlay, which became a part of ours.
func (b *builder) buildFlags() []string {
	var flags []string
	for _, f := range b.cfg.Flags {
		if !strings.HasPrefix(strings.TrimLeft(f, "-"), "overlay=") {
			flags = append(flags, f)
		}
	}
	return flags
}
