package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/riverqueue/river"

	"github.com/sluicehq/sluice/rollout"
)

// NewestHold reads the profile's newest hold, in force or not; ok is false for
// a profile that never had one.
func (s *Store) NewestHold(ctx context.Context, name string) (h rollout.Hold, ok bool, err error) {
	h, err = scanHold(s.read.QueryRowContext(ctx, `SELECT `+holdColumns+` FROM config_holds WHERE config_name = $1 ORDER BY seq DESC LIMIT 1`, name))
	if errors.Is(err, sql.ErrNoRows) {
		return h, false, nil
	}
	if err != nil {
		return h, false, fmt.Errorf("read the newest hold of %s: %w", name, err)
	}
	return h, true, nil
}

// HoldsBehind lists the first holds on versions that a commit made, in force or not, and how many there are.
func (s *Store) HoldsBehind(ctx context.Context, source, commit string, limit int) (holds []rollout.Hold, total int, err error) {
	const behind = ` FROM config_holds h JOIN config_versions v ON v.config_name = h.config_name AND v.version = h.refused_version
		WHERE v.commit_sha = $1 AND v.commit_sha <> '' AND v.source_id = $2`
	if total, err = count(ctx, s.read, `SELECT count(*)`+behind, commit, source); err != nil {
		return nil, 0, fmt.Errorf("count the holds behind %s: %w", commit, err)
	}
	columns := "h." + strings.ReplaceAll(strings.Join(strings.Fields(holdColumns), " "), ", ", ", h.")
	holds, err = collect(ctx, s.read, scanHold, `SELECT `+columns+behind+` ORDER BY h.seq LIMIT $3`, commit, source, limit)
	if err != nil {
		return nil, 0, fmt.Errorf("list the holds behind %s: %w", commit, err)
	}
	return holds, total, nil
}

// rollbackJob asks for the pull request that brought what a profile's newest
// hold refuses to be told of the rollback, as it is when the job is worked off.
type rollbackJob struct {
	Profile string `json:"profile"`
}

// Kind names the job in the database.
func (rollbackJob) Kind() string { return "pull_request_rollback" }

// revertJob asks for the pull request that reverts what a profile's hold refuses.
type revertJob struct {
	Profile string `json:"profile"`
}

// Kind names the job in the database.
func (revertJob) Kind() string { return "revert_pull_request" }

// rollbackNews are the facts that change what the pull request behind a rollback
// is told, beside the end of a rollback by a deployment of its own.
var rollbackNews = map[string]bool{rollout.FactHoldBegun: true, rollout.FactRolledBack: true, rollout.FactHoldEnded: true}

// tellingPullRequests adds the jobs that tell a merged pull request of what the
// transaction recorded: both are stored, or neither is.
func (tx *Tx) tellingPullRequests(ctx context.Context) ([]question, error) {
	if !tx.s.routing.PullRequests {
		return nil, nil
	}
	var jobs []river.InsertManyParams
	told := map[string]bool{}
	for _, f := range tx.facts {
		name := f.EntityID
		if f.EntityType == "deployment" {
			name, _ = f.Details["profile"].(string)
		}
		ends := f.Type == rollout.FactCompleted || f.Type == rollout.FactFailed
		if !rollbackNews[f.Type] && !ends || name == "" || told[name] {
			continue
		}
		if ends { // only a rollback's: nobody is told of any other here
			d, err := deployment(ctx, tx.tx, f.EntityID)
			if err != nil || d.Kind != rollout.Rollback {
				continue // a corrupt one is told of elsewhere
			}
		}
		told[name] = true
		jobs = append(jobs, river.InsertManyParams{Args: rollbackJob{name}, InsertOpts: &river.InsertOpts{MaxAttempts: maxPosts}})
		if f.Type == rollout.FactHoldBegun {
			jobs = append(jobs, river.InsertManyParams{Args: revertJob{name}, InsertOpts: &river.InsertOpts{MaxAttempts: maxPosts}})
		}
	}
	return tx.askingJobs(ctx, jobs)
}

