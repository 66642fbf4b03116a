package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/sluicehq/sluice/api/wire"
)

// List is a page to ask for; the zero value asks for the first one of the server's own length.
type List struct {
	Limit, Offset int
}

func (l List) query(pairs ...string) url.Values {
	q := url.Values{}
	if l.Limit > 0 {
		q.Set("limit", strconv.Itoa(l.Limit))
	}
	if l.Offset > 0 {
		q.Set("offset", strconv.Itoa(l.Offset))
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}

// All calls list for page after page and returns every item.
func All[T any](ctx context.Context, list func(context.Context, List) (wire.Page[T], error)) ([]T, error) {
	var items []T
	for at := (List{Limit: 100}); ; {
		page, err := list(ctx, at)
		if err != nil {
			return nil, err
		}
		items = append(items, page.Items...)
		if !page.HasMore || len(page.Items) == 0 {
			return items, nil
		}
		at.Offset += len(page.Items)
	}
}

// ConfigFilter narrows Configs; empty fields do not.
type ConfigFilter struct {
	List
	Environment, ServiceType, Source string
	Held                             bool // only profiles on hold
}

// Login trades a user's name and password for a bearer token.
func (c *Client) Login(ctx context.Context, username, password string) (wire.LoginResponse, error) {
	var out wire.LoginResponse
	body := wire.LoginRequest{Username: username, Password: password}
	err := c.do(ctx, call{method: http.MethodPost, path: pathf("authentication", "login"), body: body}, &out)
	return out, err
}

// Configs lists profiles.
func (c *Client) Configs(ctx context.Context, f ConfigFilter) (wire.Page[wire.Config], error) {
	held := ""
	if f.Held {
		held = "true"
	}
	q := f.query("environment", f.Environment, "serviceType", f.ServiceType, "source", f.Source, "held", held)
	return get[wire.Page[wire.Config]](ctx, c, pathf("configs"), q)
}

// Config returns one profile.
func (c *Client) Config(ctx context.Context, name string) (wire.Config, error) {
	return get[wire.Config](ctx, c, pathf("configs", name), nil)
}

// Versions lists a profile's versions, newest first.
func (c *Client) Versions(ctx context.Context, name string, l List) (wire.Page[wire.Version], error) {
	return get[wire.Page[wire.Version]](ctx, c, pathf("configs", name, "versions"), l.query())
}

// VersionsTagged is Versions of only those with a tag; an empty tag is every one.
func (c *Client) VersionsTagged(ctx context.Context, name, tag string, l List) (wire.Page[wire.Version], error) {
	return get[wire.Page[wire.Version]](ctx, c, pathf("configs", name, "versions"), l.query("tags", tag))
}

// Version returns one version with its data, secrets masked.
func (c *Client) Version(ctx context.Context, name, version string) (wire.Version, error) {
	return get[wire.Version](ctx, c, pathf("configs", name, "versions", version), nil)
}

// Diff returns what differs between two versions of a profile.
func (c *Client) Diff(ctx context.Context, name, from, to string) (wire.DiffResponse, error) {
	return get[wire.DiffResponse](ctx, c, pathf("configs", name, "versions", from, "diff", to), nil)
}

// DiffText returns the same as a unified diff.
func (c *Client) DiffText(ctx context.Context, name, from, to string) (string, error) {
	var out string
	k := call{method: http.MethodGet, path: pathf("configs", name, "versions", from, "diff", to), again: true,
		header: http.Header{"Accept": {"text/plain"}}}
	err := c.do(ctx, k, &out)
	return out, err
}

// RollbackConfig brings an earlier version of a profile back at once and puts the profile on hold.
// An empty toVersion means the version before. Calling it again while it works does no harm.
func (c *Client) RollbackConfig(ctx context.Context, name, toVersion, reason string) (wire.Deployment, error) {
	var out wire.Deployment
	body := wire.ReasonRequest{Reason: reason, ToVersion: toVersion}
	err := c.do(ctx, call{method: http.MethodPost, path: pathf("configs", name, "rollback"), body: body}, &out)
	return out, err
}

// PreviewRollbackConfig says what RollbackConfig would do now.
func (c *Client) PreviewRollbackConfig(ctx context.Context, name, toVersion string) (wire.RollbackPreview, error) {
	return get[wire.RollbackPreview](ctx, c, pathf("configs", name, "rollback"), List{}.query("toVersion", toVersion))
}

// ReleaseConfig ends a profile's hold.
func (c *Client) ReleaseConfig(ctx context.Context, name, reason string) error {
	k := call{method: http.MethodPost, path: pathf("configs", name, "release"), body: wire.ReasonRequest{Reason: reason}}
	return c.do(ctx, k, nil)
}

// Statuses lists a commit's statuses as they should be and as they were posted. The commit may be
// shortened to what is unique, seven digits at least.
func (c *Client) Statuses(ctx context.Context, commit string) ([]wire.CommitStatus, error) {
	page, err := get[wire.Page[wire.CommitStatus]](ctx, c, pathf("statuses", commit), nil)
	return page.Items, err
}

// Sources lists the watched repositories with their sync positions.
func (c *Client) Sources(ctx context.Context) ([]wire.Source, error) {
	page, err := get[wire.Page[wire.Source]](ctx, c, pathf("sources"), nil)
	return page.Items, err
}

// SyncSource asks for a sync now; it does not wait for its end.
func (c *Client) SyncSource(ctx context.Context, id string) error {
	return c.do(ctx, call{method: http.MethodPost, path: pathf("sources", id, "sync"), again: true}, nil)
}

// Tokens lists the named API tokens, without the tokens themselves.
func (c *Client) Tokens(ctx context.Context) ([]wire.Token, error) {
	page, err := get[wire.Page[wire.Token]](ctx, c, pathf("tokens"), nil)
	return page.Items, err
}

// CreateToken makes a named API token; the answer is the only one that holds the token itself.
func (c *Client) CreateToken(ctx context.Context, req wire.TokenRequest) (wire.Token, error) {
	var out wire.Token
	err := c.do(ctx, call{method: http.MethodPost, path: pathf("tokens"), body: req}, &out)
	return out, err
}

// RevokeToken ends a token by its ID.
func (c *Client) RevokeToken(ctx context.Context, id string) error {
	return c.do(ctx, call{method: http.MethodDelete, path: pathf("tokens", id)}, nil)
}

func get[T any](ctx context.Context, c *Client, path string, q url.Values) (T, error) {
	var out T
	err := c.do(ctx, call{method: http.MethodGet, path: path, query: q, again: true}, &out)
	return out, err
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
