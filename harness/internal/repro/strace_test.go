package repro

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cgogrind/cgogrind/harness/internal/shell"
	"github.com/cgogrind/cgogrind/harness/result"
)

// What strace 6.1 wrote of a Go test binary, shortened.
const trace = `501 1700000000.100000 execve("/tmp/p.test", ["/tmp/p.test"], 0x7ffc /* 20 vars */) = 0
501 1700000000.110000 clone3({flags=CLONE_VM|CLONE_FS|CLONE_THREAD|CLONE_SETTLS, exit_signal=0} <unfinished ...>
502 1700000000.120000 rseq(0x7f, 0x20, 0, 0x53053053) = 0
501 1700000000.130000 <... clone3 resumed> => {parent_tid=[502]}, 88) = 502
502 1700000000.140000 clone(child_stack=NULL, flags=CLONE_VM|CLONE_VFORK|SIGCHLD) = 503
501 1700000000.200000 write(1<pipe:[77]>, "\26=== RUN   TestOther\n", 21) = 21
501 1700000000.210000 openat(AT_FDCWD</tmp>, "other.db", O_RDWR) = 3</tmp/other.db>
501 1700000000.220000 write(1<pipe:[77]>, "\26--- PASS: TestOther (0.01s)\n", 29) = 29
501 1700000000.300000 write(1<pipe:[77]>, "\26=== RUN   TestOpen\n", 20) = 20
501 1700000000.310000 futex(0x55, FUTEX_WAKE_PRIVATE, 1) = 1
502 1700000000.320000 openat(AT_FDCWD</tmp>, "my.db", O_RDWR|O_CREAT, 0644 <unfinished ...>
503 1700000000.325000 openat(AT_FDCWD</tmp>, "daemon", O_RDWR) = 9</tmp/daemon>
501 1700000000.330000 pwrite64(4</tmp/my.db>, "x", 1, 0) = 1
502 1700000000.340000 <... openat resumed>) = 4</tmp/my.db>
501 1700000000.350000 --- SIGURG {si_signo=SIGURG, si_code=SI_TKILL, si_pid=501, si_uid=0} ---
502 1700000000.360000 --- SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=NULL} ---
502 1700000000.370000 write(2<pipe:[77]>, "SIGSEGV: segmentation violation", 31) = 31
502 1700000000.380000 write(2<pipe:[77]>, "\n", 1) = 1
501 1700000000.400000 write(1<pipe:[77]>, "\26--- FAIL: TestOpen (0.10s)\n", 28) = 28
501 1700000000.500000 openat(AT_FDCWD</tmp>, "later", O_RDONLY) = 5</tmp/later>
501 1700000000.600000 +++ exited with 1 +++
501 17000000`