// rollbackWorker writes the comments that tell of rollbacks.
type rollbackWorker struct {
	river.WorkerDefaults[rollbackJob]
	s    *Store
	opts OutboxOptions
}

// NextRetry is later and later, like that of a status.
func (w *rollbackWorker) NextRetry(job *river.Job[rollbackJob]) time.Time {
	return later(w.s, job.Attempt)
}

// Work writes the comment of the profile's newest hold.
func (w *rollbackWorker) Work(ctx context.Context, job *river.Job[rollbackJob]) error {
	hold, ok, err := w.s.NewestHold(ctx, job.Args.Profile)
	if err != nil || !ok {
		return err
	}
	var c rollout.Comment
	failure := guarded(func() (err error) {
		c, ok, err = w.opts.Rollback(ctx, hold)
		return err
	}, w.opts.Panicked)
	switch {
	case failure != nil:
		return w.failed(ctx, job.Args.Profile, job.Attempt, failure)
	case !ok:
		return nil
	}
	return w.s.InTx(ctx, func(tx *Tx) error { return tx.SetComment(ctx, c) })
}

func (w *rollbackWorker) failed(ctx context.Context, profile string, attempt int, failure error) error {
	w.opts.Logger.WarnContext(ctx, "pull request was not told of the rollback", "profile", profile, "attempt", attempt, "error", failure)
	if errors.Is(failure, errPanicked) && attempt >= maxPanics {
		return river.JobCancel(failure)
	}
	return ended(failure)
}

// revertWorker opens pull requests that revert.
type revertWorker struct {
	river.WorkerDefaults[revertJob]
	s    *Store
	opts OutboxOptions
}

// NextRetry is later and later, like that of a status.
func (w *revertWorker) NextRetry(job *river.Job[revertJob]) time.Time { return later(w.s, job.Attempt) }

// Work opens the pull request that reverts what the profile's hold in force
// refuses, unless the hold is over or has one.
func (w *revertWorker) Work(ctx context.Context, job *river.Job[revertJob]) error {
	hold, held, err := w.s.ActiveHold(ctx, job.Args.Profile)
	if err != nil || !held || hold.RevertURL != "" {
		return err
	}
	url := ""
	failure := guarded(func() (err error) {
		url, err = w.opts.Revert(ctx, hold)
		return err
	}, w.opts.Panicked)
	switch {
	case failure != nil:
		w.opts.Logger.WarnContext(ctx, "revert pull request was not opened", "profile", hold.Profile, "attempt", job.Attempt, "error", failure)
		if errors.Is(failure, errPanicked) && job.Attempt >= maxPanics {
			return river.JobCancel(failure)
		}
		return ended(failure)
	case url == "":
		return nil
	}
	return w.s.recordRevert(ctx, hold, url)
}

// FactRevertProposed is the audit event of a pull request that reverts what was rolled back.
const FactRevertProposed = "revert.proposed"

// recordRevert keeps where the pull request of a hold is, and tells the one that
// brought what the hold refuses.
func (s *Store) recordRevert(ctx context.Context, h rollout.Hold, url string) error {
	return s.InTx(ctx, func(tx *Tx) error {
		n, err := tx.exec(ctx, `UPDATE config_holds SET revert_url = $4 WHERE config_name = $1 AND refused_version = $2 AND created_at = $3
			AND revert_url = ''`, h.Profile, h.RefusedVersion, stamp(h.CreatedAt), url)
		if err != nil {
			return fmt.Errorf("keep the revert pull request of %s: %w", h.Profile, err)
		}
		if n == 0 {
			return nil // it is kept already
		}
		if err := tx.putJob(ctx, rollbackJob{h.Profile}, &river.InsertOpts{MaxAttempts: maxPosts}); err != nil {
			return fmt.Errorf("put what the pull request is told of %s into the outbox: %w", h.Profile, err)
		}
		return tx.Record(ctx, rollout.Fact{
			Type: FactRevertProposed, EntityType: "profile", EntityID: h.Profile, Actor: rollout.Daemon,
			Details: map[string]any{"refused": h.RefusedVersion, "pinned": h.PinnedVersion, "url": url},
		})
	})
}
