package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/web"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

const (
	// newestShown is how many versions and deployments the page of a profile has:
	// their lists have the rest.
	newestShown = 8
	// versionsOffered is how many versions a text field proposes.
	versionsOffered = 200
)

// profilePage shows one profile: what runs, what its origin says, and why they
// differ if they do.
func (a *API) profilePage(c echo.Context) (web.Page, error) {
	ctx, name := c.Request().Context(), c.Param("name")
	k, err := a.keptConfig(c, name)
	if err != nil {
		return web.Page{}, err
	}
	view := web.ProfileView{Settings: settingsText(k.Record.Settings), Denied: deniedNow(a, k.Record)}
	active, err := a.activeOf(ctx, name)
	if err != nil {
		return web.Page{}, err
	}
	view.ProfileRow = profileRow(wholeConfig(k), active)
	if view.Instances, err = a.spread(ctx, view.ProfileRow); err != nil {
		return web.Page{}, err
	}
	if view.Versions, _, err = a.versionRows(ctx, k.Record, newestShown, 0); err != nil {
		return web.Page{}, err
	}
	ran, total, err := a.opts.Store.Deployments(ctx, store.DeploymentFilter{Profile: name, Limit: newestShown})
	if err != nil {
		return web.Page{}, err
	}
	view.Deployments, view.MoreRan = convert(ran, wireDeployment), total-len(ran)
	return web.Page{Title: name, Section: web.Profiles, Body: "profile", View: view, Live: true}, nil
}

// activeOf is the profile's deployment under way, nil for none.
func (a *API) activeOf(ctx context.Context, name string) (*rollout.Deployment, error) {
	d, err := a.opts.Store.ActiveDeployment(ctx, name)
	if errors.Is(err, rollout.ErrNotFound) {
		return nil, nil
	}
	return &d, err
}

// spread is how many instances run which version, in the order from what is
// stable to what is new.
func (a *API) spread(ctx context.Context, row web.ProfileRow) (web.Spread, error) {
	counted, err := a.opts.Store.Spread(ctx, row.Name)
	if err != nil {
		return nil, err
	}
	order := []string{"current", "arriving", "other", "none"}
	out := web.Spread(convert(counted, func(s store.Spread) web.Share {
		share := web.Share{Version: s.Version, Role: "other", Instances: s.Instances, Silent: s.Silent, Failing: s.Failing}
		switch {
		case s.Version == "":
			share.Role = "none"
		case s.Version == row.CurrentVersion:
			share.Role = "current"
		case row.Active != nil && s.Version == row.Active.ConfigVersion:
			share.Role = "arriving"
		}
		return share
	}))
	slices.SortStableFunc(out, func(a, b web.Share) int { return slices.Index(order, a.Role) - slices.Index(order, b.Role) })
	return out, nil
}

// versionRows are versions of a profile, newest first, each with the one before it.
func (a *API) versionRows(ctx context.Context, r profile.Record, limit, offset int) ([]web.VersionRow, int, error) {
	versions, total, err := a.opts.Store.Versions(ctx, r.Name, store.VersionFilter{Limit: limit + 1, Offset: offset})
	if err != nil {
		return nil, 0, err
	}
	var rows []web.VersionRow
	for i, v := range versions[:min(limit, len(versions))] {
		row := web.VersionRow{Version: wireVersion(v), Runs: v.Number == r.CurrentVersion}
		if i+1 < len(versions) {
			row.Before = versions[i+1].Number
		}
		rows = append(rows, row)
	}
	return rows, total, nil
}

// deniedNow is the deny window that is open, nil for none.
func deniedNow(a *API, r profile.Record) *web.Denied {
	until, rule, denied := r.Windows.Denies(a.opts.Store.Clock())
	if !denied {
		return nil
	}
	return &web.Denied{Rule: rule, Until: until.UTC()}
}

// settingsText shows a profile's settings with their secrets masked.
func settingsText(settings map[string]any) string {
	if len(settings) == 0 {
		return ""
	}
	return dataText(settings)
}

// dataText shows data as YAML with its secrets masked.
func dataText(data profile.Data) string {
	return web.YAML(json.RawMessage(profile.Canonical(profile.Mask(data))))
}

