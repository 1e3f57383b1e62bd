package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cgogrind/cgogrind/harness/internal/doctor"
	"github.com/cgogrind/cgogrind/harness/result"
)

func (a *app) doctorCommand() *cobra.Command {
	var format, valgrind string
	cmd := &cobra.Command{
		Use:   "doctor [flags] [packages]",
		Short: "Say what this machine has and lacks",
		Long: `Looks at what cgogrind needs and uses on this machine, and says of each thing that it is there, or
what does not work without it and how to get it. For packages, it looks at the debug symbols of
the C libraries that they link, too; it takes ./... in a module when none are given.

  ok       it is there
  warning  cgogrind test works without it; something else does not, or a report says less
  missing  cgogrind test does not work without it

It changes nothing. With --format json it prints one object: {"tool", "checks": [{"name", "status",
"found", "lacks", "remedy"}]}.

Exit codes:
  0  cgogrind test has what it needs, warnings or not
  2  wrong usage
  5  something is missing`,
		Example: `  cgogrind doctor
  cgogrind doctor ./rados`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "text" && format != "json" {
				return usagef("--format=%s is not known: text, json are", format)
			}
			if len(args) == 0 && inModule() {
				args = []string{"./..."}
			}
			cfg := doctor.Config{Env: a.Env, Valgrind: valgrind, Patterns: args, Terminal: a.width(a.Stdout) > 0}
			if dir, err := os.UserCacheDir(); err == nil {
				cfg.CacheDir = filepath.Join(dir, "cgogrind")
			}
			ctx, stop := a.orderly(cmd.Context())
			defer stop()
			checks, err := doctor.Examine(ctx, cfg)
			if err != nil {
				a.code = result.ExitInconclusive
				return err
			}
			for _, c := range checks {
				if c.Status == doctor.Missing {
					a.code = result.ExitMachine
				}
			}
			if format == "json" {
				enc := json.NewEncoder(a.Stdout)
				enc.SetIndent("", "  ")
				enc.SetEscapeHTML(false)
				return enc.Encode(struct {
					Tool   string         `json:"tool"`
					Checks []doctor.Check `json:"checks"`
				}{version(), checks})
			}
			return writeChecks(a.Stdout, checks, a.color())
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "what to print, a `FORMAT`: text, json")
	cmd.Flags().StringVar(&valgrind, "valgrind", "", "the valgrind to use, a `PATH`; the one in PATH by default")
	complete(cmd, "format", "text", "json")
	return cmd
}

// inModule is whether the working directory is in a module or a workspace.
func inModule() bool {
	root := moduleRoot()
	for _, name := range []string{"go.mod", "go.work"} {
		if _, err := os.Stat(filepath.Join(root, name)); err == nil && root != "" {
			return true
		}
	}
	return false
}

func writeChecks(w io.Writer, checks []doctor.Check, color bool) error {
	paint := map[doctor.Status]string{doctor.OK: "\x1b[32m", doctor.Warning: "\x1b[33m", doctor.Missing: "\x1b[31m"}
	width := 0
	for _, c := range checks {
		width = max(width, len(c.Name))
	}
	var b strings.Builder
	counts := map[doctor.Status]int{}
	for _, c := range checks {
		counts[c.Status]++
		status := fmt.Sprintf("%-7s", c.Status)
		if color {
			status = paint[c.Status] + status + "\x1b[0m"
		}
		fmt.Fprintf(&b, "%s  %-*s  %s\n", status, width, c.Name, c.Found)
		for _, more := range []struct{ label, text string }{{"without it: ", c.Lacks}, {"remedy: ", c.Remedy}} {
			if more.text != "" {
				indent := strings.Repeat(" ", 9+width+2)
				fmt.Fprintf(&b, "%s%s%s\n", indent, more.label, strings.ReplaceAll(more.text, "\n", "\n"+indent))
			}
		}
	}
	switch {
	case counts[doctor.Missing] > 0:
		fmt.Fprintf(&b, "\ncgogrind test cannot run here: %d missing, %d warnings\n", counts[doctor.Missing], counts[doctor.Warning])
	case counts[doctor.Warning] > 0:
		fmt.Fprintf(&b, "\ncgogrind test has what it needs; warnings: %d\n", counts[doctor.Warning])
	default:
		fmt.Fprintf(&b, "\nall is there\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
