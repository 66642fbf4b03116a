package forge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"code.gitea.io/sdk/gitea"
)

// GiteaOptions say which repository of which server to speak with.
type GiteaOptions struct {
	URL        string // of the server, as people open it: https://gitea.example.com
	Repository string // owner/name
	// Token is an access token of a user that administers the repository: Gitea
	// tells nobody else what others may do. Its scopes: write:repository,
	// write:issue, read:user.
	Token string
	// Gateway is shared by sources with the same credentials; one of its own when nil.
	Gateway *Gateway
}

// String names the repository alone.
func (o GiteaOptions) String() string { return "Gitea " + o.Repository }

// GoString is String, so that %#v shows no secret either.
func (o GiteaOptions) GoString() string { return o.String() }

// Gitea is a repository at a Gitea or Forgejo server.
type Gitea struct {
	owner, name string
	url         string // of the server
	token       string
	client      *http.Client
	me          whoami
}

var (
	_ Host      = (*Gitea)(nil)
	_ Annotator = (*Gitea)(nil)
)

// NewGitea returns the forge of a repository. It asks the server nothing: one
// that is down does not keep Sluice from starting. Its error names the option.
func NewGitea(o GiteaOptions) (*Gitea, error) {
	server, err := serverURL(o.URL)
	if err != nil {
		return nil, fmt.Errorf("gitea: %w", err)
	}
	owner, name, ok := strings.Cut(o.Repository, "/")
	if !ok || owner == "" || name == "" || strings.Contains(name, "/") {
		return nil, fmt.Errorf("gitea: repository %q is not of the form owner/name", o.Repository)
	}
	if o.Token == "" {
		return nil, errors.New("gitea: no token")
	}
	return &Gitea{
		url: server.String(), owner: owner, name: strings.TrimSuffix(name, ".git"), token: o.Token, client: refusingClient(o.Gateway, server),
	}, nil
}

// PullRef is the ref of a pull request's head, which Gitea keeps for forks too.
func (g *Gitea) PullRef(number int) string {
	return fmt.Sprintf("refs/pull/%d/head", number)
}

// sdk is a client for one call: the SDK's context belongs to the whole client,
// and a shared one would cancel other people's calls. Made without the server's
// version, it costs no request.
func (g *Gitea) sdk(ctx context.Context) (*gitea.Client, error) {
	return gitea.NewClient(g.url, gitea.SetContext(ctx), gitea.SetHTTPClient(g.client), gitea.SetToken(g.token), gitea.SetGiteaVersion(""))
}

// call speaks with an address that the SDK does not know. in and out may be nil.
func (g *Gitea) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	place := g.url + "/api/v1/repos/" + url.PathEscape(g.owner) + "/" + url.PathEscape(g.name) + path
	req, err := http.NewRequestWithContext(ctx, method, place, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "token "+g.token)
	req.Header.Set("Accept", "application/json")
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	answer, err := g.client.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if out == nil {
		return nil
	}
	return json.NewDecoder(answer.Body).Decode(out)
}

// login is the user that the token belongs to.
func (g *Gitea) login(ctx context.Context) (string, error) {
	return g.me.login(func() (string, error) {
		api, err := g.sdk(ctx)
		if err != nil {
			return "", err
		}
		user, _, err := api.GetMyUserInfo()
		if err != nil {
			return "", g.failed("ask whose the token is", err)
		}
		return user.UserName, nil
	})
}

// failed says what was tried.
func (g *Gitea) failed(what string, err error) error { return failed("gitea", what, err) }
