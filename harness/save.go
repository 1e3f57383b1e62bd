package harness

import (
	"context"
	"fmt"
	"os"

	"github.com/cgogrind/cgogrind/harness/internal/artifact"
	"github.com/cgogrind/cgogrind/harness/internal/build"
	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind/memcheck"
)

// openSaved makes the folder that the run is saved in, if it is to be saved.
func (r *run) openSaved() (result.ExitCode, error) {
	if r.cfg.SaveDir == "" {
		return 0, nil
	}
	var err error
	r.saved, err = artifact.Create(r.cfg.SaveDir, artifact.Machine{
		Tool: r.cfg.Tool, Go: r.built.GoVersion, Valgrind: r.valgrind.Version.String(),
	})
	if err != nil {
		return result.ExitUsage, err
	}
	return 0, nil
}

// saveProcess keeps a process that has ended. What was interrupted is kept, too. What cannot be kept is told at the end.
func (r *run) saveProcess(ctx context.Context, p build.Package, command []string, token, output string,
	res *memcheck.Result) {
	if r.saved == nil {
		return
	}
	err := r.saved.Add(context.WithoutCancel(ctx), artifact.Process{
		Package: p.ImportPath, Binary: p.Binary, Command: command, Env: r.memcheckEnv(r.testEnv(p, token)), Output: output,
		Result: res,
	})
	if err != nil {
		r.notSaved(err)
	}
}

// notSaved keeps the first error of saving the run.
func (r *run) notSaved(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.saveErr == nil {
		r.saveErr = err
	}
}

// outputFile is a file beside what reads the output of a process: it may fail alone.
type outputFile struct {
	*os.File
	failed func(error)
}

func (f *outputFile) Write(b []byte) (int, error) {
	if _, err := f.File.Write(b); err != nil {
		f.failed(fmt.Errorf("saving what the tests print: %w", err))
	}
	return len(b), nil
}
