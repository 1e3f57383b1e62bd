// Package cli is cgogrind's command line: it reads flags, starts the engine, and connects its messages to outputs.
//
// Input is arguments and an environment; output is the exit code, data on standard output and everything else on
// standard error. What a run does is the engine's, what a report looks like the reports'.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/cgogrind/cgogrind/harness/result"
)

// Process is what the command line gets from the process that it runs in.
type Process struct {
	Args           []string // with the program's name first
	Env            []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// app is one call of the program.
type app struct {
	Process
	// orderly makes signals end a context. It is called when there is something to end in an orderly way: files may have
	// names that reading or opening them never returns from.
	orderly    func(context.Context) (context.Context, context.CancelFunc)
	code       result.ExitCode
	configFile string   // that --config names
	configUsed string   // the file that was read, as an absolute path; empty for none
	packages   []string // that the configuration names, for a command line without
}

// Main runs the command line and returns the exit code. SIGINT, SIGTERM and SIGHUP end what runs programs in an orderly way;
// the second one ends the program. What only reads files and writes reports is ended by the first.
func Main(p Process) result.ExitCode {
	return run(context.Background(), p, func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
		context.AfterFunc(ctx, stop)
		return ctx, stop
	})
}

// Run runs the command line until ctx is done.
func Run(ctx context.Context, p Process) result.ExitCode {
	return run(ctx, p, func(ctx context.Context) (context.Context, context.CancelFunc) { return ctx, func() {} })
}

func run(ctx context.Context, p Process, orderly func(context.Context) (context.Context, context.CancelFunc)) result.ExitCode {
	a := &app{Process: p, orderly: orderly}
	root := a.rootCommand()
	root.SetArgs(longFlags(p.Args[1:]))
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	if cmd, err := root.ExecuteContextC(ctx); err != nil {
		ours := a.code != result.ExitPass
		if !ours {
			a.code = result.ExitUsage // cobra's own errors
		}
		fmt.Fprintf(p.Stderr, "cgogrind: %s\n", strings.TrimRight(message(cmd, err), "\n"))
		var usage *usageError
		if errors.As(err, &usage) || !ours {
			fmt.Fprintln(p.Stderr, whereToLook(root, cmd))
		}
	}
	return a.code
}

// usageError is a command line that makes no sense.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// whereToLook says how to find out what a command takes.
func whereToLook(root, cmd *cobra.Command) string {
	if cmd == root || cmd.Name() == "help" {
		return "Run 'cgogrind help' for what there is, 'cgogrind help test' for the flags of test."
	}
	return "Run 'cgogrind help" + strings.TrimPrefix(cmd.CommandPath(), root.Name()) + "' for what it takes."
}

// message adds to an error of a command what helps with it.
func message(cmd *cobra.Command, err error) string {
	text := err.Error()
	if why, ok := refusal(text); ok {
		return why
	}
	isUnknown := strings.HasPrefix(text, "unknown flag") || strings.HasPrefix(text, "unknown shorthand flag")
	if isUnknown && cmd.Name() == "test" {
		text += "\nFlags of the test binary go after --, as in: cgogrind test ./... -- -ginkgo.focus=pool"
	}
	return text
}

const exitCodes = `Exit codes, the same for every format:
  0  every test passed, no new finding
  1  a test failed on its own, or one of several packages did not build; no new finding
  2  wrong usage, or no package with tests could be built
  3  new memory findings
  4  inconclusive: the evidence is incomplete, or nothing ran
  5  the machine lacks something, valgrind for example
2 and 5 end a run before it starts; after that 3 goes before 4, and 4 before 1.`

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "cgogrind",
		Short: "Run Go tests that use cgo under valgrind's memcheck",
		Long: `cgogrind runs the tests of Go packages that use cgo under valgrind's memcheck and turns what
memcheck saw into one verdict a test. Every stack runs from the C function through cgo to the
Go test, and nothing in the tested packages has to change.

` + exitCodes,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version(),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SetOut(a.Stderr)
			_ = cmd.Help()
			return usagef("which command?")
		},
	}
	root.AddCommand(a.testCommand(), a.reportCommand(), a.reproCommand(), a.doctorCommand(), a.tagsCommand(), a.versionCommand())
	root.AddCommand(a.gateCommand(), a.suppressCommand())
	root.AddCommand(a.execCommand(), a.runCommand())
	root.AddCommand(a.explainCommand())
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err.Error()} })
	root.SetVersionTemplate(versionLine())
	a.configure(root)
	root.InitDefaultHelpCmd()
	if help, _, err := root.Find([]string{"help"}); err == nil {
		help.Args = func(_ *cobra.Command, args []string) error {
			if _, rest, _ := root.Find(args); len(rest) > 0 {
				return unknownCommand(root, rest[0])
			}
			return nil
		}
	}
	return root
}

// unknownCommand names the commands that may have been meant.
func unknownCommand(root *cobra.Command, name string) error {
	root.SuggestionsMinimumDistance = 2
	text := ""
	if near := root.SuggestionsFor(name); len(near) > 0 {
		text = " (did you mean " + strings.Join(near, ", ") + "?)"
	}
	return usagef("unknown command %q%s", name, text)
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(a.Stdout, versionLine())
			return err
		},
	}
}

func versionLine() string {
	return fmt.Sprintf("cgogrind %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// version is the module's, as the go command stamped it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// longFlags lets long flags begin with one dash, as the go command's do. What follows -- is not ours, and -args is --
// by another name.
func longFlags(args []string) []string {
	out := make([]string, 0, len(args))
	for i, arg := range args {
		switch name, _, _ := strings.Cut(arg, "="); {
		case arg == "--":
			return append(out, args[i:]...)
		case arg == "-args" || arg == "--args":
			return append(append(out, "--"), args[i+1:]...)
		case len(name) > 2 && name[0] == '-' && name[1] != '-':
			arg = "-" + arg
		}
		out = append(out, arg)
	}
	return out
}
