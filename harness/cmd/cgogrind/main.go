// Command cgogrind runs the tests of Go packages that use cgo under valgrind's memcheck and gives one verdict a test.
package main

import (
	"os"

	"github.com/cgogrind/cgogrind/harness/internal/cli"
)

func main() {
	os.Exit(int(cli.Main(cli.Process{
		Args:   os.Args,
		Env:    os.Environ(),
		Stdin:  os.Stdin,
		Stdout: os.Stdout,
		Stderr: os.Stderr,
	})))
}
