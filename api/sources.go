package api

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

func (a *API) listSources(c echo.Context) error {
	sources, err := a.opts.Store.SourcesWithin(c.Request().Context(), who(c).scope)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, wholePage(convert(sources, wireSource)))
}

// factSyncAsked is the audit event of a person who has a source looked at.
const factSyncAsked = "source.sync-asked"

func (a *API) syncSource(c echo.Context) error {
	if err := a.askForSync(c, c.Param("id")); err != nil {
		return err
	}
	return c.NoContent(http.StatusAccepted)
}

// askForSync makes a source's reconciler look now; what comes of it is seen in
// the source's position.
func (a *API) askForSync(c echo.Context, id string) error {
	if !a.opts.SyncSource(id) {
		return store.ErrNotFound
	}
	return a.opts.Store.Record(c.Request().Context(), rollout.Fact{
		Type: factSyncAsked, EntityType: "source", EntityID: id, Actor: who(c).name, TraceID: traceID(c),
	})
}

var commitPrefix = regexp.MustCompile(`^[0-9a-f]{7,64}$`)

func (a *API) listStatuses(c echo.Context) error {
	commit := strings.ToLower(c.Param("commit"))
	if !commitPrefix.MatchString(commit) {
		return invalidField("commit", "is a SHA, or at least its first 7 digits")
	}
	statuses, err := a.opts.Store.CommitStatuses(c.Request().Context(), commit)
	if err != nil {
		return err
	}
	if scope := who(c).scope; !scope.Everything() {
		if statuses, err = a.opts.Store.StatusesWithin(c.Request().Context(), scope, statuses); err != nil {
			return err
		}
		if len(statuses) == 0 {
			return store.ErrNotFound
		}
	}
	return c.JSON(http.StatusOK, wholePage(convert(statuses, wireStatus)))
}
