// Package coverage checks that the suite in scenarios/rados drives all of go-ceph's rados package: every exported function
// and method is executed by a spec, and if it returns an error, a spec makes it do so. Its test makes the table in
// scenarios/README.md from what it measures.
//
// Coverage alone cannot tell an error from none in "return getError(ret)". So the suite is built against a copy of
// go-ceph in which such a statement is two, one for each case. The copy is otherwise go-ceph, line for line.
package coverage

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// span is a part of a file of the copy, as coverage gives it: lines and columns count from 1.
type span struct {
	file       string // its base name
	start, end position
}

type position struct{ line, column int }

func (p position) before(q position) bool {
	return p.line < q.line || p.line == q.line && p.column < q.column
}

// within says whether s begins in t.
func (s span) within(t span) bool {
	return s.file == t.file && !s.start.before(t.start) && s.start.before(t.end)
}

// function is an exported function, or a method with an exported name of an exported type.
type function struct {
	name   string // "NewConn", "Conn.Connect"
	body   span
	errors []position // of the statements that return an error
	fails  bool       // it returns an error at all
}

// returned is the name of what splitReturns adds.
const returned = "cgogrindReturned"

// splitReturns rewrites a file of the package, such that a statement that returns an error and one that returns none are
// two: "return x, f()" becomes, in one line,
//
//	{ var r0 T; var r1 error; r0, r1 = x, f(); if r1 != nil { return r0, r1 }; return r0, nil }
func splitReturns(name string, text []byte) ([]byte, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("splitting returns: %w", err)
	}
	source := func(n ast.Node) string {
		return string(text[files.Position(n.Pos()).Offset:files.Position(n.End()).Offset])
	}
	type edit struct {
		from, to int
		with     string
	}
	var edits []edit
	visit := func(kind *ast.FuncType, body *ast.BlockStmt) {
		var types, names []string
		if kind.Results != nil {
			for _, field := range kind.Results.List {
				for range max(1, len(field.Names)) {
					types = append(types, source(field.Type))
				}
				for _, n := range field.Names {
					names = append(names, n.Name)
				}
			}
		}
		if len(types) == 0 || types[len(types)-1] != "error" {
			return
		}
		ast.Inspect(body, func(n ast.Node) bool {
			if _, isFunc := n.(*ast.FuncLit); isFunc {
				return false
			}
			ret, is := n.(*ast.ReturnStmt)
			if !is || returnsNoError(ret) {
				return true
			}
			var with strings.Builder
			last := len(types) - 1
			var variables []string
			with.WriteString("{ ")
			for i, t := range types {
				variables = append(variables, fmt.Sprint(returned, i))
				fmt.Fprintf(&with, "var %s %s; ", variables[i], t)
			}
			var values []string
			for _, r := range ret.Results {
				values = append(values, source(r))
			}
			if len(values) == 0 {
				values = names // a bare return
			}
			all := strings.Join(variables, ", ")
			fmt.Fprintf(&with, "%s = %s; if %s != nil { return %s }; ", all, strings.Join(values, ", "), variables[last], all)
			fmt.Fprintf(&with, "return %s }", strings.Join(append(variables[:last:last], "nil"), ", "))
			edits = append(edits, edit{files.Position(ret.Pos()).Offset, files.Position(ret.End()).Offset, with.String()})
			return true
		})
	}
	for _, d := range file.Decls {
		if f, is := d.(*ast.FuncDecl); is && f.Body != nil {
			visit(f.Type, f.Body)
		}
	}
	slices.SortFunc(edits, func(a, b edit) int { return b.from - a.from })
	for _, e := range edits {
		text = slices.Concat(text[:e.from], []byte(e.with), text[e.to:])
	}
	return text, nil
}

// returnsNoError says whether a statement returns a literal nil for its last value.
func returnsNoError(ret *ast.ReturnStmt) bool {
	if len(ret.Results) == 0 {
		return false
	}
	last, is := ret.Results[len(ret.Results)-1].(*ast.Ident)
	return is && last.Name == "nil"
}

// functions returns the package's exported functions, from the files of the copy, which splitReturns has seen.
func functions(dir string) ([]function, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	var all []function
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, name, text, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		at := func(p token.Pos) position {
			place := files.Position(p)
			return position{place.Line, place.Column}
		}
		for _, d := range file.Decls {
			f, is := d.(*ast.FuncDecl)
			if !is || f.Body == nil || !f.Name.IsExported() {
				continue
			}
			fn := function{name: f.Name.Name}
			if f.Recv != nil {
				receiver := f.Recv.List[0].Type
				if pointer, is := receiver.(*ast.StarExpr); is {
					receiver = pointer.X
				}
				t, is := receiver.(*ast.Ident)
				if !is || !t.IsExported() {
					continue
				}
				fn.name = t.Name + "." + fn.name
			}
			fn.body = span{filepath.Base(name), at(f.Body.Pos()), at(f.Body.End())}
			if r := f.Type.Results; r != nil {
				last, is := r.List[len(r.List)-1].Type.(*ast.Ident)
				fn.fails = is && last.Name == "error"
			}
			if fn.fails {
				ast.Inspect(f.Body, func(n ast.Node) bool {
					if _, isFunc := n.(*ast.FuncLit); isFunc {
						return false
					}
					if ret, is := n.(*ast.ReturnStmt); is && !returnsNoError(ret) {
						fn.errors = append(fn.errors, at(ret.Pos()))
					}
					return true
				})
			}
			all = append(all, fn)
		}
	}
	slices.SortFunc(all, func(a, b function) int { return strings.Compare(a.name, b.name) })
	return all, nil
}
