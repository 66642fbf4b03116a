package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"code.gitea.io/sdk/gitea"
)

// PostStatus sets one commit status. Gitea knows Sluice's four states by the same names.
func (g *Gitea) PostStatus(ctx context.Context, s Status) error {
	if err := s.Validate(); err != nil {
		return err
	}
	api, err := g.sdk(ctx)
	if err != nil {
		return err
	}
	_, _, err = api.CreateStatus(g.owner, g.name, s.Commit, gitea.CreateStatusOption{
		State: gitea.StatusState(s.State), Context: s.Context, Description: s.Description, TargetURL: s.TargetURL,
	})
	if err == nil {
		return nil
	}
	what := fmt.Sprintf("post status %s of %s", s.Context, s.Commit)
	if statusOf(err) >= http.StatusInternalServerError && g.gone(api, s.Commit) {
		return fmt.Errorf("gitea: %s: the repository has no such commit: %w", what, ErrTerminal)
	}
	return g.failed(what, err)
}

// gone tells a commit that is not there from a server in trouble: a status on
// either is answered with 500.
func (g *Gitea) gone(api *gitea.Client, commit string) bool {
	_, _, err := api.GetSingleCommit(g.owner, g.name, commit)
	return errors.Is(err, ErrTerminal)
}
