package api

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/web"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

const (
	// maxCommits is how many commits of a source its page shows.
	maxCommits = 30
	// maxParts is how many profiles of one commit it shows.
	maxParts = 12
)

// sourceForms are the forms of the sources' pages.
func (a *API) sourceForms() []route {
	return []route{{"POST", "/sources/:id/sync", operator, 30, smallBody, prompt, a.submits(a.sourcePage, a.submitSync)}}
}

func (a *API) sourcesPage(c echo.Context) (web.Page, error) {
	sources, err := a.sourceItems(c.Request().Context(), who(c).scope)
	if err != nil {
		return web.Page{}, err
	}
	return web.Page{Title: "Sources", Section: web.Sources, Body: "sources", View: web.SourcesView{Items: sources}, Live: true}, nil
}

// sourceItems are the sources within a scope, each with how many of its files cannot be used.
func (a *API) sourceItems(ctx context.Context, scope profile.Scope) ([]web.SourceItem, error) {
	sources, err := a.opts.Store.SourcesWithin(ctx, scope)
	if err != nil {
		return nil, err
	}
	unusable, err := a.opts.Store.ProblemCounts(ctx, scope)
	return convert(sources, func(s store.Source) web.SourceItem {
		return web.SourceItem{Source: wireSource(s), Unusable: unusable[s.ID]}
	}), err
}

// submitSync has a source looked at, and goes to where it is seen what comes of it.
func (a *API) submitSync(c echo.Context) (string, error) {
	return "/sources/" + c.Param("id"), a.askForSync(c, c.Param("id"))
}

// sourcePage is one source with its newest commits and what they became.
func (a *API) sourcePage(c echo.Context) (web.Page, error) {
	ctx, id, scope := c.Request().Context(), c.Param("id"), who(c).scope
	source, err := a.opts.Store.Source(ctx, id)
	if err != nil {
		return web.Page{}, err
	}
	view := web.SourceView{Source: wireSource(source)}
	if view.Asked, err = a.askedForSync(ctx, id, scope); err != nil {
		return web.Page{}, err
	}
	problems, err := a.opts.Store.Problems(ctx, id)
	if err != nil {
		return web.Page{}, err
	}
	for _, p := range problems {
		if scope.Everything() || p.Profile != "" && scope.HasName(p.Profile) {
			view.Problems = append(view.Problems, web.SourceProblem{Path: p.Path, Profile: p.Profile, Commit: p.Commit, Message: p.Message, Since: p.Since})
		}
	}
	commits, err := a.opts.Store.SourceCommits(ctx, id, scope, maxCommits)
	if err != nil {
		return web.Page{}, err
	}
	view.Commits = convert(commits, viewCommit)
	if err := a.knowProfiles(ctx, &view); err != nil {
		return web.Page{}, err
	}
	return web.Page{Title: id, Section: web.Sources, Body: "source", View: view, Live: true}, nil
}

// knowProfiles marks what a page may lead to: of a file that never became a version
// there is no profile to look at.
func (a *API) knowProfiles(ctx context.Context, view *web.SourceView) error {
	var names []string
	for _, p := range view.Problems {
		names = append(names, p.Profile)
	}
	for _, c := range view.Commits {
		for _, part := range c.Parts {
			names = append(names, part.Profile)
		}
	}
	slices.Sort(names)
	owners, err := a.opts.Store.ProfileOwners(ctx, slices.Compact(names))
	if err != nil {
		return err
	}
	for i := range view.Problems {
		_, view.Problems[i].Known = owners[view.Problems[i].Profile]
	}
	for _, c := range view.Commits {
		for i := range c.Parts {
			_, c.Parts[i].Known = owners[c.Parts[i].Profile]
		}
	}
	return nil
}

// askedForSync is who had the source looked at last. It is nil for a caller who
// does not see events about sources.
func (a *API) askedForSync(ctx context.Context, id string, scope profile.Scope) (*web.Asked, error) {
	events, _, err := a.opts.Store.Audit(ctx, store.AuditFilter{EntityType: "source", EntityID: id, EventType: factSyncAsked, Scope: scope, Limit: 1})
	if err != nil || len(events) == 0 {
		return nil, err
	}
	return &web.Asked{By: events[0].Fact.Actor, At: events[0].At}, nil
}

func viewCommit(c store.SourceCommit) web.SourceCommit {
	out := web.SourceCommit{Commit: c.Commit, At: c.At}
	if len(c.Versions) > 0 {
		first := c.Versions[0]
		out.Message, out.Author, out.PullRequest = first.Message, first.Author, first.PullRequest
	}
	parts := partsOf(c, &out)
	shown := min(len(parts), maxParts)
	out.Parts = parts[:shown]
	out.More = max(len(parts), c.VersionCount) - shown
	return out
}

// partsOf is what a commit became, profile by profile: those that failed first.
func partsOf(c store.SourceCommit, out *web.SourceCommit) []web.CommitPart {
	statuses := map[string]wire.CommitStatus{}
	for _, s := range c.Statuses {
		status := wireStatus(s)
		if s.Context == rollout.AggregateContext {
			out.Whole = &status
		} else {
			statuses[s.Context] = status
		}
	}
	deployments := map[string]rollout.Deployment{}
	for _, d := range slices.Backward(c.Deployments) { // the newest of a profile wins
		deployments[d.Profile] = d
	}
	var parts []web.CommitPart
	for _, v := range c.Versions {
		d := deployments[v.Profile]
		part := web.CommitPart{Profile: v.Profile, Version: v.Number, Superseded: v.Superseded, Deployment: d.ID, DeploymentState: string(d.State)}
		if status, ok := statuses[rollout.Context(v.Profile)]; ok {
			part.Status = &status
			delete(statuses, rollout.Context(v.Profile))
		}
		parts = append(parts, part)
	}
	for context, status := range statuses {
		if name, ours := strings.CutPrefix(context, rollout.AggregateContext+"/"); ours {
			parts = append(parts, web.CommitPart{Profile: name, Status: &status})
		}
	}
	slices.SortFunc(parts, func(a, b web.CommitPart) int {
		return cmp.Or(cmp.Compare(urgency(a), urgency(b)), cmp.Compare(a.Profile, b.Profile), cmp.Compare(a.Version, b.Version))
	})
	return parts
}

// urgency puts what needs a look before what goes on, and that before what is done.
func urgency(p web.CommitPart) int {
	switch {
	case p.Status == nil:
		return 2
	case p.Status.State == string(rollout.StatusFailure), p.Status.State == string(rollout.StatusError), p.Status.PostError != "":
		return 0
	case p.Status.State == string(rollout.StatusPending):
		return 1
	}
	return 2
}
