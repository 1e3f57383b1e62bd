package judge

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
)

// libtestOf is a run of four tests whose output is given.
func libtestOf(output string) *Libtest {
	l := &Libtest{
		Tests: []string{"a::clean", "a::fails", "a::ignored", "a::more"}, Ignored: []string{"a::ignored"},
		Alone: func(test string) string { return "alone " + test },
	}
	for _, part := range strings.SplitAfter(output, " ") { // in pieces, as it comes
		_, _ = l.Write([]byte(part)) // never fails
	}
	return l
}

func TestLibtestStatus(t *testing.T) {
	const summary = "\ntest result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n"
	const failures = "\nfailures:\n\n---- a::fails stdout ----\nboo\n\n\nfailures:\n    a::fails\n"
	all := map[string]string{"a::clean": "ok", "a::fails": "FAILED", "a::ignored": "ignored", "a::more": "ok"}
	for _, c := range []struct {
		name, output string
		want         map[string]string
		complete     bool
	}{
		{
			"usual", "test a::clean ... ok\ntest a::fails ... FAILED\ntest a::ignored ... ignored, later\n" +
				"test a::more - should panic ... ok\n" + failures + summary, all, true,
		},
		{"quiet", ".F.i\n" + failures + summary, all, true},
		{"mixed", "test a::clean ... test a::fails ... hello\nok\nFAILED\n" + failures + summary, all, true},
		{"coloured", "test a::fails ... \x1b[31mFAILED\x1b[0m\n" + summary, all, true},
		{
			"cut", "test a::clean ... ok\ntest a::fails ... ",
			map[string]string{"a::clean": "ok", "a::fails": "", "a::ignored": "ignored", "a::more": ""}, false,
		},
		{
			"a summary that counts another number", "test a::clean ... ok\n" + summary,
			map[string]string{"a::clean": "ok", "a::fails": "", "a::ignored": "ignored", "a::more": ""}, false,
		},
		{
			"a failure that somebody talks away", "test a::fails ... FAILED\ntest a::fails ... ok\n" + failures + summary, all, true,
		},
		{"nothing", "", map[string]string{"a::clean": "", "a::fails": "", "a::ignored": "ignored", "a::more": ""}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := libtestOf(c.output)
			got := make(map[string]string)
			for _, name := range l.Tests {
				got[name] = l.status(name)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if l.complete() != c.complete {
				t.Errorf("complete: %t", l.complete())
			}
		})
	}
	if got := libtestOf(failures + summary).output("a::fails"); got != "boo" {
		t.Errorf("output %q", got)
	}
}

// A second error in a place that memcheck has reported is only counted: no other test may pass then, unless its function
// is among the addresses that memcheck compares.
func TestLibtestFolds(t *testing.T) {
	const output = "\ntest result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n"
	run := func(stack []string) map[string]result.Verdict {
		verdicts := make(map[string]result.Verdict)
		j := New(Config{ImportPath: "a", Binary: "/a", Program: true}, func(m result.Message) {
			if m.Test != nil {
				verdicts[m.Test.Name] = m.Test.Verdict
			}
		})
		p := j.Program(nil, "a", "again", libtestOf(output))
		e := &valgrind.Error{Kind: "InvalidWrite", Unique: 1, Sections: make([]valgrind.Section, 1)}
		for i, f := range stack {
			e.Sections[0].Stack = append(e.Sections[0].Stack,
				valgrind.Frame{IP: uint64(i + 1), Object: "/a", Function: f, Dir: "/src", File: "lib.rs", Line: i + 1})
		}
		for _, ev := range []valgrind.Event{
			valgrind.Header{Protocol: 4}, valgrind.Status{State: "RUNNING"}, e, valgrind.Status{State: "FINISHED"},
			valgrind.ErrorCounts{{Count: 2, Unique: 1}}, valgrind.SuppressionCounts{},
		} {
			p.Event(ev, nil)
		}
		p.Finish(Outcome{})
		return verdicts
	}
	want := map[string]result.Verdict{
		"a::fails": result.Fail, "a::ignored": result.Skip, "a::clean": result.Pass, "a::more": result.Pass,
	}
	if diff := cmp.Diff(want, run([]string{"fill", "a::a::fails"})); diff != "" {
		t.Errorf("near the test: %s", diff)
	}
	want["a::clean"], want["a::more"] = result.Inconclusive, result.Inconclusive
	if diff := cmp.Diff(want, run([]string{"put", "put", "put", "put", "fill", "a::a::fails::{{closure}}"})); diff != "" {
		t.Errorf("far from the test: %s", diff)
	}
}

