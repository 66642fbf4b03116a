package store

import (
	"fmt"
	"reflect"
	"strings"
)

// rowsOfArrays is how many rows one statement takes as arrays.
const rowsOfArrays = 200

// arrays says that many rows go in as an array of each column: COPY knows nothing of
// what stands behind the values, and PostgreSQL plans and takes a few arrays sooner
// than an argument for each value.
func (b bulk) arrays(e *engine) bool { return e == postgresEngine && b.after != "" }

// arraysText is the statement for any number of rows.
func (b bulk) arraysText() string {
	casts := make([]string, len(b.columns))
	for i := range casts {
		casts[i] = fmt.Sprintf("$%d::%s[]", i+1, b.types[i])
	}
	return "INSERT INTO " + b.table + " (" + strings.Join(b.columns, ", ") + ") SELECT * FROM unnest(" + strings.Join(casts, ", ") + ") " + b.after
}

// arraysChunk is a chunk of some rows. However many they are, the statement is one.
func (b bulk) arraysChunk(e *engine, from, rows int, values func(i int) []any) (c chunk) {
	if c.args, c.err = b.arguments(e, from, rows, values); c.err == nil {
		c.args, c.err = b.byColumn(c.args)
	}
	return c
}

// byColumn puts the arguments of rows into an array for each column.
func (b bulk) byColumn(args []any) ([]any, error) {
	out := make([]any, len(b.columns))
	for i, kind := range b.types {
		column, err := columnOf(kind, args, i, len(b.columns))
		if err != nil {
			return nil, fmt.Errorf("column %s of %s: %w", b.columns[i], b.table, err)
		}
		out[i] = column
	}
	return out, nil
}

// columnOf takes every step-th argument from the first on.
func columnOf(kind string, args []any, first, step int) (any, error) {
	switch kind {
	case "bigint":
		return each(args, first, step, reflect.Value.CanInt, reflect.Value.Int)
	case "boolean":
		return each(args, first, step, func(v reflect.Value) bool { return v.Kind() == reflect.Bool }, reflect.Value.Bool)
	case "timestamptz":
		return each(args, first, step, reflect.Value.IsValid, func(v reflect.Value) any { return v.Interface() })
	}
	return each(args, first, step, func(v reflect.Value) bool { return v.Kind() == reflect.String }, reflect.Value.String)
}

func each[T any](args []any, first, step int, is func(reflect.Value) bool, as func(reflect.Value) T) ([]T, error) {
	column := make([]T, 0, len(args)/step)
	for i := first; i < len(args); i += step {
		v := reflect.ValueOf(args[i])
		if !is(v) {
			return nil, fmt.Errorf("%T is none of its values", args[i])
		}
		column = append(column, as(v))
	}
	return column, nil
}
