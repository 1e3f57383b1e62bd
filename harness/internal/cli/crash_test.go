package cli_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/cgogrind/cgogrind/harness/result"
)

// A hundred times the same crash, four at a time: the same findings each time, the same place, and no hang.
// CGOGRIND_CRASHES is another number of times.
func TestCrashResumesHundredTimes(t *testing.T) {
	times := 100
	if os.Getenv("CGOGRIND_FULL") == "" {
		t.Skip("slow: ./ci/test --full runs it")
	}
	if s := os.Getenv("CGOGRIND_CRASHES"); s != "" {
		var err error
		if times, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	needValgrind(t)
	archive, err := txtar.ParseFile("testdata/valgrind/crash-resumes.txtar")
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]string)
	for _, f := range archive.Files {
		files[f.Name] = string(f.Data)
	}
	build, temp := inModule(t, files, "test", "-c", "-o=shop.test", ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	outcomes := make([]string, times)
	slots := make(chan struct{}, 4)
	var wg sync.WaitGroup
	for i := range outcomes {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			stream := filepath.Join(temp, fmt.Sprintf("%d.jsonl", i))
			cmd := exec.Command(build.Path, "exec", "--timeout=10m", "--stream="+stream, "--", "./shop.test", "-test.run=TestGet")
			cmd.Dir, cmd.Env = build.Dir, build.Env
			err := cmd.Run()
			outcomes[i] = fmt.Sprintln(err) + crashIn(t, stream)
		})
	}
	wg.Wait()
	if want := "memcheck found InvalidWrite"; !strings.Contains(outcomes[0], want) {
		t.Errorf("no %q in\n%s", want, outcomes[0])
	}
	for i, got := range outcomes {
		if diff := cmp.Diff(outcomes[0], got); diff != "" {
			t.Errorf("run %d (-first +this):\n%s", i, diff)
		}
	}
}

// crashIn is what a stream says of a crash, without what differs from run to run.
func crashIn(t *testing.T, stream string) string {
	f, err := os.Open(stream)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer f.Close()
	var said strings.Builder
	for m, err := range result.Decode(f) {
		switch {
		case err != nil:
			t.Error(err)
		case m.Finding != nil:
			fmt.Fprintf(&said, "%s %s %d: %v\n", m.Finding.Kind, m.Finding.Fingerprint, m.Finding.Count, m.Finding.Tests)
		case m.Test != nil:
			_, stack, _ := strings.Cut(m.Test.Output, "\nSIGSEGV at:\n")
			fmt.Fprintf(&said, "%s %s: %s\n%s\n", m.Test.Name, m.Test.Verdict, m.Test.Reason, stack)
		}
	}
	return said.String()
}
