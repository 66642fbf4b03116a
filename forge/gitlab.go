package forge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"
)

// GitLabOptions say which project of which server to speak with.
type GitLabOptions struct {
	URL        string // of the server; "" is https://gitlab.com
	Repository string // group/project, with subgroups where there are any
	// Token is an access token with the scope api and the role Developer, or
	// Maintainer where the branches are protected.
	Token string
	// Gateway is shared by sources with the same credentials; one of its own when nil.
	Gateway *Gateway
}

// String names the project alone.
func (o GitLabOptions) String() string { return "GitLab " + o.Repository }

// GoString is String, so that %#v shows no secret either.
func (o GitLabOptions) GoString() string { return o.String() }

// GitLab is a project at a GitLab server. What other forges call a pull request
// is a merge request here.
type GitLab struct {
	api     *gitlab.Client
	url     string // of the project's page
	project string
	me      whoami
}

var (
	_ Host      = (*GitLab)(nil)
	_ Annotator = (*GitLab)(nil)
)

// NewGitLab returns the forge of a project. It asks the server nothing: one
// that is down does not keep Sluice from starting. Its error names the option.
func NewGitLab(o GitLabOptions) (*GitLab, error) {
	server, err := serverURL(cmp.Or(o.URL, "https://gitlab.com"))
	if err != nil {
		return nil, fmt.Errorf("gitlab: %w", err)
	}
	project := strings.TrimSuffix(o.Repository, ".git")
	if !strings.Contains(project, "/") || strings.Contains("/"+project+"/", "//") {
		return nil, fmt.Errorf("gitlab: repository %q is not of the form group/project", o.Repository)
	}
	if o.Token == "" {
		return nil, errors.New("gitlab: no token")
	}
	api, err := gitlab.NewClient(o.Token,
		gitlab.WithBaseURL(server.String()), gitlab.WithHTTPClient(refusingClient(o.Gateway, server)),
		// Waiting and trying again is decided in one place, which is not the SDK.
		gitlab.WithoutRetries(), gitlab.WithCustomLimiter(noLimit{}))
	if err != nil {
		return nil, fmt.Errorf("gitlab: %w", err)
	}
	return &GitLab{api: api, url: server.String() + "/" + project, project: project}, nil
}

// noLimit lets everything through.
type noLimit struct{}

func (noLimit) Wait(ctx context.Context) error { return ctx.Err() }

// PullRef is the ref of a merge request's head, which GitLab keeps for forks too.
func (g *GitLab) PullRef(number int) string {
	return fmt.Sprintf("refs/merge-requests/%d/head", number)
}

// login is the user that the token belongs to.
func (g *GitLab) login(ctx context.Context) (string, error) {
	return g.me.login(func() (string, error) {
		user, _, err := g.api.Users.CurrentUser(gitlab.WithContext(ctx))
		if err != nil {
			return "", g.failed("ask whose the token is", err)
		}
		return user.Username, nil
	})
}

// failed says what was tried.
func (g *GitLab) failed(what string, err error) error { return failed("gitlab", what, err) }

// gitlabList reads a list to its end.
func gitlabList[T any](read func(gitlab.ListOptions) ([]T, *gitlab.Response, error), failed func(error) error) ([]T, error) {
	var all []T
	page := int64(1)
	for range maxPages {
		some, answer, err := read(gitlab.ListOptions{Page: page, PerPage: 100})
		if err != nil {
			return nil, failed(err)
		}
		all = append(all, some...)
		if page = answer.NextPage; page == 0 {
			return all, nil
		}
	}
	return nil, failed(fmt.Errorf("%w: more than %d pages", ErrTerminal, maxPages))
}
