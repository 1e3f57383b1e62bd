package result

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"sync"
	"unicode/utf8"
)

// What can be wrong with a stream. Decode wraps each in a *StreamError.
var (
	ErrTruncated = errors.New("the stream is truncated")
	ErrMalformed = errors.New("the stream is malformed")
	ErrVersion   = errors.New("the stream has another protocol version")
)

// StreamError says where a stream is damaged. It wraps ErrTruncated, ErrMalformed, ErrVersion or the reader's error.
type StreamError struct {
	Line   int   // from 1
	Offset int64 // of the line's first byte, from 0
	Err    error
}

func (e *StreamError) Error() string {
	return fmt.Sprintf("reading the result stream, line %d (offset %d): %v", e.Line, e.Offset, e.Err)
}

func (e *StreamError) Unwrap() error { return e.Err }

// MaxLine is how long a line of a stream may be, in bytes: the plan of 100,000 tests has one of some 10 MB.
const MaxLine = 64 << 20

// Encoder is a Handler that writes the stream: one JSON object a line, each line in a single Write.
type Encoder struct{ w io.Writer }

// NewEncoder returns an Encoder that writes to w.
func NewEncoder(w io.Writer) *Encoder { return &Encoder{w: w} }

// Handle writes one message.
func (e *Encoder) Handle(_ context.Context, m Message) error {
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		return fmt.Errorf("encoding a result message: %w", err)
	}
	if _, err := e.w.Write(line.Bytes()); err != nil {
		return fmt.Errorf("writing the result stream: %w", err)
	}
	return nil
}

// Decode reads a stream. A stream begins with its config and ends with its summary, progress apart; without either,
// and for a last line that does not end, the error is ErrTruncated. The error comes last, once. Of a stream that is still
// being written every message comes as soon as its line is there.
func Decode(r io.Reader) iter.Seq2[Message, error] { return DecodeWith(json.Unmarshal, r) }

// DecodeWith is Decode with another json.Unmarshal for the findings, which are nearly all of a large stream.
func DecodeWith(unmarshal func(data []byte, v any) error, r io.Reader) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		br := bufio.NewReaderSize(r, 1<<20)
		at := StreamError{Line: 1}
		fail := func(err error) {
			at.Err = err
			yield(Message{}, &at)
		}
		var begun, ended bool
		for {
			lines, err := readLines(br)
			for i, d := range decodeLines(unmarshal, lines) {
				m, err := d.message, d.err
				switch {
				case err != nil:
				case ended:
					err = fmt.Errorf("%w: a message after the summary", ErrMalformed)
				case m.Config != nil && begun:
					err = fmt.Errorf("%w: a second config", ErrMalformed)
				case m.Config != nil && m.Config.ProtocolVersion != ProtocolVersion:
					err = fmt.Errorf("%w: %d, and this cgogrind reads %d: read it with the cgogrind that wrote it, or a newer one",
						ErrVersion, m.Config.ProtocolVersion, ProtocolVersion)
				case m.Config == nil && m.Progress == nil && !begun:
					err = fmt.Errorf("%w: it does not begin with a config", ErrMalformed)
				}
				if err != nil {
					fail(err)
					return
				}
				begun = begun || m.Config != nil
				ended = m.Summary != nil
				if !yield(m, nil) {
					return
				}
				at.Line++
				at.Offset += int64(len(lines[i]))
			}
			switch {
			case err == nil:
			case err == io.EOF && ended:
				return
			case err == io.EOF:
				fail(fmt.Errorf("%w: it has no summary, so the run did not end or its writer was stopped", ErrTruncated))
				return
			default:
				fail(err)
				return
			}
		}
	}
}

// readLines waits for a line and returns it with those that are there already. They are valid until the next call. The
// error is that of what comes after them.
func readLines(br *bufio.Reader) (lines [][]byte, err error) {
	line, err := br.ReadSlice('\n')
	if err == bufio.ErrBufferFull { // a line of more than the buffer's size comes alone
		long := bytes.Clone(line)
		for err == bufio.ErrBufferFull {
			if len(long) > MaxLine {
				return nil, fmt.Errorf("%w: a line of more than %d MiB", ErrMalformed, MaxLine>>20)
			}
			line, err = br.ReadSlice('\n')
			long = append(long, line...)
		}
		if err == nil {
			return [][]byte{long}, nil
		}
		line = long
	}
	switch {
	case err == io.EOF && len(line) > 0:
		return nil, fmt.Errorf("%w: its last line does not end", ErrTruncated)
	case err != nil:
		return nil, err
	}
	lines = append(lines, line)
	for {
		there, _ := br.Peek(br.Buffered())
		end := bytes.IndexByte(there, '\n') + 1
		if end == 0 {
			return lines, nil
		}
		lines = append(lines, there[:end])
		_, _ = br.Discard(end) // it is there
	}
}

type decoded struct {
	message Message
	err     error
}

// decodeLines decodes lines, many of them side by side: reading JSON is what takes the time in a large stream.
func decodeLines(unmarshal func([]byte, any) error, lines [][]byte) []decoded {
	out := make([]decoded, len(lines))
	workers := min(runtime.GOMAXPROCS(0), 1+len(lines)/16)
	var wg sync.WaitGroup
	for first := range workers {
		wg.Go(func() {
			for i := first; i < len(lines); i += workers {
				out[i].message, out[i].err = decodeLine(unmarshal, lines[i])
			}
		})
	}
	wg.Wait()
	return out
}

// decodeLine decodes an object with exactly one key. Fields inside that are not known are skipped: they may come with
// any version.
func decodeLine(unmarshal func([]byte, any) error, line []byte) (Message, error) {
	var m Message
	// What is wrong with a line that is not simply a finding is found out below.
	if value, ok := bytes.CutPrefix(line, []byte(`{"finding":`)); ok {
		value, ok = bytes.CutSuffix(value, []byte("}\n"))
		if ok && utf8.Valid(value) && unmarshal(value, &m.Finding) == nil && m.Finding != nil {
			return m, nil
		}
		m.Finding = nil
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		return m, fmt.Errorf("%w: a line is not an object", ErrMalformed)
	}
	if !dec.More() {
		return m, fmt.Errorf("%w: a line without a key", ErrMalformed)
	}
	tok, err := dec.Token()
	if err != nil {
		return m, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	key, _ := tok.(string)
	switch key {
	case "config":
		err = decodeInto(dec, &m.Config)
	case "plan":
		err = decodeInto(dec, &m.Plan)
	case "progress":
		err = decodeInto(dec, &m.Progress)
	case "finding":
		err = decodeInto(dec, &m.Finding)
	case "test":
		err = decodeInto(dec, &m.Test)
	case "summary":
		err = decodeInto(dec, &m.Summary)
	default:
		err = fmt.Errorf("%w: unknown key %q", ErrMalformed, key)
	}
	if err != nil {
		return m, err
	}
	if dec.More() {
		return m, fmt.Errorf("%w: a line with more than one key", ErrMalformed)
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return m, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return m, fmt.Errorf("%w: a line with more than one object", ErrMalformed)
	}
	return m, nil
}

func decodeInto[T any](dec *json.Decoder, field **T) error {
	if err := dec.Decode(field); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if *field == nil {
		return fmt.Errorf("%w: a key without a value", ErrMalformed)
	}
	return nil
}
