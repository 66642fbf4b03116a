package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/store"
)

const (
	inlineLimit = 32 << 10 // larger data is fetched apart
	maxPollWait = 55 * time.Second
)

// profileTopics is how the topics of profiles begin.
const profileTopics = "profile/"

// ProfileTopic is the message "the assignments of this profile changed".
func ProfileTopic(profileName string) string { return profileTopics + profileName }

// AnyProfileTopic is the message that some profile's assignments changed.
const AnyProfileTopic = "profiles"

// dataURL is where an instance fetches the data that it is assigned.
func dataURL(a fleet.Assignment) string {
	return fmt.Sprintf("/api/v1/instances/%s/configs/%s/%s/data", a.InstanceID, url.PathEscape(a.Profile), a.Hash)
}

// gone answers for an instance that was removed while it waited: it has to
// register again, and an empty set of assignments must not tell it otherwise.
var gone = &problem{status: http.StatusUnauthorized, code: "UNAUTHORIZED", message: "the instance is not registered any more"}

func (a *API) registered(ctx context.Context, instanceID string) error {
	_, err := a.opts.Store.Instance(ctx, instanceID)
	if errors.Is(err, store.ErrNotFound) {
		return gone
	}
	return err
}

// watch streams what an instance should run: at once, and at each change.
func (a *API) watch(c echo.Context) error {
	id := who(c).instance.ID
	w := &watching{a: a, id: id, changed: a.marks.join(id)}
	w.changed.settle(c.Request().Context())
	var err error
	if w.set, err = w.changed.look(c.Request().Context(), a); err != nil {
		a.marks.leave(w.changed)
		return err // while there is no stream yet, its reader can be told why
	}
	if w.stream, err = a.keepStream(c); err == nil {
		a.streams.Go(func() {
			defer counted(a.metrics.inFlight)() // it is still being answered
			w.run()
		})
		return nil
	}
	defer context.AfterFunc(c.Request().Context(), func() { a.marks.leave(w.changed) })()
	if w.stream, err = a.openStream(c); err == nil {
		w.run()
	} else { // the reader is gone
		a.marks.leave(w.changed)
	}
	return nil
}

// watching is one stream of one instance.
type watching struct {
	a       *API
	id      string
	stream  *eventStream
	changed *waiter
	set     deliveries // as it was sent
	looks   patience
}

// run sends each set that is another than the one before, until the stream is
// over. A store that does not answer does not end it: its reader runs what it has.
func (w *watching) run() {
	defer counted(w.a.metrics.streams)()
	defer w.stream.close()
	defer w.a.marks.leave(w.changed)
	keep := time.NewTicker(w.a.opts.KeepAlive)
	defer keep.Stop()
	if !w.send(w.set) {
		return
	}
	for w.wait(keep.C) {
		if !w.look() {
			return
		}
	}
	if readers, yes := w.a.marks.ended(); yes {
		w.stream.reconnect(spread(readers)) //nolint:errcheck // the last word: there is nobody to tell of its error
	}
}

// look sends what is new. It answers false when the stream is over.
func (w *watching) look() bool {
	set, err := w.changed.look(context.Background(), w.a)
	switch {
	case errors.Is(err, gone):
		return false // its reader asks again, and is told why
	case err != nil:
		w.looks.failed()
		w.a.missed(context.Background(), err)
		return true
	}
	w.looks.worked()
	fresh := set.since(w.set)
	differs := len(fresh) > 0 || len(set) != len(w.set)
	w.set = set
	return !differs || w.send(fresh)
}

// send writes the set, of which some is fresh. It answers false when the reader
// is gone.
func (w *watching) send(fresh deliveries) bool {
	began := time.Now()
	if err := w.stream.sendAssignments(w.set, w.id); err != nil {
		return false
	}
	tellPushed(fresh, w.id, began)
	return true
}

// wait keeps a stream open until it is time to look at the assignments. It
// answers false when the stream is over.
func (w *watching) wait(keep <-chan time.Time) bool {
	for {
		select {
		case <-w.changed.over:
			return false
		case <-w.changed.wake:
			return true
		case <-w.looks.again:
			return true
		case <-keep:
			if err := w.stream.keepAlive(); err != nil {
				return false
			}
		}
	}
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
	changed := a.marks.join(id)
	defer a.marks.leave(changed)
	// A proxy that compresses makes the tag a weak one.
	have := strings.TrimPrefix(c.Request().Header.Get("If-None-Match"), "W/")
	changed.settle(ctx)
	var looks patience
	for {
		set, err := changed.look(ctx, a)
		switch {
		case errors.Is(err, gone):
			return err
		case err != nil:
			looks.failed()
		default:
			looks.worked()
			now := set.tag()
			c.Response().Header().Set("ETag", now)
			if now != have {
				return a.answerAssignments(c, set)
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
		case <-timeout.C:
		}
		if err = cmp.Or(err, a.marks.blind()); err != nil {
			return err
		}
		return c.NoContent(http.StatusNotModified)
	}
}

func (a *API) answerAssignments(c echo.Context, set deliveries) error {
	id, began := who(c).instance.ID, time.Now()
	err := withBuffer(func(b []byte) ([]byte, error) {
		b = append(set.appendFor(b, id), '\n')
		return b, c.JSONBlob(http.StatusOK, b)
	})
	if err == nil {
		tellPushed(set, id, began)
	}
	return err
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
	ctx := c.Request().Context()
	assigned, err := a.opts.Store.AssignmentsOf(ctx, who(c).instance.ID)
	if err != nil {
		return err
	}
	for _, one := range assigned {
		if one.Profile == c.Param("name") && one.Hash == c.Param("hash") {
			data, err := a.dataOf(ctx, one)
			if err != nil {
				return err
			}
			return a.deliver(c, one, data)
		}
	}
	return store.ErrNotFound
}
