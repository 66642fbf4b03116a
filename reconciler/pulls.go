package reconciler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/forge"
	"github.com/sluicehq/sluice/gitsource"
	"github.com/sluicehq/sluice/rollout"
)

// Host is what checks need of a forge.
type Host interface {
	// PullRef is the ref of a pull request's head in the repository itself.
	PullRef(number int) string
	// OpenPullRequests lists the open ones into a branch.
	OpenPullRequests(ctx context.Context, branch string) ([]forge.PullRequest, error)
}

// CheckStore is what checks read of the database.
type CheckStore interface {
	// Now is the database's clock.
	Now(ctx context.Context) (time.Time, error)
	// Fleet reads the instances that a deployment which is not made yet would go
	// to, where the profile's requests go, and the freeze.
	Fleet(ctx context.Context, d rollout.Deployment) (rollout.Snapshot, error)
	// PullChecks reads what is remembered of the source's pull requests.
	PullChecks(ctx context.Context, source string) ([]rollout.PullRequestCheck, error)
	// RecordPullsFailure keeps why the pull requests could not be looked at; the
	// empty reason clears it.
	RecordPullsFailure(ctx context.Context, source, reason string) error
}

// CheckTx writes what came of a check.
type CheckTx interface {
	// PutCheck remembers the last check of a pull request. What was asked for since
	// c was read stays asked for.
	PutCheck(ctx context.Context, c rollout.PullRequestCheck) error
	// ForgetCheck forgets a pull request.
	ForgetCheck(ctx context.Context, source string, number int) error
	// SetComment says how a comment should read.
	SetComment(ctx context.Context, c rollout.Comment) error
}

// maxChecks bounds the checks of one pass: the others have their turn in the
// next, which comes at once, after the list was read anew.
const maxChecks = 20

// pulls is what the pass over the pull requests goes by.
type pulls struct {
	git   PullGit
	host  Host
	store CheckStore
	look  chan struct{}

	sick     map[int]sickness // pull requests that could not be checked, by number
	queued   map[string]bool  // commits of the merge queue that were told
	told     bool             // whether recorded says what the store has
	recorded string
}

// sickness is how often in a row a pull request could not be checked, and when
// it is tried again.
type sickness struct {
	failures int
	until    time.Time
}

func newPulls(o Options) *pulls {
	if o.Host == nil || !o.PullRequestChecks {
		return nil
	}
	return &pulls{git: o.PullGit, host: o.Host, store: o.Store, look: make(chan struct{}, 1), sick: make(map[int]sickness), queued: make(map[string]bool)}
}

// wake makes the pass come now.
func (p *pulls) wake() {
	if p == nil {
		return
	}
	select {
	case p.look <- struct{}{}:
	default:
	}
}

// PullsResult says what one pass over the pull requests did.
type PullsResult struct {
	Skipped bool // another replica is at it, or nothing was synced yet
	Checked int
	Failed  int // could not be checked, and are tried again later
	Left    int // wait for the next pass
}

// runPulls looks at the pull requests after every sync, until ctx ends. It is a
// loop of its own: a forge that is slow, or a stranger's huge pull request, holds
// up no merged commit.
func (r *Reconciler) runPulls(ctx context.Context) {
	again := time.NewTimer(time.Hour)
	again.Stop()
	defer again.Stop()
	failures, look := 0, r.pulls.look
	for {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		case <-look:
		}
		res, err := r.CheckPulls(ctx)
		look = r.pulls.look
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if failures++; failures == 1 {
				r.log.WarnContext(ctx, "pull requests cannot be looked at", "error", err)
			}
			look = nil // not before its time, whatever happens meanwhile
			again.Reset(gitsource.NextPoll(r.source.PollInterval, failures, r.rand()))
			continue
		case failures > 0:
			r.log.InfoContext(ctx, "pull requests can be looked at again", "failures", failures)
			failures = 0
		}
		if res.Left > 0 {
			r.pulls.wake()
		}
	}
}

// CheckPulls makes one pass over the open pull requests. Its error says why they
// could not be looked at; it is recorded with the source, and fails no sync. One
// that alone cannot be looked at is counted, and tried again later.
func (r *Reconciler) CheckPulls(ctx context.Context) (res PullsResult, err error) {
	if r.pulls == nil {
		return PullsResult{Skipped: true}, nil
	}
	if r.locker != nil {
		unlock, err := r.locker.Lock(ctx, "pulls/"+r.source.ID, lockTTL)
		switch {
		case err == nil:
			defer unlock()
		case errors.Is(err, coord.ErrHeld):
			return PullsResult{Skipped: true}, nil
		default: // the lock only saves work: a check that is made twice says the same
			r.log.WarnContext(ctx, "no lock, checking without", "error", err)
		}
	}
	began := time.Now()
	res, err = r.checkPulls(ctx)
	r.metrics.PullsDone(r.source.ID, time.Since(began), res.Checked, err)
	return res, errors.Join(err, r.recordPulls(ctx, err))
}

