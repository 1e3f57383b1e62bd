package cli

import (
	"os"
	"path/filepath"
	"testing"
)

func TestReplaceFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "b")
	if err := os.WriteFile(name, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(name, "new"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(name)
	info, statErr := os.Stat(name)
	if err != nil || statErr != nil || string(text) != "new" || info.Mode().Perm() != 0o600 {
		t.Errorf("%q, %v, %v, %v", text, err, info, statErr)
	}
	if err := replaceFile(filepath.Join(name, "below a file"), "x"); err == nil {
		t.Error("no error for what cannot be written")
	}
	folder := filepath.Join(filepath.Dir(name), "folder")
	if err := os.Mkdir(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(folder, "x"); err == nil {
		t.Error("no error for a folder")
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(name), ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %s (%v)", left, err)
	}
}
