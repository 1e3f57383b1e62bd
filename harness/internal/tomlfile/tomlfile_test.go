package tomlfile_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/cgogrind/cgogrind/harness/internal/tomlfile"
)

type day string

func (d *day) UnmarshalText(text []byte) error {
	if len(text) != 3 {
		return fmt.Errorf("%q is no day", text)
	}
	*d = day(text)
	return nil
}

func TestErrorsNameTheLine(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"[test]\ncount = 1\nday = \"mon\"\n", ""},
		{"# x\n[test]\ncolour = 1\n", "f.toml:3: test.colour: there is no such key"},
		{"[test]\ncount = 1\n[a.b]\nx = 1\n[a.c]\ny = 1\nz = { no = 1 }\n", "f.toml:7: a.c.z.no: there is no such key"},
		{"[gate] # later\nx = 1\n", "f.toml:1: gate: there is no such key"},
		{"[test]\ncount = \"one\"\n", "f.toml:2: test.count: incompatible types: " +
			"TOML value has type string; destination has type integer"},
		{"[test]\nday = \"monday\"\n", "f.toml:2: test.day: \"monday\" is no day"},
		{"[test]\ncount = 1\ncount = 2\n", "f.toml:3: test.count: Key 'test.count' has already been defined."},
		{"[test\n", "f.toml:2: expected '.' or ']' to end table name, but got '\\n' instead"},
		{"a = 1\n<<<<<<< HEAD\n", "f.toml:2: a conflict marker: git could not merge the file; keep what both sides have, " +
			"and remove the lines that begin with <<<<<<<, ======= and >>>>>>>"},
	} {
		var v struct {
			Test struct {
				Count int
				Day   day
			}
			A map[string]struct {
				X, Y int
				Z    struct{}
			}
		}
		err := tomlfile.Decode("f.toml", c.text, &v)
		got := ""
		if err != nil {
			got = err.Error()
			var e *tomlfile.Error
			if !errors.As(err, &e) {
				t.Errorf("%q: %T", c.text, err)
			}
		}
		if got != c.want {
			t.Errorf("%q:\n got %s\nwant %s", c.text, got, c.want)
		}
	}
}
