package judge

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// markPrefix begins each client message that is a mark of the instrumented testing package.
const markPrefix = "cgogrind1"

// A mark is one such message: "cgogrind1 TOKEN VERB FIELD…". Its dynamic type is one of the mark… types below.
type mark any

type markStart struct{ pid int }

// markLayout gives the address ranges that carry identities: see identity.go.
type markLayout struct {
	callBase, callStride, callCount uint64
	sledBase, sledCount             uint64
}

type markPlan struct{ name string }

type markPlanned struct{ count, whole int } // whole: of all shards

type markSpecs struct {
	count int
	suite string
}

type markBegin struct {
	id, errors uint64
	kind, name string
}

type markPause struct{ id, errors uint64 }

type markCont struct{ id, errors uint64 }

type markEnd struct {
	id, errors   uint64
	status       string // "pass", "fail", "skip"
	elapsed      time.Duration
	name, reason string
}

type markExpect struct{ kind, function, name string }

// markLeaks is about leak checks: "begin" and "end" around one that a test asked for; at the process's end "ready" once
// the collector has run, or "skipped" if it could not.
type markLeaks struct{ what string }

// markSilent says that a thread's errors did not count: what is "off" where reporting was switched off, "declared" where
// memory was declared accessible that nobody may touch. id is of a test that called C in that thread meanwhile, or 0.
type markSilent struct {
	what string
	id   uint64
}

type markDone struct{ code int }

// parseMark reads the text of a client message. It returns the mark and its token; a nil mark and no error is a
// message of somebody else. A verb that is not known is an error: the testing package and this one belong together.
func parseMark(text string) (m mark, token string, err error) {
	fields := strings.Fields(text)
	if len(fields) == 0 || fields[0] != markPrefix {
		return nil, "", nil
	}
	if len(fields) < 3 {
		return nil, "", fmt.Errorf("reading the mark %q: it has no verb", text)
	}
	token = fields[1]
	r := fieldReader{fields: fields[3:]}
	switch verb := fields[2]; verb {
	case "start":
		m = markStart{int(r.number())}
	case "layout":
		m = markLayout{r.number(), r.number(), r.number(), r.number(), r.number()}
	case "plan":
		m = markPlan{r.text()}
	case "planned":
		planned := markPlanned{count: int(r.number())}
		planned.whole = planned.count
		if len(r.fields) > 0 {
			planned.whole = int(r.number())
		}
		m = planned
	case "specs":
		m = markSpecs{int(r.number()), r.text()}
	case "begin":
		m = markBegin{r.number(), r.number(), r.text(), r.text()}
	case "pause":
		m = markPause{r.number(), r.number()}
	case "cont":
		m = markCont{r.number(), r.number()}
	case "end":
		e := markEnd{id: r.number(), errors: r.number(), status: r.text(), elapsed: time.Duration(r.number()), name: r.text()}
		if len(r.fields) > 0 {
			e.reason = r.text()
		}
		m = e
	case "expect":
		m = markExpect{r.text(), r.text(), r.text()}
	case "leaks":
		m = markLeaks{r.text()}
	case "silent":
		m = markSilent{r.text(), r.number()}
	case "done":
		m = markDone{int(r.signed())}
	default:
		return nil, token, fmt.Errorf("reading the mark %q: unknown verb %q", text, verb)
	}
	if r.err != nil {
		return nil, token, fmt.Errorf("reading the mark %q: %w", text, r.err)
	}
	if len(r.fields) > 0 {
		return nil, token, fmt.Errorf("reading the mark %q: %d fields too many", text, len(r.fields))
	}
	return m, token, nil
}

// fieldReader takes the fields of a mark one by one and keeps the first error.
type fieldReader struct {
	fields []string
	err    error
}

func (r *fieldReader) next() string {
	if len(r.fields) == 0 {
		r.fail(fmt.Errorf("a field is missing"))
		return ""
	}
	f := r.fields[0]
	r.fields = r.fields[1:]
	return f
}

func (r *fieldReader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// number reads an unsigned number: decimal, or hexadecimal after 0x.
func (r *fieldReader) number() uint64 {
	n, err := strconv.ParseUint(r.next(), 0, 64)
	if err != nil {
		r.fail(err)
	}
	return n
}

func (r *fieldReader) signed() int64 {
	n, err := strconv.ParseInt(r.next(), 10, 64)
	if err != nil {
		r.fail(err)
	}
	return n
}

// text reads a percent-encoded string; a lone % is the empty one.
func (r *fieldReader) text() string {
	f := r.next()
	if f == "%" {
		return ""
	}
	s, err := url.PathUnescape(f)
	if err != nil {
		r.fail(err)
	}
	return s
}
