// Package cluster gives a suite a real Ceph to talk to: one monitor, one manager and one OSD on memstore, and if asked for
// a file system with its metadata server, on 127.0.0.1, in a temporary directory, usable within seconds. Clusters can run
// side by side. With CEPH_CONF set it uses the cluster that this names instead, in a pool of its own.
//
// Nothing stays behind, not even when the suite's process is killed: a keeper, a shell script in a session of its own,
// holds the daemons and the directory (or the pool of the other cluster) and clears them away when its pipe from the
// suite's process ends.
//
// The package starts processes and waits for them. It links no library of Ceph and does not connect: that is the suite's
// part. Authentication is off unless it is asked for, and nothing is stored on disk for long, so the clusters are of no
// use for anything else.
package cluster

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

//go:embed keeper.sh
var keeperScript string

// ErrMissing says that programs of Ceph are not installed; the error that wraps it names them and the remedy.
var ErrMissing = errors.New("programs of Ceph are missing")

// MaySkip says whether a test is to be skipped for an error of Start: if Ceph is not installed, but not in CI (CI=true),
// where a test that is skipped would hide a gap.
func MaySkip(err error) bool { return errors.Is(err, ErrMissing) && os.Getenv("CI") != "true" }

// defaultTimeout is much longer than a start takes (about 1.5 s on two cores): for machines under load.
const defaultTimeout = time.Minute

// Options are what Start can be told. The zero value is good.
type Options struct {
	// Timeout limits how long it may take until the cluster can be used. 0 means one minute.
	Timeout time.Duration
	// Keys makes a cluster of its own, whatever CEPH_CONF says, that wants a key of everybody (cephx). ConfigFile names
	// the keyring with the key of client.admin.
	Keys bool
	// FileSystem makes a cluster of its own, whatever CEPH_CONF says, that has a file system with the name of the pool, and
	// a metadata server. The file system has pools of its own. It takes a second or two more.
	FileSystem bool
}

// Cluster is a running cluster, or a pool in the one that CEPH_CONF names. It ends with Stop or with the process.
type Cluster struct {
	pool     string
	own      bool           // not in the cluster that CEPH_CONF names
	lifeline io.WriteCloser // takes orders to the keeper, who clears away when this end of its pipe is closed

	ready, manager, failed, ended chan struct{}
	done                          chan struct{} // one for each order that was carried out
	orders                        sync.Mutex    // one after the other

	mu         sync.Mutex
	configFile string
	dir        string
	step       string   // what the keeper does
	failures   []string // what it could not do
	exit       error    // set when ended is closed
}

// Start starts a cluster and waits until its pool can be written and read. The manager is still on its way then, see
// WaitForManager. The context limits the start only, not the cluster's life.
//
// If CEPH_CONF is set, Start makes a pool in that cluster instead.
//
// Start returns an error that wraps ErrMissing if programs are not installed, and context.DeadlineExceeded or the
// context's error if the cluster could not be used in time; the latter ends with the last lines of the daemons' logs.
// In any case nothing is left behind.
func Start(ctx context.Context, options Options) (*Cluster, error) {
	return start(ctx, options, monitorPorts())
}

// monitorPorts proposes ports for the monitor, in order. They lie below the range from which systems take the ports of
// outgoing connections; the other daemons look for theirs by themselves.
func monitorPorts() []int {
	ports := make([]int, 8)
	for i := range ports {
		ports[i] = 20000 + mathrand.IntN(12000)
	}
	return ports
}

