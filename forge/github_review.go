package forge

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-github/v57/github"
)

// Approvals lists who approves the pull request's head, in the order they did.
// Anybody may review at GitHub: who may not write does not count.
func (g *GitHub) Approvals(ctx context.Context, number int) ([]Approval, error) {
	pr, err := g.pull(ctx, number)
	if err != nil {
		return nil, err
	}
	reviews, err := g.reviews(ctx, number)
	if err != nil {
		return nil, err
	}
	var counting []Approval
	for _, a := range githubApprovals(reviews, pr) {
		may, err := g.Permission(ctx, a.User)
		if err != nil {
			return nil, err
		}
		if may >= Write {
			counting = append(counting, a)
		}
	}
	return counting, nil
}

func (g *GitHub) reviews(ctx context.Context, number int) ([]*github.PullRequestReview, error) {
	reviews, err := githubList(func(page github.ListOptions) ([]*github.PullRequestReview, *github.Response, error) {
		return g.client.PullRequests.ListReviews(ctx, g.owner, g.name, number, &page)
	})
	if err != nil {
		return nil, g.failed(fmt.Sprintf("list the reviews of pull request %d", number), err)
	}
	return reviews, nil
}

// githubApprovals takes each person's last word before the merge. Remarks are no
// word, and one that was taken back leaves none. GitHub lists the oldest first.
func githubApprovals(reviews []*github.PullRequestReview, pr *github.PullRequest) []Approval {
	last := map[string]*github.PullRequestReview{}
	for _, r := range reviews {
		user := r.GetUser().GetLogin()
		late := pr.MergedAt != nil && r.GetSubmittedAt().After(pr.GetMergedAt().Time)
		if user == "" || strings.EqualFold(user, pr.GetUser().GetLogin()) || late {
			continue
		}
		switch r.GetState() {
		case "APPROVED", "CHANGES_REQUESTED", "DISMISSED":
			last[user] = r
		}
	}
	var approvals []Approval
	for user, r := range last {
		if r.GetState() == "APPROVED" && r.GetCommitID() == pr.GetHead().GetSHA() {
			approvals = append(approvals, Approval{User: user, Commit: r.GetCommitID(), At: r.GetSubmittedAt().UTC()})
		}
	}
	slices.SortFunc(approvals, func(a, b Approval) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		return strings.Compare(a.User, b.User)
	})
	return approvals
}
