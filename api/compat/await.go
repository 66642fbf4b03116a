package compat

import (
	"context"
	"math/rand/v2"
	"time"
)

// Whoever waits looks again at every hint, and now and then without one. A store that does not answer
// is asked again sooner, by no two readers at the same time.
const (
	lookEvery  = 10 * time.Second
	retryAfter = time.Second
)

// await looks until there is something to answer, the wait is over, or the server is about to stop.
// An error of the first look is the answer; later ones are only when the wait is over.
func await(ctx context.Context, from Configs, wait time.Duration, look func(context.Context) (done bool, err error)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changes := from.Changes(ctx) // before the first look: what changes after it is not missed
	done, err := look(ctx)
	if done || err != nil {
		return err
	}
	over := time.NewTimer(wait)
	defer over.Stop()
	for {
		pause := lookEvery
		if err != nil {
			pause = retryAfter + rand.N(retryAfter)
		}
		again := time.NewTimer(pause)
		select {
		case _, open := <-changes:
			again.Stop()
			if !open {
				return err
			}
		case <-again.C:
		case <-over.C:
			again.Stop()
			return err
		}
		if done, err = look(ctx); done {
			return err
		}
	}
}
