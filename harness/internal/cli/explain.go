package cli

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/cgogrind/cgogrind/harness/internal/explain"
)

func (a *app) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "explain [KIND|PATTERN|CLASS]",
		Short: "Say what a finding means, how it happens in cgo code and how to mend it",
		Long: `Prints a page about a kind of finding (InvalidRead), a pattern of bugs (strerror) or a class of
them (ownership): what it means, how it happens in cgo code, how to mend it, and what the report
looks like. Hints of findings name the page that fits. Without a name it lists all pages.

The pages are Markdown; their code is that of the planted bugs in scenarios/planted.`,
		Example: `  cgogrind explain
  cgogrind explain InvalidFree
  cgogrind explain kept-pointer`,
		Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []string
			for _, p := range explain.Pages() {
				names = append(names, cobra.CompletionWithDesc(p.Name, p.Title))
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.listPages()
			}
			p, ok := explain.Find(args[0])
			if !ok {
				return usagef("there is no page %q%s: 'cgogrind explain' lists all", args[0], didYouMean(args[0]))
			}
			_, err := fmt.Fprint(a.Stdout, p.Text)
			return err
		},
	}
}

// listPages prints the names and titles of all pages.
func (a *app) listPages() error {
	w := tabwriter.NewWriter(a.Stdout, 0, 0, 2, ' ', 0)
	var last explain.Group
	for _, p := range explain.Pages() {
		if p.Group != last {
			if last != "" {
				fmt.Fprintln(w)
			}
			fmt.Fprintln(w, map[explain.Group]string{
				explain.Class:   "Classes of bugs in cgo code",
				explain.Kind:    "Kinds of findings",
				explain.Pattern: "Patterns of bugs, as hints name them",
			}[p.Group])
			last = p.Group
		}
		fmt.Fprintf(w, "  %s\t%s\n", p.Name, p.Title)
	}
	fmt.Fprintln(w, "\ncgogrind explain NAME prints a page.")
	return w.Flush() // has the first error, too
}

// didYouMean names the pages whose names are near to what was typed, or contain it, as an insertion into a sentence.
func didYouMean(typed string) string {
	// cobra looks for commands of similar names: a third of what was typed may be wrong.
	names := &cobra.Command{SuggestionsMinimumDistance: min(3, len(typed)/3)}
	var near []string
	for _, p := range explain.Pages() {
		names.AddCommand(&cobra.Command{Use: p.Name, Run: func(*cobra.Command, []string) {}})
		if len(typed) > 2 && strings.Contains(strings.ToLower(p.Name), strings.ToLower(typed)) {
			near = append(near, p.Name)
		}
	}
	if len(typed) > 2 {
		near = append(near, names.SuggestionsFor(typed)...)
	}
	slices.Sort(near)
	near = slices.Compact(near)
	const most = 8
	switch {
	case len(near) == 0:
		return ""
	case len(near) > most:
		near = near[:most]
	}
	return " (did you mean " + strings.Join(near, ", ") + "?)"
}
