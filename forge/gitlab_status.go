package forge

import (
	"context"
	"fmt"
	"net/http"
	"unicode/utf8"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"
)

// GitLabErrorPrefix begins the description of a status of the state Error,
// which GitLab does not have.
const GitLabErrorPrefix = "error: "

// gitlabMaxURL is how long a target URL may be; a longer one is left out.
const gitlabMaxURL = 255

// PostStatus sets one commit status. GitLab knows no error: Failure and Error
// both are failed, and the description of an Error begins with "error: ".
//
// GitLab treats a status as a job that runs once, and refuses to say the same
// state again. So what it shows is read first, and only the way from there is
// asked for; see gitlabSteps. The head of a merge request from a fork is on no
// branch of the project, and GitLab has no place for its status: that is terminal.
func (g *GitLab) PostStatus(ctx context.Context, s Status) error {
	if err := s.Validate(); err != nil {
		return err
	}
	// Another replica may post in between: the way is found again.
	const tries = 3
	var refusal error
	for range tries {
		now, err := g.status(ctx, s)
		if err != nil {
			return err
		}
		refusal = nil
		again := false
		for _, state := range gitlabSteps(now, s) {
			if again, refusal = g.setStatus(ctx, s, now, state); refusal != nil {
				break
			}
		}
		if !again {
			return refusal
		}
	}
	// In words only: this one is no refusal for good.
	return fmt.Errorf("gitlab: status %s of %s changes under our hands: %s", s.Context, s.Commit, refusal.Error())
}

// status is what GitLab shows of the context now, nil for nothing.
func (g *GitLab) status(ctx context.Context, s Status) (*gitlab.CommitStatus, error) {
	all, err := gitlabList(func(page gitlab.ListOptions) ([]*gitlab.CommitStatus, *gitlab.Response, error) {
		return g.api.Commits.GetCommitStatuses(g.project, s.Commit, &gitlab.GetCommitStatusesOptions{
			ListOptions: page, Name: &s.Context,
		}, gitlab.WithContext(ctx))
	}, func(err error) error {
		return g.failed(fmt.Sprintf("read status %s of %s", s.Context, s.Commit), err)
	})
	if err != nil {
		return nil, err
	}
	var last *gitlab.CommitStatus
	for _, one := range all {
		if one.Name == s.Context && (last == nil || one.ID > last.ID) {
			last = one
		}
	}
	return last, nil
}

// gitlabSteps are the states to ask for, one after the other, so that what is
// shown now becomes the status: none when it is. A pending description cannot
// be changed but by going on to running, and a running one not at all: that job
// is cancelled and another takes its place.
func gitlabSteps(now *gitlab.CommitStatus, s Status) []gitlab.BuildStateValue {
	want := gitlabState(s.State)
	shown := gitlab.BuildStateValue("")
	if now != nil {
		shown = gitlab.BuildStateValue(now.Status)
		said := now.Description == gitlabDescription(s) && now.TargetURL == gitlabTarget(s)
		if said && (shown == want || shown == gitlab.Running && want == gitlab.Pending) {
			return nil
		}
	}
	if want == gitlab.Pending {
		switch shown {
		case gitlab.Pending:
			return []gitlab.BuildStateValue{gitlab.Running}
		case gitlab.Running:
			return []gitlab.BuildStateValue{gitlab.Canceled, gitlab.Pending}
		}
	}
	return []gitlab.BuildStateValue{want}
}

// setStatus asks for one state. again says that GitLab refused the way there,
// which is another by now.
func (g *GitLab) setStatus(ctx context.Context, s Status, now *gitlab.CommitStatus, state gitlab.BuildStateValue) (again bool, err error) {
	description := gitlabDescription(s)
	o := &gitlab.SetCommitStatusOptions{State: state, Name: &s.Context, Description: &description}
	if target := gitlabTarget(s); target != "" {
		o.TargetURL = &target
	}
	// A newer pipeline of the same commit must not get the rest of the story.
	if now != nil && now.PipelineID != 0 {
		o.PipelineID = &now.PipelineID
	}
	_, _, err = g.api.Commits.SetCommitStatus(g.project, s.Commit, o, gitlab.WithContext(ctx))
	if err == nil {
		return false, nil
	}
	again = Said(err, http.StatusBadRequest, "Cannot transition status")
	return again, g.failed(fmt.Sprintf("post status %s of %s as %s", s.Context, s.Commit, state), err)
}

// gitlabState is GitLab's name for a state.
func gitlabState(s State) gitlab.BuildStateValue {
	switch s {
	case Pending:
		return gitlab.Pending
	case Success:
		return gitlab.Success
	default:
		return gitlab.Failed
	}
}

func gitlabDescription(s Status) string {
	if s.State == Error {
		return GitLabErrorPrefix + s.Description
	}
	return s.Description
}

func gitlabTarget(s Status) string {
	if utf8.RuneCountInString(s.TargetURL) > gitlabMaxURL {
		return ""
	}
	return s.TargetURL
}
