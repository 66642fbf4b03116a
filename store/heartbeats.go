package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sluicehq/sluice/fleet"
)

// Heartbeats writes many instances' heartbeats in one transaction.
type Heartbeats struct {
	s     *Store
	delay time.Duration
	queue chan beat
	done  chan struct{}
	once  sync.Once
	heard sync.WaitGroup // answers that are being read
	// pruned is when old samples were dropped last. Dropping them is part of a
	// batch, so that its failure is told to somebody and stops nothing.
	pruned time.Time
	// Written is told of each batch; it may be nil, and is set before Run.
	Written func(heartbeats int, took time.Duration, err error)
}

type beat struct {
	id     string
	status fleet.Status
	sample json.RawMessage
	asks   *fleet.Instance // who wants to know what it should run; nil for one that only tells
	result chan beatResult
}

type beatResult struct {
	heard Heard
	err   error
}

const (
	maxBatch     = 1000
	pruneEvery   = time.Minute
	flushTimeout = 10 * time.Second
)

// ErrStopped is returned for a heartbeat that came after the writer stopped.
var ErrStopped = errors.New("the heartbeat writer has stopped")

// NewHeartbeatWriter returns a writer that waits up to delay (25 ms when 0) for
// a batch to fill. Run must run for Record to return.
func NewHeartbeatWriter(s *Store, delay time.Duration) *Heartbeats {
	if delay <= 0 {
		delay = 25 * time.Millisecond
	}
	return &Heartbeats{s: s, delay: delay, queue: make(chan beat), done: make(chan struct{})}
}

// Record keeps an instance's heartbeat and returns when it is stored.
// ErrNotFound tells an instance that is not registered any more. A sample that
// JSON cannot hold, such as a rate that is not a number, is an error of its own
// and not of the batch.
func (h *Heartbeats) Record(ctx context.Context, instanceID string, sample fleet.Sample) error {
	_, err := h.record(ctx, instanceID, nil, sample)
	return err
}

// Beat does so and answers what the instance should know, which is read once for
// the whole batch.
func (h *Heartbeats) Beat(ctx context.Context, i fleet.Instance, sample fleet.Sample) (Heard, error) {
	return h.record(ctx, i.ID, &i, sample)
}

func (h *Heartbeats) record(ctx context.Context, id string, asks *fleet.Instance, sample fleet.Sample) (Heard, error) {
	sample.InstanceID = id
	text, err := json.Marshal(sample)
	if err != nil {
		return Heard{}, fmt.Errorf("write the heartbeat of instance %s: %w", id, err)
	}
	b := beat{id: id, status: sample.Status, sample: text, asks: asks, result: make(chan beatResult, 1)}
	select {
	case h.queue <- b:
	case <-h.done:
		return Heard{}, ErrStopped
	case <-ctx.Done():
		return Heard{}, ctx.Err()
	}
	select {
	case result := <-b.result:
		return result.heard, result.err
	case <-ctx.Done():
		return Heard{}, ctx.Err()
	}
}

// Run writes batches until ctx ends, then what was taken already.
func (h *Heartbeats) Run(ctx context.Context) error {
	defer h.heard.Wait()
	defer h.once.Do(func() { close(h.done) })
	for {
		select {
		case <-ctx.Done():
			return nil
		case first := <-h.queue:
			h.flush(ctx, h.gather(ctx, first))
		}
	}
}

// gather takes what comes within the delay, or until ctx ends.
func (h *Heartbeats) gather(ctx context.Context, first beat) []beat {
	batch := []beat{first}
	timer := time.NewTimer(h.delay)
	defer timer.Stop()
	for len(batch) < maxBatch {
		select {
		case b := <-h.queue:
			batch = append(batch, b)
		case <-timer.C:
			return batch
		case <-ctx.Done():
			return batch
		}
	}
	return batch
}

func (h *Heartbeats) flush(ctx context.Context, batch []beat) {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
	defer cancel()
	began := time.Now()
	known, err := h.s.recordBeats(bounded, batch, &h.pruned)
	if h.Written != nil {
		h.Written(len(batch), time.Since(began), err)
	}
	var asking []beat
	for _, b := range batch {
		switch {
		case err != nil:
			b.result <- beatResult{err: err}
		case !known[b.id]:
			b.result <- beatResult{err: fmt.Errorf("instance %s: %w", b.id, ErrNotFound)}
		case b.asks == nil:
			b.result <- beatResult{}
		default:
			asking = append(asking, b)
		}
	}
	if len(asking) > 0 {
		h.heard.Go(func() { h.answer(context.WithoutCancel(ctx), asking) }) // the next batch need not wait for it
	}
}

