package harness

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"time"

	"github.com/cgogrind/cgogrind/harness/internal/judge"
	"github.com/cgogrind/cgogrind/valgrind/memcheck"
)

// watch ends a process whose tests take too long.
type watch struct {
	*packageRun
	proc    *judge.Process
	running *memcheck.Process

	reason string // why the process was ended
	stacks string // of its threads at that time
}

// until watches until the process has ended. What it found may be read then.
func (w *watch) until(ended <-chan struct{}) {
	if w.cfg.OnError != nil {
		<-ended // somebody debugs it
		return
	}
	const interval = 200 * time.Millisecond
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	since := make(map[uint64]time.Time)
	for {
		select {
		case <-ended:
			return
		case <-ticker.C:
		}
		if w.reason = w.tooLong(since); w.reason != "" {
			w.stacks = w.threads(ended)
			w.running.TimeOut()
			return
		}
	}
}

// tooLong says which time limit is exceeded, "" if none is. It keeps in since when it first saw each test that runs.
func (w *watch) tooLong(since map[uint64]time.Time) string {
	if w.isOver() {
		return w.overtime()
	}
	limit := w.testLimit()
	if limit <= 0 {
		return ""
	}
	w.judging.Lock()
	running := w.proc.Running()
	w.judging.Unlock()
	now := time.Now()
	for id := range since {
		if _, ok := running[id]; !ok {
			delete(since, id)
		}
	}
	for id, name := range running {
		if since[id].IsZero() {
			since[id] = now
		}
		if now.Sub(since[id]) >= limit {
			return fmt.Sprintf("%s took longer than %s (--test-timeout, times %d)", name, limit, TimeoutFactor)
		}
	}
	return ""
}

// threads asks memcheck for the stacks of the process's threads, for people. It is empty if memcheck does not answer.
func (w *watch) threads(ended <-chan struct{}) string {
	const patience = 15 * time.Second // a process that waits in the kernel has to be woken with ptrace
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	go func() {
		select {
		case <-ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	argv := w.running.MonitorCommand("v.info", "scheduler")
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var out bytes.Buffer
	cmd.Stdout = &out
	cmd.WaitDelay = time.Second
	if cmd.Run() != nil {
		return ""
	}
	return out.String()
}