func (r *Reconciler) checkPulls(ctx context.Context) (PullsResult, error) {
	open, err := r.pulls.host.OpenPullRequests(ctx, r.source.Branch)
	if err != nil {
		return PullsResult{}, fmt.Errorf("list the pull requests into %s: %w", r.source.Branch, err)
	}
	known, err := r.pulls.store.PullChecks(ctx, r.source.ID)
	if err != nil {
		return PullsResult{}, err
	}
	if err := r.forgetClosed(ctx, open, known); err != nil {
		return PullsResult{}, err
	}
	base, err := r.store.SourceHead(ctx, r.source.ID)
	if err != nil {
		return PullsResult{}, fmt.Errorf("synced commit of %s: %w", r.source.ID, err)
	}
	if base == "" {
		return PullsResult{Skipped: true}, nil
	}
	due := dueChecks(open, known, base, r.pulls.sick, time.Now())
	res := PullsResult{Left: max(0, len(due)-maxChecks)}
	var st state
	for _, d := range due[:min(len(due), maxChecks)] {
		if st, err = r.freshState(ctx, st); err != nil {
			return res, err
		}
		switch err := r.checkOne(ctx, st, d); {
		case ctx.Err() != nil:
			return res, ctx.Err()
		case err != nil:
			res.Failed++
			r.fellSick(ctx, d.pr, err)
		default:
			res.Checked++
			delete(r.pulls.sick, d.pr.Number)
		}
	}
	return res, r.checkQueue(ctx, st)
}

// freshState lets a sync go first that is under way or due, and reads the source
// as it is then. What was read before serves as long as the source did not move.
func (r *Reconciler) freshState(ctx context.Context, st state) (state, error) {
	r.pass.Lock()
	r.pass.Unlock() //nolint:staticcheck // only waits
	head, err := r.store.SourceHead(ctx, r.source.ID)
	if err != nil {
		return state{}, fmt.Errorf("synced commit of %s: %w", r.source.ID, err)
	}
	if st.Head == head {
		return st, nil
	}
	return loadSource(ctx, r.store, r.source, head, r.reach)
}

// checkOne checks one pull request and keeps what came of it.
func (r *Reconciler) checkOne(ctx context.Context, st state, d dueCheck) error {
	head, err := r.pulls.git.FetchRef(ctx, r.pulls.host.PullRef(d.pr.Number))
	var f forecast
	if trouble := troubleOf(err); trouble != "" {
		head = d.pr.Head
		f = forecast{Trouble: trouble, Head: head, Base: st.Head, Branch: r.source.Branch, Fork: d.pr.Fork}
	} else if err != nil {
		return fmt.Errorf("fetch pull request %d: %w", d.pr.Number, err)
	} else if f, err = r.check(ctx, st, d.pr, head); err != nil {
		return fmt.Errorf("check pull request %d: %w", d.pr.Number, err)
	}
	return r.keep(ctx, d, f)
}

// keep stores a check with its status and its comment. One that says the same as
// before on a branch that moved is remembered and not told again.
func (r *Reconciler) keep(ctx context.Context, d dueCheck, f forecast) error {
	essence := f.essence()
	same := d.was.Head == f.Head && d.was.Essence == essence && !d.was.Asked
	return r.store.InTx(ctx, func(tx Tx) error {
		now, err := tx.Now(ctx)
		if err != nil {
			return fmt.Errorf("read the clock: %w", err)
		}
		if err := tx.PutCheck(ctx, rollout.PullRequestCheck{
			Source: r.source.ID, PullRequest: d.pr.Number, Head: f.Head, Base: f.Base, Passed: f.Passed(), At: now,
			Essence: essence, Asks: d.was.Asks,
		}); err != nil || same {
			return err
		}
		if err := tx.SetStatus(ctx, f.status(r.source.ID)); err != nil {
			return fmt.Errorf("set the check of %s: %w", f.Head, err)
		}
		if err := tx.SetComment(ctx, f.said(r.source.ID, d.pr.Number)); err != nil {
			return fmt.Errorf("comment on pull request %d: %w", d.pr.Number, err)
		}
		return nil
	})
}

// forgetClosed forgets the checks of pull requests that are not open any more.
func (r *Reconciler) forgetClosed(ctx context.Context, open []forge.PullRequest, known []rollout.PullRequestCheck) error {
	there := make(map[int]bool, len(open))
	for _, pr := range open {
		there[pr.Number] = true
	}
	for number := range r.pulls.sick {
		if !there[number] {
			delete(r.pulls.sick, number)
		}
	}
	for _, c := range known {
		if there[c.PullRequest] {
			continue
		}
		if err := r.store.InTx(ctx, func(tx Tx) error { return tx.ForgetCheck(ctx, r.source.ID, c.PullRequest) }); err != nil {
			return fmt.Errorf("forget pull request %d: %w", c.PullRequest, err)
		}
	}
	return nil
}

// fellSick makes a pull request wait that could not be checked: it must not have
// the turn of others.
func (r *Reconciler) fellSick(ctx context.Context, pr forge.PullRequest, err error) {
	s := r.pulls.sick[pr.Number]
	if s.failures++; s.failures == 1 {
		r.log.WarnContext(ctx, "pull request cannot be checked", "pull_request", pr.Number, "error", err)
	}
	s.until = time.Now().Add(gitsource.NextPoll(r.source.PollInterval, s.failures, r.rand()))
	r.pulls.sick[pr.Number] = s
}

// recordPulls keeps with the source why the pull requests could not be looked
// at. It says nothing twice, and nothing of a pass that was told to stop.
func (r *Reconciler) recordPulls(ctx context.Context, err error) error {
	reason := ""
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		reason = clip(printable(err.Error()), 500)
	}
	if r.pulls.told && r.pulls.recorded == reason {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordLimit)
	defer cancel()
	if err := r.pulls.store.RecordPullsFailure(ctx, r.source.ID, reason); err != nil {
		return fmt.Errorf("record the pull requests of %s: %w", r.source.ID, err)
	}
	r.pulls.told, r.pulls.recorded = true, reason
	return nil
}
