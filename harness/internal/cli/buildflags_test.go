package cli

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

func TestBuildFlags(t *testing.T) {
	var f buildFlags
	cmd := &cobra.Command{}
	f.add(cmd)
	err := cmd.ParseFlags(longFlags([]string{"-tags", "a,b c", "-buildvcs", "-pgo=off", "-ldflags", "-X=p.v=1 -w", "-toolexec=nice"}))
	if err != nil {
		t.Fatal(err)
	}
	tags, flags := f.config()
	if diff := cmp.Diff([]string{"a", "b", "c"}, tags); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"-ldflags=-X=p.v=1 -w", "-pgo=off", "-buildvcs=true", "-toolexec=nice"}, flags); diff != "" {
		t.Error(diff)
	}
}
