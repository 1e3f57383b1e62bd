package cluster_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cgogrind/cgogrind/scenarios/cluster"
	"github.com/cgogrind/cgogrind/scenarios/cluster/program"
	"github.com/cgogrind/cgogrind/scenarios/cluster/trace"
)

// TestMain turns the test binary into a suite that can be killed: it starts a cluster, says so, and stays.
func TestMain(m *testing.M) {
	if os.Getenv("CLUSTER_TEST_STAY") == "" {
		os.Exit(m.Run())
	}
	c, err := cluster.Start(context.Background(), cluster.Options{})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println("ready", c.Pool())
	if err := c.WaitForManager(context.Background()); err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println("manager")
	select {}
}

// startCluster starts a cluster, in the one that CEPH_CONF names if it is set, and stops it in the end. Without Ceph
// the test is skipped; in CI it fails.
func startCluster(t *testing.T) *cluster.Cluster {
	t.Helper()
	c, err := cluster.Start(t.Context(), cluster.Options{})
	if cluster.MaySkip(err) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Stop() }) // that it succeeds is for the tests of Stop to check
	return c
}

// watch lets the test's processes keep their files in a folder of their own and be seen.
func watch(t *testing.T) *trace.Trace {
	t.Helper()
	watch := trace.New(t.TempDir())
	for _, variable := range watch.Env() {
		key, value, _ := strings.Cut(variable, "=")
		t.Setenv(key, value)
	}
	return watch
}

// command runs a program of Ceph on a cluster.
func command(t *testing.T, config string, arguments ...string) string {
	t.Helper()
	program := exec.CommandContext(t.Context(), arguments[0], arguments[1:]...)
	program.Env = append(os.Environ(), "CEPH_CONF="+config)
	var messages strings.Builder
	program.Stderr = &messages
	output, err := program.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(arguments, " "), err, messages.String())
	}
	return string(output)
}

func TestClustersSideBySide(t *testing.T) {
	t.Setenv("CEPH_CONF", "")
	clusters := make([]*cluster.Cluster, 2)
	var group sync.WaitGroup
	for i := range clusters {
		group.Go(func() { clusters[i] = startCluster(t) })
	}
	group.Wait()
	if t.Failed() || t.Skipped() {
		return
	}
	for i, c := range clusters {
		pools := strings.Fields(command(t, c.ConfigFile(), "rados", "lspools"))
		if !slices.Equal(pools, []string{c.Pool()}) {
			t.Errorf("cluster %d has pools %q, want its own, %q", i, pools, c.Pool())
		}
	}
	if clusters[0].Pool() == clusters[1].Pool() || clusters[0].ConfigFile() == clusters[1].ConfigFile() {
		t.Errorf("two clusters share pool %q or configuration %q", clusters[0].Pool(), clusters[0].ConfigFile())
	}

	content := filepath.Join(t.TempDir(), "content")
	if err := os.WriteFile(content, []byte("only here"), 0o600); err != nil {
		t.Fatal(err)
	}
	first, second := clusters[0], clusters[1]
	command(t, first.ConfigFile(), "rados", "-p", first.Pool(), "put", "object", content)
	if got := command(t, first.ConfigFile(), "rados", "-p", first.Pool(), "get", "object", "-"); got != "only here" {
		t.Errorf("read %q, want %q", got, "only here")
	}
	if got := command(t, second.ConfigFile(), "rados", "-p", second.Pool(), "ls"); got != "" {
		t.Errorf("the other cluster holds %q, want nothing", got)
	}
}

