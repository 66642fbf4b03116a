package api

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
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
		out.URL = fmt.Sprintf("/api/v1/instances/%s/configs/%s/%s/data", v.InstanceID, url.PathEscape(v.Profile), v.Hash)
	}
	return out
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

// watch streams what an instance should run: at once, and at each change.
func (a *API) watch(c echo.Context) error {
	ctx := c.Request().Context()
	id := who(c).instance.ID
	changed := a.marks.subscribe(ctx, a.opts.Bus)
	s, err := openStream(c)
	if err != nil {
		return err
	}
	a.metrics.streams.Inc()
	defer a.metrics.streams.Dec()
	var sent wire.Assignments
	last := ""
	keep := time.NewTicker(a.opts.KeepAlive)
	defer keep.Stop()
	for {
		set, err := a.assignments(c, id)
		if err != nil {
			return err
		}
		if now := tag(set); now != last && !older(set, sent) {
			if err := s.send("assignments", "", set); err != nil {
				return nil // the reader is gone
			}
			sent, last = set, now
		}
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return nil
			case <-a.draining:
				return ignored(s.reconnect())
			case <-changed:
				waiting = false
			case <-keep.C:
				if err := s.keepAlive(); err != nil {
					return nil
				}
			}
		}
	}
}

// poll is the same for those whose proxies do not pass streams on: it answers
// when the set is another than the one the caller has.
func (a *API) poll(c echo.Context) error {
	ctx := c.Request().Context()
	id := who(c).instance.ID
	wait := waitOf(c.Request())
	changed := a.marks.subscribe(ctx, a.opts.Bus)
	have := c.Request().Header.Get("If-None-Match")
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	for {
		set, err := a.assignments(c, id)
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
		case <-a.draining:
			return c.NoContent(http.StatusNotModified)
		case <-timeout.C:
			return c.NoContent(http.StatusNotModified)
		case <-changed:
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
