package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/cgogrind/cgogrind/harness/internal/report"
	"github.com/cgogrind/cgogrind/harness/result"
)

// full is an output that has room for one message.
type full struct{ messages int }

var errFull = errors.New("full")

func (f *full) Handle(context.Context, result.Message) error {
	if f.messages++; f.messages > 1 {
		return errFull
	}
	return nil
}

// TestOutputsFailAlone: one that cannot be written leaves the others whole, and shows at the end.
func TestOutputsFailAlone(t *testing.T) {
	messages := []result.Message{
		{Config: &result.Config{RunID: "1", ProtocolVersion: result.ProtocolVersion}},
		{Test: &result.Test{Package: "p", Name: "TestA", Verdict: result.Pass}},
		{Summary: &result.Summary{Passed: 1}},
	}
	name := filepath.Join(t.TempDir(), "stream")
	stream := &fileOutput{name: name, format: formats[0], findings: report.NewShared()}
	broken := &full{}
	outs := &outputs{handlers: []result.Handler{broken, stream}, opened: []*fileOutput{stream}}
	for i, m := range messages {
		if err := outs.Handle(t.Context(), m); errors.Is(err, errFull) != (i == 2) {
			t.Errorf("message %d: %v", i, err)
		}
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if code, err := result.ReadExitCode(f); code != result.ExitPass || err != nil {
		t.Errorf("the other output: exit code %d, %v", code, err)
	}
	if broken.messages != 2 {
		t.Errorf("the broken one got %d messages, not 2", broken.messages)
	}

	// With nobody left to tell, a run ends.
	outs = &outputs{handlers: []result.Handler{&full{}, &result.Tally{}}}
	if err := outs.Handle(t.Context(), messages[0]); err != nil {
		t.Error(err)
	}
	if err := outs.Handle(t.Context(), messages[1]); !errors.Is(err, errFull) {
		t.Errorf("nothing is left, and the error is %v", err)
	}
}
