package coverage

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

var update = flag.Bool("update", false, "write the table in scenarios/README.md anew")

const (
	module = "github.com/ceph/go-ceph"
	readme = "../../README.md"

	tableBegin = "<!-- made by go test ./scenarios/rados/coverage -update -->\n"
	tableEnd   = "<!-- end -->\n"
)

// command runs a program to its end and returns what it says.
func command(t *testing.T, name string, arguments ...string) string {
	t.Helper()
	program := exec.CommandContext(t.Context(), name, arguments...)
	var messages bytes.Buffer
	program.Stderr = &messages
	out, err := program.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(arguments, " "), err, out, messages.Bytes())
	}
	return strings.TrimSpace(string(out))
}

// copyModule makes the copy of go-ceph and returns its folder.
func copyModule(t *testing.T) string {
	t.Helper()
	from := command(t, "go", "list", "-m", "-f", "{{.Dir}}", module)
	to := t.TempDir()
	for _, part := range []string{"rados", "internal", "common"} {
		if err := os.CopyFS(filepath.Join(to, part), os.DirFS(filepath.Join(from, part))); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(filepath.Join(from, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(to, "go.mod"), text)
	names, err := filepath.Glob(filepath.Join(to, "rados", "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("go-ceph has no files: %v", err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text, err = splitReturns(name, text)
		if err != nil {
			t.Fatal(err)
		}
		// The module cache is read-only, and so is its copy.
		if err := os.Chmod(name, 0o600); err != nil {
			t.Fatal(err)
		}
		write(t, name, text)
	}
	return to
}

func write(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// measured says which functions a spec executed, and which of them returned an error in it.
type measured struct {
	spec               string
	executed, returned []string
}

// measure runs the suite against the copy.
func measure(t *testing.T, tags, dir string, api []function) []measured {
	t.Helper()
	work := t.TempDir()
	root := command(t, "go", "list", "-m", "-f", "{{.Dir}}")
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(work, name), text)
	}
	modfile := filepath.Join(work, "go.mod")
	command(t, "go", "mod", "edit", "-replace", module+"="+dir, modfile)

	// In a test, Go offers what was counted only at the end. With this it does so from the start.
	hooks := filepath.Join(command(t, "go", "env", "GOROOT"), "src/internal/coverage/cfile/hooks.go")
	text, err := os.ReadFile(hooks)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "if istest {"); n != 1 {
		t.Fatalf("%s asks %d times whether it is in a test, want once: this version of Go wants another way", hooks, n)
	}
	changed := filepath.Join(work, "hooks.go")
	write(t, changed, []byte(strings.Replace(string(text), "if istest {", "if false && istest {", 1)))
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{hooks: changed}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(work, "overlay.json"), overlay)

	specs, leftover := filepath.Join(work, "specs"), filepath.Join(work, "leftover")
	for _, d := range []string{specs, leftover} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	suite := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-tags="+tags, "-modfile="+modfile,
		"-overlay="+filepath.Join(work, "overlay.json"), "-covermode=atomic", "-coverpkg="+module+"/rados", "..")
	suite.Env = append(os.Environ(), "CGOGRIND_SCENARIOS_COVERAGE="+specs, "GOCOVERDIR="+leftover)
	if out, err := suite.CombinedOutput(); err != nil {
		t.Fatalf("running the suite: %v\n%s", err, out)
	}
	dirs, err := filepath.Glob(filepath.Join(specs, "*"))
	if err != nil {
		t.Fatal(err)
	}
	results := make([]measured, len(dirs))
	var group sync.WaitGroup
	room := make(chan struct{}, 4)
	for i, d := range dirs {
		group.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			results[i] = read(t, d, api)
		})
	}
	group.Wait()
	return results
}

