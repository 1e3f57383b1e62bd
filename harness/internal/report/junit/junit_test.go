package junit_test

import (
	"encoding/xml"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cgogrind/cgogrind/harness/internal/report/junit"
	"github.com/cgogrind/cgogrind/harness/internal/report/reporttest"
	"github.com/cgogrind/cgogrind/harness/result"
)

var update = flag.Bool("update", false, "rewrite the goldens")

func format(w io.Writer) result.Handler { return junit.New(w) }

func TestGolden(t *testing.T) { reporttest.Golden(t, *update, ".xml", format, valid) }

func TestFullDisk(t *testing.T) { reporttest.FullDisk(t, format) }

func TestAllThere(t *testing.T) { reporttest.AllThere(t, format) }

func TestHostile(t *testing.T) {
	got := reporttest.Write(t, reporttest.Hostile(), format)
	valid(t, got)
	for _, bad := range append([]string{"<script", "<img"}, reporttest.Controls...) {
		if strings.Contains(got, bad) {
			t.Errorf("%q came through", bad)
		}
	}
	if n := strings.Count(got, "alert(1)"); n < 30 {
		t.Errorf("only %d of the texts are there", n)
	}
}

// valid checks the document against testdata/junit.xsd, and that its counts are those of its cases.
func valid(t *testing.T, doc string) {
	t.Helper()
	var all struct {
		Suites []struct {
			Name     string `xml:"name,attr"`
			Tests    int    `xml:"tests,attr"`
			Failures int    `xml:"failures,attr"`
			Errors   int    `xml:"errors,attr"`
			Skipped  int    `xml:"skipped,attr"`
			Cases    []struct {
				Failure *string `xml:"failure"`
				Error   *string `xml:"error"`
				Skipped *string `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal([]byte(doc), &all); err != nil {
		t.Fatal(err)
	}
	for _, s := range all.Suites {
		var failures, errors, skipped int
		for _, c := range s.Cases {
			if c.Failure != nil {
				failures++
			}
			if c.Error != nil {
				errors++
			}
			if c.Skipped != nil {
				skipped++
			}
		}
		if s.Tests != len(s.Cases) || s.Failures != failures || s.Errors != errors || s.Skipped != skipped {
			t.Errorf("suite %.40q counts %d tests, %d failures, %d errors, %d skipped; it has %d, %d, %d, %d", s.Name, s.Tests,
				s.Failures, s.Errors, s.Skipped, len(s.Cases), failures, errors, skipped)
		}
	}

	xmllint, err := exec.LookPath("xmllint")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%v: install libxml2-utils", err)
		}
		t.Skipf("not checked against the schema: %v (install libxml2-utils)", err)
	}
	file := filepath.Join(t.TempDir(), "junit.xml")
	if err := os.WriteFile(file, []byte(doc), 0o666); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(xmllint, "--noout", "--schema", "testdata/junit.xsd", file).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// The schema must refuse what is wrong, or it checks nothing.
func TestSchemaRefuses(t *testing.T) {
	xmllint, err := exec.LookPath("xmllint")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	good := reporttest.Write(t, reporttest.Stream(t, "wrap.jsonl"), format)
	for _, c := range [][2]string{
		{`tests="`, `tests="many`}, {` hostname="localhost"`, ``}, {`<system-err></system-err>`, ``}, {`timestamp="2026`, `timestamp="26`},
		{`<failure `, `<flaw `},
	} {
		bad := strings.Replace(good, c[0], c[1], 1)
		if bad == good {
			t.Fatalf("%s is not in the document", c[0])
		}
		file := filepath.Join(t.TempDir(), "junit.xml")
		if err := os.WriteFile(file, []byte(bad), 0o666); err != nil {
			t.Fatal(err)
		}
		if exec.Command(xmllint, "--noout", "--schema", "testdata/junit.xsd", file).Run() == nil {
			t.Errorf("valid with %s in the place of %s", c[1], c[0])
		}
	}
}

// Findings that name no test that has a verdict must not get lost.
func TestFindingWithoutVerdict(t *testing.T) {
	got := reporttest.Write(t, []result.Message{
		{Finding: &result.Finding{Package: "p", Kind: "InvalidRead", Test: "TestA", Tests: []string{"TestA"}, Disposition: result.New}},
		{Finding: &result.Finding{Package: "p", Kind: "InvalidWrite", Disposition: result.New}},
		{Test: &result.Test{Package: "p", Name: "TestA", Verdict: result.Pass, ElapsedS: 2}},
		{Summary: &result.Summary{Passed: 1, Findings: 2, New: 2}},
	}, format)
	for _, want := range []string{
		`tests="2" failures="2"`, `name="TestA" classname="p" time="2.000"`, `type="InvalidRead"`, `name="[between tests]"`,
		`type="InvalidWrite"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing in\n%s", want, got)
		}
	}
}
