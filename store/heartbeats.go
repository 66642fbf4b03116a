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
	// pruned is when old samples were dropped last. Dropping them is part of a
	// batch, so that its failure is told to somebody and stops nothing.
	pruned time.Time
}

type beat struct {
	sample fleet.Sample
	result chan error
}

const (
	maxBatch   = 1000
	pruneEvery = time.Minute
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
// ErrNotFound tells an instance that is not registered any more.
func (h *Heartbeats) Record(ctx context.Context, instanceID string, sample fleet.Sample) error {
	sample.InstanceID = instanceID
	b := beat{sample: sample, result: make(chan error, 1)}
	select {
	case h.queue <- b:
	case <-h.done:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-b.result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Run writes batches until ctx ends, then what was taken already.
func (h *Heartbeats) Run(ctx context.Context) error {
	defer h.once.Do(func() { close(h.done) })
	for {
		select {
		case <-ctx.Done():
			return nil
		case first := <-h.queue:
			h.flush(ctx, h.gather(first))
		}
	}
}

// gather takes what comes within the delay.
func (h *Heartbeats) gather(first beat) []beat {
	batch := []beat{first}
	timer := time.NewTimer(h.delay)
	defer timer.Stop()
	for len(batch) < maxBatch {
		select {
		case b := <-h.queue:
			batch = append(batch, b)
		case <-timer.C:
			return batch
		}
	}
	return batch
}

func (h *Heartbeats) flush(ctx context.Context, batch []beat) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	samples := make([]fleet.Sample, len(batch))
	for i, b := range batch {
		samples[i] = b.sample
	}
	missing, err := h.s.recordSamples(ctx, samples, &h.pruned)
	for _, b := range batch {
		switch {
		case err != nil:
			b.result <- err
		case missing[b.sample.InstanceID]:
			b.result <- fmt.Errorf("instance %s: %w", b.sample.InstanceID, ErrNotFound)
		default:
			b.result <- nil
		}
	}
}

// recordSamples stores the samples; missing are the instances that are not registered.
func (s *Store) recordSamples(ctx context.Context, samples []fleet.Sample, pruned *time.Time) (missing map[string]bool, err error) {
	var now time.Time
	err = s.InTx(ctx, func(tx *Tx) error {
		now = tx.now()
		rows, err := json.Marshal(samples)
		if err != nil {
			return fmt.Errorf("write heartbeats: %w", err)
		}
		// The span of a sample begins at the heartbeat before it.
		if _, err := tx.exec(ctx, `INSERT INTO health_samples (instance_id, since, at, sample)
			SELECT i.instance_id, i.last_heartbeat, $1, j.value FROM json_each($2) j
			  JOIN service_instances i ON i.instance_id = json_extract(j.value, '$.InstanceID')`, stamp(now), string(rows)); err != nil {
			return fmt.Errorf("write heartbeats: %w", err)
		}
		beaten, err := collect(ctx, tx.tx, func(row scanner) (id string, err error) { return id, row.Scan(&id) },
			`UPDATE service_instances SET last_heartbeat = $1, status = j.status
			  FROM (SELECT json_extract(value, '$.InstanceID') AS id, json_extract(value, '$.Status') AS status FROM json_each($2)) j
			 WHERE instance_id = j.id RETURNING instance_id`, stamp(now), string(rows))
		if err != nil {
			return fmt.Errorf("write heartbeats: %w", err)
		}
		missing = map[string]bool{}
		for _, sample := range samples {
			missing[sample.InstanceID] = true
		}
		for _, id := range beaten {
			delete(missing, id)
		}
		if err := tx.wakeForUnhealthy(ctx, samples); err != nil {
			return err
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
	return missing, err
}

// wakeForUnhealthy makes the deployments that involve an unhealthy instance due.
func (tx *Tx) wakeForUnhealthy(ctx context.Context, samples []fleet.Sample) error {
	var ids []string
	for _, sample := range samples {
		if sample.Status == fleet.StatusUnhealthy {
			ids = append(ids, sample.InstanceID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	if err := tx.wake(ctx, `config_name IN (SELECT a.config_name FROM config_assignments a
		JOIN json_each($2) j ON a.instance_id = j.value)`, asJSON(ids)); err != nil {
		return fmt.Errorf("wake the deployments of unhealthy instances: %w", err)
	}
	return nil
}
