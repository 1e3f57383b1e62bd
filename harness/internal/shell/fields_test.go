package shell

import (
	"slices"
	"testing"
)

func TestFields(t *testing.T) {
	for s, want := range map[string][]string{
		"":                                nil,
		" \t":                             nil,
		"gcc":                             {"gcc"},
		"ccache  gcc ":                    {"ccache", "gcc"},
		`"/opt/my tools/gcc" -m64`:        {"/opt/my tools/gcc", "-m64"},
		`'-ldflags=-X a=b'	-tags=c d"e" `: {"-ldflags=-X a=b", "-tags=c", `d"e"`},
		`""`:                              {""},
		`"it's a" '"b'`:                   {"it's a", `"b`},
	} {
		if got, err := Fields(s); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", s, got, err)
		}
		if got, err := Fields(JoinFields(want)); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q joined and split, %v", s, got, err)
		}
	}
	if got, err := Fields(`a "b c`); err == nil {
		t.Errorf("an open quote: %q", got)
	}
}
