package store

import (
	"context"
	"errors"
	"fmt"
)

// CorruptError names a stored row that cannot be read as a whole.
type CorruptError struct {
	Table, Key string
	Err        error
}

// Error says which row it is and what is wrong with it.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("stored row %s of %s is corrupt: %v", e.Key, e.Table, e.Err)
}

// Unwrap returns what reading the row came to.
func (e *CorruptError) Unwrap() error { return e.Err }

// damage collects what is wrong with a row's JSON while its other columns are
// read.
type damage struct{ err error }

// json scans like asJSON, but a text that cannot be read leaves the rest of
// the row alone.
func (d *damage) json(v any) damaged { return damaged{asJSON(v), d} }

// of names the row. A row that cannot be scanned at all is corrupt too.
func (d *damage) of(table, key string, err error) error {
	if err = errors.Join(err, d.err); err == nil {
		return nil
	}
	return &CorruptError{Table: table, Key: key, Err: err}
}

type damaged struct {
	object
	d *damage
}

// Scan takes the text from the engine.
func (o damaged) Scan(src any) error {
	if err := o.object.Scan(src); err != nil {
		o.d.err = errors.Join(o.d.err, err)
	}
	return nil
}

// shown makes scan give what can be read of a corrupt row and log the rest:
// one bad row never hides its neighbours.
func shown[T any](ctx context.Context, s *Store, scan func(scanner) (T, error)) func(scanner) (T, error) {
	return func(row scanner) (T, error) {
		v, err := scan(row)
		if bad, ok := errors.AsType[*CorruptError](err); ok {
			s.log.ErrorContext(ctx, "stored row is corrupt", "table", bad.Table, "key", bad.Key, "error", bad.Err)
			err = nil
		}
		return v, err
	}
}

// sound reads the rows that can be read as a whole and logs the others.
func sound[T any](ctx context.Context, s *Store, q querier, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	var out []T
	_, err := collect(ctx, q, shown(ctx, s, func(row scanner) (struct{}, error) {
		v, err := scan(row)
		if err == nil {
			out = append(out, v)
		}
		return struct{}{}, err
	}), query, args...)
	return out, err
}
