package memcheck

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestArgs(t *testing.T) {
	common := []string{"--command-line-only=yes", "--tool=memcheck", "--xml=yes", "--fair-sched=yes", "--error-limit=no",
		"--max-stackframe=8000000", "--child-silent-after-fork=yes", "--keep-debuginfo=yes", "--run-libc-freeres=no"}
	for _, c := range []struct {
		name string
		in   Options
		want []string
	}{
		{"defaults", Options{XMLFile: "/tmp/x.%p"}, []string{"--xml-file=/tmp/x.%p", "--log-file=/tmp/x.%p.log", "--leak-check=full",
			"--show-leak-kinds=definite", "--errors-for-leak-kinds=definite", "--track-origins=no", "--num-callers=60",
			"--trace-children=no", "--vgdb=no"}},
		{"all", Options{XMLFile: "/tmp/100%%/%p.xml", LeakCheck: LeakFull, ShowLeakKinds: []LeakKind{LeakDefinite,
			LeakIndirect, LeakPossible, LeakReachable}, TrackOrigins: true, NumCallers: 500, TraceChildren: true,
			Vgdb: VgdbFull, Suppressions: []string{"/a b.supp", "/c.supp"}, GenSuppressions: true,
			Extra: []string{"--vgdb-error=0", "--partial-loads-ok=no"}},
			[]string{"--xml-file=/tmp/100%%/%p.xml", "--log-file=/tmp/100%%/%p.xml.log", "--leak-check=full",
				"--show-leak-kinds=definite,indirect,possible,reachable",
				"--errors-for-leak-kinds=definite,indirect,possible,reachable", "--track-origins=yes", "--num-callers=500",
				"--trace-children=yes", "--vgdb=full", "--suppressions=/a b.supp", "--suppressions=/c.supp",
				"--gen-suppressions=all", "--vgdb-error=0", "--partial-loads-ok=no"}},
		{"no leaks", Options{XMLFile: "/x%p", LeakCheck: LeakNo, ShowLeakKinds: []LeakKind{LeakPossible}},
			[]string{"--xml-file=/x%p", "--log-file=/x%p.log", "--leak-check=full", "--show-leak-kinds=none", "--errors-for-leak-kinds=none",
				"--track-origins=no", "--num-callers=60", "--trace-children=no", "--vgdb=no"}},
	} {
		got, err := c.in.Args()
		if want := append(slices.Clone(common), c.want...); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v\n got %q\nwant %q", c.name, err, got, want)
		}
	}
}

func TestArgsRefused(t *testing.T) {
	set := func(f func(*Options)) Options {
		o := Options{XMLFile: "/x.%p"}
		f(&o)
		return o
	}
	for _, c := range []struct {
		in   Options
		says string
	}{
		{Options{}, "absolute"},
		{Options{XMLFile: "x.%p"}, "absolute"},
		{Options{XMLFile: "/tmp/x.xml"}, "must have %p"},
		{Options{XMLFile: "/tmp/x.%%p"}, "must have %p"},
		{Options{XMLFile: "/tmp/%p/x.%p"}, "only the last element"},
		{Options{XMLFile: "/tmp/%n.%p"}, "percent"},
		{Options{XMLFile: "/tmp/%q{HOME}/%p"}, "percent"},
		{set(func(o *Options) { o.LeakCheck = "summary" }), "full or no"},
		{set(func(o *Options) { o.ShowLeakKinds = []LeakKind{"all"} }), "definite, indirect"},
		{set(func(o *Options) { o.NumCallers = 501 }), "between 1 and 500"},
		{set(func(o *Options) { o.NumCallers = -1 }), "between 1 and 500"},
		{set(func(o *Options) { o.Vgdb = "maybe" }), "no, yes or full"},
		{set(func(o *Options) { o.Suppressions = []string{"a.supp"} }), "absolute"},
	} {
		got, err := c.in.Args()
		var e *OptionError
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("Args of %+v: %q, %v; want an OptionError that says %q", c.in, got, err, c.says)
		}
	}
}

func TestExtraRefused(t *testing.T) {
	for _, opt := range []string{"--xml=no", "--xml=yes", "--xml-file=/x", "--log-file=/x.log", "--xml-fd=3", "--xml-socket=a:1",
		"--xml-user-comment=<b>", "--log-file=/l", "--log-fd=9", "--log-socket=a:1", "--error-exitcode=3",
		"--exit-on-first-error=yes", "-q", "--quiet", "--tool=helgrind", "--error-limit=yes", "--max-stackframe=9999999",
		"--command-line-only=no", "--child-silent-after-fork=no", "--gen-suppressions=yes", "--xtree-leak=yes",
		"--wait-for-gdb=yes", "--help", "-h", "--help-debug", "--help-dyn-options", "--version", "", "-", "--", "prog",
		" --vgdb=yes"} {
		_, err := Options{XMLFile: "/x.%p", Extra: []string{"--vgdb=yes", opt}}.Args()
		var e *OptionError
		if !errors.As(err, &e) || !strings.Contains(e.Option, opt) || e.Reason == "" {
			t.Errorf("Extra %q: %v, want an OptionError for it", opt, err)
		}
	}
	for _, opt := range []string{"--gen-suppressions=all", "--vgdb-error=0", "-v", "--num-callers=100",
		"--soname-synonyms=somalloc=NONE"} {
		if _, err := (Options{XMLFile: "/x.%p", Extra: []string{opt}}).Args(); err != nil {
			t.Errorf("Extra %q: %v", opt, err)
		}
	}
}
