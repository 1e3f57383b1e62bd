package judge

import (
	"fmt"
	"strings"

	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
)

// scales are reports of processes with n tests; crash is whether the process goes down in the middle.
var scales = []struct {
	name  string
	write func(r *report, n int)
	crash bool
	want  result.Verdict // of the test in the middle; none if it is to run once more
}{
	{name: "subtests", want: result.Fail, write: func(r *report, n int) {
		r.plan("TestAll")
		r.begin("TestAll")
		for i := range n {
			name := fmt.Sprint("TestAll/case", i)
			r.begin(name)
			if i == n/2 {
				r.error("InvalidFree", stack(vgFree, dfree))
			}
			r.end(name, "pass")
		}
		r.end("TestAll", "pass")
	}},
	{name: "parallel tests", want: result.Pass, write: func(r *report, n int) {
		r.plan(names(n)...)
		for _, name := range names(n) {
			r.begin(name)
			r.pause(name)
		}
		for _, name := range names(n) {
			r.cont(name)
			r.end(name, "pass")
		}
	}},
	{name: "a crash in the middle", crash: true, want: result.Fail, write: func(r *report, n int) {
		r.plan(names(n)...)
		for _, name := range names(n)[:n/2] {
			r.begin(name)
			r.end(name, "pass")
		}
		r.begin(names(n)[n/2])
		r.output.WriteString("SIGSEGV: segmentation violation\n")
	}},
	{name: "a crash with all tests begun", crash: true, want: "", write: func(r *report, n int) {
		r.plan(names(n)...)
		for i, name := range names(n) {
			r.begin(name)
			if i%2 == 0 {
				r.pause(name)
			}
			if i%2 == 1 {
				r.end(name, "pass")
			}
		}
		r.cont(names(n)[0])
	}},
	{name: "one error in all tests", want: result.Fail, write: func(r *report, n int) {
		r.plan(names(n)...)
		first := r.error("InvalidFree", stack(vgFree, dfree))
		for _, name := range names(n) {
			r.begin(name)
			r.fold(first.Unique)
			r.end(name, "pass")
		}
	}},
	{name: "an error of its own in each test", want: result.Fail, write: func(r *report, n int) {
		r.plan(names(n)...)
		for i, name := range names(n) {
			r.begin(name)
			r.error("InvalidFree", stack(vgFree, dfree, at(uint64(1000+i), "f", "P/p.go", i)))
			r.end(name, "pass")
		}
	}},
	{name: "errors between tests", want: result.Pass, write: func(r *report, n int) {
		r.plan(names(n)...)
		for i, name := range names(n) {
			r.error("InvalidFree", stack(vgFree, libc, at(uint64(1000+i), "f", "P/p.go", 4)))
			r.begin(name)
			r.end(name, "pass")
		}
	}},
	{name: "leaks in one of all tests", want: result.Inconclusive, write: func(r *report, n int) {
		r.plan(names(n)...)
		for _, name := range names(n) {
			r.begin(name)
			r.end(name, "pass")
		}
		r.mark("leaks begin")
		for i := range 20 {
			r.error("Leak_DefinitelyLost", stack(libc, at(uint64(1000+i), "f", "P/p.go", 4)))
		}
		r.mark("leaks end")
	}},
	{name: "expected errors", want: result.Pass, write: func(r *report, n int) {
		r.plan(names(n)...)
		for i, name := range names(n) {
			r.begin(name)
			r.mark("expect InvalidFree dfree %s", escape(name))
			r.error("InvalidFree", stack(vgFree, dfree, at(uint64(1000+i), "f", "P/p.go", 4)))
			r.end(name, "pass")
		}
	}},
	{name: "specs", want: result.Pass, write: func(r *report, n int) {
		r.plan("TestSuite")
		r.begin("TestSuite")
		r.mark("specs %d S", n)
		for i := range n {
			r.beginKind("spec", fmt.Sprint("Test", i))
			r.end(fmt.Sprint("Test", i), "pass")
		}
		r.end("TestSuite", "pass")
	}},
	{name: "failures", want: result.Fail, write: func(r *report, n int) {
		r.plan(names(n)...)
		for _, name := range names(n) {
			r.begin(name)
			r.end(name, "fail")
		}
	}},
}

func names(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint("Test", i)
	}
	return out
}

