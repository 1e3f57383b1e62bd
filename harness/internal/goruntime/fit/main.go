// Command fit says whether the instrumented runtime fits versions of Go:
//
//	go run ./harness/internal/goruntime/fit [-arch amd64,arm64] [GOROOT...]
//
// For each GOROOT (that of the go command if none is given; a checkout of Go's repository will do) it lists all
// transformations that do not fit, and all unexported names of the runtime that the embedded files use and that are gone or
// have another type. Exit status: 0 if everything fits, 1 if not, 2 for wrong usage.
//
// What fits is not proved to work: the matrix and the suites that the README of goruntime names are for that.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/cgogrind/cgogrind/harness/internal/goruntime"
)

func main() {
	arch := flag.String("arch", "amd64,arm64", "architectures to look at, with commas between them")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: fit [-arch amd64,arm64] [GOROOT...]")
		flag.PrintDefaults()
	}
	flag.Parse()
	roots := flag.Args()
	if len(roots) == 0 {
		out, err := exec.Command("go", "env", "GOROOT").Output()
		if err != nil {
			fmt.Fprintln(os.Stderr, "fit: asking go for its root:", err)
			os.Exit(2)
		}
		roots = []string{strings.TrimSpace(string(out))}
	}
	status := 0
	for _, root := range roots {
		root, err := filepath.Abs(root)
		if err != nil {
			fmt.Fprintln(os.Stderr, "fit:", err)
			os.Exit(2)
		}
		for goarch := range strings.SplitSeq(*arch, ",") {
			ok, err := check(root, goarch)
			if err != nil {
				fmt.Fprintln(os.Stderr, "fit:", err)
				os.Exit(2)
			}
			if !ok {
				status = 1
			}
		}
	}
	os.Exit(status)
}

// check prints how the runtime fits one Go, and says whether it does.
func check(root, goarch string) (bool, error) {
	tc, err := goruntime.ReadToolchain(root, goarch)
	if err != nil {
		return false, err
	}
	fit, err := goruntime.Check(tc)
	if err != nil {
		return false, err
	}
	fmt.Printf("%s linux/%s: %d transformations fit, %d do not, %d are not needed\n",
		tc.Version, goarch, len(fit.Applied), len(fit.Misfits), len(fit.Unneeded))
	for _, name := range fit.Unneeded {
		fmt.Printf("  not needed: %s\n", name)
	}
	for _, m := range fit.Misfits {
		fmt.Printf("  does not fit: %s: %s: %s\n", m.Transformation, m.File, m.Detail)
	}
	for _, name := range fit.Names {
		fmt.Printf("  does not compile: %s\n", name)
	}
	return fit.Fits(), nil
}
