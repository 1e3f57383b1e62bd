package allocator

import (
	"fmt"
	"os"
	"testing"

	"github.com/cgogrind/cgogrind/harness/expect"
	"github.com/cgogrind/cgogrind/valgrind/client"
)

// shelves makes shelves and labels in turn, and looks whether each shelf has kept its name.
func shelves(t *testing.T, label func(int) string) {
	t.Helper()
	var all []Shelf
	for n := range 20 {
		if got, want := label(n), fmt.Sprintf("label %d", n); got != want {
			t.Errorf("label %d: %q", n, got)
		}
		all = append(all, NewShelf(n))
	}
	wrong := 0
	for n, s := range all {
		if s.Name() != fmt.Sprintf("shelf %d", n) {
			wrong++
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d shelves have another name", wrong, len(all))
		return // they share their memory
	}
	for _, s := range all {
		s.Close()
	}
}

// TestLabels: on the system's malloc memcheck finds the bug in the library's next call, which frees the label again, with
// the wrapper's line as the place where it was freed before.
func TestLabels(t *testing.T) {
	if client.Running() == 0 && os.Getenv("STORY_HARM") == "" {
		t.Skip("the bug does harm outside memcheck")
	}
	expect.Finding(t, "InvalidFree", "give")
	shelves(t, Freed)
}

func TestLabelsCopied(t *testing.T) {
	shelves(t, Copied)
}
