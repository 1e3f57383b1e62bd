package memcheck

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Options are memcheck's options. Only XMLFile must be set; the zero value of every other field is the sensible one.
//
// --max-stackframe is no choice: see MaxStackFrame.
type Options struct {
	// XMLFile is the pattern for the names of the reports: absolute, with %p in its last element, which stands for the
	// process's id, and %% for a percent sign (see Literal). Without %p a process that forks writes two documents into one file.
	// A Command of its own needs a pattern of its own. What valgrind has to say beside the report is in files with the same
	// names and ".log".
	XMLFile string

	// LeakCheck is LeakFull when empty.
	LeakCheck LeakCheck

	// ShowLeakKinds are the kinds of leak that are reported, LeakDefinite when empty. LeakPossible is not among the
	// default because each thread that lives when the program ends counts (glibc's dtv, from pthread_create), and Go's
	// threads always do; LeakIndirect because it repeats what hangs on a definite one.
	ShowLeakKinds []LeakKind

	// TrackOrigins tells where an uninitialised value came from. It costs up to half of the speed and some 100 MB.
	TrackOrigins bool

	// NumCallers is the longest stack, DefaultNumCallers when 0. At most 500.
	NumCallers int

	// TraceChildren runs the programs that the program executes under memcheck, too. Each writes a report.
	TraceChildren bool

	// Vgdb lets gdb attach, VgdbNo when empty: the server leaves pipes in the temporary folder when memcheck is
	// killed.
	Vgdb Vgdb

	// VgdbPrefix is the beginning of the names of the pipes to the gdb server, an absolute path; one in the temporary
	// folder when empty.
	VgdbPrefix string

	// Suppressions are suppression files, beside valgrind's own.
	Suppressions []string

	// GenSuppressions adds to each error of the report the suppression that would match it.
	GenSuppressions bool

	// Extra are further options as a user gives them, in the form --name=value. They come last and win. Those that
	// would spoil the report are refused with an *OptionError.
	Extra []string
}

// Literal returns a path as it stands in a pattern such as XMLFile.
func Literal(path string) string { return strings.ReplaceAll(path, "%", "%%") }

// MaxStackFrame is the largest change of the stack pointer, in bytes, that memcheck takes for a function's frame. It takes a
// larger one for a switch to another stack, and leaves the frame off limits: false errors in every function that has an
// array of that size. Its own value, 2,000,000, is less than what fits into the usual stack of 8 MiB. With a much larger one
// it takes switches between stacks for frames, and repaints the memory between the two: Go's heap is 16 GiB up, the
// main stack nearly a terabyte. This one is less than the distance between the first bytes of two threads' stacks. What
// valgrind knows of a stack's bounds makes no difference: it looks at the change within a stack, too.
const MaxStackFrame = 8_000_000

// DefaultNumCallers is enough for the C++ stacks of librados (about 30 frames) below the Go stack of a Ginkgo spec
// (about 20). Valgrind's own default of 12 ends before it reaches the test. A longer limit costs memory only for stacks
// that are as deep.
const DefaultNumCallers = 60

// LeakCheck says whether leaks are looked for when the program ends.
type LeakCheck string

// The leak checks. Valgrind's own "summary" does not exist in XML reports: it is LeakFull there. With LeakNo memcheck
// still looks for leaks at the end (--xml=yes makes it), and only reports none.
const (
	LeakFull LeakCheck = "full"
	LeakNo   LeakCheck = "no"
)

// LeakKind is a kind of leak as --show-leak-kinds spells it.
type LeakKind string

// The kinds of leak.
const (
	LeakDefinite  LeakKind = "definite"
	LeakIndirect  LeakKind = "indirect"
	LeakPossible  LeakKind = "possible"
	LeakReachable LeakKind = "reachable"
)

// Vgdb is valgrind's gdb server.
type Vgdb string

// The ways to run the gdb server. VgdbFull is slower and gives precise watchpoints.
const (
	VgdbNo   Vgdb = "no"
	VgdbYes  Vgdb = "yes"
	VgdbFull Vgdb = "full"
)

// OptionError is an option that cannot be given to memcheck, and the reason.
type OptionError struct {
	Option string
	Reason string
}

func (e *OptionError) Error() string {
	return fmt.Sprintf("valgrind option %s: %s", e.Option, e.Reason)
}

// always are the options of every run.
var always = []string{
	// ~/.valgrindrc, ./.valgrindrc and VALGRIND_OPTS do not count: a forgotten -q in one of them takes the suppression
	// counts out of the report, which then looks like that of an aborted run.
	"--command-line-only=yes",
	"--tool=memcheck",
	"--xml=yes",
	// Valgrind lets one thread run at a time. Without a fair choice a spinning thread of Go's scheduler starves the
	// others: the same tests took 5.7 s with it, 27 s to 123 s without.
	"--fair-sched=yes",
	// Otherwise reporting stops after 1,000 different errors.
	"--error-limit=no",
	"--max-stackframe=" + strconv.Itoa(MaxStackFrame),
	// A child between fork and exec writes nothing: each exec.Command would leave an unfinished report otherwise.
	"--child-silent-after-fork=yes",
	// The code of libraries that were closed with dlclose keeps its names in the stacks of leaks; costs nothing while
	// no library is closed.
	"--keep-debuginfo=yes",
	// The C library is not made to free what it keeps before the last leak check: with it go the pointers to what threads
	// still use, such as the resolver's configuration of a thread that has called getaddrinfo, and that counts as lost then.
	"--run-libc-freeres=no",
}

