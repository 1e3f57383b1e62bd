// Package explain has the pages of cgogrind explain: what each kind of finding means, each pattern of bugs in cgo code and
// each class of them, how it happens, how to mend it, and what the report looks like.
//
// The pages are Markdown, in pages. The code and the reports that they show are those of the planted bugs
// (scenarios/planted); the package's test keeps them so. The package prints nothing and knows nothing of a run.
package explain

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Group says what a page is about.
type Group string

// The groups.
const (
	Class   Group = "class"   // of bugs: ownership, lifetime, …
	Kind    Group = "kind"    // of findings, as valgrind spells it, and CgoCheck
	Pattern Group = "pattern" // of bugs, as hints name it: strerror, kept-pointer, …
)

// Page is a page.
type Page struct {
	Name  string
	Group Group
	Title string // what it is, in a few words, without the name
	Text  string // all of it, Markdown
}

//go:embed pages
var files embed.FS

// Pages returns all pages: the classes, the kinds, the patterns, each group by name.
func Pages() []Page { return slices.Clone(pages) }

var pages = load()

func load() []Page {
	var out []Page
	for _, g := range []Group{Class, Kind, Pattern} {
		folder := path.Join("pages", string(g))
		entries, err := fs.ReadDir(files, folder)
		if err != nil {
			panic(err) // it is part of the program
		}
		for _, e := range entries {
			text, err := fs.ReadFile(files, path.Join(folder, e.Name()))
			if err != nil {
				panic(err)
			}
			p, err := parse(strings.TrimSuffix(e.Name(), ".md"), g, string(text))
			if err != nil {
				panic(err)
			}
			out = append(out, p)
		}
	}
	return out
}

// Comments in the pages say for the package's test where what follows comes from.
var comment = regexp.MustCompile(`(?m)^<!-- .* -->\n`)

// parse reads a page, which begins with "# NAME: TITLE".
func parse(name string, g Group, text string) (Page, error) {
	title, ok := strings.CutPrefix(text, "# "+name+": ")
	if !ok {
		return Page{}, fmt.Errorf("reading the page %s: it does not begin with %q", name, "# "+name+": ")
	}
	title, _, _ = strings.Cut(title, "\n")
	return Page{Name: name, Group: g, Title: title, Text: comment.ReplaceAllString(text, "")}, nil
}

// Find returns the page of that name, in capitals or not.
func Find(name string) (Page, bool) {
	i := slices.IndexFunc(pages, func(p Page) bool { return strings.EqualFold(p.Name, name) })
	if i < 0 {
		return Page{}, false
	}
	return pages[i], true
}
