// Package trace finds what a program left behind: processes of its own and of its descendants, whatever session or
// parent they have now, their listening ports, and files in the temporary folder.
//
// The program gets an environment with a mark that all its descendants inherit, and a temporary folder of its own. What
// goes on elsewhere on the machine makes no difference. Processes that drop the mark from their environment, and those
// of another user, are not seen.
package trace

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Trace watches one program. It is not safe for concurrent use.
type Trace struct {
	dir     string
	mark    string
	sockets map[string]bool // the inodes of all sockets that were seen
}

// New watches a program that keeps its temporary files in dir, which should be empty.
func New(dir string) *Trace {
	return &Trace{dir: dir, mark: "CGOGRIND_TRACE=" + rand.Text(), sockets: make(map[string]bool)}
}

// Env is what to add to the environment of the program, as key=value.
func (t *Trace) Env() []string { return []string{"TMPDIR=" + t.dir, t.mark} }

// Remains is what exists of a program.
type Remains struct {
	Processes []string // process ids with command lines
	Ports     []string // addresses on which they listen, or listened and somebody still does through the same socket
	Files     []string // paths in the temporary folder
}

// Empty says whether nothing remains.
func (r Remains) Empty() bool { return len(r.Processes)+len(r.Ports)+len(r.Files) == 0 }

func (r Remains) String() string {
	return fmt.Sprintf("processes:\n\t%s\nports:\n\t%s\nfiles:\n\t%s", strings.Join(r.Processes, "\n\t"),
		strings.Join(r.Ports, "\n\t"), strings.Join(r.Files, "\n\t"))
}

// Look says what exists now. Ended processes that nobody has waited for do not count: they hold nothing.
func (t *Trace) Look() (Remains, error) {
	var remains Remains
	environments, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return remains, fmt.Errorf("looking for processes: %w", err)
	}
	for _, name := range environments {
		environment, err := os.ReadFile(name)
		// Processes end while we look, and those of others cannot be read.
		if err != nil || !slices.ContainsFunc(bytes.Split(environment, []byte{0}), func(variable []byte) bool {
			return string(variable) == t.mark
		}) {
			continue
		}
		process := filepath.Dir(name)
		command, _ := os.ReadFile(filepath.Join(process, "cmdline"))
		remains.Processes = append(remains.Processes,
			filepath.Base(process)+" "+strings.TrimSpace(strings.ReplaceAll(string(command), "\x00", " ")))
		descriptors, _ := filepath.Glob(filepath.Join(process, "fd", "*"))
		for _, descriptor := range descriptors {
			target, _ := os.Readlink(descriptor)
			if inode, ok := strings.CutPrefix(target, "socket:["); ok {
				t.sockets[strings.TrimSuffix(inode, "]")] = true
			}
		}
	}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		ports, err := t.ports(table)
		if err != nil {
			return remains, fmt.Errorf("looking for listening ports: %w", err)
		}
		remains.Ports = append(remains.Ports, ports...)
	}
	err = filepath.WalkDir(t.dir, func(path string, _ fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed while we look
		}
		if path != t.dir {
			remains.Files = append(remains.Files, path)
		}
		return err
	})
	if err != nil {
		return remains, fmt.Errorf("looking for files: %w", err)
	}
	return remains, nil
}

// ports returns the addresses of the listening sockets that were seen, from a table of the kernel. Its format is in the
// kernel's Documentation/networking/proc_net_tcp.rst.
func (t *Trace) ports(table string) ([]string, error) {
	const listen = "0A"
	data, err := os.ReadFile(table)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // no IPv6
	}
	if err != nil {
		return nil, err
	}
	var ports []string
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) < 10 || fields[3] != listen || !t.sockets[fields[9]] {
			continue
		}
		port, err := port(fields[1])
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", table, err)
		}
		ports = append(ports, port)
	}
	return ports, nil
}

// port turns "0100007F:1A90" into "127.0.0.1:6800"; of IPv6 addresses it gives the port only.
func port(address string) (string, error) {
	host, digits, _ := strings.Cut(address, ":")
	number, err := strconv.ParseUint(digits, 16, 16)
	if err != nil {
		return "", err
	}
	if len(host) != 8 {
		return fmt.Sprintf("[…]:%d", number), nil
	}
	ip, err := strconv.ParseUint(host, 16, 32)
	if err != nil {
		return "", err
	}
	bytes := [4]byte{byte(ip), byte(ip >> 8), byte(ip >> 16), byte(ip >> 24)}
	return netip.AddrPortFrom(netip.AddrFrom4(bytes), uint16(number)).String(), nil
}

// WaitGone waits until nothing remains. If the context ends before, the error says what does.
func (t *Trace) WaitGone(ctx context.Context) error {
	for {
		remains, err := t.Look()
		if err != nil || remains.Empty() {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for a program's traces to vanish: %w, these remain:\n%v", ctx.Err(), remains)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
