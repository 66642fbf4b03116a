package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/gitsource"
	"github.com/sluicehq/sluice/rollout"
)

// ErrUnsigned is wrapped by Sync's error when the source requires signed
// commits and the branch has one whose signature does not count.
var ErrUnsigned = errors.New("unsigned commits")

// Signatures checks the signatures of a source's commits.
type Signatures interface {
	// Unverified lists the commits reachable from to, by any parent, and from none
	// of the trusted ones (with none of them, to alone) whose signature does not count.
	Unverified(ctx context.Context, trusted []string, to string) ([]gitsource.Unverified, error)
}

// maxUnsignedTold bounds the commits of one push that get a failing status.
const maxUnsignedTold = 100

// signatures is what is known of a source that requires signed commits.
type signatures struct {
	check Signatures
	from  string // the commit after which they have to be signed, "" for the synced one

	told    string          // the head whose refusal was told; under Reconciler.pass
	refused map[string]bool // commits with a failing status; under Reconciler.pass
}

// requireSigned refuses to go on to a commit that brings one whose signature
// does not count. The source then stays at its last good head; the commits hear
// of it once, and again when they count after all because a key was added.
func (r *Reconciler) requireSigned(ctx context.Context, synced, head string) error {
	s := r.signed
	if s.check == nil {
		return nil
	}
	bad, err := s.check.Unverified(ctx, trustedCommits(synced, s.from), head)
	switch {
	case errors.Is(err, gitsource.ErrNotFetched), errors.Is(err, gitsource.ErrTooManyCommits):
		return fmt.Errorf("signatures of %s since %s and %s cannot be checked, set signed_from to a commit of the branch from which on they shall be: %w",
			short(head), orNone(synced), orNone(s.from), err)
	case err != nil:
		return fmt.Errorf("signatures of %s: %w", short(head), err)
	case len(bad) == 0:
		return r.tellSigned(ctx)
	}
	if err := r.tellUnsigned(ctx, bad, head); err != nil {
		return err
	}
	more := ""
	if len(bad) > 1 {
		more = fmt.Sprintf(" (and %d more)", len(bad)-1)
	}
	return fmt.Errorf("%w: commit %s %s%s: sign it anew and push again, or add its key to the source's signing keys; until then the source stays at %s",
		ErrUnsigned, short(bad[0].Commit), bad[0].Reason, more, orNone(synced))
}

func trustedCommits(commits ...string) []string {
	return slices.DeleteFunc(commits, func(sha string) bool { return sha == "" })
}

func orNone(sha string) string {
	if sha == "" {
		return "no commit"
	}
	return short(sha)
}

// unsignedStatuses says what the refused commits and the head hear.
func unsignedStatuses(source string, bad []gitsource.Unverified, head string) []rollout.Status {
	var out []rollout.Status
	add := func(commit, text string) {
		out = append(out, rollout.Status{
			Source: source, Commit: commit, Context: rollout.AggregateContext, State: rollout.StatusFailure, Description: clip(text, maxDescription),
		})
	}
	say := func(u gitsource.Unverified) string { return "commit " + short(u.Commit) + " " + u.Reason }
	headIsBad := false
	for _, u := range bad[max(0, len(bad)-maxUnsignedTold):] {
		headIsBad = headIsBad || u.Commit == head
		add(u.Commit, say(u))
	}
	if !headIsBad {
		add(head, "not synced: "+say(bad[0]))
	}
	return out
}

func (r *Reconciler) tellUnsigned(ctx context.Context, bad []gitsource.Unverified, head string) error {
	said := []string{head}
	for _, u := range bad {
		said = append(said, u.Commit+u.Reason)
	}
	key := strings.Join(said, " ")
	if r.signed.told == key {
		return nil
	}
	statuses := unsignedStatuses(r.source.ID, bad, head)
	if err := r.setStatuses(ctx, statuses); err != nil {
		return err
	}
	r.signed.told = key
	for _, s := range statuses {
		r.signed.refused[s.Commit] = true
	}
	return nil
}

// tellSigned takes back what refused commits heard, of those that count now.
// What the sync then says of a commit is said over it.
func (r *Reconciler) tellSigned(ctx context.Context) error {
	var statuses []rollout.Status
	for _, commit := range slices.Sorted(maps.Keys(r.signed.refused)) {
		bad, err := r.signed.check.Unverified(ctx, nil, commit)
		if len(bad) > 0 || errors.Is(err, gitsource.ErrNotFetched) {
			continue // it was taken off the branch
		}
		if err != nil {
			return fmt.Errorf("signature of %s: %w", short(commit), err)
		}
		statuses = append(statuses, rollout.Status{
			Source: r.source.ID, Commit: commit, Context: rollout.AggregateContext, State: rollout.StatusSuccess,
			Description: "signed by a known key",
		})
	}
	if err := r.setStatuses(ctx, statuses); err != nil {
		return err
	}
	r.signed.told = ""
	clear(r.signed.refused)
	return nil
}

func (r *Reconciler) setStatuses(ctx context.Context, statuses []rollout.Status) error {
	if len(statuses) == 0 {
		return nil
	}
	return r.store.InTx(ctx, func(tx Tx) error {
		for _, s := range statuses {
			if err := tx.SetStatus(ctx, s); err != nil {
				return fmt.Errorf("status of %s: %w", s.Commit, err)
			}
		}
		return nil
	})
}
