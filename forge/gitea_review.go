package forge

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"code.gitea.io/sdk/gitea"
)

// Approvals lists who approves the pull request's head. Reviews that Gitea
// itself does not count, of people who may not write, are left out too.
func (g *Gitea) Approvals(ctx context.Context, number int) ([]Approval, error) {
	pr, merged, err := g.pull(ctx, number)
	if err != nil {
		return nil, err
	}
	api, err := g.sdk(ctx)
	if err != nil {
		return nil, err
	}
	reviews, err := giteaList(func(page gitea.ListOptions) ([]*gitea.PullReview, *gitea.Response, error) {
		return api.ListPullReviews(g.owner, g.name, int64(number), gitea.ListPullReviewsOptions{ListOptions: page})
	}, func(err error) error {
		return g.failed(fmt.Sprintf("list the reviews of pull request %d", number), err)
	})
	if err != nil {
		return nil, err
	}
	return giteaApprovals(reviews, pr, merged), nil
}

// giteaApprovals takes each person's last word before the merge; a word that
// was taken back leaves none.
func giteaApprovals(reviews []*gitea.PullReview, pr PullRequest, merged time.Time) []Approval {
	last := map[string]*gitea.PullReview{}
	for _, r := range reviews {
		verdict := r.State == gitea.ReviewStateApproved || r.State == gitea.ReviewStateRequestChanges
		late := !merged.IsZero() && r.Submitted.After(merged)
		if !verdict || late || r.Reviewer == nil || r.Reviewer.UserName == pr.Author {
			continue
		}
		if before := last[r.Reviewer.UserName]; before == nil || before.ID < r.ID {
			last[r.Reviewer.UserName] = r
		}
	}
	var approvals []Approval
	for user, r := range last {
		if r.State == gitea.ReviewStateApproved && r.Official && !r.Dismissed && !r.Stale && r.CommitID == pr.Head {
			approvals = append(approvals, Approval{User: user, Commit: r.CommitID, At: r.Submitted.UTC()})
		}
	}
	slices.SortFunc(approvals, func(a, b Approval) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.User, b.User))
	})
	return approvals
}

// Permission says what a user may do to the repository; a user that the server
// does not know may nothing.
func (g *Gitea) Permission(ctx context.Context, user string) (Permission, error) {
	if noUser(user) {
		return NoPermission, nil
	}
	api, err := g.sdk(ctx)
	if err != nil {
		return NoPermission, err
	}
	may, _, err := api.CollaboratorPermission(g.owner, g.name, user)
	if statusOf(err) == http.StatusNotFound {
		return NoPermission, nil
	}
	if err != nil {
		return NoPermission, g.failed("read the permission of "+user, err)
	}
	if may == nil {
		return NoPermission, nil
	}
	switch may.Permission {
	case gitea.AccessModeOwner, gitea.AccessModeAdmin:
		return Admin, nil
	case gitea.AccessModeWrite:
		return Write, nil
	case gitea.AccessModeRead:
		return Read, nil
	default:
		return NoPermission, nil
	}
}
