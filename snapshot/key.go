package snapshot

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// How the texts of keys begin, so that neither is taken for the other.
const (
	privatePrefix = "snapshot-private"
	publicPrefix  = "snapshot-public"
)

var keyID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// PrivateKey signs snapshots. Printing it shows its id.
type PrivateKey struct {
	id  string
	key ed25519.PrivateKey
}

// PublicKey verifies what the private key of its id signed.
type PublicKey struct {
	id  string
	key ed25519.PublicKey
}

// NewKey makes a key. The id tells it from the ones before and after it.
func NewKey(id string) (PrivateKey, error) {
	if !keyID.MatchString(id) {
		return PrivateKey{}, errors.New("the id of a key must be 1 to 32 lower-case letters, digits and dashes, such as 2026-11")
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return PrivateKey{id: id, key: key}, err
}

// ParsePrivateKey reads what Reveal wrote. Its errors never repeat the text.
func ParsePrivateKey(text string) (PrivateKey, error) {
	id, seed, err := parseKey(text, privatePrefix, ed25519.SeedSize)
	if err != nil {
		return PrivateKey{}, err
	}
	return PrivateKey{id: id, key: ed25519.NewKeyFromSeed(seed)}, nil
}

// ParsePublicKey reads what a public key's String wrote. Its errors never repeat the
// text: it may be the private key, by mistake.
func ParsePublicKey(text string) (PublicKey, error) {
	id, key, err := parseKey(text, publicPrefix, ed25519.PublicKeySize)
	if err != nil {
		return PublicKey{}, err
	}
	return PublicKey{id: id, key: key}, nil
}

func parseKey(text, prefix string, size int) (id string, raw []byte, err error) {
	parts := strings.Split(strings.TrimSpace(text), ":")
	switch {
	case parts[0] == privatePrefix && prefix == publicPrefix:
		return "", nil, errors.New("this is the private key, which only the daemon may have: give the public one, which sluice snapshot key printed")
	case parts[0] == publicPrefix && prefix == privatePrefix:
		return "", nil, errors.New("this is the public key, which cannot sign: give the private one, which sluice snapshot key wrote to its file")
	case len(parts) != 3 || parts[0] != prefix || !keyID.MatchString(parts[1]):
		return "", nil, fmt.Errorf("not a key of the form %s:ID:BASE64; sluice snapshot key makes one", prefix)
	}
	raw, err = base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(raw) != size {
		return "", nil, fmt.Errorf("key %s is not base64 of %d bytes; sluice snapshot key makes one", parts[1], size)
	}
	return parts[1], raw, nil
}

// ParsePublicKeys reads the keys that are trusted. The same key given twice is one; two
// keys of one id are an error.
func ParsePublicKeys(texts []string) ([]PublicKey, error) {
	var keys []PublicKey
	seen := map[string]PublicKey{}
	for i, text := range texts {
		k, err := ParsePublicKey(text)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		if other, twice := seen[k.id]; twice {
			if !other.key.Equal(k.key) {
				return nil, fmt.Errorf("two different keys have the id %s", k.id)
			}
			continue
		}
		seen[k.id] = k
		keys = append(keys, k)
	}
	return keys, nil
}

// ID tells the key from others.
func (k PrivateKey) ID() string { return k.id }

// Public is the key that verifies what this one signs.
func (k PrivateKey) Public() PublicKey {
	return PublicKey{id: k.id, key: ed25519.PublicKey(k.key[ed25519.SeedSize:])}
}

// Reveal writes the private key as ParsePrivateKey reads it.
func (k PrivateKey) Reveal() string {
	return privatePrefix + ":" + k.id + ":" + base64.StdEncoding.EncodeToString(k.key.Seed())
}

// Format shows the id alone, whatever the verb.
func (k PrivateKey) Format(s fmt.State, _ rune) { fmt.Fprint(s, privatePrefix+":"+k.id+":***") }

// MarshalText shows the id alone.
func (k PrivateKey) MarshalText() ([]byte, error) { return fmt.Append(nil, k), nil }

// ID tells the key from others.
func (k PublicKey) ID() string { return k.id }

// String writes the key as ParsePublicKey reads it.
func (k PublicKey) String() string {
	return publicPrefix + ":" + k.id + ":" + base64.StdEncoding.EncodeToString(k.key)
}
