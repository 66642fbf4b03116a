package coordtest

import (
	"bytes"
	"testing"

	"github.com/sluicehq/sluice/coord"
)

// Caches lists the rules of a coord.Cache.
func Caches() []Case[coord.Cache] {
	return []Case[coord.Cache]{
		{"what nobody put is a miss", func(t *testing.T, c coord.Cache, _ Harness) {
			missing(t, c, "a")
		}},
		{"what was put is found under its key alone", func(t *testing.T, c coord.Cache, _ Harness) {
			c.Put(t.Context(), "a", []byte("one"), ttl)
			c.Put(t.Context(), "b", []byte("two"), ttl)
			found(t, c, "a", "one")
			found(t, c, "b", "two")
		}},
		{"any bytes are kept as they are", func(t *testing.T, c coord.Cache, _ Harness) {
			value := bytes.Repeat([]byte("\x00\r\n\xff{"), 100_000)
			c.Put(t.Context(), "a", value, ttl)
			found(t, c, "a", string(value))
		}},
		{"put twice is harmless", func(t *testing.T, c coord.Cache, _ Harness) {
			c.Put(t.Context(), "a", []byte("one"), ttl)
			c.Put(t.Context(), "a", []byte("one"), ttl)
			found(t, c, "a", "one")
		}},
		{"the ttl ends it", func(t *testing.T, c coord.Cache, h Harness) {
			c.Put(t.Context(), "a", []byte("one"), h.TTL)
			c.Put(t.Context(), "b", []byte("two"), ttl)
			h.Pass(2 * h.TTL)
			missing(t, c, "a")
			found(t, c, "b", "two")
		}},
	}
}

func found(t *testing.T, c coord.Cache, key, want string) {
	t.Helper()
	if value, ok := c.Get(t.Context(), key); !ok || string(value) != want {
		t.Fatalf("Get(%s) is %.20q, %t, want %.20q", key, value, ok, want)
	}
}

func missing(t *testing.T, c coord.Cache, key string) {
	t.Helper()
	if value, ok := c.Get(t.Context(), key); ok {
		t.Fatalf("Get(%s) is %.20q, want a miss", key, value)
	}
}