// read reads what one spec executed.
func read(t *testing.T, dir string, api []function) measured {
	name, err := os.ReadFile(filepath.Join(dir, "spec"))
	if err != nil {
		t.Error(err)
		return measured{}
	}
	profile := filepath.Join(dir, "profile")
	if out, err := exec.Command("go", "tool", "covdata", "textfmt", "-i="+dir, "-o="+profile).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
		return measured{}
	}
	text, err := os.ReadFile(profile)
	if err != nil {
		t.Error(err)
		return measured{}
	}
	var blocks []span // executed
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Scan() // mode
	for lines.Scan() {
		var (
			b                 span
			statements, count int
		)
		file, rest, _ := strings.Cut(lines.Text(), ":")
		if _, err := fmt.Sscanf(rest, "%d.%d,%d.%d %d %d", &b.start.line, &b.start.column, &b.end.line, &b.end.column,
			&statements, &count); err != nil {
			t.Errorf("reading %q: %v", lines.Text(), err)
			return measured{}
		}
		b.file = filepath.Base(file)
		if count > 0 {
			blocks = append(blocks, b)
		}
	}
	m := measured{spec: string(name)}
	for _, f := range api {
		for _, b := range blocks {
			if !b.within(f.body) {
				continue
			}
			if !slices.Contains(m.executed, f.name) {
				m.executed = append(m.executed, f.name)
			}
			if slices.ContainsFunc(f.errors, func(p position) bool { return !p.before(b.start) && p.before(b.end) }) &&
				!slices.Contains(m.returned, f.name) {
				m.returned = append(m.returned, f.name)
			}
		}
	}
	return m
}

func TestSuiteDrivesTheWholeAPI(t *testing.T) {
	if os.Getenv("CGOGRIND") != "" {
		t.Skip("under cgogrind: this test builds and runs the suite itself, natively")
	}
	if testing.Short() {
		t.Skip("slow: it builds and runs the suite with coverage")
	}
	for _, program := range []string{"ceph-mon", "ceph-mgr", "ceph-osd"} {
		if _, err := exec.LookPath(program); err != nil && os.Getenv("CI") != "true" {
			t.Skipf("%v; run ./ci/setup", err)
		}
	}
	t.Setenv("CEPH_CONF", "")
	dir := copyModule(t)
	tags := command(t, "go", "run", "../../../harness/cmd/cgogrind", "tags", "..")
	api, err := functions(filepath.Join(dir, "rados"))
	if err != nil {
		t.Fatal(err)
	}
	api = slices.DeleteFunc(api, func(f function) bool { return !built(t, tags, dir, f.body.file) })
	if len(api) < 100 {
		t.Fatalf("go-ceph has only %d functions", len(api))
	}
	results := measure(t, tags, dir, api)
	if len(results) < 150 {
		t.Errorf("%d specs, want at least 150", len(results))
	}

	executed, returned := map[string][]measured{}, map[string][]measured{}
	for _, m := range results {
		for _, f := range m.executed {
			executed[f] = append(executed[f], m)
		}
		for _, f := range m.returned {
			returned[f] = append(returned[f], m)
		}
	}
	for _, f := range api {
		reason, excepted := exceptions[f.name]
		switch {
		case len(executed[f.name]) == 0:
			t.Errorf("%s: no spec executes it", f.name)
		case f.fails && len(returned[f.name]) == 0 && !excepted:
			t.Errorf("%s: no spec makes it return an error", f.name)
		case len(returned[f.name]) > 0 && excepted:
			t.Errorf("%s: %q makes it return an error, so that it is no exception: %q", f.name, returned[f.name][0].spec, reason)
		case !f.fails && excepted:
			t.Errorf("%s returns no error, so that it needs no exception", f.name)
		}
	}
	for name := range exceptions {
		if !slices.ContainsFunc(api, func(f function) bool { return f.name == name }) {
			t.Errorf("%s is an exception, and does not exist", name)
		}
	}
	if t.Failed() {
		return
	}
	page, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(page), tableBegin)
	old, after, ends := strings.Cut(rest, tableEnd)
	if !begins || !ends {
		t.Fatalf("%s has no place for the table: %q, then %q", readme, tableBegin, tableEnd)
	}
	if *update {
		text := before + tableBegin + table(api, executed, returned) + tableEnd + after
		if err := os.WriteFile(readme, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	checkTable(t, old, api, executed, returned)
}

// built says whether a file of the copy is part of the build.
func built(t *testing.T, tags, dir, file string) bool {
	t.Helper()
	list := exec.Command("go", "list", "-tags="+tags, "-f", "{{.GoFiles}} {{.CgoFiles}}", "./rados")
	list.Dir = dir
	out, err := buildFiles(list)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Contains(out, file)
}

// buildFiles asks once: the copy does not change.
var buildFiles = func() func(*exec.Cmd) ([]string, error) {
	var files []string
	return func(list *exec.Cmd) ([]string, error) {
		if files != nil {
			return files, nil
		}
		out, err := list.Output()
		if err != nil {
			return nil, err
		}
		files = strings.Fields(strings.NewReplacer("[", " ", "]", " ").Replace(string(out)))
		return files, nil
	}
}()

// few chooses the specs that a line of the table names: those that execute the least besides.
func few(specs []measured, most int) []string {
	specs = slices.Clone(specs)
	slices.SortFunc(specs, func(a, b measured) int {
		if n := len(a.executed) - len(b.executed); n != 0 {
			return n
		}
		return strings.Compare(a.spec, b.spec)
	})
	var names []string
	for _, m := range specs[:min(most, len(specs))] {
		names = append(names, m.spec)
	}
	return names
}

const separator = "; "

// heading stands above the table. It has no number of specs, so that a new one does not make it untrue.
func heading(api []function) string {
	failing := 0
	for _, f := range api {
		if f.fails {
			failing++
		}
	}
	return fmt.Sprintf("%d functions and methods are driven; %d of them can return an error.\n\n", len(api), failing)
}

func table(api []function, executed, returned map[string][]measured) string {
	var b strings.Builder
	b.WriteString(heading(api))
	b.WriteString("| function | specs that execute it | specs in which it returns an error |\n|---|---|---|\n")
	for _, f := range api {
		var failed string
		switch {
		case !f.fails:
			failed = "–"
		case exceptions[f.name] != "":
			failed = "out of reach: " + exceptions[f.name]
		default:
			failed = strings.Join(few(returned[f.name], 2), separator)
		}
		ran := few(slices.DeleteFunc(slices.Clone(executed[f.name]), func(m measured) bool {
			return len(executed[f.name]) > len(returned[f.name]) && slices.Contains(m.returned, f.name)
		}), 2)
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.name, strings.Join(ran, separator), failed)
	}
	return b.String()
}

