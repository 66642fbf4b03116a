package client

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func readEvents(r io.Reader) (events []string, err error) {
	er := newEventReader(r)
	for {
		e, err := er.next()
		if err != nil {
			return events, err
		}
		events = append(events, fmt.Sprintf("%s#%s %q", e.name, e.id, e.data))
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ in, want string }{
		"data and name":                      {"event: a\ndata: x\n\n", `a# "x"`},
		"no name":                            {"data: x\n\n", `message# "x"`},
		"name does not last":                 {"event: a\ndata: x\n\ndata: y\n\n", `a# "x", message# "y"`},
		"id lasts":                           {"id: 7\ndata: x\n\ndata: y\n\n", `message#7 "x", message#7 "y"`},
		"id with NUL is no id":               {"id: 7\nid: a\x00b\ndata: x\n\n", `message#7 "x"`},
		"lines of data":                      {"data: x\ndata:\ndata: y\n\n", `message# "x\n\ny"`},
		"one space is cut":                   {"data:  x\n\ndata:y\n\n", `message# " x", message# "y"`},
		"carriage returns":                   {"event: a\r\ndata: x\r\n\r\n", `a# "x"`},
		"comments and unknown fields":        {": hi\nretry: 5\nfoo\ndata: x\n: there\n\n", `message# "x"`},
		"an event without data is none":      {"event: a\n\ndata: x\n\n", `message# "x"`},
		"an event that was cut off is none":  {"data: x\n\ndata: y\n", `message# "x"`},
		"byte order mark":                    {"\xef\xbb\xbfdata: x\n\n", `message# "x"`},
		"a line longer than the read buffer": {"data: " + strings.Repeat("x", 9000) + "\n\n", `message# "` + strings.Repeat("x", 9000) + `"`},
	}
	for name, tc := range cases {
		for _, r := range []io.Reader{strings.NewReader(tc.in), iotest.OneByteReader(strings.NewReader(tc.in))} {
			got, err := readEvents(r)
			if s := strings.Join(got, ", "); s != tc.want || !errors.Is(err, io.EOF) {
				t.Errorf("%s: got %s, %v", name, s, err)
			}
		}
	}
}

func TestEventsAreBounded(t *testing.T) {
	t.Parallel()
	line := "data: " + strings.Repeat("x", 1<<20) + "\n"
	for name, in := range map[string]io.Reader{
		"one endless line": io.MultiReader(strings.NewReader("data: "), endless('x')),
		"endless lines":    io.MultiReader(strings.NewReader(strings.Repeat(line, 9)), endless('x')),
	} {
		if _, err := readEvents(in); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	// Keep-alives may come for ever.
	quiet := io.MultiReader(io.LimitReader(endlessLines(": keep-alive, and a comment of some length\n"), maxEvent+1<<20), strings.NewReader("\ndata: x\n\n"))
	if got, err := readEvents(quiet); len(got) != 1 || !errors.Is(err, io.EOF) {
		t.Errorf("after many comments got %v, %v", got, err)
	}
}

type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

type repeat struct {
	text []byte
	at   int
}

func endlessLines(s string) io.Reader { return &repeat{text: []byte(s)} }

func (r *repeat) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = r.text[r.at]
		r.at = (r.at + 1) % len(r.text)
	}
	return len(p), nil
}

// FuzzEvents: whatever a stream holds, reading it ends, in pieces as at once, and no event has a line
// end in its name or id.
func FuzzEvents(f *testing.F) {
	for _, s := range []string{
		"event: assignments\ndata: {\"assignments\":[]}\n\n", ": x\n\n", "id: 1\r\ndata: a\r\n\r\n",
		"data\n\n", "data:\ndata:\n\n", "\xef\xbb\xbfdata: x\n\n", "event:\x00\ndata: \x00\n\n", "\r\r\n\n\r", ":\n:\n\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		whole, err := readEvents(bytes.NewReader(in))
		if !errors.Is(err, io.EOF) {
			t.Fatalf("ended with %v", err)
		}
		pieces, _ := readEvents(iotest.OneByteReader(bytes.NewReader(in)))
		if fmt.Sprint(whole) != fmt.Sprint(pieces) {
			t.Fatalf("at once %q, in pieces %q", whole, pieces)
		}
		r := newEventReader(bytes.NewReader(in))
		for {
			e, err := r.next()
			if err != nil {
				break
			}
			if e.name == "" || strings.Contains(e.name+e.id, "\n") {
				t.Fatalf("event %+v", e)
			}
		}
	})
}
