package api

import (
	"crypto/sha256"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
)

// How long, and of how many instances at the most, it is remembered whose token
// one is.
const (
	beatingFor  = time.Minute
	mostBeating = 50_000
)

// beating remembers whose tokens heartbeats come with: ten thousand instances
// say the same every few seconds. No other door uses it, and a heartbeat needs
// no more: storing it finds out whether the instance is still registered.
type beating struct {
	now func() time.Time
	mu  sync.Mutex
	of  map[[sha256.Size]byte]beatingCaller
}

type beatingCaller struct {
	who   *caller
	until time.Time
}

func newBeating(now func() time.Time) *beating {
	return &beating{now: now, of: map[[sha256.Size]byte]beatingCaller{}}
}

// isHeartbeat says that a request is at the heartbeats' door.
func isHeartbeat(c echo.Context) bool { return c.Path() == "/api/v1/instances/:id/heartbeat" }

// known gives the holder of an instance's token at the heartbeats' door, who is
// looked up once a minute; at any other door it looks up.
func (b *beating) known(c echo.Context, token string, lookUp func() (*caller, error)) (*caller, error) {
	if !isHeartbeat(c) || !strings.HasPrefix(token, string(InstanceToken)) {
		return lookUp()
	}
	key := sha256.Sum256([]byte(token))
	if found := b.find(key); found != nil {
		c.Set(beatingKey, key)
		return found, nil
	}
	found, err := lookUp()
	if err == nil && found != nil {
		b.keep(key, found)
	}
	return found, err
}

// beatingKey marks a request whose caller was remembered and not looked up.
const beatingKey = "sluice.beating"

func (b *beating) find(key [sha256.Size]byte) *caller {
	b.mu.Lock()
	defer b.mu.Unlock()
	if found, ok := b.of[key]; ok && b.now().Before(found.until) {
		return found.who
	}
	return nil
}

func (b *beating) keep(key [sha256.Size]byte, found *caller) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.of) >= mostBeating {
		clear(b.of) // whoever still beats is looked up again
	}
	b.of[key] = beatingCaller{found, b.now().Add(beatingFor)}
}

// forget forgets the request's caller, if it was remembered.
func (b *beating) forget(c echo.Context) {
	key, remembered := c.Get(beatingKey).([sha256.Size]byte)
	if !remembered {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.of, key)
}
