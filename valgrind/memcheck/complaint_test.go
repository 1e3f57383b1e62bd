package memcheck

import (
	"slices"
	"strings"
	"testing"
)

func TestComplaints(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     []Complaint
	}{
		{"nothing", "hello\n==12== Command: ./a\n==12== ERROR SUMMARY: 1 errors\n", nil},
		{"abort", "\nMemcheck: mc_leakcheck.c:2141 (vgMemCheck_detect_memory_leaks): the 'impossible' happened.\n\nhost stacktrace:\n",
			[]Complaint{{Aborted, 0, "Memcheck: mc_leakcheck.c:2141 (vgMemCheck_detect_memory_leaks): the 'impossible' happened."}}},
		{"abort, two lines", "valgrind: the 'impossible' happened:\n   Max number of threads is too low\nmore\n",
			[]Complaint{{Aborted, 0, "valgrind: the 'impossible' happened: Max number of threads is too low"}}},
		{"assertion", "valgrind: m_libcfile.c:66 (vgPlain_safe_fd): Assertion 'newfd >= VG_(fd_hard_limit)' failed.\n",
			[]Complaint{{Aborted, 0, "valgrind: m_libcfile.c:66 (vgPlain_safe_fd): Assertion 'newfd >= VG_(fd_hard_limit)' failed."}}},
		{"internal error", "--77-- VALGRIND INTERNAL ERROR: Valgrind received a signal 11 (SIGSEGV) - exiting\n",
			[]Complaint{{Aborted, 77, "VALGRIND INTERNAL ERROR: Valgrind received a signal 11 (SIGSEGV) - exiting"}}},
		{"descriptors", "--184100:0:libcfile Valgrind: FATAL: Private file creation failed.\n   The current file descriptor limit is 1073741804.\n",
			[]Complaint{{StartupFailed, 184100, "Valgrind: FATAL: Private file creation failed."}}},
		{"memory", "==9314==     Valgrind's memory management: out of memory:\n==9314==        newSuperblock's request for 4194304 bytes failed.\n",
			[]Complaint{{OutOfMemory, 9314, "Valgrind's memory management: out of memory: newSuperblock's request for 4194304 bytes failed."}}},
		{"tool", "valgrind: failed to start tool 'memcheck' for platform 'amd64-linux': No such file or directory\n",
			[]Complaint{{StartupFailed, 0, "valgrind: failed to start tool 'memcheck' for platform 'amd64-linux': No such file or directory"}}},
		{"redirection", "valgrind:  Fatal error at startup: a function redirection\nvalgrind:  which is mandatory for this platform-tool combination\n",
			[]Complaint{{StartupFailed, 0, "valgrind:  Fatal error at startup: a function redirection"}}},
		{"report", "valgrind: Cannot create XML file '/nonexistent/x.6860': No such file or directory\n",
			[]Complaint{{StartupFailed, 0, "valgrind: Cannot create XML file '/nonexistent/x.6860': No such file or directory"}}},
		{"option", "valgrind: Unknown option: --nosuch\nvalgrind: Use --help for more information or consult the user manual.\n",
			[]Complaint{{BadOption, 0, "valgrind: Unknown option: --nosuch"}}},
		{"suppressions", "==6857== FATAL: in suppressions file \"bad.supp\" near line 2:\n==6857==    unknown tool suppression type\n==6857== exiting now.\n",
			[]Complaint{{BadSuppression, 6857, "FATAL: in suppressions file \"bad.supp\" near line 2: unknown tool suppression type"}}},
		{"program", "valgrind: ./nosuch: No such file or directory\n",
			[]Complaint{{BadProgram, 0, "valgrind: ./nosuch: No such file or directory"}}},
		{"time stamps", "==00:00:00:01.234 55== FATAL: can't open suppressions file \"nope\"\n",
			[]Complaint{{BadSuppression, 55, "FATAL: can't open suppressions file \"nope\""}}},
		{"no line feed at the end", "noise\nvalgrind: Bad option: --num-callers=501",
			[]Complaint{{BadOption, 0, "valgrind: Bad option: --num-callers=501"}}},
		{"invalid bytes", "\xff\x00\nvalgrind: Bad option: \xfe\n", []Complaint{{BadOption, 0, "valgrind: Bad option: \uFFFD"}}},
		{"debug information", "### unhandled dwarf2 abbrev form code 0x25\n==8582== Valgrind: debuginfo reader: ensure_valid failed:\n" +
			"==8582== Valgrind:   during call to ML_(img_get)\n==8582== Valgrind:   request for range [533714570, +4) exceeds\n" +
			"==8582== Valgrind:   valid image size of 8929046 for image:\n==8582== Valgrind:   \"/tmp/a b/clg.test\"\n==8582== \n" +
			"==8582== Valgrind: debuginfo reader: Possibly corrupted debuginfo file.\n==8582== Valgrind: I can't recover.  Giving up.  Sorry.\n",
			[]Complaint{{BadDebugInfo, 8582, "it cannot read the debug information of \"/tmp/a b/clg.test\", whose compiler is newer than " +
				"this valgrind most often: compile it with -gdwarf-4"}}},
		{"a program's own words", "FATAL: cannot mount\nsqlite: the disk is full: No such file or directory\n", nil},
		{"long lines", strings.Repeat("x", 3*maxComplaintLine) + "valgrind: Bad option: -x\nvalgrind: Bad option: -y\n",
			[]Complaint{{BadOption, 0, "valgrind: Bad option: -y"}}},
	} {
		for _, size := range []int{1, 7, len(c.in)} {
			var got complaints
			for piece := range slices.Chunk([]byte(c.in), size) {
				got.write(piece)
			}
			got.endLine()
			if !slices.Equal(got.found, c.want) {
				t.Errorf("%s, in pieces of %d:\n got %+v\nwant %+v", c.name, size, got.found, c.want)
			}
		}
	}
}