func start(ctx context.Context, options Options, ports []int) (*Cluster, error) {
	if options.Timeout == 0 {
		options.Timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, options.Timeout)
	defer cancel()

	c := &Cluster{
		pool:       "cgogrind-" + strings.ToLower(rand.Text()[:8]),
		configFile: os.Getenv("CEPH_CONF"),
		ready:      make(chan struct{}),
		manager:    make(chan struct{}),
		failed:     make(chan struct{}),
		ended:      make(chan struct{}),
		done:       make(chan struct{}, 1),
	}
	if options.Keys || options.FileSystem {
		c.configFile = ""
	}
	c.own = c.configFile == ""
	programs := []string{"ceph", "rados"}
	arguments := []string{"borrow", c.pool}
	if c.own {
		programs = append(programs, "monmaptool", "ceph-mon", "ceph-mgr", "ceph-osd")
		arguments = []string{"own", c.pool, ""}
		if options.Keys {
			programs = append(programs, "ceph-authtool")
			arguments[0] = "keyed"
		}
		if options.FileSystem {
			programs = append(programs, "ceph-mds")
			arguments[2] = c.pool
		}
		for _, port := range ports {
			arguments = append(arguments, strconv.Itoa(port))
		}
	}
	if err := look(programs); err != nil {
		return nil, fmt.Errorf("starting a Ceph cluster: %w", err)
	}
	if err := c.startKeeper(arguments); err != nil {
		return nil, fmt.Errorf("starting a Ceph cluster: starting its keeper: %w", err)
	}

	var err error
	select {
	case <-c.ready:
		return c, nil
	case <-ctx.Done():
		err = fmt.Errorf("it could not be used in time (%w); last step: %s", ctx.Err(), c.lastStep())
	case <-c.failed:
		err = c.failure()
	case <-c.ended:
		err = c.failure()
	}
	if logs := c.logs(); logs != "" {
		err = fmt.Errorf("%w\n%s", err, logs)
	}
	_ = c.Stop() // would repeat the failure
	return nil, fmt.Errorf("starting a Ceph cluster: %w", err)
}

// look says which programs are missing.
func look(programs []string) error {
	var missing []string
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, program)
		}
	}
	if missing == nil {
		return nil
	}
	remedy := "run ./ci/setup, or apt-get install ceph-mon ceph-mgr ceph-osd ceph-common"
	if slices.Contains(programs, "ceph-mds") {
		remedy += " ceph-mds" // and a cluster that CEPH_CONF names would not do
	} else {
		remedy += ", or name a running cluster with CEPH_CONF"
	}
	return fmt.Errorf("%w: %s; %s", ErrMissing, strings.Join(missing, ", "), remedy)
}

func (c *Cluster) startKeeper(arguments []string) error {
	script, feed, err := os.Pipe()
	if err != nil {
		return err
	}
	defer feed.Close()
	keeper := exec.Command("/bin/sh", append([]string{"/proc/self/fd/3"}, arguments...)...)
	keeper.ExtraFiles = []*os.File{script}
	// What is preloaded into the suite is not meant for the daemons.
	keeper.Env = append(os.Environ(), "LD_PRELOAD=")
	// Killing the suite's process group, as terminals and tools do, must not reach the keeper.
	keeper.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	lifeline, err := keeper.StdinPipe()
	if err != nil {
		script.Close()
		return err
	}
	reports, err := keeper.StdoutPipe()
	if err != nil {
		script.Close()
		return err
	}
	err = keeper.Start()
	script.Close()
	if err != nil {
		return err
	}
	c.lifeline = lifeline
	go func() {
		c.follow(reports)
		err := keeper.Wait()
		c.mu.Lock()
		c.exit = err
		c.mu.Unlock()
		close(c.ended)
	}()
	if _, err := io.WriteString(feed, keeperScript); err != nil {
		_ = lifeline.Close()
		<-c.ended
		return err
	}
	return nil
}

// follow reads what the keeper reports, to the end; keeper.sh says what that is.
func (c *Cluster) follow(reports io.Reader) {
	lines := bufio.NewScanner(reports)
	for lines.Scan() {
		verb, rest, _ := strings.Cut(lines.Text(), " ")
		c.mu.Lock()
		switch verb {
		case "directory":
			c.dir = rest
			if c.configFile == "" {
				c.configFile = filepath.Join(rest, "ceph.conf")
			}
		case "step":
			c.step = rest
		case "ready":
			close(c.ready)
		case "manager":
			close(c.manager)
		case "done":
			c.done <- struct{}{}
		case "error":
			c.failures = append(c.failures, rest)
			if len(c.failures) == 1 {
				close(c.failed)
			}
		}
		c.mu.Unlock()
	}
}