// checkTable checks that the table is true: it has each function, and what it says was measured again.
func checkTable(t *testing.T, text string, api []function, executed, returned map[string][]measured) {
	t.Helper()
	rows := map[string][]string{}
	for line := range strings.Lines(text) {
		if cells := strings.Split(line, " | "); len(cells) == 3 && strings.HasPrefix(line, "| `") {
			rows[strings.Trim(cells[0], "|` ")] = []string{cells[1], strings.TrimSuffix(strings.TrimSpace(cells[2]), " |")}
		}
	}
	const remedy = "go test ./scenarios/rados/coverage -update writes the table anew"
	if want := heading(api); !strings.HasPrefix(text, want) {
		t.Errorf("the table does not begin with %q; %s", want, remedy)
	}
	for _, f := range api {
		row, is := rows[f.name]
		if !is {
			t.Errorf("the table does not have %s; %s", f.name, remedy)
			continue
		}
		delete(rows, f.name)
		has := func(specs []measured, names string) {
			for name := range strings.SplitSeq(names, separator) {
				if !slices.ContainsFunc(specs, func(m measured) bool { return m.spec == name }) {
					t.Errorf("the table names %q for %s, which is not so; %s", name, f.name, remedy)
				}
			}
		}
		has(executed[f.name], row[0])
		if f.fails && exceptions[f.name] == "" {
			has(returned[f.name], row[1])
		}
	}
	for name := range maps.Keys(rows) {
		t.Errorf("the table has %s, which does not exist; %s", name, remedy)
	}
}

func TestSplitReturns(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{
			"one value", "func F() error { return g() }",
			"func F() error { { var cgogrindReturned0 error; cgogrindReturned0 = g(); " +
				"if cgogrindReturned0 != nil { return cgogrindReturned0 }; return nil } }",
		},
		{
			"several values of one call", "func F() (int, error) { return g() }",
			"func F() (int, error) { { var cgogrindReturned0 int; var cgogrindReturned1 error; " +
				"cgogrindReturned0, cgogrindReturned1 = g(); " +
				"if cgogrindReturned1 != nil { return cgogrindReturned0, cgogrindReturned1 }; return cgogrindReturned0, nil } }",
		},
		{
			"named results", "func F() (n int, err error) { return }",
			"func F() (n int, err error) { { var cgogrindReturned0 int; var cgogrindReturned1 error; " +
				"cgogrindReturned0, cgogrindReturned1 = n, err; " +
				"if cgogrindReturned1 != nil { return cgogrindReturned0, cgogrindReturned1 }; return cgogrindReturned0, nil } }",
		},
		{"no error", "func F() (int, error) { return 1, nil }", "func F() (int, error) { return 1, nil }"},
		{"no error result", "func F() int { return 1 }", "func F() int { return 1 }"},
		{
			"a function inside", "func F() int { _ = func() error { return g() }; return 1 }",
			"func F() int { _ = func() error { return g() }; return 1 }",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := splitReturns("f.go", []byte("package p\n"+test.in+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			if want := "package p\n" + test.want + "\n"; string(got) != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}
