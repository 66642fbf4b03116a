// Package signature signs what is sent to a webhook, and checks it, as Standard
// Webhooks says (https://www.standardwebhooks.com).
package signature

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// secretPrefix begins a secret that is given as Standard Webhooks writes them.
const secretPrefix = "whsec_"

// minKey is the shortest key that signs, in bytes.
const minKey = 32

// Key reads the secret of a webhook: whsec_ and base64, as Standard Webhooks
// writes it, or any text, which is the key as it is. The error does not repeat it.
func Key(secret string) ([]byte, error) {
	key := []byte(secret)
	if encoded, ok := strings.CutPrefix(secret, secretPrefix); ok {
		var err error
		if key, err = base64.StdEncoding.DecodeString(encoded); err != nil {
			return nil, errors.New("begins with whsec_ and is no base64 after it")
		}
	}
	if len(key) < minKey {
		return nil, fmt.Errorf("is a key of %d bytes, at least %d are needed: openssl rand -base64 32 makes one", len(key), minKey)
	}
	return key, nil
}

// Sign adds the headers of Standard Webhooks: an id that stays the same when
// the message is sent again, the time of this attempt, and the signature of
// both with the body.
func Sign(h http.Header, key []byte, id string, at time.Time, body []byte) {
	seconds := strconv.FormatInt(at.Unix(), 10)
	h.Set("Webhook-Id", id)
	h.Set("Webhook-Timestamp", seconds)
	h.Set("Webhook-Signature", version+base64.StdEncoding.EncodeToString(sum(key, id, seconds, body)))
}

// version begins a signature by HMAC with SHA-256.
const version = "v1,"

func sum(key []byte, id, seconds string, body []byte) []byte {
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.", id, seconds)
	mac.Write(body)
	return mac.Sum(nil)
}

// tolerance is how far a message's time may be from now: an older one may have
// been recorded and sent again.
const tolerance = 5 * time.Minute

// Verify checks the headers of a message against its body. The error says what
// is wrong.
func Verify(h http.Header, key []byte, body []byte, now time.Time) error {
	id, seconds := h.Get("Webhook-Id"), h.Get("Webhook-Timestamp")
	at, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || id == "" {
		return errors.New("the headers Webhook-Id and Webhook-Timestamp are missing or not valid")
	}
	if apart := now.Sub(time.Unix(at, 0)).Abs(); apart > tolerance {
		return fmt.Errorf("the message is %s old, at most %s are accepted", apart.Round(time.Second), tolerance)
	}
	want := sum(key, id, seconds, body)
	for one := range strings.FieldsSeq(h.Get("Webhook-Signature")) { // several while keys are changed
		encoded, known := strings.CutPrefix(one, version)
		got, err := base64.StdEncoding.DecodeString(encoded)
		if known && err == nil && hmac.Equal(got, want) {
			return nil
		}
	}
	return errors.New("no signature in Webhook-Signature fits")
}
