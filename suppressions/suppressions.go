// Package suppressions holds the suppression files that every run under memcheck gets, and reads and checks such files.
//
// Input is valgrind's suppression format, as described in "Suppressing errors" of its manual
// (https://valgrind.org/docs/manual/manual-core.html#manual-core.suppress). The package runs nothing, and whether an
// error is suppressed is valgrind's decision.
package suppressions

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
)

// Set names a set of suppressions that comes with the tool.
type Set string

// Go is the set for what Go's runtime tells memcheck.
const Go Set = "go"

// Sets lists the sets that come with the tool.
func Sets() []Set { return []Set{Go} }

//go:embed *.supp
var files embed.FS

// WriteFiles writes sets as files into the folder dir, for --suppressions, and returns their paths, absolute and in the
// order of the sets. Files of the same names are replaced.
func WriteFiles(dir string, sets ...Set) ([]string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("writing suppressions: %w", err)
	}
	var paths []string
	for _, s := range sets {
		text, err := files.ReadFile(string(s) + ".supp")
		if err != nil {
			return nil, fmt.Errorf("writing suppressions: there is no set %q, only %q", s, Sets())
		}
		path := filepath.Join(dir, string(s)+".supp")
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return nil, fmt.Errorf("writing suppressions: %w", err)
		}
		paths = append(paths, path)
	}
	return paths, nil
}
