package forge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/google/go-github/v57/github"

	"github.com/sluicehq/sluice/internal/redact"
)

// GitHubOptions of one repository at GitHub. Printing them shows no secret.
type GitHubOptions struct {
	URL        string    // of an Enterprise server, https://github.example.com; github.com when empty
	Repository string    // OWNER/NAME
	Token      string    // a personal access token; or App
	App        GitHubApp // to sign in as an app, where there is no token
	Gateway    *Gateway  // shared by sources with the same credentials; one of its own when nil
	Now        func() time.Time
}

// String names the repository alone.
func (o GitHubOptions) String() string { return "GitHub " + o.Repository }

// GoString is String, so that %#v shows no secret either.
func (o GitHubOptions) GoString() string { return o.String() }

// LogValue is String, for structured logs.
func (o GitHubOptions) LogValue() slog.Value { return slog.StringValue(o.String()) }

// MarshalText is String, so that encoders write no secret.
func (o GitHubOptions) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// GitHub is one repository at GitHub or an Enterprise server of it.
type GitHub struct {
	owner, name string
	host        string
	client      *github.Client
	token       string     // personal
	app         *githubApp // nil with a personal token

	mu sync.Mutex
	me string // login, once it is known
}

var (
	_ Host      = (*GitHub)(nil)
	_ Annotator = (*GitHub)(nil)
)

// NewGitHub returns the repository at GitHub. It asks the server nothing: that it
// is away is no reason not to start.
func NewGitHub(o GitHubOptions) (*GitHub, error) {
	owner, name, ok := strings.Cut(o.Repository, "/")
	if !ok || owner == "" || name == "" || strings.ContainsAny(name, "/?#") {
		return nil, fmt.Errorf("github: repository %q is not of the form OWNER/NAME", o.Repository)
	}
	base, err := githubAPI(o.URL)
	if err != nil {
		return nil, err
	}
	if o.Gateway == nil {
		o.Gateway = NewGateway(GatewayOptions{Host: githubHost(base), Now: o.Now})
	}
	g := &GitHub{owner: owner, name: strings.TrimSuffix(name, ".git"), host: o.Gateway.Host(), token: o.Token}
	switch {
	case o.Token != "" && o.App.ID != 0:
		return nil, errors.New("github: both a token and an app: choose one")
	case o.App.ID != 0:
		api := githubClient(o.Gateway, base, &githubDoor{next: o.Gateway})
		if g.app, err = newGitHubApp(o.App, g.owner, g.name, api, o.Gateway, o.Now); err != nil {
			return nil, err
		}
	case o.Token == "":
		return nil, errors.New("github: neither a token nor an app to sign in with")
	}
	door := &githubDoor{next: o.Gateway, token: g.GitToken}
	if g.app != nil {
		door.renew = g.app.forget
	}
	g.client = githubClient(o.Gateway, base, door)
	return g, nil
}

// String names the repository alone, so that printing it shows no secret.
func (g *GitHub) String() string { return g.host + " " + g.owner + "/" + g.name }

// GoString is String.
func (g *GitHub) GoString() string { return g.String() }

// githubAPI is where the API of a server is.
func githubAPI(server string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(cmp.Or(server, "https://github.com"), "/"))
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("github: url %q is not of the form https://host", redact.URL(server))
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("github: url %q has more than a host and a path", redact.URL(server))
	}
	switch host := strings.ToLower(u.Host); {
	case host == "github.com" || host == "www.github.com":
		u.Host = "api.github.com"
	case strings.HasSuffix(host, ".ghe.com") && !strings.HasPrefix(host, "api."):
		u.Host = "api." + host
	case strings.HasPrefix(host, "api.") || strings.HasSuffix(u.Path, "/api/v3"):
	default:
		u.Path += "/api/v3"
	}
	u.Path += "/"
	return u, nil
}

// githubHost names the server for people.
func githubHost(api *url.URL) string { return strings.TrimPrefix(api.Host, "api.") }

// githubClient speaks through the gateway.
func githubClient(g *Gateway, base *url.URL, door *githubDoor) *github.Client {
	through := g.Client()
	through.Transport = door
	client := github.NewClient(through)
	client.BaseURL, client.UserAgent = base, "sluice"
	return client
}

// githubDoor signs requests and makes errors of refusals.
type githubDoor struct {
	next  *Gateway
	token func(context.Context) (string, error) // nil where the request is signed already
	renew func()                                // forgets a token that is refused; nil where there is no other
}

// RoundTrip sends one request and returns its answer when that is a success. A
// token that was taken back before its time is replaced once.
func (d *githubDoor) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := d.send(req)
	if e, ok := errors.AsType[*AnswerError](err); !ok || e.Status != http.StatusUnauthorized || d.renew == nil {
		return resp, err
	}
	again := req.Clone(req.Context())
	if req.Body != nil {
		if req.GetBody == nil {
			return resp, err
		}
		body, bodyErr := req.GetBody()
		if bodyErr != nil {
			return resp, err
		}
		again.Body = body
	}
	d.renew()
	return d.send(again)
}

func (d *githubDoor) send(req *http.Request) (*http.Response, error) {
	if d.token != nil {
		token, err := d.token(req.Context())
		if err != nil {
			if req.Body != nil {
				req.Body.Close() // it is not sent
			}
			return nil, err
		}
		req = req.Clone(req.Context())
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := d.next.RoundTrip(req)
	if err != nil || resp.StatusCode < 400 {
		return resp, err
	}
	return nil, refusal(d.next.Host(), req, resp)
}

// GitToken is what Git signs in with: the personal token, or one of the app's
// installation, which ends within the hour. It suits gitsource.Auth.TokenSource.
func (g *GitHub) GitToken(ctx context.Context) (string, error) {
	if g.app == nil {
		return g.token, nil
	}
	return g.app.installationToken(ctx)
}

// login is the user that Sluice writes as.
func (g *GitHub) login(ctx context.Context) (string, error) {
	g.mu.Lock()
	me := g.me
	g.mu.Unlock()
	if me != "" {
		return me, nil
	}
	me, err := g.askLogin(ctx)
	if err != nil {
		return "", err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.me = me
	return me, nil
}

func (g *GitHub) askLogin(ctx context.Context) (string, error) {
	if g.app != nil {
		return g.app.login(ctx)
	}
	user, _, err := g.client.Users.Get(ctx, "")
	if err != nil {
		return "", g.failed("ask whose the token is", err)
	}
	if user.GetLogin() == "" {
		return "", fmt.Errorf("github: %s does not say whose the token is", g.host)
	}
	return user.GetLogin(), nil
}

// failed says what was tried.
func (g *GitHub) failed(what string, err error) error {
	return fmt.Errorf("github: %s: %w", what, bare(err))
}

// bare is an error without the client's own words around it, which name the
// address once more.
func bare(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// maxGitHubPages bounds a list: 100 on each page.
const maxGitHubPages = 50

// githubList reads all pages of a list.
func githubList[T any](read func(github.ListOptions) ([]T, *github.Response, error)) ([]T, error) {
	var all []T
	page := github.ListOptions{PerPage: 100}
	for range maxGitHubPages {
		some, answer, err := read(page)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		switch {
		case answer.NextPage > page.Page:
			page.Page = answer.NextPage
		// A full page may be an old answer that is still true, but was the last one then.
		case len(some) >= page.PerPage:
			page.Page = max(page.Page, 1) + 1
		default:
			return all, nil
		}
	}
	return nil, fmt.Errorf("%w: more than %d pages", ErrTerminal, maxGitHubPages)
}
