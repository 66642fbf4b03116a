package snapshot

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/sluicehq/sluice/profile"
)

const (
	// suffix ends the names of files that hold a snapshot.
	suffix = ".snapshot.json"
	// MaxName bounds the name of a profile that has snapshots, in bytes: a file is named after it.
	MaxName = 240
	// MaxSize bounds a file in bytes: the largest data that there can be, as base64, and room for the rest.
	MaxSize = 32 << 20

	payloadType = "application/vnd.sluice.snapshot.v1+json"
)

// Snapshot is the stable version of one profile, and whom it is for.
type Snapshot struct {
	Profile     string              `json:"profile"`
	Service     string              `json:"service"`
	Environment profile.Environment `json:"environment"`
	Labels      map[string]string   `json:"labels,omitempty"` // that an instance must have
	Version     string              `json:"version"`
	Hash        string              `json:"hash"` // SHA-256, hex, of Data as canonical JSON
	Data        profile.Data        `json:"data"` // secrets as they are stored: references and sealed values
	WrittenAt   time.Time           `json:"writtenAt"`

	// KeyID names the key that signed it, once that is verified.
	KeyID string `json:"-"`
}

// FileName is the name of the file that holds a profile's snapshot.
func FileName(profile string) string { return profile + suffix }

// ProfileOf is the name of the profile that a file is named after; false for other files.
func ProfileOf(file string) (string, bool) {
	name, ok := strings.CutSuffix(file, suffix)
	return name, ok && validName(name)
}

func validName(name string) bool { return len(name) <= MaxName && profile.ValidName(name) == nil }

// envelope is a file, as DSSE defines it; bytes stand in it as base64.
type envelope struct {
	PayloadType string      `json:"payloadType"`
	Payload     []byte      `json:"payload"`
	Signatures  []signature `json:"signatures"`
}

type signature struct {
	KeyID string `json:"keyid"`
	Sig   []byte `json:"sig"`
}

// signed are the bytes that a signature is over: the type is among them, so that nothing
// else that the key may sign one day is ever taken for a snapshot.
func signed(payload []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload)
}

// Sign writes a snapshot's file. It refuses what Verify would refuse, and data that holds a
// secret itself: that never leaves the database.
func Sign(s Snapshot, key PrivateKey) ([]byte, error) {
	if !validName(s.Profile) {
		return nil, fmt.Errorf("sign the snapshot of %q: its name must be the name of a profile of at most %d characters", s.Profile, MaxName)
	}
	if got := profile.Hash(s.Data); got != s.Hash {
		return nil, fmt.Errorf("sign the snapshot of %s %s: %w", s.Profile, s.Version, ErrHash)
	}
	for _, secret := range profile.Secrets(s.Data) {
		if secret.Kind == profile.Given {
			return nil, fmt.Errorf("sign the snapshot of %s %s: %s is a secret that was not sealed", s.Profile, s.Version, secret.Path)
		}
	}
	s.WrittenAt = s.WrittenAt.UTC().Truncate(time.Second)
	payload, err := encode(s)
	if err != nil {
		return nil, fmt.Errorf("sign the snapshot of %s %s: %w", s.Profile, s.Version, err)
	}
	return encode(envelope{PayloadType: payloadType, Payload: payload,
		Signatures: []signature{{KeyID: key.id, Sig: ed25519.Sign(key.key, signed(payload))}}})
}

// encode writes JSON as it is read back: data stays the bytes that were hashed.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}
