package memcheck

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// logSuffix is what the name of the file with valgrind's own messages has after that of the report.
const logSuffix = ".log"

// Report is the XML report of one process. It may be cut short or empty.
type Report struct {
	PID  int
	Path string
}

// pattern is a parsed Options.XMLFile.
type pattern struct {
	dir  string
	base string // with %p and %%
}

func parsePattern(s string) (pattern, error) {
	bad := func(reason string) (pattern, error) {
		return pattern{}, &OptionError{"--xml-file=" + s, reason}
	}
	if !filepath.IsAbs(s) {
		return bad("the path must be absolute: the program may run in another directory")
	}
	dir, base := filepath.Split(s)
	for _, part := range []string{dir, base} {
		rest := strings.ReplaceAll(strings.ReplaceAll(part, "%%", ""), "%p", "")
		if strings.Contains(rest, "%") {
			return bad("after a percent sign only p (the process's id) and % (a percent sign) are possible")
		}
	}
	if strings.Contains(strings.ReplaceAll(dir, "%%", ""), "%p") {
		return bad("only the last element of the path may have %p")
	}
	if !strings.Contains(strings.ReplaceAll(base, "%%", ""), "%p") {
		return bad("the last element must have %p: a process that forks would write two documents into one file")
	}
	return pattern{dir: strings.ReplaceAll(dir, "%%", "%"), base: base}, nil
}

// file returns the path of the report of process pid.
func (p pattern) file(pid int) string {
	base := strings.NewReplacer("%%", "%", "%p", strconv.Itoa(pid)).Replace(p.base)
	return filepath.Join(p.dir, base)
}

// reports lists what is there: first that of process main, then by process id.
func (p pattern) reports(main int) ([]Report, error) {
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return nil, fmt.Errorf("listing memcheck's reports: %w", err)
	}
	// QuoteMeta leaves percent signs alone.
	expr := strings.NewReplacer("%%", "%", "%p", "([0-9]+)").Replace(regexp.QuoteMeta(p.base))
	re := regexp.MustCompile("^" + expr + "$")
	var found []Report
	for _, e := range entries {
		m := re.FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		pid, err := strconv.Atoi(m[1])
		if path := filepath.Join(p.dir, e.Name()); err == nil && path == p.file(pid) {
			found = append(found, Report{pid, path})
		}
	}
	slices.SortFunc(found, func(a, b Report) int {
		if (a.PID == main) != (b.PID == main) {
			if a.PID == main {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.PID, b.PID)
	})
	return found, nil
}
