package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
)

// upLate is a context whose time is up when somebody looks at it after the work.
type upLate struct{ context.Context }

func (upLate) Err() error { return context.DeadlineExceeded }

// A request whose time is up by what its password took is not told of the database.
func TestTimeThatAPasswordTook(t *testing.T) {
	t.Parallel()
	a := &API{hashing: make(chan struct{}, 1)}
	ctx := upLate{t.Context()}
	_, made := a.hash(ctx, "password", "correct horse battery")
	_, checked := a.verify(ctx, nobodysHash(), "correct horse battery")
	for what, err := range map[string]error{"a new one": made, "one that is checked": checked} {
		p, ok := errors.AsType[*problem](err)
		if !ok || p.status != http.StatusServiceUnavailable || !strings.Contains(p.message, "too much to do") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, short := a.hash(ctx, "password", "short"); short == nil || !strings.HasPrefix(short.Error(), "password has ") {
		t.Errorf("one that will never do: %v", short)
	}
}