func TestTraceOfATest(t *testing.T) {
	calls, err := readTrace(strings.NewReader(trace))
	if err != nil {
		t.Fatal(err)
	}
	s := &Session{Target: Target{Test: "TestOpen", Fingerprints: []string{printA}, Stream: &Stream{Findings: []*result.Finding{
		{Fingerprint: printA, Message: "Syscall param pwrite64(buf) points to uninitialised byte(s)"},
	}}}}
	var b strings.Builder
	if err := s.writeTrace(Strace{Stdout: &b}, calls); err != nil {
		t.Fatal(err)
	}
	want := `system calls of TestOpen, without memcheck: 3 in 2 threads; 2 of Go's scheduler are left out (--all shows them); > is pwrite64, which the finding is about

=   0.000000  T1   === RUN TestOpen
    0.020000  T2   openat(AT_FDCWD</tmp>, "my.db", O_RDWR|O_CREAT, 0644) = 4</tmp/my.db>
>   0.030000  T1   pwrite64(4</tmp/my.db>, "x", 1, 0) = 1
!   0.060000  T2   --- SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=NULL} ---
    0.070000  T2   Go writes what its goroutines were doing
=   0.100000  T1   --- FAIL: TestOpen
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}

	b.Reset()
	if err := s.writeTrace(Strace{Stdout: &b, All: true}, calls); err != nil || !strings.Contains(b.String(), "daemon") || !strings.Contains(b.String(), "futex(") {
		t.Errorf("%v: it does not show all:\n%s", err, b.String())
	}

	// A spec has the window of its suite's test.
	spec := &Session{Target: Target{Test: "pools open", Command: shell.Command{Args: []string{"cgogrind", "test", "-run", "^TestOther$", "p"}}}}
	b.Reset()
	if err := spec.writeTrace(Strace{Stdout: &b, All: true}, calls); err != nil || !strings.Contains(b.String(), "other.db") || strings.Contains(b.String(), "my.db") {
		t.Errorf("%v\n%s", err, b.String())
	}
	all := &Session{Target: Target{Package: "p"}} // a finding outside of any test
	b.Reset()
	if err := all.writeTrace(Strace{Stdout: &b}, calls); err != nil || !strings.Contains(b.String(), "other.db") ||
		!strings.Contains(b.String(), "later") || !strings.HasPrefix(b.String(), "system calls of all tests of p, ") {
		t.Errorf("%v\n%s", err, b.String())
	}
	gone := &Session{Target: Target{Test: "TestGone"}}
	if err := gone.writeTrace(Strace{Stdout: &b}, calls); err == nil {
		t.Error("a test that did not run has system calls")
	}
}

func TestTraceOfATestWithAnOddName(t *testing.T) {
	long := strings.Repeat("long_", 60)
	calls, err := readTrace(strings.NewReader(`501 1.000000 write(1<pipe:[77]>, "\26=== RUN   Test\303\204pfel/it's_\"odd\"_\\x00\n", 40) = 40
501 1.100000 write(5<pipe:[78]>, "` + long + `\n", 301) = 301
501 1.200000 write(1<pipe:[77]>, "\26    --- PASS: Test\303\204pfel/it's_\"odd\"_\\x00 (0.01s)\n", 50) = 50
501 2.000000 write(1<pipe:[77]>, "\26=== RUN   Test` + long + `\n", 320) = 320
501 2.100000 write(1<pipe:[77]>, "\26--- PASS: Test` + long + ` (0.01s)\n", 330) = 330
`))
	if err != nil {
		t.Fatal(err)
	}
	for test, want := range map[string]string{
		`TestÄpfel/it's_"odd"_\x00`: `=   0.000000  T1   === RUN TestÄpfel/it's_"odd"_\x00
    0.100000  T1   write(5<pipe:[78]>, "` + long[:160] + `"..., 301) = 301
=   0.200000  T1   --- PASS: TestÄpfel/it's_"odd"_\x00
`,
		"Test" + long: "=   0.000000  T1   === RUN Test" + long + "\n=   0.100000  T1   --- PASS: Test" + long + "\n",
	} {
		var b strings.Builder
		s := &Session{Target: Target{Test: test}}
		if err := s.writeTrace(Strace{Stdout: &b}, calls); err != nil {
			t.Fatal(err)
		}
		_, got, _ := strings.Cut(b.String(), "\n\n")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

// FuzzTrace: each call has a thread and stands in the order of the lines, and none of another process is the test's.
func FuzzTrace(f *testing.F) {
	f.Add("77 1.5 write(1</dev/pts/0>, \"\\26=== RUN   TestA\\n\", 17) = 17\n78 1.6 futex(0x1, FUTEX_WAIT <unfinished ...>\n" +
		"77 1.7 clone(child_stack=0x1, flags=CLONE_VM|CLONE_THREAD) = 78\n78 1.8 <... futex resumed>) = 0\n77 1.9 +++ exited with 0 +++\n")
	f.Add("1 1.0 clone3({flags=CLONE_THREAD}, 88) = 2\n2 1.0 clone(CLONE_THREAD) = 1\n99999999999999999999 1.1 x(\n")
	f.Add("77 1.5 <... futex resumed>) = 0\n\x00\n77 1.6 write(1<a>, \"\\26--- PASS: \\303\\274\\\"\\\\\\n\"")
	f.Fuzz(func(t *testing.T, text string) {
		calls, err := readTrace(strings.NewReader(text))
		if err != nil {
			return
		}
		if len(calls) > strings.Count(text, "\n")+1 {
			t.Errorf("%d calls", len(calls))
		}
		for _, c := range calls {
			if c.thread < 1 || c.thread > strings.Count(text, "\n")+1 {
				t.Errorf("%+v", c)
			}
			if word, test := markOf(c); (word == "") != (test == "") {
				t.Errorf("%q is the mark %q of %q", c.text, word, test)
			}
		}
		own := ofTest(calls)
		if len(own) > len(calls) || len(calls) > 0 && (len(own) == 0 || own[0].pid != calls[0].pid) {
			t.Errorf("%d of %d calls are the test's", len(own), len(calls))
		}
	})
}
