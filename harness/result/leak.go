package result

import (
	"regexp"
	"strconv"
	"strings"
)

// leakedText is how memcheck says how much a leak lost: "40 bytes in 1 blocks", with what is new since the last check in
// parentheses, and "24 (16 direct, 8 indirect) bytes in 1 blocks".
var leakedText = regexp.MustCompile(`^([0-9,]+)(?: \([^()]*\))* bytes in ([0-9,]+)(?: \([^()]*\))? blocks`)

// LeakMessage is a leak's message with the bytes and blocks given in the place of those in it: what is said of one record of
// memcheck's becomes what holds for all. A message that agrees, or that is about no leak, stays as it is.
func LeakMessage(message string, bytes, blocks uint64) string {
	if blocks == 0 {
		return message
	}
	m := leakedText.FindStringSubmatch(message)
	if m == nil {
		return message
	}
	all := [2]string{grouped(bytes), grouped(blocks)}
	if [2]string{grouping(m[1]), grouping(m[2])} == all {
		return message
	}
	return all[0] + " bytes in " + all[1] + " blocks" + message[len(m[0]):]
}

// grouped writes a number as valgrind does: 1,234,567.
func grouped(n uint64) string { return grouping(strconv.FormatUint(n, 10)) }

// grouping puts a comma before each three of some digits: valgrind's XML has them in newer versions only.
func grouping(s string) string {
	s = strings.ReplaceAll(s, ",", "")
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