// answer reads what those who asked should know, and tells them.
func (h *Heartbeats) answer(ctx context.Context, asking []beat) {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	h.s.ahead.letBy(ctx)
	instances := make([]fleet.Instance, len(asking))
	for i, b := range asking {
		instances[i] = *b.asks
	}
	heard, err := h.s.Heard(ctx, instances...)
	for _, b := range asking {
		b.result <- beatResult{heard[b.id], err}
	}
}

// beatSamples are the samples in the JSON array $2.
var beatSamples = text{
	sqlite: `INSERT INTO health_samples (instance_id, since, at, sample)
		SELECT i.instance_id, i.last_heartbeat, $1, j.value FROM json_each($2) j
		  JOIN service_instances i ON i.instance_id = json_extract(j.value, '$.InstanceID')`,
	postgres: `INSERT INTO health_samples (instance_id, since, at, sample)
		SELECT i.instance_id, i.last_heartbeat, $1::timestamptz, j.value FROM json_array_elements($2::json) AS j(value)
		  JOIN service_instances i ON i.instance_id = j.value->>'InstanceID'`,
}

// beatStatuses are the instances' statuses in the JSON object $2.
var beatStatuses = text{
	sqlite: `UPDATE service_instances SET last_heartbeat = $1, status = j.value FROM json_each($2) j
		WHERE instance_id = j.key RETURNING instance_id`,
	postgres: `UPDATE service_instances SET last_heartbeat = $1, status = j.value FROM json_each_text($2::json) AS j(key, value)
		WHERE instance_id = j.key RETURNING instance_id`,
}

// recordBeats stores heartbeats; known are the instances that are registered.
func (s *Store) recordBeats(ctx context.Context, batch []beat, pruned *time.Time) (known map[string]bool, err error) {
	statuses := make(map[string]fleet.Status, len(batch)) // of two heartbeats in one batch the later one says how the instance is
	for _, b := range batch {
		statuses[b.id] = b.status
	}
	samples := samplesOf(batch)
	var now time.Time
	err = s.InTx(ctx, func(tx *Tx) error {
		now = tx.now()
		if err := tx.wakeForUnhealthy(ctx, statuses); err != nil {
			return err
		}
		// The span of a sample begins at the heartbeat before it.
		known = make(map[string]bool, len(statuses))
		err := tx.tx.together(ctx, ask(s.engine.pick(beatSamples), stamp(now), samples), question{
			text: s.engine.pick(beatStatuses), args: []any{stamp(now), asJSON(statuses)},
			row: func(row scanner) error {
				id, err := scanName(row)
				known[id] = true
				return err
			},
		})
		if err != nil {
			return fmt.Errorf("write heartbeats: %w", err)
		}
		if now.Sub(*pruned) < pruneEvery {
			return nil
		}
		if _, err := tx.exec(ctx, `DELETE FROM health_samples WHERE at <= $1`, stamp(now.Add(-keptSamples))); err != nil {
			return fmt.Errorf("drop old samples: %w", err)
		}
		return nil
	})
	if err == nil && now.Sub(*pruned) >= pruneEvery {
		*pruned = now
	}
	return known, err
}

// samplesOf are the samples of a batch as one JSON array: each was encoded already.
func samplesOf(batch []beat) string {
	size := 2
	for _, b := range batch {
		size += len(b.sample) + 1
	}
	text := append(make([]byte, 0, size), '[')
	for i, b := range batch {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, b.sample...)
	}
	return string(append(text, ']'))
}

// wakeForUnhealthy makes the deployments due that involve an instance which was
// not unhealthy until now. One that stays unhealthy says nothing new: the gate's
// next check counts it, and a sick fleet's heartbeats must not keep the engine busy.
func (tx *Tx) wakeForUnhealthy(ctx context.Context, statuses map[string]fleet.Status) error {
	var ids []string
	for id, status := range statuses {
		if status == fleet.StatusUnhealthy {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	if err := tx.wake(ctx, `config_name IN (SELECT a.config_name FROM service_instances i
		JOIN config_assignments a ON a.instance_id = i.instance_id
		WHERE i.status <> 'Unhealthy' AND `+tx.s.engine.in("i.instance_id", 2)+`)`, asJSON(ids)); err != nil {
		return fmt.Errorf("wake the deployments of unhealthy instances: %w", err)
	}
	return nil
}
