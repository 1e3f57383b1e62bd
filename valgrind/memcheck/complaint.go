package memcheck

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Complaint is something that valgrind itself, not the program, had to say in its log, or on standard error before it had
// one: it could not start, or it gave up. A run with a complaint may leave a report that looks whole.
//
// The program writes to standard error, too, so a program that prints valgrind's words is taken for valgrind.
type Complaint struct {
	Kind ComplaintKind
	PID  int    // the process, 0 if the line does not say
	Text string // the line without valgrind's prefix, and the next one if it ends in a colon
}

// ComplaintKind is what a complaint is about.
type ComplaintKind string

// The kinds of complaint.
const (
	Aborted        ComplaintKind = "aborted"       // a bug or a limit of valgrind, or a program that misuses client requests
	OutOfMemory    ComplaintKind = "out of memory" // valgrind's, not the program's
	StartupFailed  ComplaintKind = "startup"       // the installation, the limits, or the place for the report
	BadOption      ComplaintKind = "option"        // an option, or the lack of a program
	BadSuppression ComplaintKind = "suppressions"  // a suppression file that cannot be read
	BadProgram     ComplaintKind = "program"       // the program is missing, or nothing that can be executed
	BadDebugInfo   ComplaintKind = "debug info"    // valgrind gave up on debug information that it cannot read
)

// complaintPatterns are tried in order. The words are those of valgrind 3.19 to 3.27: coregrind/m_libcassert.c,
// m_main.c, m_ume, m_mallocfree.c, m_errormgr.c, launcher-linux.c.
var complaintPatterns = []struct {
	kind ComplaintKind
	re   *regexp.Regexp
}{
	{OutOfMemory, regexp.MustCompile(`Valgrind's memory management: out of memory|^valgrind: mmap\(.* failed in UME`)},
	{BadSuppression, regexp.MustCompile(`^FATAL: .*suppressions file "`)},
	{Aborted, regexp.MustCompile(`(^|: )the 'impossible' happened`)},
	{Aborted, regexp.MustCompile(`^(valgrind|Memcheck): .*: Assertion '.*' failed`)},
	{Aborted, regexp.MustCompile(`^VALGRIND INTERNAL ERROR:|^Valgrind: FATAL: aspacem assertion failed`)},
	{Aborted, regexp.MustCompile(`^Emulation fatal error -- Valgrind cannot continue|^EXEC FAILED: I can't recover`)},
	{Aborted, regexp.MustCompile(`^Valgrind: fatal error - cannot continue|^Cannot recover from previous error`)},
	{StartupFailed, regexp.MustCompile(`^Valgrind: FATAL:|^Valgrind: failed to move .* file descriptor into safe range`)},
	{StartupFailed, regexp.MustCompile(`^valgrind: (failed to start tool|Cannot |You cannot run |Startup or configuration)`)},
	{StartupFailed, regexp.MustCompile(`(?i)^valgrind: +fatal error`)},
	{StartupFailed, regexp.MustCompile(`^Unable to start up properly|^` + launcherName + `: `)},
	{BadOption, regexp.MustCompile(`^valgrind: (Unknown option|Bad option|no program specified)`)},
	{BadProgram, regexp.MustCompile(`^Warning: Can't execute setuid/setgid/setcap executable`)},
	{BadProgram, regexp.MustCompile(`^valgrind: .*: (No such file or directory|Permission denied|is a directory|` +
		`command not found|cannot execute binary file|Exec format error|bad interpreter)`)},
}

// prefixPattern is what valgrind puts before its lines: "==PID== ", "--PID-- ", with --time-stamp=yes
// "==00:00:00:01.234 PID== ", and the early "--PID:0:libcfile ".
var prefixPattern = regexp.MustCompile(`^(?:==|--)(?:[0-9:.]+ )?([0-9]+)(?:==|--|:[0-9]+: *[a-z_]+) ?`)

// harmless are the lines of what valgrind says about system calls and options of such that it does not know: the program
// gets an error, as from an older kernel, and goes on. coregrind/m_syswrap/syswrap-main.c, syswrap-linux.c.
var harmless = regexp.MustCompile(`(?i)^(warning: (unhandled|unimplemented|noted but unhandled) |you may be able to write your own handler|` +
	`read the file README_MISSING_SYSCALL_OR_IOCTL|nevertheless we consider this a bug|it at https?://valgrind\.org/|` +
	`this could cause spurious value errors|see README_MISSING_SYSCALL_OR_IOCTL)`)

