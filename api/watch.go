package api

import (
	"context"
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
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/store"
)

const (
	inlineLimit = 32 << 10 // larger data is fetched apart
	maxPollWait = 55 * time.Second
)

// ProfileTopic is the message "the assignments of this profile changed".
func ProfileTopic(profileName string) string { return "profile/" + profileName }

// assignments is what an instance should run, ready to send.
func (a *API) assignments(ctx context.Context, instanceID string) (wire.Assignments, error) {
	assigned, err := a.assigned(ctx, instanceID)
	if err != nil {
		return wire.Assignments{}, err
	}
	return wire.Assignments{Assignments: convert(assigned, a.wireAssignment)}, nil
}

// wireAssignment brings small data along. What may hold secrets is fetched apart,
// so that they are opened once for a delivery and not at every look.
func (a *API) wireAssignment(v store.AssignedVersion) wire.Assignment {
	out := wire.Assignment{
		ConfigName: v.Profile, Version: v.Version, Generation: v.Generation, Hash: v.Hash, DeploymentID: v.DeploymentID,
		ActiveGroup: v.ActiveGroup, TraceParent: instanceSpan(v.Assignment),
	}
	if len(v.Data) <= inlineLimit && (a.opts.Secrets == nil || !profile.MayHoldSecrets(v.Data)) {
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
func (a *API) current(ctx context.Context, instanceID string) (wire.Assignments, error) {
	return look(ctx, func(ctx context.Context) (wire.Assignments, error) {
		set, err := a.assignments(ctx, instanceID)
		if err == nil && len(set.Assignments) == 0 {
			err = a.registered(ctx, instanceID)
		}
		return set, err
	})
}

func (a *API) registered(ctx context.Context, instanceID string) error {
	_, err := a.opts.Store.Instance(ctx, instanceID)
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
	set, err := a.current(ctx, id)
	if err != nil {
		return err // while there is no stream yet, its reader can be told why
	}
	s, err := a.openStream(c)
	if err != nil {
		return nil // the reader is gone
	}
	defer counted(a.metrics.streams)()
	a.keepTold(c, s, set, changed)
	return nil
}

// keepTold sends each set that is another than the one before. A store that
// does not answer does not end the stream: its reader runs what it has.
func (a *API) keepTold(c echo.Context, s *eventStream, set wire.Assignments, changed *waiter) {
	var sent wire.Assignments
	last := ""
	keep := time.NewTicker(a.opts.KeepAlive)
	defer keep.Stop()
	var looks patience
	for {
		if now := tag(set); now != last && !older(set, sent) {
			began := time.Now()
			if err := s.send("assignments", "", set); err != nil {
				return
			}
			tellPushed(set, sent, began)
			sent, last = set, now
		}
		if !a.wait(c, s, changed, looks.again, keep.C) {
			return
		}
		fresh, err := a.current(c.Request().Context(), who(c).instance.ID)
		switch {
		case errors.Is(err, gone):
			return // its reader asks again, and is told why
		case err != nil:
			looks.failed()
			a.missed(c, err)
		default:
			looks.worked()
			set = fresh
		}
	}
}

// wait keeps a watch stream open until it is time to look at the assignments.
// It answers false when the stream is over.
func (a *API) wait(c echo.Context, s *eventStream, changed *waiter, again, keep <-chan time.Time) bool {
	for {
		select {
		case <-c.Request().Context().Done():
			return false
		case <-changed.over:
			return false
		case <-a.draining:
			s.reconnect(spread(a.marks.readers())) //nolint:errcheck // the last word: there is nobody to tell of its error
			return false
		case <-changed.wake:
			return true
		case <-again:
			return true
		case <-keep:
			if err := s.keepAlive(); err != nil || a.removed(c) {
				return false
			}
		}
	}
}

// removed says that the instance of a stream is not registered any more. While
// the store does not answer, nobody knows, and one look a second is enough.
func (a *API) removed(c echo.Context) bool {
	if a.marks.blind() {
		return false
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), answerWithin)
	defer cancel()
	return errors.Is(a.registered(ctx, who(c).instance.ID), gone)
}

// poll is the same for those whose proxies do not pass streams on: it answers
// when the set is another than the one the caller has. When the store did not
// answer in all that time, it says so instead of that nothing changed.
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
	var looks patience
	for {
		set, err := a.current(ctx, id)
		switch {
		case errors.Is(err, gone):
			return err
		case err != nil:
			looks.failed()
		default:
			looks.worked()
			now := tag(set)
			c.Response().Header().Set("ETag", now)
			if now != have {
				began := time.Now()
				err := c.JSON(http.StatusOK, set)
				if err == nil {
					tellPushed(set, wire.Assignments{}, began)
				}
				return err
			}
		}
		select {
		case <-changed.wake:
			continue
		case <-looks.again:
			continue
		case <-ctx.Done():
			return nil
		case <-changed.over:
		case <-a.draining:
		case <-timeout.C:
		}
		if err != nil {
			return err
		}
		return c.NoContent(http.StatusNotModified)
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

// assignedData gives data that is too large for the stream, or holds secrets, to
// the instance it is assigned to.
func (a *API) assignedData(c echo.Context) error {
	assigned, err := a.assigned(c.Request().Context(), who(c).instance.ID)
	if err != nil {
		return err
	}
	for _, v := range assigned {
		if v.Profile == c.Param("name") && v.Hash == c.Param("hash") {
			return a.deliver(c, v)
		}
	}
	return store.ErrNotFound
}
