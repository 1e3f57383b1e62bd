package build

import (
	"os"
	"slices"
	"testing"
)

// TestCephTagOfWords: the compiler in CC may be several words, as in "ccache gcc".
func TestCephTagOfWords(t *testing.T) {
	env := append(os.Environ(), `CC=env "CC_IS=two words" gcc -m64`)
	b, err := newBuilder(t.Context(), Config{Env: env, CacheDir: t.TempDir(), listOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"env", "CC_IS=two words", "gcc", "-m64"}; !slices.Equal(b.cc, want) {
		t.Errorf("CC is %q, want %q", b.cc, want)
	}
	want, err := cephTag(t.Context(), []string{"gcc"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no librados")
		}
		t.Skip("there is no librados")
	}
	if got, err := cephTag(t.Context(), b.cc, nil); err != nil || got != want {
		t.Errorf("%q finds %q, %v; gcc finds %q", b.cc, got, err, want)
	}
}
