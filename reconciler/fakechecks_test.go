package reconciler_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sluicehq/sluice/rollout"
)

func (s *fakeStore) Now(context.Context) (time.Time, error) {
	err := s.begin("Now")
	defer s.mu.Unlock()
	return s.now, err
}

func (s *fakeStore) Fleet(_ context.Context, d rollout.Deployment) (rollout.Snapshot, error) {
	err := s.begin("Fleet")
	defer s.mu.Unlock()
	return s.fleets[d.Profile], err
}

func (s *fakeStore) PullChecks(context.Context, string) (out []rollout.PullRequestCheck, err error) {
	err = s.begin("PullChecks")
	defer s.mu.Unlock()
	for _, number := range sortedNumbers(s.data.checks) {
		out = append(out, s.data.checks[number])
	}
	return out, err
}

func (s *fakeStore) RecordPullsFailure(_ context.Context, _, reason string) error {
	err := s.begin("RecordPullsFailure")
	defer s.mu.Unlock()
	s.pullsFailure = reason
	return err
}

// ask is what a comment does that asks for another check.
func (s *fakeStore) ask(number int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.data.checks[number]
	c.Asks, c.Asked = c.Asks+1, true
	s.data.checks[number] = c
}

func (t *fakeTx) PutCheck(_ context.Context, c rollout.PullRequestCheck) error {
	if c.Source == "" || c.PullRequest == 0 || c.Head == "" || c.Base == "" || c.Essence == "" || c.At.IsZero() {
		return fmt.Errorf("bad check %+v", c)
	}
	asks := max(c.Asks, t.checks[c.PullRequest].Asks)
	c.Asks, c.Asked = asks, asks > c.Asks
	t.checks[c.PullRequest] = c
	return t.op("PutCheck")
}

func (t *fakeTx) ForgetCheck(_ context.Context, _ string, number int) error {
	delete(t.checks, number)
	return t.op("ForgetCheck")
}

func (t *fakeTx) SetComment(_ context.Context, c rollout.Comment) error {
	if c.Source == "" || c.PullRequest == 0 || c.Key != rollout.CheckComment || c.Commit == "" || c.Body == "" {
		return fmt.Errorf("bad comment %+v", c)
	}
	t.comments[c.PullRequest], t.commented = c, append(t.commented, c.PullRequest)
	return t.op("SetComment")
}

func sortedNumbers[V any](m map[int]V) []int { return slices.Sorted(maps.Keys(m)) }
