package judge

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
)

// FuzzMark: a client message is a mark, somebody else's or an error, and only one of these.
func FuzzMark(f *testing.F) {
	for _, seed := range []string{
		"cgogrind1 f00d start 77", "cgogrind1 f00d layout 0x500000 16 8 0x600000 100", "cgogrind1 f00d plan TestA", "cgogrind1 f00d plan %",
		"cgogrind1 f00d planned 3 4", "cgogrind1 f00d begin 1 0 test TestA%2Fsub", "cgogrind1 f00d end 1 0 pass 20000000 TestA why",
		"cgogrind1 - expect InvalidFree f TestA", "cgogrind1 f00d leaks ready", "cgogrind1 f00d done -1", "cgogrind1 f00d specs 3 s",
		"cgogrind1 f00d", "cgogrind1", "hello", "", "cgogrind1 f00d plan %zz", "cgogrind1 f00d pause 18446744073709551616 0",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, token, err := parseMark(text)
		fields := strings.Fields(text)
		ours := len(fields) > 0 && fields[0] == markPrefix
		switch {
		case m != nil && err != nil, m == nil && err == nil && ours, !ours && (m != nil || err != nil):
			t.Errorf("%q: %v, %v", text, m, err)
		case m != nil && token != fields[1]:
			t.Errorf("%q has the token %q", text, token)
		}
	})
}

// FuzzProcess: whatever marks and errors a process sends, each test that was planned has one verdict or is still to run, and
// none passes unless the end came in order. Each line is a mark without its prefix, an error, or output.
func FuzzProcess(f *testing.F) {
	f.Add("start 77\nlayout 0x500000 16 8 0x600000 100\nplan TestA\nplanned 1\nbegin 1 0 test TestA\nend 1 0 pass 20 TestA\ndone 0", true)
	f.Add("plan TestA\nplan TestB\nplanned 2\nbegin 1 0 test TestA\nbegin 2 0 test TestA%2Fsub\n!InvalidRead 600010\n>SIGSEGV: segmentation violation", false)
	f.Add("layout 0 0 0 0 0\nplan TestA\nplanned 1\nbegin 1 0 test TestA\n!Leak_DefinitelyLost 500000\nend 1 9 fail 20 TestA\ndone 1", true)
	f.Add("plan TestA\nplan TestA\nplanned 18446744073709551615 0\nbegin 1 0 spec s\nbegin 1 0 node n\nend 1 0 pass 0 s\npause 1 0\ncont 1 0\nspecs 3 s", true)
	f.Add("plan TestA\nplanned 1\nbegin 1 0 test TestA\nexpect InvalidFree f TestA\nleaks begin\n!Leak_DefinitelyLost 1\nleaks end\nleaks ready\nend 1 0 pass 0 TestA\ndone 0", true)
	f.Fuzz(func(t *testing.T, lines string, whole bool) {
		verdicts := make(map[string]int)
		passed := false
		j := New(Config{ImportPath: "p", Token: "f00d", Binary: binary}, func(m result.Message) {
			if m.Test != nil {
				verdicts[m.Test.Name]++
				passed = passed || m.Test.Verdict == result.Pass
			}
		})
		p := j.Process([]string{"valgrind", binary})
		p.Event(valgrind.Header{Protocol: 4, Tool: "memcheck", PID: 77}, nil)
		p.Event(valgrind.Status{State: "RUNNING"}, nil)
		var planned []string
		var counts valgrind.ErrorCounts
		for line := range strings.Lines(lines) {
			line = strings.TrimRight(line, "\n")
			switch {
			case strings.HasPrefix(line, ">"):
				fmt.Fprintln(p.Output(), line[1:])
			case strings.HasPrefix(line, "!"):
				e := &valgrind.Error{Unique: uint64(len(counts)), TID: 1}
				var ip uint64
				_, _ = fmt.Sscanf(line[1:], "%s %x", &e.Kind, &ip) // what is missing is zero
				e.Sections = []valgrind.Section{{Stack: []valgrind.Frame{{IP: ip}, {IP: ip + 16, Function: "p.TestA", Object: binary}}}}
				counts = append(counts, valgrind.UniqueCount{Count: 1, Unique: e.Unique})
				p.Event(e, nil)
			default:
				text := "cgogrind1 f00d " + line
				if m, _, err := parseMark(text); err == nil {
					if plan, ok := m.(markPlan); ok && !slices.Contains(planned, plan.name) {
						planned = append(planned, plan.name)
					}
				}
				p.Event(valgrind.ClientMessage{Text: text}, nil)
			}
		}
		if whole {
			p.Event(valgrind.Status{State: "FINISHED"}, nil)
			p.Event(counts, nil)
			p.Event(valgrind.SuppressionCounts{}, nil)
		}
		remaining := p.Finish(Outcome{})
		unconfirmed := p.Unconfirmed()
		j.Finish()
		for _, name := range planned {
			if verdicts[name] == 0 && !slices.Contains(remaining, name) && !slices.Contains(unconfirmed.Names, name) {
				t.Errorf("%q was planned, and has no verdict: %v, remaining %q, unconfirmed %+v", name, verdicts, remaining, unconfirmed)
			}
		}
		if passed && !whole {
			t.Error("a test passes without the end of the report")
		}
	})
}

