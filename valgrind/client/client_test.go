package client

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/cgogrind/cgogrind/valgrind"
)

func TestOutsideValgrind(t *testing.T) {
	if os.Getenv(underValgrindEnv) != "" || Running() != 0 {
		t.Skip("this is under valgrind")
	}
	Print("nobody reads this")
	LeakCheck()
	AddedLeakCheck()
	b := []byte{1, 2, 3}
	p := unsafe.Pointer(unsafe.SliceData(b))
	MakeMemNoAccess(p, 3)
	MakeMemUndefined(p, 3)
	MakeMemDefined(p, 3)
	if CountErrors() != 0 || Monitor("help") {
		t.Error("a request was answered")
	}
	if diff := cmp.Diff([]byte{1, 2, 3}, b); diff != "" {
		t.Errorf("memory has changed (-want +got):\n%s", diff)
	}
}

const underValgrindEnv = "CLIENT_TEST_UNDER_VALGRIND"

// answers is what the requests returned under valgrind.
type answers struct {
	Running                    int
	ErrorsBefore, ErrorsAfter  int
	KnownCommand, OtherCommand bool
	// Whether memcheck took word for accessible and for set after each of the requests about it.
	NoAccess, Undefined, Defined state
}

type state struct{ Addressable, Defined bool }

const text = "<text> & %s %d \"quoted\" é"

// pool has the blocks that leak, and word is what the access requests are about. They are no heap of Go's, whose
// collector would use them too.
var (
	pool [4096]byte
	word uint64
	sink bool
)

// Requests that the test needs.
const (
	mallocLikeBlock       = 0x1301
	checkMemIsAddressable = memcheck + 4
	checkMemIsDefined     = memcheck + 5
)

//go:noinline
func announce(offset, size uintptr) {
	request(mallocLikeBlock, uintptr(unsafe.Pointer(&pool))+offset, size, 0, 0, 0)
}

// wordState asks memcheck, which answers with the address of the first byte that is not as asked for.
func wordState() state {
	p := uintptr(unsafe.Pointer(&word))
	return state{request(checkMemIsAddressable, p, 8, 0, 0, 0) == 0, request(checkMemIsDefined, p, 8, 0, 0, 0) == 0}
}

//go:noinline
func use() { sink = word == 42 }

//go:noinline
func decide() {
	if word == 42 {
		sink = true
	}
}

// makeRequests runs under valgrind. A message begins each section of the report.
func makeRequests() answers {
	p := unsafe.Pointer(&word)
	a := answers{Running: Running(), ErrorsBefore: CountErrors()}
	Print(text)
	Print("cut\x00here")
	Print(strings.Repeat("long ", 2000))
	Print("")

	Print("section no access")
	MakeMemNoAccess(p, 8)
	use()
	a.NoAccess = wordState()
	Print("section undefined")
	MakeMemUndefined(p, 8)
	decide()
	a.Undefined = wordState()
	MakeMemDefined(p, 8)
	a.Defined = wordState()
	a.ErrorsAfter = CountErrors()

	announce(0, 64)
	Print("section leaks")
	LeakCheck()
	announce(1024, 80)
	Print("section added leaks")
	AddedLeakCheck()
	Print("section end")

	a.KnownCommand = Monitor("v.info n_errs_found")
	a.OtherCommand = Monitor("no such command")
	return a
}

// TestUnderValgrind runs this test binary under valgrind. Stock Go causes false errors there, so that it looks only at
// what the requests must have caused.
func TestUnderValgrind(t *testing.T) {
	if file := os.Getenv(underValgrindEnv); file != "" {
		data, err := json.Marshal(makeRequests())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, data, 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skipf("there are no client requests on %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	tool, err := exec.LookPath("valgrind")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("valgrind is missing (%v): install it, for example with apt-get install valgrind", err)
		}
		t.Skipf("valgrind is missing (%v): nothing of this package was tested under it", err)
	}
	dir := t.TempDir()
	report, result := filepath.Join(dir, "report.xml"), filepath.Join(dir, "answers.json")
	cmd := exec.Command(tool, "--xml=yes", "--xml-file="+report, "--vgdb=no", "--leak-check=full",
		"--show-leak-kinds=all", os.Args[0], "-test.run=^TestUnderValgrind$")
	cmd.Env = append(os.Environ(), underValgrindEnv+"="+result, "GOGC=off", "GODEBUG=asyncpreemptoff=1,cpu.rdtscp=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("running valgrind: %v\n%s", err, out)
	}

	data, err := os.ReadFile(result)
	if err != nil {
		t.Fatal(err)
	}
	var a answers
	if err := json.Unmarshal(data, &a); err != nil {
		t.Fatal(err)
	}
	if a.Running != 1 || !a.KnownCommand || a.OtherCommand {
		t.Errorf("the requests returned %+v", a)
	}
	if a.NoAccess != (state{false, false}) || a.Undefined != (state{true, false}) || a.Defined != (state{true, true}) {
		t.Errorf("memory was %+v after MakeMemNoAccess, %+v after MakeMemUndefined, %+v after MakeMemDefined",
			a.NoAccess, a.Undefined, a.Defined)
	}
	if a.ErrorsAfter < a.ErrorsBefore+2 {
		t.Errorf("%d errors became %d; two were made", a.ErrorsBefore, a.ErrorsAfter)
	}

	var messages []string
	found := map[string][]string{} // what the errors of each section are, as far as they are ours
	section := ""
	in, err := os.Open(report)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	for e, err := range valgrind.Read(in) {
		if err != nil {
			t.Fatal(err)
		}
		switch e := e.(type) {
		case valgrind.ClientMessage:
			if name, ok := strings.CutPrefix(e.Text, "section "); ok {
				section = name
			} else {
				messages = append(messages, e.Text)
			}
		case *valgrind.Error:
			if what := ours(e); what != "" {
				found[section] = append(found[section], what)
			}
		}
	}
	wantMessages := []string{text, "cut", strings.TrimSpace(strings.Repeat("long ", 2000)), ""}
	if diff := cmp.Diff(wantMessages, messages); diff != "" {
		t.Errorf("messages differ (-want +got):\n%s", diff)
	}
	for section, want := range map[string]string{
		"no access": "InvalidRead", "undefined": "UninitCondition", "leaks": "64 bytes", "added leaks": "(+80) bytes",
	} {
		if !slices.ContainsFunc(found[section], func(s string) bool { return strings.Contains(s, want) }) {
			t.Errorf("section %q has %q, want %q", section, found[section], want)
		}
	}
}

// ours describes an error that the test has made.
func ours(e *valgrind.Error) string {
	if strings.HasPrefix(string(e.Kind), "Leak_") {
		return e.What.Text
	}
	if len(e.Sections) == 0 || len(e.Sections[0].Stack) == 0 {
		return ""
	}
	// go test strips the symbols off the binary; Go's own table remains, and the program is this one.
	f := runtime.FuncForPC(uintptr(e.Sections[0].Stack[0].IP))
	if f == nil || !strings.Contains(f.Name(), "valgrind/client.") {
		return ""
	}
	return string(e.Kind)
}

func BenchmarkRunning(b *testing.B) {
	for b.Loop() {
		Running()
	}
}
