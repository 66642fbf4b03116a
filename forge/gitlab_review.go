package forge

import (
	"context"
	"fmt"
	"net/http"
	"time"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"
)

// Approvals lists who approves the merge request's head. Whether GitLab itself
// drops approvals on a push is a setting of the project, so each is compared
// with when the head came. An approval whose time an older GitLab does not tell
// counts while the merge request has had no other head. GitLab can let people
// approve who may not write: theirs do not count.
func (g *GitLab) Approvals(ctx context.Context, number int) ([]Approval, error) {
	m, err := g.mergeRequest(ctx, number)
	if err != nil {
		return nil, err
	}
	given, _, err := g.api.MergeRequestApprovals.GetConfiguration(g.project, int64(number), gitlab.WithContext(ctx))
	if err != nil {
		return nil, g.failed(fmt.Sprintf("read the approvals of merge request %d", number), err)
	}
	heads, err := g.heads(ctx, number)
	if err != nil {
		return nil, err
	}
	var approvals []Approval
	for _, by := range gitlabApprovals(given.ApprovedBy, heads, m) {
		may, err := g.role(ctx, by.User.ID, by.User.Username)
		if err != nil {
			return nil, err
		}
		if may >= Write {
			approvals = append(approvals, Approval{User: by.User.Username, Commit: m.SHA, At: atOrZero(by.ApprovedAt)})
		}
	}
	return approvals, nil
}

// heads are the states that a merge request was in, newest first.
func (g *GitLab) heads(ctx context.Context, number int) ([]*gitlab.MergeRequestDiffVersion, error) {
	heads, _, err := g.api.MergeRequests.GetMergeRequestDiffVersions(g.project, int64(number),
		&gitlab.GetMergeRequestDiffVersionsOptions{ListOptions: gitlab.ListOptions{PerPage: 100}}, gitlab.WithContext(ctx))
	if err != nil {
		return nil, g.failed(fmt.Sprintf("read the versions of merge request %d", number), err)
	}
	return heads, nil
}

// gitlabApprovals are those given to the head while it was there.
func gitlabApprovals(given []*gitlab.MergeRequestApproverUser, heads []*gitlab.MergeRequestDiffVersion, m *gitlab.BasicMergeRequest) []*gitlab.MergeRequestApproverUser {
	since, ok := headSince(heads, m.SHA)
	if !ok {
		return nil
	}
	var counted []*gitlab.MergeRequestApproverUser
	for _, by := range given {
		if by.User == nil || m.Author != nil && by.User.Username == m.Author.Username {
			continue
		}
		at := atOrZero(by.ApprovedAt)
		switch {
		case by.ApprovedAt == nil && len(heads) > 1:
			continue
		case by.ApprovedAt != nil && (at.Before(since) || m.MergedAt != nil && at.After(*m.MergedAt)):
			continue
		}
		counted = append(counted, by)
	}
	return counted
}

// headSince is when the head last became the head; ok is false when GitLab
// does not know yet, which a moment after a push is so.
func headSince(heads []*gitlab.MergeRequestDiffVersion, head string) (since time.Time, ok bool) {
	for _, v := range heads {
		if at := atOrZero(v.CreatedAt); v.HeadCommitSHA == head && (!ok || at.After(since)) {
			since, ok = at, true
		}
	}
	return since, ok
}

// Permission says what a user may do to the project, by its role there or in a
// group above. What everybody may do to a public project is not counted.
func (g *GitLab) Permission(ctx context.Context, user string) (Permission, error) {
	if noUser(user) {
		return NoPermission, nil
	}
	found, _, err := g.api.Users.ListUsers(&gitlab.ListUsersOptions{Username: &user}, gitlab.WithContext(ctx))
	if err != nil {
		return NoPermission, g.failed("look up user "+user, err)
	}
	if len(found) == 0 {
		return NoPermission, nil
	}
	return g.role(ctx, found[0].ID, user)
}

// role is what a member may do; NoPermission for who is none.
func (g *GitLab) role(ctx context.Context, id int64, user string) (Permission, error) {
	member, _, err := g.api.ProjectMembers.GetInheritedProjectMember(g.project, id, gitlab.WithContext(ctx))
	if statusOf(err) == http.StatusNotFound {
		return NoPermission, nil
	}
	if err != nil {
		return NoPermission, g.failed("read the role of "+user, err)
	}
	if member.State != "active" {
		return NoPermission, nil
	}
	return gitlabPermission(member.AccessLevel), nil
}

// gitlabPermission is what a role may do. Between two roles, the lower counts.
func gitlabPermission(level gitlab.AccessLevelValue) Permission {
	switch {
	case level >= gitlab.OwnerPermissions:
		return Admin
	case level >= gitlab.MaintainerPermissions:
		return Maintain
	case level >= gitlab.DeveloperPermissions:
		return Write
	case level >= gitlab.GuestPermissions:
		return Read
	default:
		return NoPermission
	}
}