// Args returns the arguments for valgrind, without the program. The error is an *OptionError.
func (o Options) Args() ([]string, error) {
	if _, err := parsePattern(o.XMLFile); err != nil {
		return nil, err
	}
	// What valgrind itself has to say is no output of the program's: valgrind 3.19 has five lines for each system call that it
	// does not know, and Go's os/exec makes one.
	args := append(slices.Clone(always), "--xml-file="+o.XMLFile, "--log-file="+o.XMLFile+logSuffix)

	kinds := "none"
	switch o.LeakCheck {
	case LeakNo:
	case LeakFull, "":
		show := o.ShowLeakKinds
		if len(show) == 0 {
			show = []LeakKind{LeakDefinite}
		}
		names := make([]string, len(show))
		for i, k := range show {
			switch k {
			case LeakDefinite, LeakIndirect, LeakPossible, LeakReachable:
			default:
				return nil, &OptionError{"--show-leak-kinds=" + string(k),
					"the kinds are definite, indirect, possible and reachable"}
			}
			names[i] = string(k)
		}
		kinds = strings.Join(names, ",")
	default:
		return nil, &OptionError{"--leak-check=" + string(o.LeakCheck), "must be full or no"}
	}
	// What is shown is counted, too: the number of errors that a program can ask for follows the second option.
	args = append(args, "--leak-check=full", "--show-leak-kinds="+kinds, "--errors-for-leak-kinds="+kinds)

	args = append(args, "--track-origins="+yesNo(o.TrackOrigins))

	callers := o.NumCallers
	if callers == 0 {
		callers = DefaultNumCallers
	}
	if callers < 1 || callers > 500 {
		return nil, &OptionError{"--num-callers=" + strconv.Itoa(callers), "must be between 1 and 500"}
	}
	args = append(args, "--num-callers="+strconv.Itoa(callers))

	args = append(args, "--trace-children="+yesNo(o.TraceChildren))

	switch o.Vgdb {
	case VgdbNo, VgdbYes, VgdbFull:
		args = append(args, "--vgdb="+string(o.Vgdb))
	case "":
		args = append(args, "--vgdb="+string(VgdbNo))
	default:
		return nil, &OptionError{"--vgdb=" + string(o.Vgdb), "must be no, yes or full"}
	}

	if o.VgdbPrefix != "" {
		args = append(args, "--vgdb-prefix="+o.VgdbPrefix) // no pattern: a percent sign stands for itself
	}

	for _, file := range o.Suppressions {
		if !filepath.IsAbs(file) {
			return nil, &OptionError{"--suppressions=" + file,
				"the path must be absolute: the program may run in another directory"}
		}
		args = append(args, "--suppressions="+file)
	}

	if o.GenSuppressions {
		args = append(args, "--gen-suppressions=all") // "yes" asks for each error on standard input
	}

	for _, opt := range o.Extra {
		if err := checkExtra(opt); err != nil {
			return nil, err
		}
		args = append(args, opt)
	}
	return args, nil
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

const (
	reasonReport = "the findings are read from memcheck's XML report, whose place and form are chosen by the tool"
	reasonLog    = "memcheck's own messages are read from a file beside the report: they tell an aborted run from a clean one"
	reasonExit   = "the program's own exit status tells how the tests ended; findings are judged from the report"
	reasonQuit   = "it makes valgrind print a text and end without running the program"
)

// refused are the options that no user may add, with the reason.
var refused = map[string]string{
	"-q":                        "it takes the suppression counts out of the report, which then looks like that of an aborted run",
	"--quiet":                   "it takes the suppression counts out of the report, which then looks like that of an aborted run",
	"--tool":                    "only memcheck's reports are understood",
	"--xml":                     reasonReport,
	"--xml-file":                reasonReport,
	"--xml-fd":                  reasonReport,
	"--xml-socket":              reasonReport,
	"--xml-user-comment":        reasonReport,
	"--log-file":                reasonLog,
	"--log-fd":                  reasonLog,
	"--log-socket":              reasonLog,
	"--error-exitcode":          reasonExit,
	"--exit-on-first-error":     reasonExit,
	"--error-limit":             "with a limit, memcheck goes silent after 1,000 different errors",
	"--command-line-only":       "options from .valgrindrc and VALGRIND_OPTS cannot be checked; give them on the command line",
	"--child-silent-after-fork": "without it, each process that the tests start leaves an unfinished report",
	"--max-stackframe":          "it is 8000000; with a larger one memcheck takes switches between stacks for huge frames",
	"--xtree-leak":              "it writes leaks to a file of its own instead of the report",
	"--wait-for-gdb":            "it makes valgrind wait before it runs the program; use --vgdb=yes --vgdb-error=0",
	"-h":                        reasonQuit,
	"--help":                    reasonQuit,
	"--help-debug":              reasonQuit,
	"--help-dyn-options":        reasonQuit,
	"--version":                 reasonQuit,
}

func checkExtra(opt string) error {
	name, value, hasValue := strings.Cut(opt, "=")
	switch {
	case !strings.HasPrefix(opt, "-") || opt == "-" || opt == "--":
		return &OptionError{strconv.Quote(opt), "valgrind would take it for the program; options have the form --name=value"}
	case refused[name] != "":
		return &OptionError{opt, "not possible here: " + refused[name]}
	case name == "--gen-suppressions" && hasValue && value != "no" && value != "all":
		return &OptionError{opt, "it waits for an answer on standard input after each error; use all"}
	}
	return nil
}
