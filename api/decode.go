package api

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
)

// decode reads a JSON body into out. Fields that the API does not know are
// refused: a typing mistake must not be taken for silence. An empty body leaves
// out as it is.
func decode(c echo.Context, out any) error {
	d := json.NewDecoder(c.Request().Body)
	d.DisallowUnknownFields()
	return decodeWith(d, out)
}

// decodeKnown reads what it knows and lets the rest be. Instances are brought
// up to date before the server now and then: one that says more than is
// understood must not fall silent for it.
func decodeKnown(c echo.Context, out any) error {
	return decodeWith(json.NewDecoder(c.Request().Body), out)
}

func decodeWith(d *json.Decoder, out any) error {
	err := d.Decode(out)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("there is something behind the JSON value")
		}
	}
	if err == nil {
		return nil
	}
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return invalid("the body could not be read", wire.FieldError{Field: e.Field, Message: "wants " + e.Type.String() + ", not a JSON " + e.Value})
	}
	return invalid("the body could not be read: " + err.Error())
}

const (
	defaultLimit = 50
	maxLimit     = 500
)

// paging reads limit and offset.
func paging(c echo.Context) (limit, offset int, err error) {
	limit, offset = defaultLimit, 0
	for name, into := range map[string]*int{"limit": &limit, "offset": &offset} {
		text := c.QueryParam(name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > 1<<30 {
			return 0, 0, invalidField(name, "is a number from 0 on")
		}
		*into = n
	}
	return min(max(limit, 1), maxLimit), offset, nil
}

// pageOf is one page of a list of total items.
func pageOf[T any](items []T, total, limit, offset int) wire.Page[T] {
	if items == nil {
		items = []T{}
	}
	p := wire.Page[T]{Items: items, Total: total, Limit: limit, Offset: offset}
	if next := offset + len(items); next < total && len(items) > 0 {
		p.HasMore, p.NextOffset = true, &next
	}
	return p
}

// wholePage is a list that is never so long that it needs pages.
func wholePage[T any](items []T) wire.Page[T] { return pageOf(items, len(items), len(items), 0) }

func convert[A, B any](items []A, one func(A) B) []B {
	out := make([]B, len(items))
	for i, item := range items {
		out[i] = one(item)
	}
	return out
}

func known[T comparable](all []T, one T) bool { return slices.Contains(all, one) }

// when reads a time of a query.
func when(c echo.Context, name string) (time.Time, error) {
	text := c.QueryParam(name)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, invalidField(name, "is a time such as 2026-01-31T12:00:00Z")
	}
	return t, nil
}