// LastMessage is the last line in the log that may say why a run went wrong, without valgrind's prefix; empty for none.
func (r *Result) LastMessage() string {
	last := ""
	for line := range strings.Lines(string(bytes.ToValidUTF8(r.Log, []byte("\uFFFD")))) {
		line = strings.TrimSpace(prefixPattern.ReplaceAllString(line, ""))
		if line != "" && !harmless.MatchString(line) {
			last = line
		}
	}
	return last
}

// complaints collects the complaints from a stream of any bytes, in pieces of any size.
type complaints struct {
	found []Complaint
	// changed are the options that valgrind says were changed while the program ran; harmless ones are left out.
	changed []string
	line    []byte
	open    bool   // the last one goes on in the next line
	image   string // the file that valgrind named last, in quotes
}

// Valgrind gives up where it loses its way in debug information, and names the file before. Other debug information it skips.
var (
	imagePattern   = regexp.MustCompile(`^Valgrind: +("/.*")$`)
	lostPattern    = regexp.MustCompile(`^Valgrind: debuginfo reader: Possibly corrupted debuginfo file`)
	skippedPattern = regexp.MustCompile(`(?m)^(### unhandled dwarf2 abbrev form code|get_Form_\w+: unhandled) `)
)

// What valgrind says of VALGRIND_CLO_CHANGE. coregrind/m_options.c.
var (
	changedPattern = regexp.MustCompile(`^Handling new value .* for option (-\S+)`)
	harmlessOption = regexp.MustCompile(`^(-v|-d|--verbose|--(stats|time-stamp|sym-offsets|progress-interval|show-error-list)(=.*)?|` +
		`--(vgdb|trace-(syscalls|sched|signals|symtab|cfi|redir|flags|notbelow|notabove)|debug-dump|profile-flags|vex-iropt-verbosity)\b.*)$`)
)

const lostIn = "it cannot read the debug information of %s, whose compiler is newer than this valgrind most often: compile it with -gdwarf-4"

// SkippedDebugInfo says whether valgrind left out debug information that it cannot read: the DWARF 5 of clang, before valgrind
// 3.20. Functions there have no lines in stacks.
func (r *Result) SkippedDebugInfo() bool { return skippedPattern.Match(r.Log) }

// A longer line is none of valgrind's, and a program that prints valgrind's words for ever is not kept in full.
const (
	maxComplaintLine = 4 << 10
	maxComplaints    = 100
)

// Write never fails.
func (c *complaints) Write(p []byte) (int, error) {
	c.write(p)
	return len(p), nil
}

func (c *complaints) write(p []byte) {
	for {
		line, rest, whole := bytes.Cut(p, []byte("\n"))
		c.line = append(c.line, line[:min(len(line), maxComplaintLine-len(c.line))]...)
		if !whole {
			return
		}
		c.endLine()
		p = rest
	}
}

// endLine judges the line that is complete. It is called at the end of the stream, too, for one without a line feed.
func (c *complaints) endLine() {
	line := string(bytes.ToValidUTF8(c.line, []byte("\uFFFD")))
	c.line = c.line[:0]
	pid := 0
	if m := prefixPattern.FindStringSubmatch(line); m != nil {
		pid, _ = strconv.Atoi(m[1])
		line = line[len(m[0]):]
	}
	line = strings.TrimSpace(line)
	if c.open {
		last := &c.found[len(c.found)-1]
		last.Text = strings.TrimSpace(last.Text + " " + line)
		c.open = false
		return
	}
	if m := changedPattern.FindStringSubmatch(line); m != nil && pid != 0 {
		if !harmlessOption.MatchString(m[1]) && len(c.changed) < maxComplaints {
			c.changed = append(c.changed, m[1])
		}
		return
	}
	if len(c.found) == maxComplaints {
		return
	}
	if m := imagePattern.FindStringSubmatch(line); m != nil {
		c.image = m[1]
	}
	if lostPattern.MatchString(line) && c.image != "" {
		c.found = append(c.found, Complaint{BadDebugInfo, pid, fmt.Sprintf(lostIn, c.image)})
		return
	}
	for _, p := range complaintPatterns {
		if p.re.MatchString(line) {
			c.found = append(c.found, Complaint{p.kind, pid, line})
			c.open = strings.HasSuffix(line, ":")
			return
		}
	}
}
