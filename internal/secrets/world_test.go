package secrets_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/sluicehq/sluice/internal/secrets"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/store"
)

const payments = "payment-service.production"

// boxes keeps sealed values in memory.
type boxes struct {
	mu     sync.Mutex
	values map[string]store.SealedValue
}

func newBoxes() *boxes { return &boxes{values: map[string]store.SealedValue{}} }

func (b *boxes) InsertSealed(_ context.Context, _ string, values []store.SealedValue) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, v := range values {
		b.values[v.ID] = v
	}
	return nil
}

func (b *boxes) SealedByFingerprint(_ context.Context, name string, mark []byte) (store.SealedValue, bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, v := range b.values {
		if v.Profile == name && bytes.Equal(v.Fingerprint, mark) {
			return v, true, nil
		}
	}
	return store.SealedValue{}, false, nil
}

func (b *boxes) SealedValues(_ context.Context, name string, ids []string) (map[string]store.SealedValue, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[string]store.SealedValue{}
	for _, id := range ids {
		if v, ok := b.values[id]; ok && v.Profile == name {
			out[id] = v
		}
	}
	return out, nil
}

func keys(t testing.TB, ids ...string) secrets.Keys {
	t.Helper()
	text := ""
	for _, id := range ids {
		one, err := secrets.NewKey(id)
		if err != nil {
			t.Fatal(err)
		}
		text += "," + one
	}
	return parse(t, text[1:])
}

func parse(t testing.TB, text string) secrets.Keys {
	t.Helper()
	k, err := secrets.ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// refused fails unless err is an *Error that says want, and gives it.
func refused(t *testing.T, err error) *secrets.Error {
	t.Helper()
	e, ok := errors.AsType[*secrets.Error](err)
	if !ok {
		t.Fatalf("%v is no refusal", err)
	}
	return e
}

func given(value any) map[string]any { return map[string]any{"type": "secret", "value": value} }

func ref(text string) map[string]any { return map[string]any{profile.SecretKey: text} }
