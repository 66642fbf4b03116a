package session

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// Bounds on keys. A weaker one is refused: who guesses a key is everybody.
const (
	minSecret  = 32 // bytes, as long as the hash of HS256
	minLetters = 10 // different bytes of a secret: what is random has more
	minRSA     = 2048
	maxRSA     = 8192
	maxKeys    = 8
)

// key signs and verifies with one algorithm and no other.
type key struct {
	id            string
	method        jwt.SigningMethod
	signs, proves any
}

// Keys are the keys of a server: the first signs, all verify.
type Keys struct {
	first *key
	byID  map[string]*key
}

// ParseKeys reads keys: secrets of HS256, one a line and of 32 bytes at least, and
// RSA private keys of RS256 in PEM. To rotate, put a new one in front, and take the
// old one away when its last session is over. The error says which key is at
// fault, never what it is.
func ParseKeys(text string) (*Keys, error) {
	var all []*key
	for rest := strings.TrimSpace(text); rest != ""; rest = strings.TrimSpace(rest) {
		n := len(all) + 1
		var one *key
		var err error
		if strings.HasPrefix(rest, "-----BEGIN ") {
			block, after := pem.Decode([]byte(rest))
			if block == nil {
				return nil, fmt.Errorf("key %d is no whole PEM block", n)
			}
			one, err = parsePEM(block)
			rest = string(after)
		} else {
			line, after, _ := strings.Cut(rest, "\n")
			one, err = secretKey([]byte(strings.TrimSpace(line)))
			rest = after
		}
		if err != nil {
			return nil, fmt.Errorf("key %d %w", n, err)
		}
		all = append(all, one)
	}
	return newKeys(all)
}

func newKeys(all []*key) (*Keys, error) {
	if len(all) == 0 || len(all) > maxKeys {
		return nil, fmt.Errorf("there are %d keys, between 1 and %d are needed", len(all), maxKeys)
	}
	k := &Keys{first: all[0], byID: make(map[string]*key, len(all))}
	for i, one := range all {
		if k.byID[one.id] != nil {
			return nil, fmt.Errorf("key %d is there twice", i+1)
		}
		k.byID[one.id] = one
	}
	return k, nil
}

func secretKey(secret []byte) (*key, error) {
	if len(secret) < minSecret {
		return nil, fmt.Errorf("has %d bytes, at least %d are needed: make one with `openssl rand -hex 32`", len(secret), minSecret)
	}
	if len(slices.Compact(slices.Sorted(slices.Values(secret)))) < minLetters {
		return nil, errors.New("repeats itself too much to be random: make one with `openssl rand -hex 32`")
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("sluice key id"))
	return &key{id: shortID(mac.Sum(nil)), method: jwt.SigningMethodHS256, signs: secret, proves: secret}, nil
}

func parsePEM(block *pem.Block) (*key, error) {
	private, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		other, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("is a %s, an RSA PRIVATE KEY or PRIVATE KEY without a passphrase is needed", block.Type)
		}
		var ok bool
		if private, ok = other.(*rsa.PrivateKey); !ok {
			return nil, errors.New("is not an RSA key")
		}
	}
	if bits := private.N.BitLen(); bits < minRSA || bits > maxRSA {
		return nil, fmt.Errorf("has %d bits, between %d and %d are needed", bits, minRSA, maxRSA)
	}
	public := sha256.Sum256(x509.MarshalPKCS1PublicKey(&private.PublicKey))
	return &key{id: shortID(public[:]), method: jwt.SigningMethodRS256, signs: private, proves: &private.PublicKey}, nil
}

func shortID(sum []byte) string { return hex.EncodeToString(sum[:8]) }

// NewSecret makes a key of 256 random bits, as ParseKeys reads it.
func NewSecret() string {
	random := make([]byte, 32)
	rand.Read(random)
	return hex.EncodeToString(random)
}