// FuzzOutput: in pieces or in one go, what is printed is the same, and of each test only so much is kept.
func FuzzOutput(f *testing.F) {
	f.Add("\x16=== RUN   TestA\nhello\n\x16--- FAIL: TestA (0.00s)\nSIGSEGV: segmentation violation\nPC=0x1\n\ngoroutine 1 [running]:\n", 7)
	f.Add("no newline\x16=== NAME  TestB\r\nx\x16\x16=== CONT  TestB\n•\x1b[0mpanic: oops [recovered]\n", 1)
	f.Add(strings.Repeat("x", 70000)+"\n"+strings.Repeat("y\n", 300), 4096)
	f.Fuzz(func(t *testing.T, text string, size int) {
		size = max(1, min(size, 1<<16))
		var whole, parts Output
		var shown [2][]string
		whole.Line = func(s string) { shown[0] = append(shown[0], s) }
		parts.Line = func(s string) { shown[1] = append(shown[1], s) }
		fmt.Fprint(&whole, text)
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			fmt.Fprint(&parts, rest[:n])
			rest = rest[n:]
		}
		whole.Close()
		parts.Close()
		long := false
		for line := range strings.SplitSeq(text, "\n") {
			long = long || len(line) >= maxLine // is cut where a piece ends
		}
		if !long && (!slices.Equal(shown[0], shown[1]) || whole.panics != parts.panics || !slices.Equal(whole.dump, parts.dump)) {
			t.Errorf("in one go %q, in pieces %q", shown[0], shown[1])
		}
		for name, tail := range whole.tails {
			if got := parts.Tail(name); !long && got != tail.String() {
				t.Errorf("%q: %q, in pieces %q", name, tail, got)
			}
			if len(tail.lines) > maxTailLines || len(tail.lines) > 1 && tail.size > maxTailBytes {
				t.Errorf("%q keeps %d lines of %d bytes", name, len(tail.lines), tail.size)
			}
		}
	})
}

// FuzzLibtest: a test has one of four results, and none that is known gets lost by how the output is cut.
func FuzzLibtest(f *testing.F) {
	f.Add("test a::clean ... ok\ntest a::fails ... FAILED\n\nfailures:\n\n---- a::fails stdout ----\nboo\n\nfailures:\n    a::fails\n"+
		"\ntest result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured\n", 5)
	f.Add("test result: ok. 99999999999999999999 passed; 0 failed; 0 ignored;\n", 3)
	f.Fuzz(func(t *testing.T, text string, size int) {
		size = max(1, min(size, 1<<16))
		of := func(parts ...string) *Libtest {
			l := &Libtest{Tests: []string{"a::clean", "a::fails", "a::ignored"}, Ignored: []string{"a::ignored"}}
			for _, part := range parts {
				_, _ = l.Write([]byte(part)) // never fails
			}
			return l
		}
		var parts []string
		for b := range slices.Chunk([]byte(text), size) {
			parts = append(parts, string(b))
		}
		whole, cut := of(text), of(parts...)
		for _, name := range whole.Tests {
			got := whole.status(name)
			if !slices.Contains([]string{"", "ok", "FAILED", "ignored"}, got) {
				t.Errorf("%s: %q", name, got)
			}
			if len(text) < maxLine && got != cut.status(name) {
				t.Errorf("%s: %q, in pieces %q", name, got, cut.status(name))
			}
		}
	})
}

// FuzzLeaks: what memcheck's gdb server answers is leaks with stacks, whatever it is.
func FuzzLeaks(f *testing.F) {
	f.Add("==77== 40 bytes in 2 blocks are definitely lost in loss record 1 of 2\n==77==    at 0x4848899: malloc (vg_replace_malloc.c:381)\n" +
		"==77==    by 0x109151: main (/tmp/a.c:12)\n==77== \n")
	f.Add("1,234 (+1,234) (16 direct, 8 indirect) bytes in 1 (+1) blocks are definitely lost\n at 0xffffffffffffffffffff: ??? (in /lib/x)\n")
	f.Fuzz(func(t *testing.T, text string) {
		leaks := parseLeaks(text, binary)
		if len(leaks) > strings.Count(text, "\n")+1 {
			t.Errorf("%d leaks in %q", len(leaks), text)
		}
		for _, e := range leaks {
			if len(e.Sections) != 1 || !isLeak(e.Kind) || !strings.Contains(text, e.What.Text) {
				t.Errorf("%+v of %q", e, text)
			}
		}
		j := New(Config{ImportPath: "p", Token: "f00d", Binary: binary, Program: true}, func(result.Message) {})
		p := j.Program([]string{"valgrind", binary}, "p", "again", nil)
		first, again := p.Leaks(text), p.Leaks(text)
		if len(leaks) == 0 && first != "nothing new" || len(leaks) < 2 && again != "nothing new" {
			t.Errorf("of %d leaks: %q, and once more %q", len(leaks), first, again)
		}
	})
}