// TestScale: the judge's time grows with the number of marks alone. Eight times the tests may take no more than 24 times the
// time, which is far from the 64 of a judge that looks at all tests for each.
func TestScale(t *testing.T) {
	const few, factor = 400, 8
	for _, s := range scales {
		t.Run(s.name, func(t *testing.T) {
			run := func(n int) (time.Duration, judged) {
				r := newReport()
				s.write(r, n)
				o := Outcome{ExitCode: 2}
				if !s.crash {
					r.done(0)
					r.mark("leaks ready")
					o = whole
				}
				leaks := []valgrind.Section(nil)
				if s.name == "leaks in one of all tests" {
					for i := range 20 {
						leaks = append(leaks, stack(libc, at(uint64(1000+i), "f", "P/p.go", 4)))
					}
				}
				r.finish(leaks...)
				before := processTime(t)
				out := judge(t, r, o)
				return processTime(t) - before, out
			}
			// The least of three: what else goes on in the process is not the judge's.
			least := func(n int) time.Duration {
				d, _ := run(n)
				for range 2 {
					again, _ := run(n)
					d = min(d, again)
				}
				return d
			}
			small := max(least(few), time.Millisecond)
			large, out := run(few * factor)
			if large > 3*factor*small {
				large = min(large, least(few*factor))
			}
			if large > 3*factor*small {
				t.Errorf("%d tests: %v, %d tests: %v", few, small, few*factor, large)
			}
			middle := fmt.Sprint("Test", few*factor/2)
			if s.name == "subtests" {
				middle = fmt.Sprint("TestAll/case", few*factor/2)
			}
			if got := out.tests[middle].Verdict; got != s.want {
				t.Errorf("%s: %q, want %q: %s", middle, got, s.want, out.tests[middle].Reason)
			}
		})
	}
}

// TestScaleLibtest: the same for the tests of a Rust test binary, whose list says which of its functions are tests.
func TestScaleLibtest(t *testing.T) {
	run := func(n int) time.Duration {
		l := &Libtest{Alone: func(test string) string { return "again " + test }}
		var out strings.Builder
		for i := range n {
			name := fmt.Sprint("tests::t", i)
			l.Tests = append(l.Tests, name)
			fmt.Fprintf(&out, "test %s ... ok\n", name)
		}
		fmt.Fprintf(&out, "\ntest result: ok. %d passed; 0 failed; 0 ignored; 0 measured\n", n)
		verdicts := make(map[result.Verdict]int)
		j := New(testConfig(t), func(m result.Message) {
			if m.Test != nil {
				verdicts[m.Test.Verdict]++
			}
		})
		before := processTime(t)
		p := j.Program([]string{binary}, "p", "again", l)
		if _, err := l.Write([]byte(out.String())); err != nil {
			t.Fatal(err)
		}
		r := newReport()
		for i := range 100 {
			r.error("InvalidFree", stack(vgFree, dfree, at(uint64(1000+i), fmt.Sprint("krate::tests::t", i, "::{{closure}}"), "P/p.rs", 4)))
		}
		for _, ev := range r.finish().events {
			p.Event(ev, nil)
		}
		p.Finish(whole)
		took := processTime(t) - before
		if verdicts[result.Fail] != 100 || verdicts[result.Pass] != n-100 {
			t.Errorf("%d tests: %v", n, verdicts)
		}
		return took
	}
	const few, factor = 1500, 8
	small := max(min(run(few), run(few), run(few)), time.Millisecond)
	large := min(run(few*factor), run(few*factor))
	if large > 3*factor*small {
		t.Errorf("%d tests: %v, %d tests: %v", few, small, few*factor, large)
	}
}

// processTime is the CPU time that the process has taken.
func processTime(t *testing.T) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkJudge judges processes with 20,000 tests.
func BenchmarkJudge(b *testing.B) {
	for _, s := range scales {
		b.Run(s.name, func(b *testing.B) {
			r := newReport()
			s.write(r, 20000)
			r.finish()
			for b.Loop() {
				j := New(Config{ImportPath: "example.com/m/p", Token: r.token, Binary: binary}, func(result.Message) {})
				p := j.Process([]string{"valgrind", binary})
				for _, ev := range r.events {
					p.Event(ev, nil)
				}
				p.Finish(Outcome{ExitCode: 2})
				j.Finish()
			}
		})
	}
}
