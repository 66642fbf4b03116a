package forge

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-github/v57/github"
)

// GitHubApp signs in as a GitHub App that is installed on the repository.
type GitHubApp struct {
	ID             int64
	InstallationID int64  // 0: found by the repository
	PrivateKey     []byte // PEM
}

// String names the app alone.
func (a GitHubApp) String() string { return fmt.Sprintf("GitHub App %d", a.ID) }

// GoString is String, so that %#v shows no secret either.
func (a GitHubApp) GoString() string { return a.String() }

const (
	// jwtLife is below the ten minutes that GitHub takes at most, for clocks that are off.
	jwtLife = 8 * time.Minute
	// tokenMargin is how long before its end a token is no longer used: a fetch
	// that begins with it has to end with it.
	tokenMargin = 10 * time.Minute
)

// githubApp keeps the token of an app's installation.
type githubApp struct {
	id          int64
	configured  int64 // installation, 0 to find it
	key         *rsa.PrivateKey
	owner, name string
	api         *github.Client
	now         func() time.Time

	asking chan struct{} // holds one while a token is asked for

	mu           sync.Mutex
	installation int64
	token        string
	until        time.Time
}

func newGitHubApp(o GitHubApp, owner, name string, api *github.Client, gate *Gateway, now func() time.Time) (*githubApp, error) {
	key, err := jwt.ParseRSAPrivateKeyFromPEM(o.PrivateKey)
	if err != nil {
		// What the parser says may quote the key.
		return nil, errors.New("github: the app's private key is no RSA key in PEM: take the .pem file that GitHub made for the app")
	}
	if now == nil {
		now = gate.options.Now
	}
	return &githubApp{
		id: o.ID, configured: o.InstallationID, installation: o.InstallationID, key: key, owner: owner, name: name, api: api, now: now,
		asking: make(chan struct{}, 1),
	}, nil
}

// installationToken is the one at hand, or a new one shortly before its end.
func (a *githubApp) installationToken(ctx context.Context) (string, error) {
	if token := a.fresh(); token != "" {
		return token, nil
	}
	select {
	case a.asking <- struct{}{}:
		defer func() { <-a.asking }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	// Whoever asked before may have brought one.
	if token := a.fresh(); token != "" {
		return token, nil
	}
	return a.renew(ctx)
}

// fresh is "" where there is no token that lasts.
func (a *githubApp) fresh() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.until.Sub(a.now()) <= tokenMargin {
		return ""
	}
	return a.token
}

func (a *githubApp) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.token, a.until = "", time.Time{}
}

func (a *githubApp) renew(ctx context.Context) (string, error) {
	id, err := a.findInstallation(ctx)
	if err != nil {
		return "", err
	}
	var answer github.InstallationToken
	if err := a.ask(ctx, http.MethodPost, fmt.Sprintf("app/installations/%d/access_tokens", id), &answer); err != nil {
		a.lookAgain()
		return "", a.notInstalled("token of the app's installation", err)
	}
	if answer.GetToken() == "" || answer.GetExpiresAt().IsZero() {
		return "", errors.New("token of the app's installation: the answer holds none")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.token, a.until = answer.GetToken(), answer.GetExpiresAt().Time
	return a.token, nil
}

// findInstallation asks by the repository where none was configured.
func (a *githubApp) findInstallation(ctx context.Context) (int64, error) {
	a.mu.Lock()
	id := a.installation
	a.mu.Unlock()
	if id != 0 {
		return id, nil
	}
	var answer github.Installation
	if err := a.ask(ctx, http.MethodGet, fmt.Sprintf("repos/%s/%s/installation", a.owner, a.name), &answer); err != nil {
		return 0, a.notInstalled("find the app's installation", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.installation = answer.GetID()
	return a.installation, nil
}

// lookAgain forgets an installation that was found: it may be another by now.
func (a *githubApp) lookAgain() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.installation = a.configured
}

// notInstalled says what a person has to do about an app that GitHub does not
// find; that it is done later is no reason to give up.
func (a *githubApp) notInstalled(what string, err error) error {
	if errors.Is(err, ErrNotFound) {
		return fmt.Errorf("%s: %w: app %d is not installed on %s/%s: install it there", what, ErrAccess, a.id, a.owner, a.name)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// login is the user that the app writes as.
func (a *githubApp) login(ctx context.Context) (string, error) {
	var answer github.App
	if err := a.ask(ctx, http.MethodGet, "app", &answer); err != nil {
		return "", fmt.Errorf("github: ask for the app's name: %w", err)
	}
	if answer.GetSlug() == "" {
		return "", errors.New("github: ask for the app's name: the answer holds none")
	}
	return answer.GetSlug() + "[bot]", nil
}

// ask is one request that the app signs itself.
func (a *githubApp) ask(ctx context.Context, method, path string, answer any) error {
	token, err := a.sign()
	if err != nil {
		return err
	}
	req, err := a.api.NewRequest(method, path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	_, err = a.api.Do(ctx, req, answer)
	return bare(err)
}

// sign makes the token that proves to be the app.
func (a *githubApp) sign() (string, error) {
	now := a.now()
	claims := jwt.RegisteredClaims{
		Issuer:    strconv.FormatInt(a.id, 10),
		IssuedAt:  jwt.NewNumericDate(now.Add(-time.Minute)), // GitHub's clock may be behind
		ExpiresAt: jwt.NewNumericDate(now.Add(jwtLife)),
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodRS256, claims).SignedString(a.key)
	if err != nil {
		return "", errors.New("the app's private key does not sign")
	}
	return token, nil
}
