package client

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxEvent bounds one server-sent event in bytes: assignments of many profiles of 32 KiB each.
const maxEvent = 8 << 20

// event is one server-sent event.
type event struct {
	id   string // the last one seen on the stream, as the format has it
	name string // "message" when the server does not say
	data []byte
}

// eventReader reads a text/event-stream. Comments, unknown fields and events without data are
// passed over. An event cut off by the stream's end is dropped, as the format demands.
type eventReader struct {
	r      *bufio.Reader
	lastID string
	first  bool
}

func newEventReader(r io.Reader) *eventReader {
	return &eventReader{r: bufio.NewReaderSize(r, 4096), first: true}
}

var errEventTooLarge = fmt.Errorf("server-sent event: %w", ErrTooLarge)

// next returns the next event with data. At the stream's end it returns io.EOF.
func (e *eventReader) next() (event, error) {
	var name string
	var data []byte
	has := false
	size := 0
	for {
		line, err := e.line(maxEvent - size)
		if err != nil {
			return event{}, err
		}
		size += len(line) + 1
		if len(line) == 0 {
			if has {
				if name == "" {
					name = "message"
				}
				return event{id: e.lastID, name: name, data: data}, nil
			}
			name, size = "", 0
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "":
			size = len(data) // a comment is forgotten at once; keep-alives may come for ever
		case "event":
			name = string(value)
		case "data":
			if has {
				data = append(data, '\n')
			}
			data, has = append(data, value...), true
		case "id":
			if !bytes.ContainsRune(value, 0) {
				e.lastID = string(value)
			}
		}
	}
}

// line reads up to LF, CR LF or the end, at most limit bytes, and cuts the line's end off. CR alone
// as an end of line is a relic that no server sends; it stays in the line.
func (e *eventReader) line(limit int) ([]byte, error) {
	var line []byte
	for {
		part, err := e.r.ReadSlice('\n')
		if len(line)+len(part) > limit {
			return nil, errEventTooLarge
		}
		line = append(line, part...)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return nil, err
		}
		break
	}
	if e.first {
		line, e.first = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf")), false
	}
	return bytes.TrimSuffix(line[:len(line)-1], []byte("\r")), nil
}

func isEventStream(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(media), "text/event-stream")
}
