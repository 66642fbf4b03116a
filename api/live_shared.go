package api

import (
	"errors"
	"sync"
	"time"

	"github.com/sluicehq/sluice/api/wire"
)

// sharedPages are what open pages show now. In an incident many people look at the
// same page: it is made once a second for all of them, and not once for each.
type sharedPages struct {
	mu    sync.Mutex
	pages map[string]*sharedPage
}

type sharedPage struct {
	made time.Time
	done chan struct{} // closed once told or err is set
	told wire.PageContent
	err  error
}

// errUnmade is what readers get of a page whose making panicked.
var errUnmade = errors.New("the page could not be made")

// of makes a page, or takes the one that was made for somebody else of the same
// key a moment ago, but not before since: nobody is told what is older than what
// they have.
func (s *sharedPages) of(key string, now, since time.Time, build func() (wire.PageContent, error)) (wire.PageContent, error) {
	s.mu.Lock()
	p, ok := s.pages[key]
	if ok && now.Sub(p.made) < liveEvery && !p.made.Before(since) {
		s.mu.Unlock()
		<-p.done
		return p.told, p.err
	}
	s.forget(now)
	p = &sharedPage{made: now, done: make(chan struct{}), err: errUnmade}
	s.pages[key] = p
	s.mu.Unlock()
	defer close(p.done)
	p.told, p.err = build()
	return p.told, p.err
}

// forget drops what nobody has looked at lately.
func (s *sharedPages) forget(now time.Time) {
	for key, p := range s.pages {
		if now.Sub(p.made) > 2*liveEvery {
			delete(s.pages, key)
		}
	}
}
