// Package tomlfile reads TOML files that people write and merge, strictly: keys that nothing reads are errors, and
// every error names the file, the line and the key.
//
// Input is the text of a file. The package knows nothing of what the keys mean.
package tomlfile

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// Error is a place in a file that is wrong.
type Error struct {
	File string
	Line int    // from 1; 0 if it is not known
	Key  string // empty if it is about no key
	Msg  string
}

func (e *Error) Error() string {
	where := e.File
	if e.Line > 0 {
		where = fmt.Sprintf("%s:%d", e.File, e.Line)
	}
	if e.Key != "" {
		return fmt.Sprintf("%s: %s: %s", where, e.Key, e.Msg)
	}
	return where + ": " + e.Msg
}

// Decode decodes a file's text into v, as toml.Decode does. Keys that v has no place for are an error; a
// *map[string]any has a place for all. The error is an *Error.
func Decode(file, text string, v any) error {
	if line := conflictMarker(text); line > 0 {
		return &Error{File: file, Line: line, Msg: "a conflict marker: git could not merge the file; " +
			"keep what both sides have, and remove the lines that begin with <<<<<<<, ======= and >>>>>>>"}
	}
	md, err := toml.Decode(text, v)
	var parse toml.ParseError
	switch {
	case errors.As(err, &parse):
		return &Error{File: file, Line: parse.Position.Line, Key: parse.LastKey, Msg: message(parse)}
	case err != nil:
		e := &Error{File: file, Msg: strings.TrimPrefix(err.Error(), "toml: ")}
		if m := typeError.FindStringSubmatch(e.Msg); m != nil {
			e.Line, _ = strconv.Atoi(m[1]) // digits
			e.Key, e.Msg = m[2], m[3]
		}
		return e
	}
	if _, all := v.(*map[string]any); all {
		return nil
	}
	if unknown := md.Undecoded(); len(unknown) > 0 {
		key := unknown[0]
		return &Error{File: file, Line: Line(text, key...), Key: key.String(), Msg: "there is no such key"}
	}
	return nil
}

// typeError is how the library says that a value has the wrong type: its error has no fields.
var typeError = regexp.MustCompile(`^line (\d+) \(last key "(.*?)"\): (.*)$`)

// message is what a parse error says, without the position.
func message(e toml.ParseError) string {
	if e.Message != "" {
		return e.Message
	}
	text := e.Error()
	if _, after, ok := strings.Cut(text, "): "); ok {
		return after
	}
	return strings.TrimPrefix(text, "toml: ")
}

var marker = regexp.MustCompile(`^(<{7}|>{7}|\|{7}) |^={7}$`)

// conflictMarker returns the line of git's first conflict marker, 0 if there is none.
func conflictMarker(text string) int {
	n := 0
	for line := range strings.Lines(text) {
		n++
		if marker.MatchString(strings.TrimRight(line, "\r\n")) {
			return n
		}
	}
	return 0
}

var header = regexp.MustCompile(`^\s*\[\s*([^\[\]]+?)\s*\]\s*(#.*)?$`)

// Line returns the line in which a key stands, 0 if it is not found: it looks for the table's header and then for the
// key, as they are usually written.
func Line(text string, key ...string) int {
	if len(key) == 0 {
		return 0
	}
	table, last := strings.Join(key[:len(key)-1], "."), key[len(key)-1]
	in, at, n := "", 0, 0
	for line := range strings.Lines(text) {
		n++
		if m := header.FindStringSubmatch(strings.TrimRight(line, "\r\n")); m != nil {
			in = strings.ReplaceAll(m[1], `"`, "")
			if in == strings.Join(key, ".") {
				at = n
			}
			continue
		}
		name, _, ok := strings.Cut(line, "=")
		if ok && in == table && strings.Trim(strings.TrimSpace(name), `"'`) == last {
			return n
		}
	}
	if at == 0 {
		return Line(text, key[:len(key)-1]...) // a key of an inline table
	}
	return at
}
