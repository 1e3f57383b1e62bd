package valgrind

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Plain is what is told of an error without what differs from run to run: addresses, the numbers of loss records, and
// the growth since the former leak check. Addresses in the first page stay, as they are offsets from nil, and so does the
// distance of the places that overlap: "memcpy(dst, dst+4, 10)".
func Plain(text string) string {
	text = strings.TrimSpace(text)
	text = lossRecord.ReplaceAllString(text, "")
	text = growth.ReplaceAllString(text, "")
	text = addressIs.ReplaceAllString(text, "")
	if m := overlap.FindStringSubmatch(text); m != nil {
		dst, err1 := strconv.ParseUint(m[2], 16, 64)
		src, err2 := strconv.ParseUint(m[3], 16, 64)
		if err1 == nil && err2 == nil {
			return fmt.Sprintf("%sdst, dst%+d%s", m[1], int64(src-dst), m[4])
		}
	}
	return farAddress.ReplaceAllString(text, "0x…")
}

var (
	lossRecord = regexp.MustCompile(` in loss record [0-9,]+ of [0-9,]+$`)
	growth     = regexp.MustCompile(` \([+-][0-9,]+\)`)
	addressIs  = regexp.MustCompile(`^Address 0x[0-9A-Fa-f]{4,} is `)
	overlap    = regexp.MustCompile(`^(Source and destination overlap in [^ (]+\()0x([0-9A-Fa-f]+), 0x([0-9A-Fa-f]+)(.*)$`)
	farAddress = regexp.MustCompile(`0x[0-9A-Fa-f]{4,}`)
)
