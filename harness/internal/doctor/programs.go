package doctor

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/cgogrind/cgogrind/valgrind/memcheck"
)

// valgrind looks for valgrind and, as finding it is not enough, runs a program under memcheck.
func (e *examination) valgrind(ctx context.Context) {
	v, err := memcheck.Find(ctx, e.cfg.Valgrind)
	if err != nil {
		found, remedy := err.Error(), e.system.install(packages{"valgrind", "valgrind"})
		var bad *memcheck.FindError
		if errors.As(err, &bad) {
			found = strings.TrimSuffix(err.Error(), "; "+bad.Remedy)
			if !errors.Is(err, memcheck.ErrNotFound) || e.cfg.Valgrind != "" {
				remedy = bad.Remedy
			}
		}
		e.bad(Check{
			Name: "valgrind", Status: Missing, Found: found, Lacks: "no test can run under memcheck", Remedy: remedy,
		})
		return
	}
	e.good("valgrind", "%s, %s", v.Version, v.Path)

	const trial = "/bin/sh"
	res, err := memcheck.Run(ctx, memcheck.Command{
		Valgrind: v, Options: memcheck.Options{XMLFile: filepath.Join(e.tmp, "trial.%p.xml")},
		Program: trial, Args: []string{"-c", ":"}, Dir: e.tmp, Env: e.cfg.Env,
	})
	bad := Check{
		Name: "memcheck", Status: Missing, Lacks: "every test would be inconclusive",
		Remedy: "see what valgrind says: valgrind " + trial + " -c :",
	}
	switch {
	case err != nil:
		bad.Found = err.Error()
	case len(res.Complaints) > 0:
		bad.Found = res.Complaints[0].Text
		if strings.Contains(string(res.Stderr), "redirection") {
			bad.Found = "it finds no symbols of the dynamic loader"
			bad.Remedy = e.libcRemedy()
		}
	case res.ExitCode != 0 || len(res.Reports) == 0:
		bad.Found = trial + " did not run to its end: " + lastLine(string(res.Stderr))
	default:
		e.good("memcheck", "runs a program to its end")
		return
	}
	e.bad(bad)
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}

func (e *examination) gdb(ctx context.Context) {
	path, version, ok := e.look(ctx, program{
		name: "gdb", version: "--version", status: Warning, lacks: "cgogrind repro --gdb and --core", packages: packages{"gdb", "gdb"},
	})
	if !ok {
		return
	}
	out, err := e.run(ctx, path, "-nx", "-batch", "-ex", "python print('py' + 'thon')")
	if err != nil || strings.TrimSpace(out) != "python" {
		e.bad(Check{
			Name: "gdb", Status: Warning, Found: version + " without Python, " + path,
			Lacks: "goroutine lists in gdb: Go's script for gdb is written in Python", Remedy: e.system.install(packages{"gdb", "gdb"}),
		})
		return
	}
	e.good("gdb", "%s, %s", version, path)
}

func (e *examination) vgdb(ctx context.Context) {
	// It comes with valgrind, but some distributions package it apart.
	path, _, ok := e.look(ctx, program{
		name: "vgdb", version: "--help", status: Warning, lacks: "cgogrind repro --gdb stops at errors of memcheck through it",
		packages: packages{"valgrind", "valgrind valgrind-gdb"},
	})
	if ok {
		e.good("vgdb", "%s", path)
	}
}

func (e *examination) strace(ctx context.Context) {
	path, version, ok := e.look(ctx, program{
		name: "strace", version: "--version", status: Warning, lacks: "cgogrind repro --strace", packages: packages{"strace", "strace"},
	})
	if ok {
		e.good("strace", "%s, %s", version, path)
	}
}

// ceph looks for the daemons that the scenarios of cgogrind's own start; nothing else needs them.
func (e *examination) ceph(context.Context) {
	var missing []string
	for _, name := range []string{"ceph-mon", "ceph-osd", "ceph-mgr", "ceph-mds", "monmaptool", "ceph"} {
		if _, err := exec.LookPath(name); err != nil {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		e.good("ceph", "ceph-mon, ceph-osd, ceph-mgr and ceph-mds can start a cluster on this machine")
		return
	}
	e.bad(Check{
		Name: "ceph", Status: Warning, Found: "not on PATH: " + strings.Join(missing, ", "),
		Lacks:  "a cluster for the scenarios (or let CEPH_CONF name one); your own packages do not need it",
		Remedy: e.system.install(packages{"ceph-mon ceph-osd ceph-mgr ceph-mds ceph-common", "ceph-mon ceph-osd ceph-mgr ceph-mds ceph-common"}),
	})
}