// versionsPage lists a profile's versions; any two of them can be compared.
func (a *API) versionsPage(c echo.Context) (web.Page, error) {
	limit, offset, err := paging(c)
	if err != nil {
		return web.Page{}, err
	}
	ctx, name := c.Request().Context(), c.Param("name")
	r, err := a.opts.Store.Profile(ctx, name)
	if err != nil {
		return web.Page{}, err
	}
	rows, total, err := a.versionRows(ctx, r, limit, offset)
	if err != nil {
		return web.Page{}, err
	}
	view := web.VersionsView{Profile: name, Versions: rows, Pager: web.NewPager(c.Request().URL.Path, c.QueryParams(), total, limit, offset, len(rows))}
	if len(rows) > 1 {
		view.From, view.To = rows[1].Version.Version, rows[0].Version.Version
	}
	return web.Page{Title: "Versions of " + name, Section: web.Profiles, Body: "versions", View: view}, nil
}

// versionPage shows one version with its data.
func (a *API) versionPage(c echo.Context) (web.Page, error) {
	ctx, name := c.Request().Context(), c.Param("name")
	k, err := a.keptConfig(c, name)
	if err != nil {
		return web.Page{}, err
	}
	v, err := a.versionOf(ctx, name, c.Param("version"))
	if err != nil {
		return web.Page{}, err
	}
	view := web.VersionView{Version: wireVersion(v), Profile: wireConfig(k.Record, k.Hold), Data: dataText(v.Data)}
	if view.Before, err = a.versionBefore(ctx, name, v.Number); err != nil {
		return web.Page{}, err
	}
	return web.Page{Title: name + " " + v.Number, Section: web.Profiles, Body: "version-page", View: view}, nil
}

// versionBefore is the version that was made before another, "" for none that is
// still there.
func (a *API) versionBefore(ctx context.Context, name, number string) (string, error) {
	const most = 1000
	versions, _, err := a.opts.Store.Versions(ctx, name, store.VersionFilter{Limit: most})
	if err != nil {
		return "", err
	}
	at := slices.IndexFunc(versions, func(v profile.Version) bool { return v.Number == number })
	if at < 0 || at+1 == len(versions) {
		return "", nil
	}
	return versions[at+1].Number, nil
}

// versionOf reads a version; where there is none, its name is said.
func (a *API) versionOf(ctx context.Context, name, number string) (profile.Version, error) {
	v, err := a.opts.Store.Version(ctx, name, number)
	if errors.Is(err, store.ErrNotFound) {
		err = &problem{status: http.StatusNotFound, code: "NOT_FOUND", message: name + " has no version " + number}
	}
	return v, err
}

// diffPage shows what differs between two versions.
func (a *API) diffPage(c echo.Context) (web.Page, error) {
	ctx, name := c.Request().Context(), c.Param("name")
	r, err := a.opts.Store.Profile(ctx, name)
	if err != nil {
		return web.Page{}, err
	}
	rows, _, err := a.versionRows(ctx, r, versionsOffered, 0)
	if err != nil {
		return web.Page{}, err
	}
	view := web.DiffView{Profile: name, From: c.QueryParam("from"), To: c.QueryParam("to")}
	view.Known = convert(rows, func(v web.VersionRow) string { return v.Version.Version })
	if view.From == "" && view.To == "" {
		view.From, view.To = usualPair(r, rows)
	}
	if view.From != "" && view.To != "" {
		if err := a.compare(ctx, &view); err != nil {
			return web.Page{}, err
		}
	}
	return web.Page{Title: "Changes of " + name, Section: web.Profiles, Body: "compared", View: view}, nil
}

// usualPair is what one wants to see first: what the origin says beside what
// runs, or else the newest version beside the one before it.
func usualPair(r profile.Record, rows []web.VersionRow) (from, to string) {
	if r.CurrentVersion != "" && r.DesiredVersion != "" && r.CurrentVersion != r.DesiredVersion {
		return r.CurrentVersion, r.DesiredVersion
	}
	if len(rows) > 0 {
		return rows[0].Before, rows[0].Version.Version
	}
	return "", ""
}

func (a *API) compare(ctx context.Context, view *web.DiffView) error {
	from, err := a.versionOf(ctx, view.Profile, view.From)
	if err != nil {
		return err
	}
	to, err := a.versionOf(ctx, view.Profile, view.To)
	if err != nil {
		return err
	}
	diff := wireDiff(profile.Compare(from.Data, to.Data))
	view.Diff, view.Lines = &diff, web.Lines(dataText(from.Data), dataText(to.Data))
	return nil
}
