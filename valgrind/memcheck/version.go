package memcheck

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
)

// Oldest is the oldest version of valgrind that is accepted: the one of Debian 12.
var Oldest = Version{Major: 3, Minor: 19}

// Version is a version of valgrind.
type Version struct {
	Major, Minor, Patch int
	// Suffix is what follows the numbers, with its separator: ".GIT", ".RC1", "-Debian"; empty for a release.
	Suffix string
}

var versionPattern = regexp.MustCompile(`^(?:valgrind-)?([0-9]{1,9})\.([0-9]{1,9})(?:\.([0-9]{1,9}))?([.~+_-][0-9A-Za-z.~+_-]*)?$`)

// ParseVersion reads a version as valgrind --version prints it ("valgrind-3.19.0", "valgrind-3.20.0.GIT"), with or
// without the name.
func ParseVersion(s string) (Version, error) {
	m := versionPattern.FindStringSubmatch(s)
	if m == nil {
		return Version{}, fmt.Errorf("parsing version %q: not of the form valgrind-3.19.0", s)
	}
	var n [3]int
	for i := range n {
		n[i], _ = strconv.Atoi("0" + m[i+1]) // at most nine digits, or none for a patch level that is left out
	}
	return Version{Major: n[0], Minor: n[1], Patch: n[2], Suffix: m[4]}, nil
}

// Compare returns -1, 0 or +1 when v is older than w, of the same numbers, or newer. Suffixes do not count:
// development versions already carry the number of the release to come.
func (v Version) Compare(w Version) int {
	return cmp.Or(cmp.Compare(v.Major, w.Major), cmp.Compare(v.Minor, w.Minor), cmp.Compare(v.Patch, w.Patch))
}

// String returns the version without the name: "3.19.0".
func (v Version) String() string {
	return fmt.Sprintf("%d.%d.%d%s", v.Major, v.Minor, v.Patch, v.Suffix)
}
