package sso

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Errors of a sign-in.
var (
	// ErrAway means that the provider did not answer, or not as one does.
	ErrAway = errors.New("the identity provider does not answer")
	// ErrRefused means that what came back from it proves nothing.
	ErrRefused = errors.New("the identity provider's answer is not good")
)

// Bounds on what a provider may make the server wait for and read.
const (
	answerWithin  = 3 * time.Second
	maxAnswer     = 1 << 20
	discoveredFor = time.Hour
	awayFor       = 5 * time.Second
)

// Options say which provider it is.
type Options struct {
	Name         string // as the button says
	Issuer       string
	ClientID     string
	ClientSecret string // "" for a public client
	RedirectURL  string // where the provider sends people back to
	Scopes       []string
	RolesClaim   string
	Roles        map[string]string // by value of the claim
	Now          func() time.Time  // time.Now when nil
}

// Provider is an identity provider. It is asked what it can when somebody signs in
// and not before: the daemon starts without it.
type Provider struct {
	opts   Options
	client *http.Client

	mu    sync.Mutex
	known *oidc.Provider
	at    time.Time // of the last look
	away  error     // what it came to
}

// New makes a provider.
func New(opts Options) *Provider {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Provider{opts: opts, client: &http.Client{
		Timeout: answerWithin, Transport: capped{http.DefaultTransport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // a secret goes where it was meant to
	}}
}

// Name is what the button calls the provider.
func (p *Provider) Name() string { return p.opts.Name }

// Issuer is the provider's URL.
func (p *Provider) Issuer() string { return p.opts.Issuer }

// NewVerifier makes the secret of one sign-in, of which the provider learns a
// hash first and the rest when the code is exchanged.
func NewVerifier() string { return oauth2.GenerateVerifier() }

// Challenge is what a verifier is recognised by.
func Challenge(verifier string) string { return oauth2.S256ChallengeFromVerifier(verifier) }

// Attempt is one sign-in, as this server began it.
type Attempt struct{ State, Nonce, Verifier string }

// Start gives the URL to send a browser to; ErrAway.
func (p *Provider) Start(ctx context.Context, a Attempt) (string, error) {
	known, err := p.discover(ctx)
	if err != nil {
		return "", err
	}
	return p.config(known).AuthCodeURL(a.State, oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)), nil
}

// Finish takes the code that came back and says who it is. It returns ErrAway,
// ErrRefused, or a *NoRoleError. No error repeats what the provider sent.
func (p *Provider) Finish(ctx context.Context, code string, a Attempt) (Person, error) {
	known, err := p.discover(ctx)
	if err != nil {
		return Person{}, err
	}
	ctx = oidc.ClientContext(ctx, p.client)
	token, err := p.config(known).Exchange(ctx, code, oauth2.VerifierOption(a.Verifier))
	if err != nil {
		return Person{}, exchangeError(err)
	}
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return Person{}, fmt.Errorf("%w: it has no ID token", ErrRefused)
	}
	id, claims, err := p.verify(ctx, known, raw)
	if err != nil {
		return Person{}, err
	}
	if a.Nonce == "" || subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(a.Nonce)) != 1 {
		return Person{}, fmt.Errorf("%w: it is for another sign-in", ErrRefused)
	}
	return personOf(id.Issuer, id.Subject, claims, p.opts.RolesClaim, p.opts.Roles)
}

// algorithms of signatures that only the provider can make: a shared secret, or
// none, is not among them.
var algorithms = []string{
	oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA,
}

func (p *Provider) verify(ctx context.Context, known *oidc.Provider, raw string) (*oidc.IDToken, map[string]any, error) {
	id, err := known.VerifierContext(ctx, &oidc.Config{ClientID: p.opts.ClientID, SupportedSigningAlgs: algorithms, Now: p.opts.Now}).Verify(ctx, raw)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	var claims map[string]any
	if err := id.Claims(&claims); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	// A token for several must say that it was made for this one.
	if azp, ok := claims["azp"]; (ok || len(id.Audience) > 1) && azp != p.opts.ClientID || !slices.Contains(id.Audience, p.opts.ClientID) {
		return nil, nil, fmt.Errorf("%w: it was made for another client", ErrRefused)
	}
	return id, claims, nil
}

func exchangeError(err error) error {
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok && refused.Response != nil {
		if status := refused.Response.StatusCode; status < http.StatusInternalServerError {
			return fmt.Errorf("%w: it takes the code for none, with status %d", ErrRefused, status)
		}
		return fmt.Errorf("%w: status %d", ErrAway, refused.Response.StatusCode)
	}
	return fmt.Errorf("%w: %w", ErrAway, err)
}

// discover asks the provider where its doors are, once in a while.
func (p *Provider) discover(ctx context.Context) (*oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.opts.Now()
	switch {
	case p.known != nil && now.Sub(p.at) < discoveredFor:
		return p.known, nil
	case p.away != nil && now.Sub(p.at) < awayFor:
		return nil, p.away // those who wait do not each wait for it
	}
	p.at = now
	found, err := oidc.NewProvider(oidc.ClientContext(ctx, p.client), p.opts.Issuer)
	if err != nil && p.known != nil {
		return p.known, nil // what it said before does until it answers
	}
	if err != nil {
		p.away = fmt.Errorf("%w: %s", ErrAway, firstOf(err.Error()))
		return nil, p.away
	}
	p.known, p.away = found, nil
	return found, nil
}

func (p *Provider) config(known *oidc.Provider) *oauth2.Config {
	return &oauth2.Config{
		ClientID: p.opts.ClientID, ClientSecret: p.opts.ClientSecret, Endpoint: known.Endpoint(), RedirectURL: p.opts.RedirectURL,
		Scopes: append([]string{oidc.ScopeOpenID}, p.opts.Scopes...),
	}
}

// firstOf cuts an error that may hold a whole page.
func firstOf(text string) string {
	if len(text) > 200 {
		return text[:200] + "..."
	}
	return text
}

// capped bounds the bodies of answers.
type capped struct{ http.RoundTripper }

// RoundTrip asks, and gives at most maxAnswer of the answer.
func (c capped) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	}
	return resp, err
}
