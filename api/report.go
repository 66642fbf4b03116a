package api

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/report"
	"github.com/sluicehq/sluice/store"
)

// deploymentReport tells what a deployment did, as JSON or Markdown.
func (a *API) deploymentReport(c echo.Context) error {
	out, err := a.Report(c.Request().Context(), c.Param("id"))
	if err != nil {
		return err
	}
	switch format := c.QueryParam("format"); {
	case format == "markdown", format == "" && strings.Contains(c.Request().Header.Get(echo.HeaderAccept), "text/markdown"):
		return c.Blob(http.StatusOK, "text/markdown; charset=utf-8", []byte(report.Markdown(out)))
	case format == "", format == "json":
		return c.JSON(http.StatusOK, out)
	}
	return invalidField("format", "is json or markdown")
}

// maxEvents bounds the audit events of a report.
const maxEvents = 200

// Report tells what a deployment did. It returns rollout.ErrNotFound for one
// that there is not.
func (a *API) Report(ctx context.Context, id string) (wire.Report, error) {
	s := a.opts.Store
	d, err := a.wholeDeployment(ctx, id)
	if err != nil {
		return wire.Report{}, err
	}
	checks, err := s.Checks(ctx, id)
	if err != nil {
		return wire.Report{}, err
	}
	events, _, err := s.Audit(ctx, store.AuditFilter{EntityType: "deployment", EntityID: id, Limit: maxEvents})
	if err != nil {
		return wire.Report{}, err
	}
	changes, err := a.changes(ctx, d)
	if err != nil {
		return wire.Report{}, err
	}
	return report.Build(d, convert(checks, wireCheck), convert(events, wireAudit), changes), nil
}

// changes is the difference that a deployment brought; nil when there was no
// version before, or retention has removed one of the two.
func (a *API) changes(ctx context.Context, d wire.Deployment) (*wire.DiffResponse, error) {
	if d.PreviousVersion == "" {
		return nil, nil
	}
	from, err := a.opts.Store.Version(ctx, d.ConfigName, d.PreviousVersion)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	to, err := a.opts.Store.Version(ctx, d.ConfigName, d.ConfigVersion)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := wireDiff(profile.Compare(from.Data, to.Data))
	return &out, nil
}

// wireDiff is a difference with its secrets masked.
func wireDiff(diff profile.Diff) wire.DiffResponse {
	change := func(ch profile.Change) wire.FieldChange {
		return wire.FieldChange{Field: ch.Field, OldValue: ch.Old, NewValue: ch.New}
	}
	masked := diff.Masked()
	return wire.DiffResponse{
		Diff:             wire.Diff{Added: convert(masked.Added, change), Removed: convert(masked.Removed, change), Modified: convert(masked.Modified, change)},
		IsBreakingChange: diff.Breaking(), Bump: diff.Bump().String(),
	}
}
