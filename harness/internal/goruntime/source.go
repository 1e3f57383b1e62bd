package goruntime

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
)

// source is a file of GOROOT on its way into the overlay. Edits keep its lines where they were, so that positions in
// stacks and in the debugger stay those of the installed sources.
type source struct {
	tree *tree
	name string
	text string
	// original is the text in GOROOT; empty for a new file.
	original string
}

// goFile is a parsed Go file and the edits to make in it.
type goFile struct {
	*source
	fset *token.FileSet
	ast  *ast.File
	// edits in order of appearance do not overlap.
	edits []edit
	err   error
}

// edit replaces text[from:to].
type edit struct {
	from, to int
	text     string
}

// editGo parses a Go file and lets f edit it. The first place that does not fit is the error.
func (t *tree) editGo(name string, f func(*goFile)) error {
	src, err := t.read(name)
	if err != nil {
		return err
	}
	g := &goFile{source: src, fset: token.NewFileSet()}
	if g.ast, err = parser.ParseFile(g.fset, name, src.text, parser.ParseComments|parser.SkipObjectResolution); err != nil {
		return t.fail(name, "it does not parse: %v", err)
	}
	f(g)
	if g.err != nil {
		return g.err
	}
	text := src.text
	for i := len(g.edits) - 1; i >= 0; i-- {
		e := g.edits[i]
		text = text[:e.from] + e.text + text[e.to:]
	}
	if _, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution); err != nil {
		return t.fail(name, "it does not parse after the edit: %v", err)
	}
	src.text = text
	return nil
}

func (g *goFile) failf(format string, args ...any) {
	if g.err == nil {
		g.err = g.tree.fail(g.name, format, args...)
	}
}

func (g *goFile) offset(p token.Pos) int { return g.fset.Position(p).Offset }

// span is the source of a node.
func (g *goFile) span(n ast.Node) string { return g.text[g.offset(n.Pos()):g.offset(n.End())] }

// edit records an edit, in order.
func (g *goFile) edit(from, to int, text string) {
	i := len(g.edits)
	for i > 0 && g.edits[i-1].from > from {
		i--
	}
	g.edits = append(g.edits, edit{})
	copy(g.edits[i+1:], g.edits[i:])
	g.edits[i] = edit{from, to, text}
}

// place is a piece of a Go file: a function or a statement in it.
type place struct {
	g    *goFile
	name string
	node ast.Node // nil once something did not fit
}

// fn finds a function by its name, with its receiver's type as in "(*mheap).grow".
func (g *goFile) fn(name string) place {
	var found ast.Node
	for _, d := range g.ast.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil && funcName(f) == name {
			found = f.Body
		}
	}
	if found == nil {
		g.failf("there is no function %s", name)
	}
	return place{g, "function " + name, found}
}

// fns finds the functions, not methods, whose parameters and result read as given, white space apart.
func (g *goFile) fns(signature string) []place {
	var found []place
	for _, d := range g.ast.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Body == nil || f.Recv != nil {
			continue
		}
		if squeeze(g.text[g.offset(f.Type.Params.Pos()):g.offset(f.Type.End())]) == squeeze(signature) {
			found = append(found, place{g, "function " + f.Name.Name, f.Body})
		}
	}
	return found
}

func funcName(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	switch t := f.Recv.List[0].Type.(type) {
	case *ast.StarExpr:
		if id, ok := t.X.(*ast.Ident); ok {
			return "(*" + id.Name + ")." + f.Name.Name
		}
	case *ast.Ident:
		return t.Name + "." + f.Name.Name
	}
	return f.Name.Name
}

// start inserts statements at the beginning of a function.
func (p place) start(text string) {
	if p.node != nil {
		at := p.g.offset(p.node.Pos()) + 1
		p.g.edit(at, at, " "+text+";")
	}
}

// stmts finds the statements inside a place whose source begins with one of the patterns, white space apart, and wants
// exactly n.
func (p place) stmts(n int, patterns ...string) []place {
	if p.node == nil {
		return nil
	}
	var found []place
	ast.Inspect(p.node, func(x ast.Node) bool {
		s, ok := x.(ast.Stmt)
		if !ok || x == p.node {
			return true
		}
		text := squeeze(p.g.span(s))
		if slices.ContainsFunc(patterns, func(pattern string) bool { return strings.HasPrefix(text, squeeze(pattern)) }) {
			found = append(found, place{p.g, p.name, s})
			return false
		}
		return true
	})
	if len(found) != n {
		p.g.failf("%s has %d statements that begin with %q, not %d", p.name, len(found), patterns, n)
		return nil
	}
	return found
}

