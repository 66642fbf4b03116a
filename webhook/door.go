package webhook

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/sluicehq/sluice/forge"
	"github.com/sluicehq/sluice/internal/spans"
)

// Path begins the path of every desk: /webhooks/github.
const Path = "/webhooks/"

// Door takes webhooks. It is safe for concurrent use.
type Door struct {
	opts   Options
	desks  map[string]*desk
	bodies *bodies
	failed *counter // refused requests, by address
	kept   *counter // by source
}

var _ http.Handler = (*Door)(nil)

// maxAddresses bounds how many addresses are remembered.
const maxAddresses = 10_000

// storePatience is how long the store may take: forges wait for ten seconds.
const storePatience = 4 * time.Second

// New returns the door of some sources. Its errors wrap ErrOptions.
func New(opts Options) (*Door, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	desks, err := desks(opts.Sources, opts.Now)
	if err != nil {
		return nil, err
	}
	return &Door{
		opts: opts, desks: desks, bodies: newBodies(opts.MaxBody, opts.Patience),
		failed: newCounter(opts.Now, maxAddresses), kept: newCounter(opts.Now, len(opts.Sources)+1),
	}, nil
}

// ServeHTTP takes one webhook. The request's RemoteAddr is whom failures count
// against: where a proxy stands before the door, the caller sets it.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, desk := "unknown", d.desks[strings.TrimPrefix(r.URL.Path, Path)]
	if desk != nil {
		name = desk.name
	}
	a := d.admit(w, r, desk)
	d.opts.Answered(name, a.outcome)
	a.write(w)
}

// admit keeps a panic, and an address that is refused again and again, from the rest.
func (d *Door) admit(w http.ResponseWriter, r *http.Request, desk *desk) (a *answer) {
	defer func() {
		if cause := recover(); cause != nil {
			d.opts.Logger.ErrorContext(r.Context(), "a webhook panicked", "panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
			a = errInternal
		}
	}()
	address := addressOf(r.RemoteAddr)
	if n, left := d.failed.count(address); n >= d.opts.Failures {
		return tooMany(left, "too many webhooks from this address were refused")
	}
	a = d.take(w, r, desk)
	if a.outcome == Refused {
		d.failed.add(address, d.opts.Failures)
	}
	return a
}

// take brings a request in as far as it goes.
func (d *Door) take(w http.ResponseWriter, r *http.Request, desk *desk) *answer {
	switch {
	case r.Method != http.MethodPost:
		return errMethod
	case desk == nil:
		return errForge
	case r.Header.Get("Content-Encoding") != "":
		return errEncoded
	}
	body, done, err := d.bodies.read(w, r)
	defer done()
	if a, ok := errors.AsType[*answer](err); ok {
		return a
	}
	signers := desk.signers(r.Header, body)
	if len(signers) == 0 {
		return errSignature
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return errForm
	}
	m, err := desk.read(r.Header, body)
	if err != nil {
		d.opts.Logger.InfoContext(r.Context(), "a signed webhook could not be read", "forge", desk.name, "error", err)
		return errPayload
	}
	m.Delivery = deliveryID(m.Delivery, body)
	return d.keep(r.Context(), desk, m, desk.concerned(m, signers))
}

// keep keeps a message for each source that it is for, and has them looked at.
func (d *Door) keep(ctx context.Context, desk *desk, m message, sources []Source) *answer {
	if len(sources) == 0 {
		return accepted(Unmatched)
	}
	var rows []Delivery
	var acts []act
	var limited *answer
	for _, source := range sources {
		act := decide(m.Event, source.Branch)
		if m.source != "" {
			act = look
		}
		if act != obey { // an order is never lost to a flood
			if ok, left := d.kept.add(source.ID, d.opts.PerMinute); !ok {
				limited = tooMany(left, fmt.Sprintf("at most %d webhooks a minute are kept for a source", d.opts.PerMinute))
				d.wake(act, source.ID) // a push that is not kept must not wait for the poll
				continue
			}
		}
		rows, acts = append(rows, row(ctx, desk, m, source)), append(acts, act)
	}
	a := accepted(Accepted)
	if len(rows) > 0 {
		a = d.record(ctx, rows, acts)
	}
	if limited != nil && a.status == http.StatusAccepted {
		return limited
	}
	return a
}

// record stores rows before anything is answered. Only what is new is acted on,
// or what could not be stored: the next poll may be an hour away.
func (d *Door) record(ctx context.Context, rows []Delivery, acts []act) *answer {
	ctx, cancel := context.WithTimeout(ctx, min(storePatience, d.opts.Patience))
	defer cancel()
	d.opts.Fail("K1-webhook")
	fresh, err := d.opts.Store.RecordDeliveries(ctx, rows...)
	if err != nil {
		for i, r := range rows {
			d.wake(acts[i], r.Source)
		}
		if !errors.Is(err, context.Canceled) {
			d.opts.Logger.WarnContext(ctx, "a webhook was not kept", "forge", rows[0].Forge, "error", err)
		}
		return errStore
	}
	a := accepted(Duplicate)
	for i, r := range rows {
		if fresh[i] {
			a = accepted(Accepted)
			d.wake(acts[i], r.Source)
			d.opts.Logger.DebugContext(ctx, "webhook", "forge", r.Forge, "delivery", r.ID, "source", r.Source, "event", r.Event)
		}
	}
	d.opts.Fail("K2")
	return a
}

func (d *Door) wake(a act, source string) {
	if a == look {
		d.opts.Wake(source)
	}
}

// row is a message as it is kept for a source.
func row(ctx context.Context, desk *desk, m message, source Source) Delivery {
	r := Delivery{
		Forge: desk.name, ID: m.Delivery, Source: source.ID, Event: string(m.Kind), PullRequest: m.PullRequest, TraceParent: spans.Format(ctx),
	}
	if m.Kind == forge.EventComment {
		r.Comment = m.CommentID
	}
	if m.source != "" {
		r.Event = Generic
	}
	return r
}

// maxDeliveryID is as long as a forge's id may be.
const maxDeliveryID = 100

// deliveryID is the forge's own id, or the body's hash where it sent none that
// could be one.
func deliveryID(given string, body []byte) string {
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	if given != "" && len(given) <= maxDeliveryID && strings.IndexFunc(given, odd) < 0 {
		return given
	}
	sum := sha256.Sum256(body)
	return "sha256:" + hex.EncodeToString(sum[:])
}
