package build

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUserOverlay(t *testing.T) {
	dir := t.TempDir()
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, []byte(`{"Replace": {"a.go": "b.go", "/x/y.go": ""}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	ours := map[string]string{"/go/src/runtime/malloc.go": "/cache/malloc.go"}
	b := &builder{
		cfg: Config{Dir: dir, Flags: []string{"-mod=vendor", "-overlay=overlay.json"}}, replace: map[string]string{},
	}
	for from, to := range ours {
		b.replace[from] = to
	}
	if err := b.addUserOverlay(); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"/go/src/runtime/malloc.go": "/cache/malloc.go", "/x/y.go": "",
		filepath.Join(dir, "a.go"): filepath.Join(dir, "b.go"),
	}
	if diff := cmp.Diff(want, b.replace); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"-mod=vendor"}, b.buildFlags()); diff != "" {
		t.Error(diff)
	}

	b.replace = map[string]string{"/x/y.go": "/cache/y.go"}
	if err := b.addUserOverlay(); err == nil || !strings.Contains(err.Error(), "which cgogrind replaces, too") {
		t.Errorf("a file that both replace: %v", err)
	}
	if err := os.WriteFile(overlay, []byte(`Replace`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.addUserOverlay(); err == nil || !strings.Contains(err.Error(), `{"Replace": {`) {
		t.Errorf("no JSON: %v", err)
	}
	b.cfg.Flags = nil
	b.goEnv.GOFLAGS = "-overlay=/none.json"
	if err := b.addUserOverlay(); err == nil || !strings.Contains(err.Error(), "/none.json") {
		t.Errorf("no file: %v", err)
	}
}

func TestUnwelcomeFlags(t *testing.T) {
	for flags, want := range map[string]string{
		"-race":                 "GOFLAGS has -race",
		"-mod=mod -trimpath":    "GOFLAGS has -trimpath",
		"-race=false -tags=a,b": "",
	} {
		b := &builder{goEnv: goEnv{GOFLAGS: flags}}
		err := b.checkFlags()
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", flags, err)
		}
	}
}

// FuzzDescription: what lies beside a binary describes it, or is refused by name.
func FuzzDescription(f *testing.F) {
	sum := sha256.Sum256([]byte("binary"))
	f.Add(fmt.Sprintf(`{"version":%d,"sha256":"%x","runtime":"instrumented","go":"go1.26.8","import_path":"p","dir":"/"}`, descriptionVersion, sum))
	f.Add(`{"version":99}`)
	f.Add(`null`)
	f.Add(`{"version":1,"sha256":null,"tags":[null],"env":{}}`)
	binary := filepath.Join(f.TempDir(), "p.test")
	if err := os.WriteFile(binary, []byte("binary"), 0o600); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(DescriptionFile(binary), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r, _, err := Load(binary)
		switch {
		case err != nil && !strings.Contains(err.Error(), DescriptionFile(binary)):
			t.Error(err)
		case err == nil && (len(r.Packages) != 1 || r.Packages[0].Binary != binary || !strings.Contains(text, fmt.Sprintf("%x", sum))):
			t.Errorf("%q is taken for a description: %+v", text, r)
		}
	})
}
