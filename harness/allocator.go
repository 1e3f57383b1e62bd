package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cgogrind/cgogrind/harness/internal/allocator"
	"github.com/cgogrind/cgogrind/harness/internal/build"
	"github.com/cgogrind/cgogrind/harness/result"
)

// inspectPackages inspects the test binaries. A package whose memory memcheck does not see has failed, as one that does not
// build; if there is no other, that is an error.
func (r *run) inspectPackages(ctx context.Context) (result.ExitCode, error) {
	var firstCode result.ExitCode
	var first error
	left := false
	for i := range r.built.Packages {
		p := &r.built.Packages[i]
		if p.Binary == "" {
			continue
		}
		code, err := r.inspect(ctx, allocator.Program{Path: p.Binary, Dir: p.Dir, Env: r.cfg.Env}, p.ImportPath)
		switch {
		case err == nil:
			left = true
			continue
		case ctx.Err() != nil:
			return code, err
		case first == nil:
			firstCode, first = code, err
		}
		p.Binary, p.Failed = "", &build.Failure{Reason: err.Error(), Unchecked: true}
	}
	if left {
		return 0, nil
	}
	return firstCode, first
}

// inspect finds out where a program's memory comes from. Memory that memcheck does not see is an error, or a note where
// the user goes on. The name is for notes.
func (r *run) inspect(ctx context.Context, p allocator.Program, name string) (result.ExitCode, error) {
	report, err := r.allocators.Inspect(ctx, p)
	var missing *allocator.MissingError
	switch {
	case ctx.Err() != nil:
		return result.ExitInconclusive, err
	case errors.As(err, &missing):
		return result.ExitMachine, err
	case err != nil:
		return result.ExitUsage, err
	}
	if err := report.Err(); err != nil && !r.cfg.AllowUnseen {
		return result.ExitUsage, err
	}
	text := report.Name
	for _, u := range report.Unseen {
		fmt.Fprintf(r.cfg.Notes, "%s: not checked: %s; %s\n", name, u, u.Remedy())
		text += " (not checked: " + u.Source() + ")"
	}
	for _, doubt := range report.Unsure {
		fmt.Fprintf(r.cfg.Notes, "%s: %s\n", name, doubt)
	}
	if !slices.Contains(r.malloc, text) {
		r.malloc = append(r.malloc, text)
	}
	return 0, nil
}
