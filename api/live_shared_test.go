package api_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/wire"
)

// A hundred readers of one page have it made once; what failed for one is asked
// again a moment later, and another key is another page.
func TestOpenPagesAreMadeOnce(t *testing.T) {
	t.Parallel()
	pages := api.NewSharedPages()
	now := time.Now()
	var made atomic.Int32
	build := func() (wire.PageContent, error) {
		return wire.PageContent{Mark: string('a' + made.Add(1) - 1)}, nil
	}
	var readers sync.WaitGroup
	for range 100 {
		readers.Go(func() {
			if told, err := pages.Of("admin /", now, now, build); err != nil || told.Mark != "a" {
				t.Errorf("%+v %v", told, err)
			}
		})
	}
	readers.Wait()
	if told, err := pages.Of("viewer /", now, now, build); err != nil || told.Mark != "b" {
		t.Errorf("another reader: %+v %v", told, err)
	}
	if told, err := pages.Of("admin /", now.Add(time.Second), now, build); err != nil || told.Mark != "c" {
		t.Errorf("a second later: %+v %v", told, err)
	}
	if told, err := pages.Of("admin /", now.Add(1500*time.Millisecond), now.Add(1200*time.Millisecond), build); err != nil || told.Mark != "d" {
		t.Errorf("a page that was opened since: %+v %v", told, err)
	}
	gone := errors.New("gone")
	if _, err := pages.Of("x", now, now, func() (wire.PageContent, error) { return wire.PageContent{}, gone }); !errors.Is(err, gone) {
		t.Errorf("%v", err)
	}
	if told, err := pages.Of("x", now.Add(time.Second), now, build); err != nil || told.Mark != "e" {
		t.Errorf("after a failure: %+v %v", told, err)
	}
}