func TestDaemonsAnswerWithoutWarnings(t *testing.T) {
	t.Setenv("CEPH_CONF", "")
	c := startCluster(t)
	if err := c.WaitForManager(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := command(t, c.ConfigFile(), "ceph", "pg", "stat"); !strings.HasPrefix(got, "8 pgs: ") {
		t.Errorf("ceph pg stat: got %q, want 8 pgs", got)
	}
	if got := command(t, c.ConfigFile(), "ceph", "health"); !strings.HasPrefix(got, "HEALTH_OK") {
		t.Errorf("ceph health: got %q, want HEALTH_OK", got)
	}
	for _, daemon := range []string{"mon.a", "osd.0", "mgr.a"} {
		if got := command(t, c.ConfigFile(), "ceph", "tell", daemon, "version"); !strings.Contains(got, `"version"`) {
			t.Errorf("ceph tell %s version: got %q, want a version", daemon, got)
		}
	}
}

func TestStopLeavesNothing(t *testing.T) {
	t.Setenv("CEPH_CONF", "")
	traces := watch(t)
	c := startCluster(t)
	if err := c.WaitForManager(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkRunning(t, traces)
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	remains, err := traces.Look()
	if err != nil {
		t.Fatal(err)
	}
	if !remains.Empty() {
		t.Errorf("after Stop there remain:\n%v", remains)
	}
	if err := c.Stop(); err != nil {
		t.Errorf("stopping again: %v", err)
	}
}

func TestSignalsToTheKeeperDoNotEndTheCluster(t *testing.T) {
	t.Setenv("CEPH_CONF", "")
	traces := watch(t)
	c := startCluster(t)
	remains, err := traces.Look()
	if err != nil {
		t.Fatal(err)
	}
	signalled := 0
	for _, process := range remains.Processes {
		id, command, _ := strings.Cut(process, " ")
		if !strings.HasPrefix(command, "/bin/sh /proc/self/fd/3 own "+c.Pool()) {
			continue
		}
		pid, err := strconv.Atoi(id)
		if err != nil {
			t.Fatal(err)
		}
		for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
			if err := syscall.Kill(pid, signal); err != nil {
				t.Error(err)
			}
		}
		signalled++
	}
	if signalled == 0 {
		t.Fatalf("no keeper among the processes: %q", remains.Processes)
	}
	if err := c.WaitForManager(t.Context()); err != nil {
		t.Error(err)
	}
	if got := strings.Fields(command(t, c.ConfigFile(), "rados", "lspools")); !slices.Equal(got, []string{c.Pool()}) {
		t.Errorf("pools: got %q, want %q", got, c.Pool())
	}
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
	if err := traces.WaitGone(t.Context()); err != nil {
		t.Error(err)
	}
}

// checkRunning fails the test if the traces do not show the daemons: their absence would prove nothing later.
func checkRunning(t *testing.T, traces *trace.Trace) {
	t.Helper()
	remains, err := traces.Look()
	if err != nil {
		t.Fatal(err)
	}
	for _, daemon := range []string{"ceph-mon", "ceph-osd", "ceph-mgr"} {
		if !slices.ContainsFunc(remains.Processes, func(process string) bool { return strings.Contains(process, daemon) }) {
			t.Errorf("no %s among the processes: %q", daemon, remains.Processes)
		}
	}
	if len(remains.Ports) < 3 {
		t.Errorf("listening ports: got %q, want one of each daemon at least", remains.Ports)
	}
	if len(remains.Files) == 0 {
		t.Error("no files in the temporary folder")
	}
}

// suite is the test binary as a process that has started a cluster, or is about to.
type suite struct {
	*exec.Cmd
	output *bufio.Scanner
}

func startSuite(t *testing.T) suite {
	t.Helper()
	program := exec.Command(os.Args[0])
	program.Env = append(os.Environ(), "CLUSTER_TEST_STAY=yes")
	program.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	output, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	s := suite{program, bufio.NewScanner(output)}
	t.Cleanup(func() { s.kill(s.Process.Pid) })
	return s
}

// expect reads a line of the suite's and returns what follows the word.
func (s suite) expect(t *testing.T, word string) string {
	t.Helper()
	if !s.output.Scan() {
		t.Fatalf("the suite ended, want %q", word)
	}
	first, rest, _ := strings.Cut(s.output.Text(), " ")
	if first != word {
		t.Fatalf("the suite said %q, want %q", s.output.Text(), word)
	}
	return rest
}

// kill sends SIGKILL to pid, the suite's or its negative for the group, and waits for the suite.
func (s suite) kill(pid int) {
	if s.ProcessState == nil {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		_ = s.Wait() // killed
	}
}

func TestKilledSuiteLeavesNothing(t *testing.T) {
	t.Setenv("CEPH_CONF", "")
	program.NeedCeph(t, cluster.Options{})
	t.Run("alone", func(t *testing.T) {
		traces := watch(t)
		s := startSuite(t)
		s.expect(t, "ready")
		s.expect(t, "manager")
		checkRunning(t, traces)
		s.kill(s.Process.Pid)
		if err := traces.WaitGone(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("with its process group", func(t *testing.T) {
		traces := watch(t)
		s := startSuite(t)
		s.expect(t, "ready")
		s.kill(-s.Process.Pid)
		if err := traces.WaitGone(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("while the cluster starts", func(t *testing.T) {
		traces := watch(t)
		s := startSuite(t)
		for !running(t, traces, "ceph-mon -i a") {
			time.Sleep(time.Millisecond)
		}
		s.kill(s.Process.Pid)
		if err := traces.WaitGone(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("as soon as there is a file", func(t *testing.T) {
		traces := watch(t)
		s := startSuite(t)
		for {
			remains, err := traces.Look()
			if err != nil {
				t.Fatal(err)
			}
			if len(remains.Files) > 0 {
				break
			}
		}
		s.kill(s.Process.Pid)
		if err := traces.WaitGone(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func running(t *testing.T, traces *trace.Trace, command string) bool {
	t.Helper()
	remains, err := traces.Look()
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(remains.Processes, func(process string) bool { return strings.Contains(process, command) })
}

func TestClusterThatCephConfNames(t *testing.T) {
	t.Setenv("CEPH_CONF", "")
	other := startCluster(t)
	pools := func() []string {
		return strings.Fields(command(t, other.ConfigFile(), "rados", "lspools"))
	}
	traces := watch(t)
	t.Setenv("CEPH_CONF", other.ConfigFile())

	t.Run("gives and takes a pool", func(t *testing.T) {
		c := startCluster(t)
		if c.ConfigFile() != other.ConfigFile() {
			t.Errorf("configuration: got %q, want that of the other cluster, %q", c.ConfigFile(), other.ConfigFile())
		}
		command(t, c.ConfigFile(), "ceph", "osd", "pool", "create", c.Pool()+"-second")
		command(t, c.ConfigFile(), "ceph", "osd", "pool", "create", c.Pool()+"s")
		want := []string{other.Pool(), c.Pool(), c.Pool() + "-second", c.Pool() + "s"}
		if got := pools(); !slices.Equal(got, want) {
			t.Errorf("pools: got %q, want %q", got, want)
		}
		if running(t, traces, "ceph-mon") {
			t.Error("a cluster of its own was started")
		}
		if err := c.WaitForManager(t.Context()); err != nil {
			t.Error(err)
		}
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
		if got, want := pools(), []string{other.Pool(), c.Pool() + "s"}; !slices.Equal(got, want) {
			t.Errorf("pools in the end: got %q, want %q", got, want)
		}
		command(t, c.ConfigFile(), "ceph", "osd", "pool", "rm", c.Pool()+"s", c.Pool()+"s", "--yes-i-really-really-mean-it")
	})
	t.Run("takes its pool from a killed suite", func(t *testing.T) {
		s := startSuite(t)
		pool := s.expect(t, "ready")
		if got := pools(); !slices.Contains(got, pool) {
			t.Errorf("pools: got %q, want %q among them", got, pool)
		}
		s.kill(s.Process.Pid)
		if err := traces.WaitGone(t.Context()); err != nil {
			t.Error(err)
		}
		if got := pools(); slices.Contains(got, pool) {
			t.Errorf("pools in the end: got %q, want no %q", got, pool)
		}
	})
	t.Run("keeps a pool that cannot be deleted, and says so", func(t *testing.T) {
		c := startCluster(t)
		command(t, c.ConfigFile(), "ceph", "osd", "pool", "set", c.Pool(), "nodelete", "true")
		if err := c.Stop(); err == nil || !strings.Contains(err.Error(), "deleting pool "+c.Pool()) {
			t.Errorf("stopping: got %v, want an error that names the pool that is left", err)
		}
		if err := traces.WaitGone(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("and whose configuration does not exist", func(t *testing.T) {
		t.Setenv("CEPH_CONF", "/nonexistent/ceph.conf")
		_, err := cluster.Start(t.Context(), cluster.Options{})
		if err == nil || !strings.Contains(err.Error(), "connecting failed") {
			t.Errorf("starting: got %v, want an error about connecting", err)
		}
	})
	if err := traces.WaitGone(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestMissingProgramsAreNamedWithTheRemedy(t *testing.T) {
	t.Setenv("CEPH_CONF", "")
	path := fakes(t, map[string]string{"ceph": "", "rados": "", "monmaptool": "", "ceph-mon": ""})
	t.Setenv("PATH", path)
	_, err := cluster.Start(t.Context(), cluster.Options{})
	if !errors.Is(err, cluster.ErrMissing) {
		t.Fatalf("got %v, want ErrMissing", err)
	}
	for _, want := range []string{": ceph-mgr, ceph-osd;", "./ci/setup", "apt-get install ceph-mon ceph-mgr", "CEPH_CONF"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
}

// fakes makes a folder of shell scripts that stand for programs of Ceph.
func fakes(t *testing.T, scripts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestStartThatFailsLeavesNothing(t *testing.T) {
	good := map[string]string{"ceph": "", "rados": "", "monmaptool": "", "ceph-mon": "", "ceph-mgr": "", "ceph-osd": ""}
	for _, test := range []struct {
		name, program, script string
		timeout               time.Duration
		want                  error
		texts                 []string
	}{
		{
			name:    "no answer in time",
			program: "ceph-mon", script: "case $* in *--mkfs*) exit;; esac; echo the monitor sleeps; exec sleep 1000",
			timeout: 300 * time.Millisecond,
			want:    context.DeadlineExceeded,
			texts:   []string{"last step: starting the monitor on port", "the end of mon.a.log:\n\tthe monitor sleeps"},
		},
		{
			name:    "the monitor ends each time",
			program: "ceph-mon", script: "case $* in *--mkfs*) exit;; esac; echo unable to bind; exit 1",
			texts: []string{"starting the monitor failed on each of the ports ", "mon.a.log:\n\tunable to bind"},
		},
		{
			name:    "a command fails",
			program: "monmaptool", script: "echo no map today >&2; exit 1",
			texts: []string{"making the monitor map failed", "the end of keeper.log:\n\tno map today"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("CEPH_CONF", "")
			path := fakes(t, good)
			program := filepath.Join(path, test.program)
			if err := os.WriteFile(program, []byte("#!/bin/sh\n"+test.script+"\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			t.Setenv("PATH", path+":/usr/bin:/bin")
			traces := watch(t)
			_, err := cluster.Start(t.Context(), cluster.Options{Timeout: test.timeout})
			if err == nil {
				t.Fatal("the start succeeded")
			}
			if test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			for _, text := range test.texts {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("the error does not say %q:\n%v", text, err)
				}
			}
			remains, err := traces.Look()
			if err != nil {
				t.Fatal(err)
			}
			if !remains.Empty() {
				t.Errorf("there remain:\n%v", remains)
			}
		})
	}
}