// A leak that a check while the program ran has told of, and that has grown since, is news each time; in the end it is as
// large as memcheck's report has it.
func TestLeaksThatGrow(t *testing.T) {
	var progress []string
	var found []*result.Finding
	j := New(Config{ImportPath: "a", Binary: "/bin/server", Program: true}, func(m result.Message) {
		switch {
		case m.Progress != nil:
			progress = append(progress, m.Progress.Text)
		case m.Finding != nil:
			found = append(found, m.Finding)
		}
	})
	p := j.Program(nil, "server", "again", nil)
	record := func(bytes, blocks, ip int) string {
		return fmt.Sprintf("==7== %d bytes in %d blocks are definitely lost in loss record 1 of 2\n"+
			"==7==    at 0x48417B4: malloc (in /vgpreload_memcheck-amd64-linux.so)\n==7==    by 0x%x: lose (/src/lose.c:%d)\n==7== \n",
			bytes, blocks, ip, ip)
	}
	for _, check := range []struct{ text, want string }{
		{"", "nothing new"},
		{record(10, 2, 6), "1 new leak: 10 bytes in 2 blocks"},
		{record(10, 2, 6), "nothing new"},
		{record(260, 52, 6), "1 leak has grown: 250 bytes in 50 blocks"},
		{record(265, 53, 6) + record(1, 1, 7), "1 new leak, 1 grown: 6 bytes in 2 blocks"},
		{record(260, 52, 6) + record(2, 2, 7), "1 leak has grown: 1 byte in 1 block"}, // a word that looks like a pointer
	} {
		if got := p.Leaks(check.text); got != check.want {
			t.Errorf("%q, want %q", got, check.want)
		}
	}
	for _, ev := range []valgrind.Event{
		valgrind.Header{Protocol: 4}, valgrind.Status{State: "RUNNING"}, valgrind.Status{State: "FINISHED"},
		parseLeaks(record(270, 54, 6), "/bin/server")[0], parseLeaks(record(2, 2, 7), "/bin/server")[0],
		valgrind.ErrorCounts{}, valgrind.SuppressionCounts{},
	} {
		p.Event(ev, nil)
	}
	p.Finish(Outcome{})
	j.Finish()
	want := []string{
		"Leak_DefinitelyLost: 10 bytes in 2 blocks are definitely lost, in lose (lose.c:6)",
		"Leak_DefinitelyLost: 250 bytes in 50 blocks more, in lose (lose.c:6)",
		"Leak_DefinitelyLost: 5 bytes in 1 block more, in lose (lose.c:6)",
		"Leak_DefinitelyLost: 1 bytes in 1 blocks are definitely lost, in lose (lose.c:7)",
		"Leak_DefinitelyLost: 1 byte in 1 block more, in lose (lose.c:7)",
		"Leak_DefinitelyLost: 10 bytes in 2 blocks more, in lose (lose.c:6)",
	}
	if diff := cmp.Diff(want, progress); diff != "" {
		t.Error(diff)
	}
	if len(found) != 1 || found[0].Bytes != 272 || found[0].Blocks != 56 {
		t.Errorf("findings %+v, want one of 272 bytes in 56 blocks", found)
	}
}

func TestParseLeaks(t *testing.T) {
	const text = `==7== 33 (10 direct, 23 indirect) bytes in 1,000 blocks are definitely lost in loss record 1 of 2
==7==    at 0x48417B4: malloc (coregrind/m_replacemalloc/vg_replace_malloc.c:381)
==7==    by 0x1091B4: ns::lose(int, char (*)[3]) (/src/lose.cc:6)
==7==    by 0x1091B5: ??? (in /lib/libx.so.1)
==7== 
==7== LEAK SUMMARY:
==7==    definitely lost: 33 bytes in 1,000 blocks
==7==    by 0x1: nobody (x.c:1)
`
	want := &valgrind.Error{Kind: "Leak_DefinitelyLost", Sections: []valgrind.Section{{Stack: []valgrind.Frame{
		{IP: 0x48417b4, Object: "/vgpreload_memcheck", Function: "malloc", Dir: "coregrind/m_replacemalloc",
			File: "vg_replace_malloc.c", Line: 381},
		{IP: 0x1091b4, Object: "/bin/p", Function: "ns::lose(int, char (*)[3])", Dir: "/src", File: "lose.cc", Line: 6},
		{IP: 0x1091b5, Object: "/lib/libx.so.1"},
	}}}}
	want.What.Text, _, _ = strings.Cut(strings.TrimPrefix(text, "==7== "), "\n")
	want.What.LeakedBytes, want.What.LeakedBlocks = 33, 1000
	if diff := cmp.Diff([]*valgrind.Error{want}, parseLeaks(text, "/bin/p")); diff != "" {
		t.Error(diff)
	}
}

// TestProgramPastExit: a Go program that did not end by os.Exit or the return of main was not looked through for all leaks.
func TestProgramPastExit(t *testing.T) {
	for _, c := range []struct {
		name  string
		ready bool
		out   Outcome
		want  result.Verdict
	}{
		{"os.Exit", true, Outcome{}, result.Pass},
		{"past it", false, Outcome{}, result.Inconclusive},
		{"failed", true, Outcome{ExitCode: 3}, result.Fail},
		{"panic", false, Outcome{ExitCode: 2}, result.Fail},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got result.Test
			cfg := testConfig(t)
			cfg.Program = true
			j := New(cfg, func(m result.Message) {
				if m.Test != nil {
					got = *m.Test
				}
			})
			r := newReport()
			if c.ready {
				r.exit()
			}
			p := j.Program(nil, "prog", "cgogrind run .", nil)
			for _, ev := range r.finish().events {
				p.Event(ev, nil)
			}
			p.Finish(c.out)
			if got.Verdict != c.want {
				t.Errorf("%s (%s), want %s", got.Verdict, got.Reason, c.want)
			}
		})
	}
}
