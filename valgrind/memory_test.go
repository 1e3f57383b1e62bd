package valgrind_test

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cgogrind/cgogrind/valgrind"
)

var reportSize = flag.Int64("report-size", 64<<20, "bytes of each report that TestFlatMemory reads")

// maxMemory is what reading a report of any size may take: the whole process, its code included.
const maxMemory = 32 << 20

const (
	bodyStart = "<?xml version=\"1.0\"?>\n<valgrindoutput>\n<protocolversion>4</protocolversion>\n" +
		"<status><state>RUNNING</state></status>\n"
	bodyEnd = "<status><state>FINISHED</state></status>\n<errorcounts></errorcounts>\n<suppcounts></suppcounts>\n" +
		"</valgrindoutput>\n"
)

// The reports are made without garbage, which would count as the reader's.
var (
	longName  = strings.Repeat("x", 100<<10)
	sentences = strings.Repeat("all work and no play\n", 1000)
	specials  = strings.Repeat("&&&]]", 4000)
	angles    = strings.Repeat("a<b", 500)
	blanks    = strings.Repeat(" \n", 5000)
)

// bodies are what huge reports consist of: each is called until there is enough, with a number that counts up.
var bodies = map[string]struct {
	start, end string
	part       func(w *bytes.Buffer, n int)
	damaged    bool // memcheck cannot write such a report, and reading it stops
}{
	"errors": {part: func(w *bytes.Buffer, n int) {
		fmt.Fprintf(w, "<error>\n  <unique>0x%x</unique>\n  <tid>1</tid>\n  <kind>InvalidRead</kind>\n", n)
		w.WriteString("  <what>Invalid read of size 8</what>\n")
		for _, aux := range []string{"", "  <auxwhat>Address 0x%x is 8 bytes inside a block of size 24 free'd</auxwhat>\n"} {
			if aux != "" {
				fmt.Fprintf(w, aux, n*16)
			}
			w.WriteString("  <stack>\n")
			for i := range 12 {
				fmt.Fprintf(w, "    <frame>\n      <ip>0x%X</ip>\n      <obj>/usr/lib/x86_64-linux-gnu/librados.so.2.0.0</obj>\n"+
					"      <fn>ceph::buffer::v15_2_0::list::substr_of(list const&amp;, unsigned int, %d)</fn>\n"+
					"      <dir>./obj-x86_64-linux-gnu/src/common</dir>\n      <file>buffer.cc</file>\n      <line>%d</line>\n"+
					"    </frame>\n", 0x4954000+n*16+i, n%5000, i)
			}
			w.WriteString("  </stack>\n")
		}
		w.WriteString("</error>\n\n")
	}},
	"long names": {part: func(w *bytes.Buffer, n int) {
		w.WriteString("<error><stack>")
		for i := range 20 {
			fmt.Fprintf(w, "<frame><fn>%d%s&lt;&gt;</fn></frame>", n*20+i, longName)
		}
		w.WriteString("</stack></error>")
	}},
	"one text": {
		start: "<clientmsg><text>", end: "</text></clientmsg>",
		part: func(w *bytes.Buffer, n int) { w.WriteString(sentences) },
	},
	"one CDATA": {
		start: "<error><suppression><rawtext><![CDATA[", end: "]]></rawtext></suppression></error>",
		part: func(w *bytes.Buffer, n int) { w.WriteString(specials) },
	},
	"one stack": {
		start: "<error><stack>", end: "</stack></error>", damaged: true,
		part: func(w *bytes.Buffer, n int) { fmt.Fprintf(w, "<frame><ip>0x%x</ip><fn>f%d</fn></frame>\n", n, n) },
	},
	"counts": {
		start: "<errorcounts>", end: "</errorcounts>", damaged: true,
		part: func(w *bytes.Buffer, n int) {
			fmt.Fprintf(w, "<pair> <count>1</count> <unique>0x%x</unique> </pair>\n", n)
		},
	},
	"one unknown element": {
		start: "<future>", end: "</future>",
		part: func(w *bytes.Buffer, n int) { fmt.Fprintf(w, "<deep%d>%s</deep%d>", n, angles, n) },
	},
	"white space": {
		part: func(w *bytes.Buffer, n int) { w.WriteString(blanks) },
	},
}

// hugeReport is a report of about size bytes.
type hugeReport struct {
	name string
	size int64
	n    int
	buf  bytes.Buffer
}

func newHugeReport(name string, size int64) io.Reader {
	h := &hugeReport{name: name, size: size}
	h.buf.WriteString(bodyStart + bodies[name].start)
	return h
}

func (h *hugeReport) Read(p []byte) (int, error) {
	if h.buf.Len() == 0 {
		switch {
		case h.size > 0:
			bodies[h.name].part(&h.buf, h.n)
			h.n++
		case h.n >= 0:
			h.n = -1
			h.buf.WriteString(bodies[h.name].end + bodyEnd)
		}
	}
	n, err := h.buf.Read(p)
	h.size -= int64(n)
	return n, err
}

// counter counts what is read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

const hugeEnv = "VALGRIND_TEST_HUGE_REPORT"

// TestFlatMemory reads huge reports, each in a process of its own, and looks how much memory that process ever had.
func TestFlatMemory(t *testing.T) {
	if name := os.Getenv(hugeEnv); name != "" {
		readHuge(t, name)
		return
	}
	if runtime.GOOS != "linux" {
		t.Skip("the peak of a process's memory is read from /proc, which is Linux's")
	}
	for _, name := range slices.Sorted(maps.Keys(bodies)) {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestFlatMemory$", "-test.v", fmt.Sprintf("-report-size=%d", *reportSize))
			cmd.Env = append(os.Environ(), hugeEnv+"="+name)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			_, after, _ := strings.Cut(string(out), "peak ")
			peak, err := strconv.Atoi(strings.Fields(after)[0])
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			t.Logf("%d MiB: peak %.1f MiB", *reportSize>>20, float64(peak)/(1<<20))
			if peak > maxMemory {
				t.Errorf("reading %d bytes took %d bytes of memory", *reportSize, peak)
			}
		})
	}
}

func readHuge(t *testing.T, name string) {
	in := &counter{r: newHugeReport(name, *reportSize)}
	var whole valgrind.Completeness
	var err error
	for e, readErr := range valgrind.Read(in) {
		whole.Add(e, readErr)
		err = readErr
	}
	var damaged *valgrind.SyntaxError
	switch {
	case bodies[name].damaged:
		if !errors.As(err, &damaged) {
			t.Fatalf("got %v, want damage", err)
		}
	case err != nil:
		t.Fatal(err)
	case in.n < *reportSize:
		t.Fatalf("only %d bytes were read", in.n)
	}
	status, err := os.Open("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	defer status.Close()
	for lines := bufio.NewScanner(status); lines.Scan(); {
		if value, found := strings.CutPrefix(lines.Text(), "VmHWM:"); found {
			kib, err := strconv.Atoi(strings.Fields(value)[0])
			if err != nil {
				t.Fatal(err)
			}
			fmt.Printf("peak %d\n", kib<<10)
			return
		}
	}
	t.Fatal("/proc/self/status has no VmHWM")
}

func BenchmarkRead(b *testing.B) {
	for _, name := range []string{"errors", "long names", "one unknown element"} {
		data, err := io.ReadAll(newHugeReport(name, 8<<20))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				for range valgrind.Read(bytes.NewReader(data)) {
				}
			}
		})
	}
}
