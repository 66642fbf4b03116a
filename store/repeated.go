package store

import (
	"database/sql"
	"encoding/json"
)

// repeated scans a text that is nearly always that of the row before: then it is
// the same string, and nothing is copied.
type repeated struct{ text *string }

// Scan takes the text from database/sql.
func (r repeated) Scan(src any) error {
	var text sql.NullString
	if err := text.Scan(src); err != nil {
		return err
	}
	if text.String != *r.text {
		*r.text = text.String
	}
	return nil
}

// ScanBytes takes it from PostgreSQL.
func (r repeated) ScanBytes(src []byte) error {
	if string(src) != *r.text {
		*r.text = string(src)
	}
	return nil
}

// words scans JSON that many rows have the same of, as instances have labels: each
// text is decoded once, and those who have it share what it says, which nobody
// changes.
type words[T any] struct {
	of   map[string]T
	last string
	into *T
	bad  *damage
}

// Scan takes the text from database/sql.
func (w *words[T]) Scan(src any) error {
	if err := (repeated{&w.last}).Scan(src); err != nil {
		return err
	}
	return w.read()
}

// ScanBytes takes it from PostgreSQL.
func (w *words[T]) ScanBytes(src []byte) error {
	if err := (repeated{&w.last}).ScanBytes(src); err != nil {
		return err
	}
	return w.read()
}

// mostWords bounds what is kept, where each row has words of its own.
const mostWords = 1000

func (w *words[T]) read() error {
	said, known := w.of[w.last]
	if !known && w.last != "" {
		said = w.decode()
	}
	*w.into = said
	return nil
}

// decode is what a new text says: nothing where it cannot be read.
func (w *words[T]) decode() (said T) {
	if err := json.Unmarshal([]byte(w.last), &said); err != nil {
		w.bad.err = err
		var nothing T
		return nothing
	}
	if len(w.of) < mostWords {
		w.of[w.last] = said
	}
	return said
}