func (c *Cluster) lastStep() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.step
}

// failure is what the keeper reported, or else how it ended.
func (c *Cluster) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failures != nil {
		return errors.New(strings.Join(c.failures, "; "))
	}
	if c.exit != nil {
		return fmt.Errorf("its keeper ended: %w", c.exit)
	}
	return errors.New("its keeper ended")
}

// logs returns the last lines of each log in the temporary directory.
func (c *Cluster) logs() string {
	const most = 10
	c.mu.Lock()
	dir := c.dir
	c.mu.Unlock()
	if dir == "" {
		return ""
	}
	names, _ := filepath.Glob(filepath.Join(dir, "*.log"))
	var text strings.Builder
	for _, name := range names {
		data, err := os.ReadFile(name)
		data = bytes.TrimSpace(data)
		if err != nil || len(data) == 0 {
			continue
		}
		lines := bytes.Split(data, []byte("\n"))
		lines = lines[max(0, len(lines)-most):]
		fmt.Fprintf(&text, "the end of %s:\n\t%s\n", filepath.Base(name), bytes.Join(lines, []byte("\n\t")))
	}
	return strings.TrimSuffix(text.String(), "\n")
}

// ConfigFile is the configuration with which to connect: a path, or what CEPH_CONF says.
func (c *Cluster) ConfigFile() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.configFile
}

// Pool is the name of the cluster's pool. It is new, empty and this process's own. Other pools that a suite makes
// should be named Pool()+"-…": in a cluster that CEPH_CONF names these are deleted in the end, too.
func (c *Cluster) Pool() string { return c.pool }

// WaitForManager waits until the manager is there: without it no statistics of the cluster and its pools come. It takes
// less than a second after Start.
func (c *Cluster) WaitForManager(ctx context.Context) error {
	select {
	case <-c.manager:
		return nil
	case <-c.failed:
		return fmt.Errorf("waiting for the manager: %w", c.failure())
	case <-c.ended:
		return fmt.Errorf("waiting for the manager: %w", c.failure())
	case <-ctx.Done():
		return fmt.Errorf("waiting for the manager: %w; last step: %s", ctx.Err(), c.lastStep())
	}
}

// ErrBorrowed says that the cluster is the one that CEPH_CONF names, whose daemons are not the suite's to stop.
var ErrBorrowed = errors.New("the daemons are those of the cluster that CEPH_CONF names")

// StopOSD ends the OSD and returns when its process has ended. Operations on objects wait then until it is started
// again; what it stores is kept. StopOSD waits for the manager first. It fails with ErrBorrowed where CEPH_CONF is used.
func (c *Cluster) StopOSD(ctx context.Context) error {
	if err := c.order(ctx, "stop"); err != nil {
		return fmt.Errorf("stopping the OSD: %w", err)
	}
	return nil
}

// StartOSD starts the OSD that StopOSD ended, and does not wait until it serves. It fails with ErrBorrowed where
// CEPH_CONF is used.
func (c *Cluster) StartOSD(ctx context.Context) error {
	if err := c.order(ctx, "start"); err != nil {
		return fmt.Errorf("starting the OSD: %w", err)
	}
	return nil
}

// order has the keeper do something.
func (c *Cluster) order(ctx context.Context, order string) error {
	if !c.own {
		return ErrBorrowed
	}
	if err := c.WaitForManager(ctx); err != nil {
		return err
	}
	c.orders.Lock()
	defer c.orders.Unlock()
	if _, err := io.WriteString(c.lifeline, order+"\n"); err != nil {
		return err
	}
	select {
	case <-c.done:
		return nil
	case <-c.ended:
		return c.failure()
	}
}

// Stop ends the cluster and removes its directory; in a cluster that CEPH_CONF names it deletes the pools. Connections
// should be shut down before. Stop returns an error if something is left, and may be called again.
func (c *Cluster) Stop() error {
	_ = c.lifeline.Close() // fails if it is closed
	<-c.ended
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.exit != nil {
		return fmt.Errorf("stopping the Ceph cluster: %s (%w)", strings.Join(c.failures, "; "), c.exit)
	}
	return nil
}
