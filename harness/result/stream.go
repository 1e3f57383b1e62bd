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
// and for a last line that does not end, the error is ErrTruncated. The error comes last, once.
func Decode(r io.Reader) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		br := bufio.NewReader(r)
		at := StreamError{Line: 1}
		fail := func(err error) {
			at.Err = err
			yield(Message{}, &at)
		}
		var begun, ended bool
		for ; ; at.Line++ {
			line, err := br.ReadBytes('\n')
			switch {
			case err == io.EOF && len(line) > 0:
				fail(fmt.Errorf("%w: its last line does not end", ErrTruncated))
				return
			case err == io.EOF && !ended:
				fail(fmt.Errorf("%w: it has no summary, so the run did not end or its writer was stopped", ErrTruncated))
				return
			case err == io.EOF:
				return
			case err != nil:
				fail(err)
				return
			}
			m, err := decodeLine(line)
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
			at.Offset += int64(len(line))
		}
	}
}

// decodeLine decodes an object with exactly one key. Fields inside that are not known are skipped: they may come with
// any version.
func decodeLine(line []byte) (Message, error) {
	var m Message
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