// stmt finds the only statement that begins with the pattern.
func (p place) stmt(pattern string) place {
	if s := p.stmts(1, pattern); s != nil {
		return s[0]
	}
	return place{p.g, p.name, nil}
}

// before and after insert statements around a statement.
func (p place) before(text string) {
	if p.node != nil {
		at := p.g.offset(p.node.Pos())
		p.g.edit(at, at, text+"; ")
	}
}

func (p place) after(text string) {
	if p.node != nil {
		at := p.g.offset(p.node.End())
		p.g.edit(at, at, "; "+text)
	}
}

// replace puts text in the place of a statement and keeps the number of lines.
func (p place) replace(text string) {
	if p.node == nil {
		return
	}
	from, to := p.g.offset(p.node.Pos()), p.g.offset(p.node.End())
	if lost := strings.Count(p.g.text[from:to], "\n") - strings.Count(text, "\n"); lost > 0 {
		text += strings.Repeat("\n", lost)
	}
	p.g.edit(from, to, text)
}

// cond inserts text at the start of an if statement's condition.
func (p place) cond(text string) {
	if p.node == nil {
		return
	}
	s, ok := p.node.(*ast.IfStmt)
	if !ok {
		p.g.failf("%s: the statement %q is no if statement", p.name, p.g.span(p.node))
		return
	}
	at := p.g.offset(s.Cond.Pos())
	p.g.edit(at, at, text)
}

// field inserts a field behind another one of a struct type.
func (g *goFile) field(structName, behind, text string) {
	if f := g.findField(structName, behind); f != nil {
		at := g.offset(f.End())
		g.edit(at, at, "; "+text)
	}
}

// refield puts another declaration in the place of a field of a struct type.
func (g *goFile) refield(structName, name, text string) {
	if f := g.findField(structName, name); f != nil {
		g.edit(g.offset(f.Pos()), g.offset(f.End()), text)
	}
}

func (g *goFile) findField(structName, name string) *ast.Field {
	for _, d := range g.ast.Decls {
		gd, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range gd.Specs {
			ts, ok := s.(*ast.TypeSpec)
			if !ok || ts.Name.Name != structName {
				continue
			}
			st, ok := ts.Type.(*ast.StructType)
			if !ok {
				continue
			}
			for _, f := range st.Fields.List {
				if len(f.Names) > 0 && f.Names[len(f.Names)-1].Name == name {
					return f
				}
			}
		}
	}
	g.failf("type %s has no field %s", structName, name)
	return nil
}

// squeeze takes out white space, so that a pattern matches however the source is laid out.
func squeeze(s string) string {
	return strings.Join(strings.Fields(s), "")
}

// asmReplace replaces, in a function of an assembly file, the run of lines whose instructions are exactly the expected
// ones (comments, preprocessor lines and white space apart).
func (t *tree) asmReplace(name, function string, expected []string, text string) error {
	src, err := t.read(name)
	if err != nil {
		return err
	}
	lines := strings.SplitAfter(src.text, "\n")
	start := -1
	for i, l := range lines {
		if strings.HasPrefix(l, "TEXT ") && strings.HasPrefix(squeeze(l), squeeze("TEXT "+function+"(SB)")) {
			start = i
		}
	}
	if start < 0 {
		return t.fail(name, "there is no function %s", function)
	}
	end := start + 1
	for end < len(lines) && !strings.HasPrefix(lines[end], "TEXT ") {
		end++
	}
	var at []int // the lines that hold instructions
	for i := start + 1; i < end; i++ {
		if instruction(lines[i]) != "" {
			at = append(at, i)
		}
	}
	matches := 0
	var from, to int
	for i := range at {
		if i+len(expected) > len(at) {
			break
		}
		ok := true
		for j, want := range expected {
			ok = ok && instruction(lines[at[i+j]]) == squeeze(want)
		}
		if ok {
			matches++
			from, to = at[i], at[i+len(expected)-1]+1
		}
	}
	if matches != 1 {
		return t.fail(name, "function %s has the expected instructions %d times, not once", function, matches)
	}
	src.text = strings.Join(lines[:from], "") + text + strings.Join(lines[to:], "")
	return nil
}

// instruction is what a line of assembly does, without comment and white space; empty for lines that do nothing.
func instruction(line string) string {
	code, _, _ := strings.Cut(line, "//")
	if strings.HasPrefix(strings.TrimSpace(code), "#") {
		return ""
	}
	return squeeze(code)
}
