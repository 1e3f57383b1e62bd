package suppressions

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ID identifies an entry by its name and by what it matches, in 16 hexadecimal digits. It does not depend on the file,
// the place in it, nor the comment.
func (e Entry) ID() string {
	e.Comment = nil
	sum := sha256.Sum256([]byte(e.String()))
	return hex.EncodeToString(sum[:])[:16]
}

// MatchesSame says whether two entries match the same errors, whatever they are called.
func (e Entry) MatchesSame(other Entry) bool { return e.matchID() == other.matchID() }

// matchID is ID without the name.
func (e Entry) matchID() string {
	e.Name = ""
	return e.ID()
}

// Note returns what the comment says under a label: for "why" the text after "# why:", and the lines after it up to the
// next label. It is empty if there is none.
func (e Entry) Note(label string) string {
	var words []string
	in := false
	for _, line := range e.Comment {
		text := strings.TrimSpace(strings.TrimPrefix(line, "#"))
		if l, rest, ok := strings.Cut(text, ":"); ok && slices.Contains(labels, l) {
			in = l == label
			text = rest
		}
		if in {
			words = append(words, strings.Fields(text)...)
		}
	}
	return strings.Join(words, " ")
}

// The labels of an entry's comment; the policy in README.md says what belongs under each.
var labels = []string{"why", "link", "scope", "versions", "expires", "finding"}

// Expires returns the last day on which the entry is to be used, the zero time if its comment names none.
func (e Entry) Expires() (time.Time, error) {
	text := e.Note("expires")
	if text == "" {
		return time.Time{}, nil
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("expires: %q is no date: write it as 2006-01-02", text)
	}
	return day, nil
}

// IsOver says whether the last day named is over at a time; a zero day never is.
func IsOver(day, now time.Time) bool {
	return !day.IsZero() && now.UTC().Format(time.DateOnly) > day.Format(time.DateOnly)
}
