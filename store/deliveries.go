package store

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/sluicehq/sluice/rollout"
)

// Delivery is one webhook that came for a source.
type Delivery struct {
	Forge       string
	ID          string // the forge's; a delivery that is sent again has the same
	Source      string
	Event       string // for people
	PullRequest int    // 0 for none
	Comment     int64  // that gives an order, 0 for none
	TraceParent string // of the request that brought it, as W3C Trace Context writes it
}

// check refuses what the database cannot hold: it would be an error of the whole
// batch.
func (d Delivery) check() error {
	for _, text := range []string{d.Forge, d.ID, d.Source, d.Event, d.TraceParent} {
		if len(text) > 255 || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return fmt.Errorf("webhook for source %q: a text of it cannot be kept", d.Source)
		}
	}
	if d.PullRequest < 0 || d.PullRequest > math.MaxInt32 || d.Comment < 0 {
		return fmt.Errorf("webhook for source %q: pull request %d and comment %d cannot be kept", d.Source, d.PullRequest, d.Comment)
	}
	return nil
}

// keptDeliveries is how long a delivery is known to have come: longer than any
// forge sends one again.
const keptDeliveries = 7 * 24 * time.Hour

// Deliveries writes many webhooks in one transaction.
type Deliveries struct {
	s     *Store
	queue chan arrival
	done  chan struct{}
	once  sync.Once
}

type arrival struct {
	deliveries []Delivery
	result     chan arrived
}

type arrived struct {
	fresh []bool
	err   error
}

// NewDeliveryWriter returns a writer. Run must run for Record to return.
func NewDeliveryWriter(s *Store) *Deliveries {
	return &Deliveries{s: s, queue: make(chan arrival), done: make(chan struct{})}
}

// Record keeps deliveries and returns when they are stored. fresh says of each
// whether it came for the first time; then an order that it brings is stored with
// it, to be carried out once. ErrStopped is returned after the writer stopped.
func (w *Deliveries) Record(ctx context.Context, deliveries ...Delivery) (fresh []bool, err error) {
	for _, d := range deliveries {
		if err := d.check(); err != nil {
			return nil, err
		}
	}
	a := arrival{deliveries: deliveries, result: make(chan arrived, 1)}
	select {
	case w.queue <- a:
	case <-w.done:
		return nil, fmt.Errorf("record a webhook: %w", ErrStopped)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case r := <-a.result:
		return r.fresh, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Run writes batches until ctx ends, then what was taken already.
func (w *Deliveries) Run(ctx context.Context) error {
	defer w.once.Do(func() { close(w.done) })
	for {
		select {
		case <-ctx.Done():
			return nil
		case first := <-w.queue:
			w.flush(ctx, w.gather(first))
		}
	}
}

// gather takes what came while the batch before was written, and waits for nothing:
// somebody waits to see what a merge does.
func (w *Deliveries) gather(first arrival) []arrival {
	batch := []arrival{first}
	for len(batch) < maxBatch {
		select {
		case a := <-w.queue:
			batch = append(batch, a)
		default:
			return batch
		}
	}
	return batch
}

func (w *Deliveries) flush(ctx context.Context, batch []arrival) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	var all []Delivery
	for _, a := range batch {
		all = append(all, a.deliveries...)
	}
	fresh, err := w.s.recordDeliveries(ctx, all)
	for _, a := range batch {
		r := arrived{err: err}
		for _, d := range a.deliveries {
			r.fresh = append(r.fresh, err == nil && fresh[d.key()])
			delete(fresh, d.key()) // of two in one batch the first is fresh
		}
		a.result <- r
	}
}

// deliveryKey tells deliveries apart.
type deliveryKey struct{ forge, id, source string }

func (d Delivery) key() deliveryKey { return deliveryKey{d.Forge, d.ID, d.Source} }

// deliveryRows are the deliveries in the JSON array $1. Their order is the same
// on every replica, so that none waits for the other in a circle.
var deliveryRows = text{
	sqlite: `INSERT INTO webhook_deliveries (forge, delivery_id, source_id, event, pull_request, comment_id, received_at, traceparent)
		SELECT json_extract(j.value, '$.Forge'), json_extract(j.value, '$.ID'), json_extract(j.value, '$.Source'), json_extract(j.value, '$.Event'),
			json_extract(j.value, '$.PullRequest'), json_extract(j.value, '$.Comment'), $2, json_extract(j.value, '$.TraceParent') FROM json_each($1) j WHERE true
		ON CONFLICT DO NOTHING RETURNING forge, delivery_id, source_id`,
	postgres: `INSERT INTO webhook_deliveries (forge, delivery_id, source_id, event, pull_request, comment_id, received_at, traceparent)
		SELECT j."Forge", j."ID", j."Source", j."Event", j."PullRequest", j."Comment", $2::timestamptz, j."TraceParent"
		FROM json_to_recordset($1::json) AS j("Forge" text, "ID" text, "Source" text, "Event" text, "PullRequest" integer, "Comment" bigint, "TraceParent" text)
		ON CONFLICT DO NOTHING RETURNING forge, delivery_id, source_id`,
}

// recordDeliveries stores deliveries, with what is to be done for the orders
// among them; fresh are those that were not there yet.
func (s *Store) recordDeliveries(ctx context.Context, all []Delivery) (fresh map[deliveryKey]bool, err error) {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b Delivery) int {
		return cmp.Or(cmp.Compare(a.Forge, b.Forge), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Source, b.Source))
	})
	err = s.InTx(ctx, func(tx *Tx) error {
		keys, err := collect(ctx, tx.tx, func(row scanner) (k deliveryKey, err error) { return k, row.Scan(&k.forge, &k.id, &k.source) },
			s.engine.pick(deliveryRows), asJSON(all), stamp(tx.now()))
		if err != nil {
			return err
		}
		fresh = make(map[deliveryKey]bool, len(keys))
		for _, k := range keys {
			fresh[k] = true
		}
		ordered := map[deliveryKey]bool{}
		for _, d := range all {
			if d.Comment == 0 || !fresh[d.key()] || ordered[d.key()] {
				continue
			}
			ordered[d.key()] = true
			if err := tx.enqueueCommand(ctx, rollout.Command{Source: d.Source, PullRequest: d.PullRequest, Comment: d.Comment}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("record %d webhooks: %w", len(all), err)
	}
	return fresh, nil
}
