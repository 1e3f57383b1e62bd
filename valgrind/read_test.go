package valgrind_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/cgogrind/cgogrind/valgrind"
)

const rootEnd = "</valgrindoutput>"

// checkCut checks what the first n bytes of a report give, when the whole report gave events and err.
func checkCut(t testing.TB, data []byte, n int, events []valgrind.Event, err error) (seen int, truncatedThere bool) {
	t.Helper()
	cutEvents, reason, cutErr := readAll(bytes.NewReader(data[:n]))
	seen = len(cutEvents)
	if cutErr != nil && reason == "" {
		t.Fatalf("the first %d bytes give %v, and nothing is said to be missing", n, cutErr)
	}
	if seen > len(events) {
		t.Fatalf("the first %d bytes have %d events, all have %d", n, seen, len(events))
	}
	if seen > 0 && !reflect.DeepEqual(cutEvents[seen-1], events[seen-1]) {
		t.Fatalf("event %d differs in the first %d bytes: %s", seen, n, cmp.Diff(events[seen-1], cutEvents[seen-1]))
	}
	var truncated *valgrind.TruncatedError
	var damaged *valgrind.SyntaxError
	switch {
	case cutErr == nil:
		if !bytes.Contains(data[:n], []byte(rootEnd)) && !bytes.Contains(data[:n], []byte("<valgrindoutput/>")) {
			t.Fatalf("the first %d bytes have no end and give no error", n)
		}
		if errors.Is(err, valgrind.ErrTruncated) {
			t.Fatalf("the first %d bytes are whole, but all are not: %v", n, err)
		}
	case errors.As(cutErr, &truncated):
		if !errors.Is(cutErr, valgrind.ErrTruncated) {
			t.Fatalf("%v does not match ErrTruncated", cutErr)
		}
		if truncated.Offset != int64(n) || truncated.Line != 1+bytes.Count(data[:n], []byte{'\n'}) {
			t.Fatalf("the first %d bytes give %+v", n, truncated)
		}
	case errors.As(cutErr, &damaged):
		if cutErr.Error() != fmt.Sprint(err) {
			t.Fatalf("the first %d bytes give %v, all give %v", n, cutErr, err)
		}
		if damaged.Offset > int64(n) || damaged.Line != 1+bytes.Count(data[:damaged.Offset], []byte{'\n'}) {
			t.Fatalf("the first %d bytes give %+v", n, damaged)
		}
	default:
		t.Fatalf("the first %d bytes give %v", n, cutErr)
	}
	return seen, truncated != nil
}

// TestTruncated cuts every report at every byte.
func TestTruncated(t *testing.T) {
	for _, r := range reports(t) {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			events, _, err := readAll(bytes.NewReader(r.data))
			end := bytes.Index(r.data, []byte(rootEnd)) + len(rootEnd)
			before := 0
			for n := range r.data {
				seen, truncated := checkCut(t, r.data, n, events, err)
				if seen < before {
					t.Fatalf("%d bytes have %d events, less have %d", n, seen, before)
				}
				before = seen
				if err == nil && n < end && !truncated {
					t.Fatalf("%d of %d bytes do not count as truncated", n, len(r.data))
				}
			}
		})
	}
}

func TestPieces(t *testing.T) {
	pieces := map[string]func(io.Reader) io.Reader{
		"bytes":          iotest.OneByteReader,
		"halves":         iotest.HalfReader,
		"error with EOF": iotest.DataErrReader,
	}
	for _, r := range reports(t) {
		want := string(render(t, bytes.NewReader(r.data)))
		for name, in := range pieces {
			if diff := cmp.Diff(want, string(render(t, in(bytes.NewReader(r.data))))); diff != "" {
				t.Errorf("%s in %s differs (-whole +pieces):\n%s", r.name, name, diff)
			}
		}
	}
}

// handOut gives a byte at a time and counts.
type handOut struct {
	data []byte
	n    int
}

func (h *handOut) Read(p []byte) (int, error) {
	if h.n == len(h.data) {
		return 0, io.EOF
	}
	p[0] = h.data[h.n]
	h.n++
	return 1, nil
}

// TestAtOnce makes sure that no byte is asked for between the end of an element and its event.
func TestAtOnce(t *testing.T) {
	for _, r := range reports(t) {
		in := &handOut{data: r.data}
		for e, err := range valgrind.Read(in) {
			if err != nil {
				break
			}
			read := string(r.data[:in.n])
			var want string
			switch e.(type) {
			case valgrind.Header:
				want = ">" // of the next start tag
				if !strings.HasPrefix(read[strings.LastIndexByte(read, '<'):], "</valgrindoutput") &&
					!strings.HasPrefix(read[strings.LastIndexByte(read, '<'):], "<status") {
					t.Errorf("%s: the header comes after %q", r.name, read[max(0, len(read)-40):])
				}
			case valgrind.Status:
				want = "</status>"
			case *valgrind.Error:
				want = "</error>"
			case valgrind.ClientMessage:
				want = "</clientmsg>"
			case valgrind.FatalSignal:
				want = "</fatal_signal>"
			case valgrind.ErrorCounts:
				want = "</errorcounts>"
			case valgrind.SuppressionCounts:
				want = "</suppcounts>"
			case valgrind.ErrorSummary:
				want = "</error_summary>"
			}
			if !strings.HasSuffix(read, want) {
				t.Errorf("%s: %T comes after %q", r.name, e, read[max(0, len(read)-40):])
			}
		}
	}
}