func TestComplaintsAreBounded(t *testing.T) {
	var got complaints
	for range 3 * maxComplaints {
		got.write([]byte("valgrind: the 'impossible' happened:\n  again\n"))
	}
	if len(got.found) != maxComplaints || cap(got.line) > 2*maxComplaintLine {
		t.Errorf("%d complaints, line buffer of %d bytes", len(got.found), cap(got.line))
	}
}

func TestSkippedDebugInfo(t *testing.T) {
	for text, want := range map[string]bool{
		"### unhandled dwarf2 abbrev form code 0x25\nmore\n": true,
		"more\nget_Form_szB: unhandled 27 (DW_FORM_addrx)\n": true,
		"": false, "==1== says ### unhandled dwarf2 nothing\n": false,
	} {
		if got := (&Result{Log: []byte(text)}).SkippedDebugInfo(); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestChangedOptions(t *testing.T) {
	for option, harmful := range map[string]bool{
		"--leak-check=no": true, "--ignore-ranges": true, "--show-mismatched-frees": true, "--trace-children": true,
		"--stats": false, "--vgdb-error": false, "--trace-sched": false, "-v": false, "--verbose": false,
	} {
		var got complaints
		got.write([]byte("==77== Handling new value x for option " + option + "\n"))
		if len(got.found) != 0 || (len(got.changed) == 1) != harmful {
			t.Errorf("%s: complaints %v, changed %q", option, got.found, got.changed)
		}
	}
	var got complaints
	got.write([]byte("Handling new value x for option --leak-check=no\n"))
	if got.changed != nil {
		t.Errorf("without valgrind's prefix: %q", got.changed)
	}
}

// TestChangedFromInside: who changes valgrind's options while the program runs is told of in the log.
func TestChangedFromInside(t *testing.T) {
	exe := program(t, `#include <valgrind/valgrind.h>
#include <unistd.h>
int main() {
	VALGRIND_CLO_CHANGE("--show-mismatched-frees=no");
	VALGRIND_CLO_CHANGE("--stats=no");
	write(2, "==1== Handling new value x for option --forged\\n", 49);
	return 0;
}`)
	if r := run(t, command(t, exe)); !slices.Equal(r.Changed, []string{"--show-mismatched-frees"}) {
		t.Errorf("changed %q, log %q", r.Changed, r.Log)
	}
}
