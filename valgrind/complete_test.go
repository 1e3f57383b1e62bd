package valgrind_test

import (
	"strings"
	"testing"

	"github.com/cgogrind/cgogrind/valgrind"
)

// The goldens have the reasons for most reports; these are about what one cannot see there.

func TestNoReport(t *testing.T) {
	var c valgrind.Completeness
	if reason := c.Reason(); reason == "" {
		t.Error("no report counts as a whole one")
	}
}

// TestWholeOnlyAtTheEnd makes sure that nothing less than all events of a clean report is whole.
func TestWholeOnlyAtTheEnd(t *testing.T) {
	const name = "corpus/3.19.0/invalid.xml"
	for _, r := range reports(t) {
		if r.name != name {
			continue
		}
		events, reason, err := readAll(strings.NewReader(string(r.data)))
		if reason != "" || err != nil {
			t.Fatalf("got %q, %v", reason, err)
		}
		for lost := range events {
			var c valgrind.Completeness
			for i, e := range events {
				if i != lost {
					c.Add(e, nil)
				}
			}
			if c.Reason() == "" {
				t.Errorf("the report is whole without event %d, %T", lost, events[lost])
			}
		}
		return
	}
	t.Fatalf("there is no %s", name)
}

func TestErrorLimit(t *testing.T) {
	for _, c := range []struct {
		errors int
		args   []string
		want   string
	}{
		{999, nil, ""},
		{1000, nil, "--error-limit=no"},
		{1000, []string{"--error-limit=no"}, ""},
	} {
		var whole valgrind.Completeness
		add := func(e valgrind.Event) { whole.Add(e, nil) }
		add(valgrind.Header{Protocol: 4, ValgrindArgs: c.args})
		add(valgrind.Status{State: "RUNNING"})
		counts := valgrind.ErrorCounts{}
		for i := range c.errors {
			add(&valgrind.Error{Unique: uint64(i)})
			counts = append(counts, valgrind.UniqueCount{Count: 1, Unique: uint64(i)})
		}
		add(valgrind.Status{State: "FINISHED"})
		add(counts)
		add(valgrind.SuppressionCounts{})
		if reason := whole.Reason(); (reason == "") != (c.want == "") || !strings.Contains(reason, c.want) {
			t.Errorf("%d errors with %q: got %q", c.errors, c.args, reason)
		}
	}
}