// TestPipe is TestAtOnce with a pipe of the system, in which a read for too much would block.
func TestPipe(t *testing.T) {
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	events := make(chan valgrind.Event)
	ended := make(chan error, 1)
	go func() {
		defer close(events)
		for e, err := range valgrind.Read(out) {
			if err != nil {
				ended <- err
				return
			}
			events <- e
		}
		ended <- nil
	}()
	write := func(s string) {
		t.Helper()
		if _, err := in.WriteString(s); err != nil {
			t.Fatal(err)
		}
	}
	write("<?xml version=\"1.0\"?>\n<valgrindoutput>\n<protocolversion>4</protocolversion>\n<status>")
	if e := <-events; e.(valgrind.Header).Protocol != 4 {
		t.Errorf("got %+v", e)
	}
	write("<state>RUNNING</state></status>")
	if e := <-events; e.(valgrind.Status).State != "RUNNING" {
		t.Errorf("got %+v", e)
	}
	for _, text := range []string{"one", "two < three", "<![CDATA[four]]>"} {
		write("\n<clientmsg><tid>1</tid><text>" + text + "\n  </text></clientmsg>")
		want := strings.NewReplacer("<![CDATA[", "", "]]>", "").Replace(text)
		if e := <-events; e.(valgrind.ClientMessage).Text != want {
			t.Errorf("got %+v", e)
		}
	}
	write("</valgrindoutput>")
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestReadError(t *testing.T) {
	broken := errors.New("the disk is on fire")
	begin := strings.NewReader("<valgrindoutput><status><state>RUNNING</state></status><st")
	in := io.MultiReader(begin, iotest.ErrReader(broken))
	events, reason, err := readAll(in)
	if len(events) != 1 || !errors.Is(err, broken) || errors.Is(err, valgrind.ErrTruncated) {
		t.Errorf("got %v, %v", events, err)
	}
	if !strings.Contains(reason, broken.Error()) {
		t.Errorf("reason is %q", reason)
	}
	stuck := iotest.ErrReader(nil) // 0 bytes and no error, for ever
	if _, _, err := readAll(stuck); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a reader without progress gives %v", err)
	}
}

// TestBreak stops and goes on.
func TestBreak(t *testing.T) {
	seq := valgrind.Read(bytes.NewReader(reports(t)[0].data))
	n := 0
	for range 2 {
		for range seq {
			n++
			break
		}
	}
	for _, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	events, _, _ := readAll(bytes.NewReader(reports(t)[0].data))
	if n != len(events) {
		t.Errorf("got %d events in three loops, want %d", n, len(events))
	}
	for e, err := range seq {
		t.Errorf("got %v, %v after the end", e, err)
	}
}

// TestLongTexts checks the limits that Read documents.
func TestLongTexts(t *testing.T) {
	report := func(frames ...string) string {
		var b strings.Builder
		b.WriteString("<valgrindoutput><error><what>long</what><stack>")
		for _, f := range frames {
			b.WriteString("<frame><fn>" + f + "</fn></frame>")
		}
		b.WriteString("</stack></error></valgrindoutput>")
		return b.String()
	}
	functions := func(report string) (names []string) {
		events, _, err := readAll(strings.NewReader(report))
		if err != nil || len(events) != 1 {
			t.Fatalf("got %d events, %v", len(events), err)
		}
		for _, f := range events[0].(*valgrind.Error).Sections[0].Stack {
			names = append(names, f.Function)
		}
		return names
	}
	const limit = 256 << 10
	whole := strings.Repeat("x", limit)
	long := strings.Repeat("&lt;", 100<<10/4) // 100 KiB, longer than the buffer
	for _, c := range []struct{ name, in, want string }{
		{"of the limit", whole, whole},
		{"longer", whole + "y", whole + "…"},
		{"much longer", strings.Repeat("x", 5<<20), whole + "…"},
		{"a reference at the limit", whole[4:] + "&amp;y", whole[4:] + "…"},
		{"a character at the limit", whole[1:] + "é", whole[1:] + "…"},
		{"references", long, strings.Repeat("<", 100<<10/4)},
	} {
		if got := functions(report(c.in))[0]; got != c.want {
			t.Errorf("%s: got %d bytes that end in %q, want %d that end in %q", c.name,
				len(got), got[max(0, len(got)-8):], len(c.want), c.want[len(c.want)-8:])
		}
	}
	got := functions(report(whole, whole, whole, whole, "more", ""))
	for i, want := range []int{limit, limit, limit, limit - len("long") + len("…"), len("…"), 0} {
		if len(got[i]) != want {
			t.Errorf("text %d of an event has %d bytes, want %d", i, len(got[i]), want)
		}
	}
	var damaged *valgrind.SyntaxError
	_, _, err := readAll(strings.NewReader(report(make([]string, 1<<20)...)))
	if !errors.As(err, &damaged) {
		t.Errorf("a million frames give %v", err)
	}
}

func FuzzRead(f *testing.F) {
	for _, r := range reports(f) {
		f.Add(r.data, uint(len(r.data)/2))
	}
	f.Fuzz(func(t *testing.T, data []byte, cut uint) {
		events, _, err := readAll(bytes.NewReader(data))
		if seen, _ := checkCut(t, data, len(data), events, err); seen != len(events) {
			t.Fatal("reading again gives other events")
		}
		if len(data) > 0 {
			checkCut(t, data, int(cut%uint(len(data))), events, err)
		}
		inPieces, _, err2 := readAll(iotest.OneByteReader(bytes.NewReader(data)))
		if diff := cmp.Diff(events, inPieces); diff != "" || fmt.Sprint(err) != fmt.Sprint(err2) {
			t.Fatalf("pieces differ (-whole +pieces): %v, %v\n%s", err, err2, diff)
		}
		for _, e := range events {
			if s := fmt.Sprintf("%+v", e); !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
				t.Fatalf("%q has bytes that are no text", s)
			}
		}
	})
}
