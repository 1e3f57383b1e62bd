package repository

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// tree makes folders (names that end in /) and files.
func tree(t *testing.T, names ...string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			err = os.MkdirAll(path, 0o755)
		} else {
			err = os.WriteFile(path, nil, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// The walk upwards ends at the repository, worktrees and submodules (where .git is a file) included, or the module.
func TestRoot(t *testing.T) {
	dir := tree(t, "repo/.git/", "repo/go.mod", "repo/mod/go.mod", "repo/mod/pkg/", "repo/sub/.git", "repo/sub/pkg/",
		"work/go.work", "work/mod/go.mod", "work/mod/pkg/", "alone/pkg/", "hg/.hg/", "hg/x/")
	if err := os.Symlink(filepath.Join(dir, "repo/mod/pkg"), filepath.Join(dir, "alone/link")); err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"repo": "repo", "repo/mod/pkg": "repo", "repo/sub/pkg": "repo/sub", "alone/link": "repo",
		"work/mod/pkg": "work/mod", "work": "work", "alone/pkg": "alone/pkg", "hg/x": "hg",
	} {
		got, err := Root(filepath.Join(dir, in))
		if got != filepath.Join(dir, want) || err != nil {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
	if _, err := Root(filepath.Join(dir, "none")); err == nil {
		t.Error("a folder that does not exist has a repository")
	}
}

func TestCheck(t *testing.T) {
	dir := tree(t, "out", "repo/a/b/file", "repo/file")
	root := filepath.Join(dir, "repo")
	link := func(from, to string) {
		if err := os.Symlink(from, filepath.Join(dir, to)); err != nil {
			t.Fatal(err)
		}
	}
	link(filepath.Join(dir, "out"), "repo/leads-out")
	link("a/b/file", "repo/inside")
	trust := &Trust{owners: []int{os.Geteuid()}, root: root}
	check := func(name, want string) {
		t.Helper()
		err := trust.Check(filepath.Join(dir, name))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	mode := func(name string, m os.FileMode) {
		t.Helper()
		if err := os.Chmod(filepath.Join(dir, name), m); err != nil {
			t.Fatal(err)
		}
	}
	check("repo/a/b/file", "")
	check("repo/inside", "")
	check("repo/leads-out", "leads out of the repository, to ")
	check("out", "leads out of the repository")
	mode("repo/file", 0o666)
	check("repo/file", "repo/file is a file that everybody can write to")
	mode("repo/a", 0o757)
	check("repo/a/b/file", "repo/a is a folder that everybody can write to")
	check("repo/inside", "repo/a is a folder")
	mode("repo/a", 0o777|os.ModeSticky)
	check("repo/a/b/file", "repo/a is a folder that everybody can write to")
	mode("repo/a", 0o755)
	mode("repo", 0o777)
	check("repo/a/b/file", "repo is a folder that everybody can write to")
	mode("repo", 0o755)

	// Somebody else's, as a checkout in a container is: only if git takes it for safe.
	asked := 0
	for _, safe := range []bool{false, true} {
		trust = &Trust{owners: []int{os.Geteuid() + 1}, root: root, git: func() bool { asked++; return safe }}
		if safe {
			check("repo/a/b/file", "")
		} else {
			check("repo/a/b/file", "belongs to user ")
		}
		var e *Error
		if err := trust.Check(filepath.Join(root, "a/b/file")); !safe && (!errors.As(err, &e) ||
			e.Remedy != "git config --global --add safe.directory "+root) {
			t.Errorf("%v: %+v", safe, e)
		}
	}
	if asked != 3 {
		t.Errorf("git was asked %d times", asked)
	}
}

// A file of a third user in the user's own repository is not made safe by git.
func TestCheckStranger(t *testing.T) {
	dir := tree(t, "repo/file")
	root := filepath.Join(dir, "repo")
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	if err := os.Chown(filepath.Join(root, "file"), 4711, -1); err != nil {
		t.Fatal(err)
	}
	trust := &Trust{owners: []int{0}, root: root, git: func() bool { return true }}
	if err := trust.Check(filepath.Join(root, "file")); err == nil || !strings.Contains(err.Error(), "belongs to user 4711") {
		t.Error(err)
	}
}

// Git decides about a repository of another user.
func TestSafeForGit(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil || os.Geteuid() != 0 {
		t.Skip("it takes git, and root to give files away")
	}
	root := tree(t, "file")
	home := tree(t)
	if out, err := exec.Command("git", "init", "-q", root).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := filepath.Walk(root, func(path string, _ os.FileInfo, _ error) error { return syscall.Chown(path, 4711, 4711) }); err != nil {
		t.Fatal(err)
	}
	env := []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1", "GIT_DIR=" + filepath.Join(root, ".git")}
	t.Setenv("SUDO_UID", "")
	if err := NewTrust(t.Context(), root, env).Check(filepath.Join(root, "file")); err == nil {
		t.Error("another user's repository is trusted")
	}
	cmd := exec.Command("git", "config", "--global", "--add", "safe.directory", root)
	cmd.Env = env[:3]
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := NewTrust(t.Context(), root, env).Check(filepath.Join(root, "file")); err != nil {
		t.Error(err)
	}
	t.Setenv("SUDO_UID", "4711")
	if err := NewTrust(t.Context(), root, nil).Check(filepath.Join(root, "file")); err != nil {
		t.Errorf("with sudo: %v", err)
	}
}

func TestOwnGroup(t *testing.T) {
	if isOwnGroup(4711, 0) {
		t.Error("root's group is another user's")
	}
	if !isOwnGroup(47110, 47110) {
		t.Error("a user's group that no database names is not the user's")
	}
	if isOwnGroup(47110, 47111) {
		t.Error("a group that no database names is a user's")
	}
}

func TestCheckFolder(t *testing.T) {
	dir := tree(t, "own/", "shared/")
	if err := os.Chmod(filepath.Join(dir, "shared"), 0o777); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"own": "", "none": "", "shared": "is a folder that everybody can write to"} {
		err := CheckFolder(filepath.Join(dir, name))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
