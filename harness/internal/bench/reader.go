package main

import (
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/cgogrind/cgogrind/valgrind"
)

// readCommand makes this program read one file and end, so that its peak memory is that of the reading.
const readCommand = "read-report"

// The ways to read a report.
const (
	byReader    = "valgrind.Read"
	byUnmarshal = "xml.Unmarshal"
)

// document is a report for encoding/xml.
type document struct {
	Preamble []string        `xml:"preamble>line"`
	PID      int             `xml:"pid"`
	Args     []string        `xml:"args>vargv>arg"`
	Errors   []documentError `xml:"error"`
	Counts   []struct {
		Count  int    `xml:"count"`
		Unique string `xml:"unique"`
	} `xml:"errorcounts>pair"`
}

type documentError struct {
	Unique string   `xml:"unique"`
	TID    int      `xml:"tid"`
	Kind   string   `xml:"kind"`
	What   string   `xml:"what"`
	XWhat  string   `xml:"xwhat>text"`
	Aux    []string `xml:"auxwhat"`
	Stacks []struct {
		Frames []struct {
			IP       string `xml:"ip"`
			Object   string `xml:"obj"`
			Function string `xml:"fn"`
			Dir      string `xml:"dir"`
			File     string `xml:"file"`
			Line     int    `xml:"line"`
		} `xml:"frame"`
	} `xml:"stack"`
}

// readFile reads a report and prints the number of errors. It returns an exit code.
func readFile(how, name string) int {
	n, err := countErrors(how, name)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	fmt.Println(n)
	return 0
}

func countErrors(how, name string) (n int, err error) {
	switch how {
	case byReader:
		err = readReport(name, func(ev valgrind.Event) {
			if _, ok := ev.(*valgrind.Error); ok {
				n++
			}
		})
	case byUnmarshal:
		var data []byte
		if data, err = os.ReadFile(name); err == nil {
			var d document
			err = xml.Unmarshal(data, &d)
			n = len(d.Errors)
		}
	default:
		err = fmt.Errorf("%q is no way to read", how)
	}
	return n, err
}

// corpusReport is a real report, of whose errors large ones are made.
const corpusReport = "valgrind/testdata/corpus/3.19.0/calls.xml"

// writeReport writes a report of about so many bytes.
func writeReport(name string, size int) (err error) {
	data, err := os.ReadFile(corpusReport)
	if err != nil {
		return err
	}
	const begin, end = "<error>", "</error>"
	text := string(data)
	from, to := strings.Index(text, begin), strings.LastIndex(text, end)
	if from < 0 || to < from {
		return fmt.Errorf("%s has no errors", corpusReport)
	}
	to += len(end)
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriter(f)
	write := func(s string) {
		if err == nil {
			_, err = io.WriteString(w, s)
		}
	}
	write(text[:from])
	for n := len(text) - (to - from); n < size && err == nil; n += to - from + 1 {
		write(text[from:to] + "\n")
	}
	write(text[to:])
	return errors.Join(err, w.Flush())
}

// reader compares the reader of reports with encoding/xml.
func (b *bench) reader() error {
	t := b.table("", "report, MB", "errors", byReader+", MB/s", byUnmarshal+", MB/s", "times as fast", byReader+", peak MB",
		byUnmarshal+", peak MB")
	self, err := os.Executable()
	if err != nil {
		return err
	}
	speed := map[string]*Series{byReader: {Name: byReader}, byUnmarshal: {Name: byUnmarshal}}
	peak := map[string]*Series{byReader: {Name: byReader}, byUnmarshal: {Name: byUnmarshal}}
	sizes := pick(b, []float64{1, 10}, []float64{1, 10, 100})
	if b.long {
		sizes = append(sizes, 1000)
	}
	perByte := 0.0 // what Unmarshal took of memory before
	for _, size := range sizes {
		name := filepath.Join(b.dir, "large.xml")
		if err := writeReport(name, int(size*1e6)); err != nil {
			return err
		}
		read := func(how string) side {
			return side{how, func() (cost, error) { return b.run(command{args: []string{self, readCommand, how, name}}) }}
		}
		sides := []side{read(byReader), read(byUnmarshal)}
		if _, available := memory(); perByte*size*1e6 > float64(available)/2 {
			b.say("%.0f MB: no memory for %s", size, byUnmarshal)
			sides = sides[:1]
		}
		costs, err := b.alternate(b.rounds, sides...)
		if err != nil {
			return err
		}
		mbs := func(how string) []float64 {
			return each(costs[how], func(c cost) float64 { return size / c.Wall })
		}
		row := []any{size, strings.TrimSpace(costs[byReader][0].Out), mbs(byReader), "no memory", "", rss(costs[byReader]), "no memory"}
		for _, s := range sides {
			speed[s.name].add(size, median(mbs(s.name)))
			peak[s.name].add(size, median(rss(costs[s.name])))
		}
		if len(sides) == 2 {
			if a, b := costs[byReader][0].Out, costs[byUnmarshal][0].Out; a != b {
				return fmt.Errorf("the readers count %s and %s errors", strings.TrimSpace(a), strings.TrimSpace(b))
			}
			row[3], row[4], row[6] = mbs(byUnmarshal), ratios(mbs(byReader), mbs(byUnmarshal)), rss(costs[byUnmarshal])
			perByte = median(rss(costs[byUnmarshal])) / size
		}
		t.row(row...)
	}
	b.figure(Figure{Title: "Reading a report", X: "MB", Y: "MB/s", LogX: true, LogY: true,
		Series: []Series{*speed[byReader], *speed[byUnmarshal]}})
	b.figure(Figure{Title: "Peak memory of it", X: "MB", Y: "MB", LogX: true, LogY: true,
		Series: []Series{*peak[byReader], *peak[byUnmarshal]}})
	return nil
}
