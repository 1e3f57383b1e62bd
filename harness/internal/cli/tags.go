package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cgogrind/cgogrind/harness/internal/build"
	"github.com/cgogrind/cgogrind/harness/result"
)

func (a *app) tagsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "tags [packages]",
		Short: "Print the build tags that the installed C libraries ask for",
		Long: `Prints, separated by commas, the build tags that packages want for the C libraries that are
installed: go-ceph wants the name of Ceph's release. cgogrind test sets them by itself; the go
command has to be told.`,
		Example: `  go test -tags "$(cgogrind tags ./...)" ./...`,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := a.orderly(cmd.Context())
			defer stop()
			tags, err := build.LibraryTags(ctx, build.Config{Patterns: args, Env: a.Env})
			if err != nil {
				a.code = result.ExitUsage
				return err
			}
			_, err = fmt.Fprintln(a.Stdout, strings.Join(tags, ","))
			return err
		},
	}
}
