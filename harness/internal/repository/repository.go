// Package repository says where a repository ends, and whether a file that was found in it, and that nobody named, may be
// obeyed: whoever can write such a file decides what is run and what is hidden.
//
// Input is paths; output is paths and reasons. The package reads no file's contents.
package repository

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// controls are what a version control system keeps in a repository's folder. Git has a file in submodules and further
// worktrees.
var controls = []string{".git", ".hg", ".jj", ".svn", ".bzr"}

// Root returns the folder that what belongs to dir ends at: that of the nearest repository, without one that of the nearest
// module or workspace, without any dir itself. Symbolic links in dir are resolved.
func Root(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return "", fmt.Errorf("finding the repository: %w", err)
	}
	for _, names := range [][]string{controls, {"go.work", "go.mod"}} {
		for d := dir; ; d = filepath.Dir(d) {
			if slices.ContainsFunc(names, func(name string) bool {
				_, err := os.Lstat(filepath.Join(d, name))
				return err == nil
			}) {
				return d, nil
			}
			if d == filepath.Dir(d) {
				break
			}
		}
	}
	return dir, nil
}

// Trust decides whose files are obeyed.
type Trust struct {
	owners []int
	root   string
	// git says whether git takes the repository for safe, and is asked at most once.
	git func() bool
}

// NewTrust trusts the user, root, and who called sudo; and the owner of the repository, if git takes it for safe: see
// safe.directory in git help config.
func NewTrust(ctx context.Context, root string, env []string) *Trust {
	t := &Trust{owners: users(), root: root}
	t.git = func() bool { return isSafeForGit(ctx, root, env) }
	return t
}

// users are the user, root, and who called sudo.
func users() []int {
	all := []int{os.Geteuid(), 0}
	if uid, err := strconv.Atoi(os.Getenv("SUDO_UID")); err == nil && os.Geteuid() == 0 {
		all = append(all, uid)
	}
	return all
}

// isSafeForGit asks git. A repository that git refuses because of its owner has no top level.
func isSafeForGit(ctx context.Context, root string, env []string) bool {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", "-C", root, "rev-parse", "--show-toplevel")
	cmd.Env = slices.DeleteFunc(slices.Clone(env), func(kv string) bool { // with GIT_DIR set, git does not look at owners
		return strings.HasPrefix(kv, "GIT_DIR=") || strings.HasPrefix(kv, "GIT_WORK_TREE=") || strings.HasPrefix(kv, "GIT_CEILING_DIRECTORIES=")
	})
	out, err := cmd.Output()
	return err == nil && strings.TrimSuffix(string(out), "\n") == root
}

// Error says why something is not obeyed.
type Error struct {
	Path   string // the file or folder that is not safe
	Reason string
	Remedy string // a command, or what to do
}

func (e *Error) Error() string { return fmt.Sprintf("%s %s", e.Path, e.Reason) }

// Check fails with an *Error unless only those who are trusted can have written a file of the repository: it, and each
// folder from it to the repository's own, belongs to one of them, and nobody else can write there. A symbolic link counts
// as what it leads to, which must be in the repository, too.
func (t *Trust) Check(file string) error {
	real, err := filepath.EvalSymlinks(file)
	if err != nil {
		return err
	}
	if real, err = filepath.Abs(real); err != nil {
		return err
	}
	if rel, err := filepath.Rel(t.root, real); err != nil || !filepath.IsLocal(rel) {
		return &Error{file, "leads out of the repository, to " + real, ""}
	}
	for path := real; ; path = filepath.Dir(path) {
		if err := t.check(path); err != nil {
			return err
		}
		if path == t.root {
			return nil
		}
	}
}

// CheckFolder fails with an *Error if a folder that exists is neither the user's own nor root's, or somebody else can write
// there.
func CheckFolder(dir string) error {
	err := (&Trust{owners: users()}).check(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (t *Trust) check(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return &Error{path, "has no owner that can be found out", ""}
	}
	what := "file"
	if info.IsDir() {
		what = "folder"
	}
	if owner := int(stat.Uid); !slices.Contains(t.owners, owner) && !t.ownsSafe(owner) {
		return &Error{path, fmt.Sprintf("belongs to user %d, and you are user %d", owner, os.Geteuid()),
			"git config --global --add safe.directory " + t.root}
	}
	mode := info.Mode().Perm()
	switch {
	case mode&0o002 != 0:
		return &Error{path, fmt.Sprintf("is a %s that everybody can write to", what), "chmod o-w " + path}
	case mode&0o020 != 0 && !isOwnGroup(int(stat.Uid), int(stat.Gid)):
		return &Error{path, fmt.Sprintf("is a %s that others of group %d can write to", what, stat.Gid), "chmod g-w " + path}
	}
	return nil
}

// ownsSafe says whether a user is the owner of a repository that git takes for safe.
func (t *Trust) ownsSafe(uid int) bool {
	if t.git == nil {
		return false
	}
	info, err := os.Stat(t.root)
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(stat.Uid) != uid || !t.git() {
		return false
	}
	t.owners = append(t.owners, uid)
	return true
}

// isOwnGroup says whether nobody but a user is in a group, as where each user has a group, and files can be written to by
// it (umask 002).
func isOwnGroup(uid, gid int) bool {
	name, members, known := "", "", false
	for f := range database("/etc/group", 4) {
		if f[2] == strconv.Itoa(gid) {
			members, known = members+","+f[3], true
		}
	}
	if !known {
		return gid == uid && gid != 0
	}
	for f := range database("/etc/passwd", 7) {
		switch {
		case f[2] == strconv.Itoa(uid):
			name = f[0]
		case f[3] == strconv.Itoa(gid):
			return false
		}
	}
	for m := range strings.SplitSeq(members, ",") {
		if m != "" && m != name {
			return false
		}
	}
	return true
}

// database yields the entries of a file such as /etc/passwd that have n fields.
func database(name string, n int) func(func([]string) bool) {
	return func(yield func([]string) bool) {
		text, err := os.ReadFile(name)
		if err != nil {
			return
		}
		for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
			if f := strings.Split(lines.Text(), ":"); len(f) == n && !yield(f) {
				return
			}
		}
	}
}
