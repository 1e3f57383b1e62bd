package harness

import (
	"reflect"
	"strings"
	"testing"
)

// TestExpressions: what the test binary would refuse after the build is refused before it, and nothing else.
func TestExpressions(t *testing.T) {
	for _, c := range []struct {
		run, skip string
		flags     []string
		want      string // "" for one that is right
	}{
		{run: "Test(", want: "-run Test(: error parsing regexp: missing closing )"},
		{run: "TestA/[/x", want: "missing closing ]"},
		{skip: "*", want: "-skip *: error parsing regexp: missing argument"},
		{run: "TestA|TestB(", want: "-run TestA|TestB("},
		{flags: []string{"-ginkgo.focus=("}, want: "-ginkgo.focus (: "},
		{flags: []string{"--ginkgo.skip", "a)"}, want: "-ginkgo.skip a): "},
		{},
		{run: "A/(b/c|d)/[/]", skip: "]|^TestB$", flags: []string{"-ginkgo.focus=(a)", "-test.short", "("}},
	} {
		r := &run{cfg: Config{Run: c.run, Skip: c.skip, TestFlags: c.flags}}
		switch err := r.checkExpressions(); {
		case c.want == "" && err != nil:
			t.Errorf("%+v: %v", c, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%+v: %v, not %q", c, err, c.want)
		}
	}
}

func TestElements(t *testing.T) {
	for expression, want := range map[string][][]string{
		"":                   {{""}},
		"TestA/b":            {{"TestA", "b"}},
		"TestA/b|TestB":      {{"TestA", "b"}, {"TestB"}},
		`(a/b|c)/[/|]|]\\/d`: {{"(a/b|c)", "[/|]"}, {`]\\`, "d"}},
		`a\|b`:               {{`a\|b`}},
	} {
		if got := elements(expression); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, not %q", expression, got, want)
		}
	}
}

func TestNear(t *testing.T) {
	names := []string{"TestOpen", "TestOpenTwice", "TestClose", "ExampleConn_Open", "TestListen"}
	for expression, want := range map[string][]string{
		"Opne":       nil,
		"TestOpne":   {"TestOpen"},
		"open":       {"TestOpen", "TestOpenTwice", "ExampleConn_Open"},
		"^TestClos$": {"TestClose"},
		"XYZ|Lisen":  nil,
		"^TestLisen": {"TestListen"},
	} {
		if got := near(expression, names); !reflect.DeepEqual(got, want) && len(got)+len(want) > 0 {
			t.Errorf("%s: %q, not %q", expression, got, want)
		}
	}
}
