package shell

import (
	"fmt"
	"strings"
)

// Fields splits a setting of the go command that holds several words, such as CC or GOFLAGS, as the go command does it:
// words are separated by space, and a word that begins with a single or double quote ends with that quote. Nothing else is
// special: `ccache clang`, `"/opt/my tools/gcc" -m64`.
func Fields(s string) ([]string, error) {
	const space = " \t\n\r"
	var words []string
	for {
		s = strings.TrimLeft(s, space)
		if s == "" {
			return words, nil
		}
		if quote := s[0]; quote == '"' || quote == '\'' {
			word, rest, ok := strings.Cut(s[1:], string(quote))
			if !ok {
				return nil, fmt.Errorf("a quote is not closed: %s", s)
			}
			words, s = append(words, word), rest
			continue
		}
		end := strings.IndexAny(s, space)
		if end < 0 {
			end = len(s)
		}
		words, s = append(words, s[:end]), s[end:]
	}
}

// JoinFields is the setting that Fields splits into these words. A word with both kinds of quotes and space in it cannot be
// written so.
func JoinFields(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		switch {
		case w != "" && !strings.ContainsAny(w, " \t\n\r") && w[0] != '"' && w[0] != '\'':
			quoted[i] = w
		case strings.Contains(w, "'"):
			quoted[i] = `"` + w + `"`
		default:
			quoted[i] = "'" + w + "'"
		}
	}
	return strings.Join(quoted, " ")
}
