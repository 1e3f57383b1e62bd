package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/cgogrind/cgogrind/harness/internal/input"
	"github.com/cgogrind/cgogrind/harness/internal/report"
	"github.com/cgogrind/cgogrind/harness/internal/report/github"
	"github.com/cgogrind/cgogrind/harness/internal/report/gotest"
	"github.com/cgogrind/cgogrind/harness/internal/report/html"
	"github.com/cgogrind/cgogrind/harness/internal/report/junit"
	"github.com/cgogrind/cgogrind/harness/internal/report/markdown"
	"github.com/cgogrind/cgogrind/harness/internal/report/sarif"
	"github.com/cgogrind/cgogrind/harness/internal/report/text"
	"github.com/cgogrind/cgogrind/harness/result"
)

// outputFlags say what a command makes of the result messages.
type outputFlags struct {
	format string
	json   bool // go test's flag
	full   bool // text shows all findings in full
	saved  bool // the run is over: there is no progress to show
	files  []fileFlag
	reads  []string  // the files that the command reads: no output may overwrite them
	beside io.Writer // what a program prints goes there; nil if there is none
}

// fileFlag is a flag that names a file to write beside standard output.
type fileFlag struct {
	flag string
	name string // the file's; empty if it is not to be written
}

// A format is one way to write result messages.
type format struct {
	name string
	help string // of the flag that writes it to a file; empty if there is no such flag
	flag string // the flag's name; the format's if empty
	make func(io.Writer) result.Handler
}

// formats are those that need a writer only, in the order of the help. Text, the default, is made in open.
var formats = []format{
	{
		name: "json", flag: "stream", help: "write the result stream to `FILE`, too",
		make: func(w io.Writer) result.Handler { return result.NewEncoder(w) },
	},
	{name: "gotest", make: func(w io.Writer) result.Handler { return gotest.New(w) }},
	{
		name: "junit", help: "write JUnit XML to `FILE`, too",
		make: func(w io.Writer) result.Handler { return junit.New(w) },
	},
	{
		name: "sarif", help: "write SARIF 2.1.0 to `FILE`, too, for code scanning",
		make: func(w io.Writer) result.Handler { return sarif.New(w) },
	},
	{
		name: "html", help: "write a page to `FILE`, too: one file, for a browser",
		make: func(w io.Writer) result.Handler { return html.New(w, readSource) },
	},
	{name: "github", make: func(w io.Writer) result.Handler { return github.New(w) }},
	{
		name: "markdown", help: "write Markdown to `FILE`, too, for the summary of a step of a workflow",
		make: func(w io.Writer) result.Handler { return markdown.New(w) },
	},
}

// readSource reads a file with code whose name is in a stream.
func readSource(name string) ([]byte, error) { return input.ReadRegular(name, input.SourceLimit) }

// add adds the flags to a command.
func (o *outputFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	names := []string{"text"}
	for _, f := range formats {
		names = append(names, f.name)
	}
	fs.StringVar(&o.format, "format", "text",
		"what to print on standard output, a `FORMAT`: "+strings.Join(names, ", ")+";\n"+
			"json is the result stream, gotest the events of go test -json, github annotations of a workflow")
	fs.BoolVar(&o.json, "json", false, "print the events that go test -json prints: the same as --format gotest")
	complete(cmd, "format", names...)
	fs.BoolVar(&o.full, "full", false, "text shows in full also the findings that have the cause of one before them")
	o.files = make([]fileFlag, len(formats))
	for i, f := range formats {
		if f.help == "" {
			continue
		}
		flag := f.flag
		if flag == "" {
			flag = f.name
		}
		o.files[i].flag = flag
		fs.StringVar(&o.files[i].name, flag, "", f.help)
	}
}

// outputs hand each message to all that was asked for.
type outputs struct {
	findings *report.Store // of all handlers that keep them
	handlers []result.Handler
	opened   []*fileOutput
	failed   map[int]bool // by index
	err      error        // all of those
	pipes    []*os.File   // of those, what is no regular file
}

