package secrets

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/store"
)

// keySize is that of a master key in bytes.
const keySize = 32

// Keys are the master keys: the first seals, all of them open. Printing them
// shows their ids.
type Keys struct{ list []key }

// key is a master key and what is made of it: one key never does two things.
type key struct {
	id    string
	aead  cipher.AEAD
	marks []byte // key of the fingerprints
}

var keyID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// NewKey makes a master key as ParseKeys reads it.
func NewKey(id string) (string, error) {
	if !keyID.MatchString(id) {
		return "", fmt.Errorf("the id of a key must be 1 to 32 lower-case letters, digits and dashes")
	}
	random := make([]byte, keySize)
	rand.Read(random)
	return id + ":" + base64.StdEncoding.EncodeToString(random), nil
}

// ParseKeys reads "ID:BASE64,ID:BASE64": the key that seals, then older ones
// that still open. No text is no keys. Its errors never repeat the text.
func ParseKeys(text string) (Keys, error) {
	var keys Keys
	if strings.TrimSpace(text) == "" {
		return keys, nil
	}
	seen := map[string]bool{}
	for i, part := range strings.Split(text, ",") {
		id, encoded, ok := strings.Cut(strings.TrimSpace(part), ":")
		if !ok || !keyID.MatchString(id) {
			return Keys{}, fmt.Errorf("key %d is not ID:BASE64, the id of 1 to 32 lower-case letters, digits and dashes; sluice secrets key makes one", i+1)
		}
		if seen[id] {
			return Keys{}, fmt.Errorf("the id %s is used twice", id)
		}
		seen[id] = true
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return Keys{}, fmt.Errorf("key %s is not base64; sluice secrets key makes one", id)
		}
		one, err := newKey(id, raw)
		if err != nil {
			return Keys{}, err
		}
		keys.list = append(keys.list, one)
	}
	return keys, nil
}

func newKey(id string, raw []byte) (key, error) {
	if len(raw) != keySize {
		return key{}, fmt.Errorf("key %s has %d bytes, it must have %d; sluice secrets key makes one", id, len(raw), keySize)
	}
	if repeats(raw) {
		return key{}, fmt.Errorf("key %s is not random; sluice secrets key makes one", id)
	}
	sealing, err := hkdf.Key(sha256.New, raw, nil, "sluice sealed values v1", keySize)
	if err != nil {
		return key{}, err
	}
	marks, err := hkdf.Key(sha256.New, raw, nil, "sluice sealed fingerprints v1", keySize)
	if err != nil {
		return key{}, err
	}
	block, err := aes.NewCipher(sealing)
	if err != nil {
		return key{}, err
	}
	aead, err := cipher.NewGCM(block)
	return key{id: id, aead: aead, marks: marks}, err
}

// repeats finds keys that somebody typed: 32 random bytes have more than 16
// different ones in all but one of 10^8 cases.
func repeats(raw []byte) bool {
	seen := map[byte]bool{}
	for _, b := range raw {
		seen[b] = true
	}
	return len(seen) < keySize/2
}

// IDs lists the keys' ids, that of the one that seals first.
func (k Keys) IDs() []string {
	ids := make([]string, len(k.list))
	for i, one := range k.list {
		ids[i] = one.id
	}
	return ids
}

// Sealing is the id of the key that seals; "" without keys.
func (k Keys) Sealing() string {
	if len(k.list) == 0 {
		return ""
	}
	return k.list[0].id
}

// String shows the keys' ids.
func (k Keys) String() string { return "keys " + strings.Join(k.IDs(), ", ") }

// GoString is String, so that %#v shows no key either.
func (k Keys) GoString() string { return k.String() }

// LogValue is String, for slog.
func (k Keys) LogValue() slog.Value { return slog.StringValue(k.String()) }

func (k Keys) find(id string) (key, bool) {
	for _, one := range k.list {
		if one.id == id {
			return one, true
		}
	}
	return key{}, false
}

// binding is what a box is bound to: copied to another profile or another id it
// does not open.
func binding(name, id string) []byte { return []byte("sluice sealed v1\x00" + name + "\x00" + id) }

// seal encrypts a value, JSON, for one profile.
func (k key) seal(name, id string, value []byte) store.SealedValue {
	nonce := make([]byte, k.aead.NonceSize())
	rand.Read(nonce)
	return store.SealedValue{
		ID: id, Profile: name, KeyID: k.id, Fingerprint: k.fingerprint(name, value),
		Box: k.aead.Seal(nonce, nonce, value, binding(name, id)),
	}
}

// fingerprint is the same for the same value of the same profile, so that a
// value that is given again makes no new version. Without the key it says nothing.
func (k key) fingerprint(name string, value []byte) []byte {
	mac := hmac.New(sha256.New, k.marks)
	fmt.Fprintf(mac, "%d:%s", len(name), name)
	mac.Write(value)
	return mac.Sum(nil)
}

// open decrypts a sealed value of a profile.
func (k Keys) open(v store.SealedValue) (any, error) {
	raw, err := k.openRaw(v)
	if err != nil {
		return nil, err
	}
	return decodeValue(raw)
}

func (k Keys) openRaw(v store.SealedValue) ([]byte, error) {
	one, ok := k.find(v.KeyID)
	if !ok {
		// Another replica may have it already, or have it still.
		return nil, away("is sealed under a key that master_key does not have: " + v.KeyID)
	}
	size := one.aead.NonceSize()
	if len(v.Box) < size {
		return nil, errors.New("is too short to be sealed")
	}
	raw, err := one.aead.Open(nil, v.Box[:size], v.Box[size:], binding(v.Profile, v.ID))
	if err != nil {
		return nil, fmt.Errorf("does not open with key %s: it was changed, or the key is another one of that id", v.KeyID)
	}
	return raw, nil
}

// A value is kept as JSON under one key, so that whatever type it has comes back.
const valueKey = "value"

func encodeValue(v any) []byte { return profile.Canonical(profile.Data{valueKey: v}) }

func decodeValue(raw []byte) (any, error) {
	d, err := profile.DecodeData(raw)
	if err != nil {
		return nil, errors.New("holds no value") // what it holds instead is nobody's business
	}
	return d[valueKey], nil
}
