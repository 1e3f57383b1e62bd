package harness

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// checkExpressions finds the mistakes in regular expressions that the test binaries would find after the build.
func (r *run) checkExpressions() error {
	for _, e := range []struct{ flag, value string }{{"-run", r.cfg.Run}, {"-skip", r.cfg.Skip}} {
		for _, alternative := range elements(e.value) {
			for _, element := range alternative {
				if _, err := regexp.Compile(element); err != nil {
					return fmt.Errorf("%s %s: %w", e.flag, e.value, err)
				}
			}
		}
	}
	for i, arg := range r.cfg.TestFlags {
		flag, value, hasValue := strings.Cut(arg, "=")
		switch name := strings.TrimLeft(flag, "-"); name {
		case "ginkgo.focus", "ginkgo.skip":
			if !hasValue && i+1 < len(r.cfg.TestFlags) {
				value = r.cfg.TestFlags[i+1]
			}
			if _, err := regexp.Compile(value); err != nil {
				return fmt.Errorf("-%s %s: %w", name, value, err)
			}
		}
	}
	return nil
}

// elements divides an expression of -run or -skip as testing does: into alternatives, and those into one expression for
// each level of subtests. Brackets and parentheses keep what is between them together.
func elements(expression string) [][]string {
	var all [][]string
	var levels []string
	start, brackets, parentheses := 0, 0, 0
	for i := 0; i < len(expression); i++ {
		switch c := expression[i]; {
		case c == '\\':
			i++
		case c == '[':
			brackets++
		case c == ']':
			brackets = max(0, brackets-1) // one without its partner is legal
		case brackets > 0:
		case c == '(':
			parentheses++
		case c == ')':
			parentheses--
		case (c == '/' || c == '|') && parentheses == 0:
			levels = append(levels, expression[start:i])
			start = i + 1
			if c == '|' {
				all, levels = append(all, levels), nil
			}
		}
	}
	return append(all, append(levels, expression[start:]))
}

// unmatched says of a run in which no test ran what -run asked for, and which tests there are. It is empty if that was not
// the reason.
func (r *run) unmatched() string {
	if r.cfg.Run == "" || r.tally.Ran() || r.tally.Planned() {
		return ""
	}
	var names []string
	for _, p := range r.built.Packages {
		for _, name := range testFunctions(p.Sources()) {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	text := fmt.Sprintf("-run %s matches no test", r.cfg.Run)
	if r.cfg.Skip != "" {
		text = fmt.Sprintf("-run %s and -skip %s leave no test", r.cfg.Run, r.cfg.Skip)
	}
	const most = 5
	switch found := near(r.cfg.Run, names); {
	case len(found) > 0:
		return text + "; near it: " + strings.Join(found[:min(most, len(found))], ", ")
	case len(names) > most:
		return fmt.Sprintf("%s; there are %d: %s, …", text, len(names), strings.Join(names[:most], ", "))
	case len(names) > 0:
		return text + "; there are " + strings.Join(names, ", ")
	}
	return text
}

// testFunctions are the names of the tests, fuzz targets and examples in a folder, as far as its files can be read.
func testFunctions(dir string) []string {
	files, _ := filepath.Glob(filepath.Join(strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `\`, `\\`).Replace(dir), "*_test.go"))
	var names []string
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			continue
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if ok && f.Recv == nil && isTestName.MatchString(f.Name.Name) && f.Name.Name != "TestMain" {
				names = append(names, f.Name.Name)
			}
		}
	}
	return names
}

var isTestName = regexp.MustCompile(`^(Test|Fuzz|Example)($|[^a-z])`)

// near are those of the names that an expression may have meant, the nearest first.
func near(expression string, names []string) []string {
	distances := make(map[string]int)
	for _, alternative := range elements(expression) {
		asked := strings.ToLower(strings.Trim(alternative[0], "^$"))
		if asked == "" {
			continue
		}
		for _, name := range names {
			lower := strings.ToLower(name)
			d := distance(asked, lower)
			switch {
			case strings.Contains(lower, asked):
				d = 0
			case d > 2:
				continue
			}
			if old, ok := distances[name]; !ok || d < old {
				distances[name] = d
			}
		}
	}
	found := slices.DeleteFunc(slices.Clone(names), func(name string) bool { _, ok := distances[name]; return !ok })
	slices.SortStableFunc(found, func(a, b string) int { return cmp.Compare(distances[a], distances[b]) })
	return found
}

// distance is how many bytes have to be added, removed or changed to make b of a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0]++
		for j := range len(b) {
			d := diagonal
			if a[i] != b[j] {
				d = min(diagonal, row[j], row[j+1]) + 1
			}
			diagonal, row[j+1] = row[j+1], d
		}
	}
	return row[len(b)]
}