// open makes the outputs. With verbose, progress is many lines that are to be kept. Files are made with the first
// message.
func (a *app) open(o outputFlags, verbose bool) (*outputs, error) {
	progress := text.Options{Progress: a.Stderr, ProgressWidth: a.width(a.Stderr), Color: a.color(), Full: o.full}
	if verbose {
		progress.ProgressWidth = 0
	}
	if o.json {
		if o.format != "text" && o.format != "gotest" {
			return nil, usagef("-json prints go test's events, --format=%s something else: choose one", o.format)
		}
		o.format = "gotest"
	}
	outs := &outputs{findings: report.NewShared()}
	if o.format == "text" {
		outs.handlers = append(outs.handlers, text.New(a.Stdout, progress))
	} else {
		i := slices.IndexFunc(formats, func(f format) bool { return f.name == o.format })
		if i < 0 {
			names := []string{"text"}
			for _, f := range formats {
				names = append(names, f.name)
			}
			return nil, usagef("--format=%s is not known: %s are", o.format, strings.Join(names, ", "))
		}
		outs.handlers = append(outs.handlers, formats[i].make(a.Stdout))
		if !o.saved && !a.isSilent(o) {
			outs.handlers = append(outs.handlers, text.New(io.Discard, progress))
		}
	}
	places := a.places(o)
	for i, f := range o.files {
		if f.name == "" {
			continue
		}
		pipe, err := checkWritable(f.name)
		if err != nil {
			outs.close()
			return nil, usagef("--%s: %v", f.flag, err)
		}
		file := &fileOutput{name: f.name, format: formats[i], findings: outs.findings, file: pipe}
		outs.opened = append(outs.opened, file)
		outs.handlers = append(outs.handlers, file)
		if pipe != nil {
			outs.pipes = append(outs.pipes, pipe)
		}
		here := placeOf("--"+f.flag, f.name)
		for _, other := range places {
			if other.isSame(here) {
				outs.close()
				return nil, usagef("--%s %s and %s are the same file: one would overwrite the other; name another", f.flag, f.name, other.what)
			}
		}
		places = append(places, here)
	}
	for _, h := range outs.handlers {
		share(h, outs.findings)
	}
	return outs, nil
}

// isSilent says whether standard error is for errors only. What reads go test's events takes every line there for one, as
// gotestsum does; a terminal still shows progress.
func (a *app) isSilent(o outputFlags) bool {
	return (o.json || o.format == "gotest") && a.width(a.Stderr) == 0
}

// share has a handler keep findings where others do.
func share(h result.Handler, findings *report.Store) {
	if s, ok := h.(report.Sharer); ok {
		s.Share(findings)
	}
}

// endWith has a pipe that nobody reads any more hold up no run that is to end.
func (o *outputs) endWith(ctx context.Context) (stop func()) {
	const patience = 5 * time.Second
	after := context.AfterFunc(ctx, func() {
		for _, f := range o.pipes {
			_ = f.SetWriteDeadline(time.Now().Add(patience)) // it fails for what has no deadlines, and never waits
		}
	})
	return func() { after() }
}

// Handle hands a message on. An output that fails gets no more of them, and the others do: its error comes with the summary,
// or as soon as nothing is left that somebody asked for.
func (o *outputs) Handle(ctx context.Context, m result.Message) error {
	asked := false
	for i, h := range o.handlers {
		if o.failed[i] {
			continue
		}
		if err := h.Handle(ctx, m); err != nil {
			if o.failed == nil {
				o.failed = make(map[int]bool)
			}
			o.failed[i] = true
			o.err = errors.Join(o.err, err)
			continue
		}
		_, isFile := h.(*fileOutput)
		asked = asked || i == 0 || isFile // the first one has standard output
	}
	if m.Summary != nil || !asked {
		return o.err
	}
	return nil
}

// close ends files that got no summary; a reader sees that they are truncated.
func (o *outputs) close() {
	for _, f := range o.opened {
		f.close()
	}
}

