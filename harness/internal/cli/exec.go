package cli

import (
	"github.com/spf13/cobra"

	"github.com/cgogrind/cgogrind/harness"
)

func (a *app) execCommand() *cobra.Command {
	var f programFlags
	cmd := &cobra.Command{
		Use:   "exec [flags] -- PROGRAM [ARG…]",
		Short: "Run any finished program under memcheck: C, C++, Rust, or Go built for it",
		Long: `Runs a program that is built already under memcheck.

` + programHelp + `

A Rust test binary has a verdict for each of its tests, so that cgogrind is a runner for cargo:

  CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="cgogrind exec --" cargo test

A Go test binary that cgogrind test -c built, with the description beside it, is run as cgogrind test
runs it, Go or no Go on the machine; its flags follow it, as in -test.run=TestOpen. A Go program with
the stock runtime is refused: memcheck reports false errors in it. The message names the command that
builds the right one; --runtime=stock runs it as it is.

A script is refused, too: memcheck would check its interpreter. With --trace-children it checks what
the script starts.`,
		Example: `  cgogrind exec -- ./server --port 8080
  cgogrind exec --format junit -- ./tests > junit.xml
  cgogrind test -c -o ./out/ ./... && cgogrind exec -- ./out/rados.test -test.run=TestOpen`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("which program? cgogrind exec -- PROGRAM [ARG…]")
			}
			cfg, err := a.programConfig(f)
			if err != nil {
				return err
			}
			args = a.rest(args)
			return a.program(cmd, f, cfg, harness.Program{Path: args[0], Args: args[1:]})
		},
	}
	f.add(cmd, "instrumented, or stock: runs a Go program with the stock `RUNTIME`, too, in\nwhich memcheck reports many false errors")
	return cmd
}
