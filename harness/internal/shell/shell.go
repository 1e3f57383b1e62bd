// Package shell writes command lines that a POSIX shell reads as the words they were made of, and reads them back.
//
// It knows words and single quotes, which is all that it writes; it expands nothing.
package shell

import (
	"fmt"
	"regexp"
	"strings"
)

// plainWord is a word that means itself.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:@,+-][A-Za-z0-9_./:=@,+-]*$`)

// assignment is a word in front of a command that sets a variable.
var assignment = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)=(.*)$`)

// Command is a command with the variables that are set for it.
type Command struct {
	Env  []string // NAME=VALUE
	Args []string // with the program's name first
}

// String is the command line.
func (c Command) String() string {
	var words []string
	for _, kv := range c.Env {
		name, value, _ := strings.Cut(kv, "=")
		words = append(words, name+"="+quote(value))
	}
	for i, a := range c.Args {
		if a = quote(a); i == 0 && assignment.MatchString(a) { // the name of a program, and no variable
			a = "'" + a + "'"
		}
		words = append(words, a)
	}
	return strings.Join(words, " ")
}

func quote(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Parse reads what String wrote.
func Parse(line string) (Command, error) {
	var c Command
	rest := strings.TrimSpace(line)
	for rest != "" {
		word, quoted, after, err := next(rest)
		if err != nil {
			return Command{}, fmt.Errorf("reading the command line %s: %w", line, err)
		}
		if len(c.Args) == 0 && !quoted && assignment.MatchString(word) {
			c.Env = append(c.Env, word)
		} else {
			c.Args = append(c.Args, word)
		}
		rest = strings.TrimLeft(after, " \t\n")
	}
	return c, nil
}

// next takes the first word off a line that begins with one; quoted is whether its first byte was a quote.
func next(line string) (word string, quoted bool, rest string, err error) {
	var b strings.Builder
	quoted = line[0] == '\''
	for line != "" {
		switch line[0] {
		case ' ', '\t', '\n':
			return b.String(), quoted, line, nil
		case '\'':
			text, after, ok := strings.Cut(line[1:], "'")
			if !ok {
				return "", false, "", fmt.Errorf("a single quote is not closed")
			}
			b.WriteString(text)
			line = after
		case '\\':
			if len(line) == 1 {
				return "", false, "", fmt.Errorf("a backslash at the end")
			}
			b.WriteByte(line[1])
			line = line[2:]
		default:
			b.WriteByte(line[0])
			line = line[1:]
		}
	}
	return b.String(), quoted, "", nil
}
