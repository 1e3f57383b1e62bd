package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/cgogrind/cgogrind/harness"
	"github.com/cgogrind/cgogrind/harness/result"
)

// runFlags are the flags of cgogrind run, beside those of exec.
type runFlags struct {
	programFlags
	buildFlags
	gcStress  int
	cgoCheck2 bool
	output    string
}

func (a *app) runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [flags] PACKAGE [ARG…]",
		Short: "Build a main package against the instrumented runtime and run it under memcheck",
		Long: `Builds a main package, or Go files as go run does, against an instrumented Go runtime and runs it
under memcheck: for a crash that has no test yet, a command-line tool, a server.

` + programHelp + `

With -o, the program is built and not run: cgogrind exec runs it later.`,
		Example: `  cgogrind run ./cmd/server -listen :8080
  cgogrind run main.go
  kill -USR1 "$(pgrep -x cgogrind)"    # which leaks are there by now?`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("which package? cgogrind run PACKAGE [ARG…]")
			}
			cfg, err := a.programConfig(f.programFlags)
			if err != nil {
				return err
			}
			switch {
			case f.gcStress < 0:
				return usagef("--gc-stress=%d is negative: 0 is off, 1 collects after every call to C", f.gcStress)
			case f.gcStress > 0 && cfg.Runtime == result.Stock:
				return usagef("--gc-stress needs the instrumented runtime")
			}
			cfg.GCStress, cfg.CgoCheck2 = f.gcStress, f.cgoCheck2
			cfg.Tags, cfg.BuildFlags = f.buildFlags.config()
			args = a.rest(args)
			n := 1
			for strings.HasSuffix(args[0], ".go") && n < len(args) && strings.HasSuffix(args[n], ".go") {
				n++
			}
			cfg.Patterns = args[:n]
			if f.output != "" {
				ctx, stop := a.orderly(cmd.Context())
				defer stop()
				a.code, err = harness.BuildProgram(ctx, cfg, f.output)
				return err
			}
			return a.program(cmd, f.programFlags, cfg, harness.Program{Args: args[n:]})
		},
	}
	f.programFlags.add(cmd, "the Go `RUNTIME` to build against: instrumented, or stock, with which\nmemcheck reports many false errors")
	fs := cmd.Flags()
	fs.StringVarP(&f.output, "output", "o", "", "build the program as `FILE`, and do not run it")
	fs.IntVar(&f.gcStress, "gc-stress", 0, "collect garbage after every `N` calls to C")
	fs.BoolVar(&f.cgoCheck2, "cgocheck2", false, "check every write of a Go pointer, too (GOEXPERIMENT=cgocheck2)")
	f.buildFlags.add(cmd)
	return cmd
}
