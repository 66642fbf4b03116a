package api

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/store"
)

const (
	inlineLimit = 32 << 10 // larger data is fetched apart
	maxPollWait = 55 * time.Second
)

// ProfileTopic is the message "the assignments of this profile changed".
func ProfileTopic(profileName string) string { return "profile/" + profileName }

// assignments is what an instance should run, ready to send.
func (a *API) assignments(c echo.Context, instanceID string) (wire.Assignments, error) {
	assigned, err := a.opts.Store.InstanceAssignments(c.Request().Context(), instanceID)
	if err != nil {
		return wire.Assignments{}, err
	}
	return wire.Assignments{Assignments: convert(assigned, wireAssignment)}, nil
}

func wireAssignment(v store.AssignedVersion) wire.Assignment {
	out := wire.Assignment{
		ConfigName: v.Profile, Version: v.Version, Generation: v.Generation, Hash: v.Hash, DeploymentID: v.DeploymentID,
	}
	if len(v.Data) <= inlineLimit {
		out.Data = json.RawMessage(v.Data)
	} else {
		out.URL = dataURL(v.Assignment)
	}
	return out
}

// dataURL is where an instance fetches the data that it is assigned.
func dataURL(a fleet.Assignment) string {
	return fmt.Sprintf("/api/v1/instances/%s/configs/%s/%s/data", a.InstanceID, url.PathEscape(a.Profile), a.Hash)
}

// tag names a set of assignments: the same tag, the same set.
func tag(set wire.Assignments) string {
	h := sha256.New()
	for _, one := range set.Assignments {
		fmt.Fprintf(h, "%s\x00%d\x00%s\x00", one.ConfigName, one.Generation, one.Hash)
	}
	return `"` + hex.EncodeToString(h.Sum(nil)[:16]) + `"`
}

// older says that a set was read before one that was sent already: a
// generation in it is lower. Such a set is never sent.
func older(set, sent wire.Assignments) bool {
	return slices.ContainsFunc(set.Assignments, func(one wire.Assignment) bool {
		return slices.ContainsFunc(sent.Assignments, func(before wire.Assignment) bool {
			return before.ConfigName == one.ConfigName && before.Generation > one.Generation
		})
	})
}

// gone answers for an instance that was removed while it waited: it has to
// register again, and an empty set of assignments must not tell it otherwise.
var gone = &problem{status: http.StatusUnauthorized, code: "UNAUTHORIZED", message: "the instance is not registered any more"}

// current is assignments, or gone.
func (a *API) current(c echo.Context, instanceID string) (wire.Assignments, error) {
	set, err := a.assignments(c, instanceID)
	if err == nil && len(set.Assignments) == 0 {
		err = a.registered(c, instanceID)
	}
	return set, err
}

func (a *API) registered(c echo.Context, instanceID string) error {
	_, err := a.opts.Store.Instance(c.Request().Context(), instanceID)
	if errors.Is(err, store.ErrNotFound) {
		return gone
	}
	return err
}

// watch streams what an instance should run: at once, and at each change.
func (a *API) watch(c echo.Context) error {
	ctx := c.Request().Context()
	id := who(c).instance.ID
	changed := a.marks.subscribe(ctx, a.opts.Bus, id)
	s, err := a.openStream(c)
	if err != nil {
		return nil // the reader is gone
	}
	a.metrics.streams.Inc()
	defer a.metrics.streams.Dec()
	var sent wire.Assignments
	last := ""
	keep := time.NewTicker(a.opts.KeepAlive)
	defer keep.Stop()
	for {
		set, err := a.current(c, id)
		if err != nil {
			return err // the stream ends: its reader asks again, and is told why
		}
		if now := tag(set); now != last && !older(set, sent) {
			if err := s.send("assignments", "", set); err != nil {
				return nil
			}
			sent, last = set, now
		}
		if more, err := a.wait(c, s, changed, keep.C); !more {
			return err
		}
	}
}

// wait keeps a watch stream open until the assignments changed. It answers
// false when the stream is over.
func (a *API) wait(c echo.Context, s *eventStream, changed *waiter, keep <-chan time.Time) (bool, error) {
	for {
		select {
		case <-c.Request().Context().Done():
			return false, nil
		case <-changed.over:
			return false, nil
		case <-a.draining:
			return false, ignored(s.reconnect(spread(a.marks.readers())))
		case <-changed.wake:
			return true, nil
		case <-keep:
			if err := a.registered(c, who(c).instance.ID); err != nil {
				return false, err
			}
			if err := s.keepAlive(); err != nil {
				return false, nil
			}
		}
	}
}

// poll is the same for those whose proxies do not pass streams on: it answers
// when the set is another than the one the caller has.
func (a *API) poll(c echo.Context) error {
	ctx := c.Request().Context()
	id := who(c).instance.ID
	if err := unhurried(c); err != nil {
		return err
	}
	timeout := time.NewTimer(waitOf(c.Request()))
	defer timeout.Stop()
	changed := a.marks.subscribe(ctx, a.opts.Bus, id)
	// A proxy that compresses makes the tag a weak one.
	have := strings.TrimPrefix(c.Request().Header.Get("If-None-Match"), "W/")
	for {
		set, err := a.current(c, id)
		if err != nil {
			return err
		}
		now := tag(set)
		c.Response().Header().Set("ETag", now)
		if now != have {
			return c.JSON(http.StatusOK, set)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed.over:
			return c.NoContent(http.StatusNotModified)
		case <-a.draining:
			return c.NoContent(http.StatusNotModified)
		case <-timeout.C:
			return c.NoContent(http.StatusNotModified)
		case <-changed.wake:
		}
	}
}

// waitOf reads "Prefer: wait=N", N in seconds.
func waitOf(r *http.Request) time.Duration {
	for preference := range strings.SplitSeq(r.Header.Get("Prefer"), ",") {
		text, ok := strings.CutPrefix(strings.TrimSpace(preference), "wait=")
		if n, err := strconv.Atoi(text); ok && err == nil && n > 0 {
			return min(time.Duration(n)*time.Second, maxPollWait)
		}
	}
	return 0
}

// assignedData gives data that is too large for the stream, to the instance it
// is assigned to.
func (a *API) assignedData(c echo.Context) error {
	assigned, err := a.opts.Store.InstanceAssignments(c.Request().Context(), who(c).instance.ID)
	if err != nil {
		return err
	}
	for _, v := range assigned {
		if v.Profile == c.Param("name") && v.Hash == c.Param("hash") {
			return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, v.Data)
		}
	}
	return store.ErrNotFound
}
