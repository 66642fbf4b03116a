package session

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// MaxToken is the longest token that is looked at, in bytes.
const MaxToken = 4096

const (
	maxLife = 24 * time.Hour
	leeway  = 30 * time.Second // between the clocks of replicas
)

// ErrRefused is returned for every token that is not good, whatever is wrong with it.
var ErrRefused = errors.New("the token is not good")

// Claims are what a token says. Each is required but Role and Data.
type Claims struct {
	Subject   string // who signed in
	Role      string
	ID        string // unguessable
	Data      map[string]string
	IssuedAt  time.Time
	ExpiresAt time.Time
}

type claims struct {
	jwt.RegisteredClaims
	Roles []string          `json:"roles,omitempty"`
	Data  map[string]string `json:"data,omitempty"`
}

// Signer makes and checks the tokens of one server and one purpose.
type Signer struct {
	Keys     *Keys
	Issuer   string
	Audience string           // the purpose: a token for another one is refused
	Now      func() time.Time // time.Now when nil
}

func (s Signer) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

// Sign makes a token that is good until c.ExpiresAt.
func (s Signer) Sign(c Claims) (string, error) {
	now := jwt.NewNumericDate(s.now())
	made := claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: s.Issuer, Subject: c.Subject, Audience: jwt.ClaimStrings{s.Audience}, ID: c.ID,
			ExpiresAt: jwt.NewNumericDate(c.ExpiresAt), NotBefore: now, IssuedAt: now,
		},
		Data: c.Data,
	}
	if c.Role != "" {
		made.Roles = []string{c.Role}
	}
	token := jwt.NewWithClaims(s.Keys.first.method, made)
	token.Header["kid"] = s.Keys.first.id
	text, err := token.SignedString(s.Keys.first.signs)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return text, nil
}

// Verify checks a token and gives what it says. Everything that is wrong with one
// is ErrRefused: who sent it is told no more.
func (s Signer) Verify(text string) (Claims, error) {
	// Before anything is decoded: neither length nor dots cost memory.
	if s.Keys == nil || len(text) > MaxToken || strings.Count(text, ".") != 2 {
		return Claims{}, ErrRefused
	}
	var c claims
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg(), jwt.SigningMethodRS256.Alg()}), jwt.WithStrictDecoding(),
		jwt.WithExpirationRequired(), jwt.WithNotBeforeRequired(), jwt.WithIssuedAt(), jwt.WithIssuer(s.Issuer), jwt.WithAudience(s.Audience),
		jwt.WithLeeway(leeway), jwt.WithTimeFunc(s.now),
	)
	if _, err := parser.ParseWithClaims(text, &c, s.Keys.find); err != nil {
		return Claims{}, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return c.said()
}

// said takes the claims that the library leaves optional.
func (c claims) said() (Claims, error) {
	if c.Subject == "" || c.ID == "" || c.IssuedAt == nil || len(c.Audience) != 1 || len(c.Roles) > 1 {
		return Claims{}, ErrRefused
	}
	out := Claims{Subject: c.Subject, ID: c.ID, Data: c.Data, IssuedAt: c.IssuedAt.Time, ExpiresAt: c.ExpiresAt.Time}
	if out.ExpiresAt.Sub(out.IssuedAt) > maxLife {
		return Claims{}, ErrRefused
	}
	if len(c.Roles) == 1 {
		out.Role = c.Roles[0]
	}
	return out, nil
}

// find gives the key that a token names, for the algorithm of that key alone.
func (k *Keys) find(token *jwt.Token) (any, error) {
	id, _ := token.Header["kid"].(string)
	found := k.byID[id]
	if found == nil {
		return nil, errors.New("no key has this id")
	}
	if token.Method.Alg() != found.method.Alg() {
		return nil, errors.New("the key is for another algorithm")
	}
	if _, critical := token.Header["crit"]; critical {
		return nil, errors.New("it asks for an extension")
	}
	return found.proves, nil
}