// fileOutput is a Handler that writes a format to a file. It makes the file with the first message, so that a run that
// does not start leaves none.
type fileOutput struct {
	name     string
	format   format
	findings *report.Store
	file     *os.File
	handler  result.Handler
}

func (s *fileOutput) Handle(ctx context.Context, m result.Message) error {
	if s.handler == nil {
		if s.file == nil {
			f, err := os.Create(s.name)
			if err != nil {
				return fmt.Errorf("writing the %s output: %w", s.format.name, err)
			}
			s.file = f
		}
		s.handler = s.format.make(s.file)
		share(s.handler, s.findings)
	}
	if err := s.handler.Handle(ctx, m); err != nil {
		return err
	}
	if m.Summary != nil { // the last one: what cannot be stored shows now
		f := s.file
		s.file = nil
		if err := f.Close(); err != nil {
			return fmt.Errorf("writing the %s output: %w", s.format.name, err)
		}
	}
	return nil
}

func (s *fileOutput) close() {
	if s.file != nil {
		_ = s.file.Close()
	}
}

// checkWritable fails if a file could not be written later. It changes nothing. What is no regular file stays open: the
// reader of a pipe takes its end for the end of all.
func checkWritable(name string) (pipe *os.File, err error) {
	// With O_NONBLOCK, opening a named pipe that nobody reads fails, and does not wait.
	f, err := os.OpenFile(name, os.O_WRONLY|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, syscall.ENXIO):
		return nil, fmt.Errorf("%s is a pipe that nobody reads: start its reader first", name)
	case errors.Is(err, fs.ErrNotExist):
		probe, err := os.CreateTemp(filepath.Dir(name), ".cgogrind-*")
		if err != nil {
			return nil, fmt.Errorf("%s cannot be made: %w", name, errors.Unwrap(err))
		}
		return nil, errors.Join(probe.Close(), os.Remove(probe.Name()))
	case err != nil:
		return nil, err
	}
	if info, err := f.Stat(); err == nil && !info.Mode().IsRegular() {
		return f, nil
	}
	return nil, f.Close()
}

// place is where something is written or read.
type place struct {
	what string // for people
	info fs.FileInfo
	path string // of what does not exist yet, without symbolic links
}

func placeOf(what, name string) place {
	p := place{what: what}
	if info, err := os.Stat(name); err == nil {
		p.info = info
	} else if abs, err := filepath.Abs(name); err == nil {
		p.path, _ = resolve(abs) // without it, writing fails
	}
	return p
}

// isSame says whether two places are one. What goes to /dev/null does not meet there.
func (p place) isSame(q place) bool {
	if p.info == nil || q.info == nil {
		return p.info == nil && q.info == nil && p.path == q.path && p.path != ""
	}
	null, err := os.Stat(os.DevNull)
	return os.SameFile(p.info, q.info) && (err != nil || !os.SameFile(p.info, null))
}

// places are those that no output may be written to: the process's own, and what the command reads.
func (a *app) places(o outputFlags) []place {
	var out []place
	for _, s := range []struct {
		what string
		w    io.Writer
	}{{"standard output", a.Stdout}, {"standard error", a.Stderr}, {"the program's standard output", o.beside}} {
		if f, ok := s.w.(*os.File); ok {
			if info, err := f.Stat(); err == nil {
				out = append(out, place{what: s.what, info: info})
			}
		}
	}
	for _, name := range append(slices.Clone(o.reads), a.configUsed) {
		if name != "" && name != "-" {
			out = append(out, placeOf(name+", which is read,", name))
		}
	}
	return out
}

// color says whether standard output is a terminal whose user wants colours: https://no-color.org.
func (a *app) color() bool {
	for _, kv := range a.Env {
		if v, ok := strings.CutPrefix(kv, "NO_COLOR="); ok && v != "" || kv == "TERM=dumb" {
			return false
		}
	}
	return a.width(a.Stdout) > 0
}

// width is a terminal's number of columns, 0 for what is none.
func (a *app) width(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 80
	}
	return width
}
