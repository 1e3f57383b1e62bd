package harness

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/suppressions"
)

// suppressed keeps what memcheck is told to hide, and how often each entry hid something.
type suppressed struct {
	dir   string               // for the files that memcheck reads
	users []suppressions.Entry // from Config.Suppressions

	mu     sync.Mutex           // packages may run side by side
	files  map[string]bool      // written
	all    []suppressions.Entry // in the order in which programs needed them
	counts map[string]uint64    // by ID
}

// newSuppressed reads the users' files.
func newSuppressed(dir string, files []string) (*suppressed, error) {
	users, err := suppressions.Load(files...)
	if err != nil {
		return nil, err
	}
	return &suppressed{dir: dir, users: users, files: make(map[string]bool), counts: make(map[string]uint64)}, nil
}

// file writes the entries for a program, once for each choice of shipped sets.
func (s *suppressed) file(program string) (string, error) {
	sets, err := suppressions.Select(program)
	if err != nil {
		return "", err
	}
	entries, err := suppressions.Shipped(sets...)
	if err != nil {
		return "", err
	}
	entries = append(entries, s.users...)
	var names []string
	for _, set := range sets {
		names = append(names, string(set))
	}
	name := filepath.Join(s.dir, strings.Join(append(names, "users"), "+")+".supp")
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files[name] {
		return name, nil
	}
	if err := suppressions.WriteByID(name, entries); err != nil {
		return "", err
	}
	s.files[name] = true
	for _, e := range entries {
		if _, known := s.counts[e.ID()]; !known {
			s.counts[e.ID()] = 0
			s.all = append(s.all, e)
		}
	}
	return name, nil
}

// count adds what the processes of a package hid.
func (s *suppressed) count(byID map[string]uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, n := range byID {
		if _, ours := s.counts[id]; ours {
			s.counts[id] += n
		}
	}
}

// summary lists all entries that memcheck was given.
func (s *suppressed) summary() []result.Suppression {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []result.Suppression
	for _, e := range s.all {
		so := result.Suppression{ID: e.ID(), Name: e.Name, File: e.File, Line: e.Line, Count: s.counts[e.ID()]}
		if day, err := e.Expires(); err == nil && !day.IsZero() {
			so.Expires = day.Format(time.DateOnly)
		}
		out = append(out, so)
	}
	return out
}

// expired names the users' entries whose last day is over.
func (s *suppressed) expired(now time.Time) []string {
	var out []string
	for _, e := range s.users {
		if day, err := e.Expires(); err == nil && suppressions.IsOver(day, now) {
			out = append(out, fmt.Sprintf("%s:%d: the suppression %s expired on %s: look whether it is still needed",
				e.File, e.Line, e.Name, day.Format(time.DateOnly)))
		}
	}
	return out
}
