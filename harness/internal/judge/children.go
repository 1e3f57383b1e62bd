package judge

import (
	"fmt"
	"path"

	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/valgrind"
)

// Children judges the programs that a package's tests or a program started and that ran under memcheck, too. What is
// wrong with those of one name makes one verdict, "[child NAME]"; there is none where nothing is wrong. How a child
// exited is a matter between it and its parent.
type Children struct {
	judge *Judge
	names []string // in order
	of    map[string]*childrenOf
}

type childrenOf struct {
	records []*record
	problem string
}

// Children returns the judge of the children of all processes. Judge.Finish emits its verdicts.
func (j *Judge) Children() *Children {
	if j.children == nil {
		j.children = &Children{judge: j, of: make(map[string]*childrenOf)}
	}
	return j.children
}

// Children returns the judge of the process's children.
func (p *Process) Children() *Children { return p.judge.Children() }

// Lost says that the report of a child cannot be read.
func (c *Children) Lost(pid int, err error) {
	c.named(fmt.Sprint(pid)).problem = "its report is missing: " + err.Error()
}

func (c *Children) named(name string) *childrenOf {
	if c.of[name] == nil {
		c.names = append(c.names, name)
		c.of[name] = &childrenOf{}
	}
	return c.of[name]
}

// Child judges one child.
type Child struct {
	children *Children
	program  *Program
	name     string
}

// Child returns the judge of the next child.
func (c *Children) Child() *Child {
	cfg := c.judge.cfg
	cfg.Program, cfg.Binary = true, ""
	j := New(cfg, c.judge.emit)
	j.suppressed = c.judge.suppressed
	p := &Program{process: j.Process(nil), whole: &test{kind: "program", name: "[child]"}}
	p.process.program, p.tests = p, []*test{p.whole}
	return &Child{children: c, program: p, name: "unknown"}
}

// Event takes what valgrind.Read yields next. Marks are not obeyed: the tests of a test binary that another one started
// are none of the run's.
func (c *Child) Event(ev valgrind.Event, err error) {
	if _, ok := ev.(valgrind.ClientMessage); ok && err == nil {
		return
	}
	if h, ok := ev.(valgrind.Header); ok && err == nil && len(h.Args) > 0 {
		c.name = path.Base(h.Args[0])
		c.program.whole.name = childName(c.name)
		c.program.process.judge.cfg.Binary = h.Args[0]
	}
	c.program.Event(ev, err)
}

func childName(name string) string { return "[child " + name + "]" }

// Finish takes the end of the report.
func (c *Child) Finish() {
	of := c.children.named(c.name)
	c.program.process.dropDoubtfulClues()
	of.records = append(of.records, c.program.process.records...)
	if reason := c.program.process.whole.Reason(); reason != "" && of.problem == "" {
		of.problem = "memcheck's report on it is incomplete: " + reason
	}
}

// finish emits the verdicts and hands the findings to the parent's.
func (c *Children) finish() {
	for _, name := range c.names {
		of := c.of[name]
		t := &test{name: childName(name), records: of.records}
		for _, r := range of.records {
			r.disposition = c.judge.dispose(r)
			c.judge.add(r, r.disposition, []string{t.name}, "")
		}
		p := c.judge.Process(nil)
		found, _ := p.findingsOf(t)
		m := &result.Test{Package: c.judge.cfg.ImportPath, Name: t.name, Findings: distinct(of.records)}
		switch {
		case found != "":
			m.Verdict, m.Reason = result.Fail, join(found, of.problem)
			m.Otherwise = result.Pass
		case of.problem != "":
			m.Verdict, m.Reason = result.Inconclusive, of.problem
		}
		if found != "" && of.problem != "" {
			m.Otherwise = result.Inconclusive
		}
		if m.Verdict != "" {
			c.judge.emit(result.Message{Test: m})
		}
	}
}
