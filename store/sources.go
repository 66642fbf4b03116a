package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// Source is a watched repository with its sync position.
type Source struct {
	ID, URL, Branch, Path string
	Head                  string // commit that it was last synced to
	SyncedAt              time.Time
	LastError             string
	ErrorSince            time.Time
	PullsError            string // why its pull requests could not be looked at, "" when they could
}

const sourceColumns = `id, url, branch, path, head, synced_at, last_error, error_since, pulls_error`

func scanSource(row scanner) (src Source, err error) {
	return src, row.Scan(&src.ID, &src.URL, &src.Branch, &src.Path, &src.Head, at(&src.SyncedAt), &src.LastError, at(&src.ErrorSince), &src.PullsError)
}

// RegisterSource makes a source known, or updates where it lives. Its URL must
// hold no credentials.
func (s *Store) RegisterSource(ctx context.Context, src Source) error {
	return s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.exec(ctx, `INSERT INTO sources (id, url, branch, path) VALUES ($1, $2, $3, $4)
			ON CONFLICT (id) DO UPDATE SET url = excluded.url, branch = excluded.branch, path = excluded.path`,
			src.ID, src.URL, src.Branch, src.Path); err != nil {
			return fmt.Errorf("register source %s: %w", src.ID, err)
		}
		return nil
	})
}

// Sources lists the sources by ID.
func (s *Store) Sources(ctx context.Context) ([]Source, error) {
	sources, err := collect(ctx, s.read, scanSource, `SELECT `+sourceColumns+` FROM sources ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("list the sources: %w", err)
	}
	return sources, nil
}

// SourceHead is the commit that the source was last synced to, "" before the first sync.
func (s *Store) SourceHead(ctx context.Context, source string) (head string, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT head FROM sources WHERE id = $1`, source).Scan(&head)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("read the position of source %s: %w", source, err)
	}
	return head, nil
}

// SourceMoved says whether the source's head was read in another folder than this one, which its path names by now. A
// replica whose settings are older than that is told no.
func (s *Store) SourceMoved(ctx context.Context, source, folder string) (bool, error) {
	var head, configured, read string
	err := s.read.QueryRowContext(ctx, `SELECT head, path, folder FROM sources WHERE id = $1`, source).Scan(&head, &configured, &read)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return false, fmt.Errorf("read the folder of source %s: %w", source, err)
	}
	return head != "" && read != folder && strings.Trim(path.Clean("/"+configured), "/") == folder, nil
}

// SourceParts is how many parts of a first sync are stored that has not come to its end.
func (s *Store) SourceParts(ctx context.Context, source string) (parts int, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT parts FROM sources WHERE id = $1`, source).Scan(&parts)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("read the parts of source %s: %w", source, err)
	}
	return parts, nil
}

// SourceTrace is the trace of the newest webhook that told of the source since it
// was last synced, as W3C Trace Context writes it; "" without one.
func (s *Store) SourceTrace(ctx context.Context, source string) (traceparent string, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT d.traceparent FROM webhook_deliveries d JOIN sources s ON s.id = d.source_id
		WHERE d.source_id = $1 AND d.event IN ('push', 'generic') AND (s.synced_at IS NULL OR d.received_at >= s.synced_at)
		ORDER BY d.received_at DESC LIMIT 1`, source).Scan(&traceparent)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("read which webhook told of source %s: %w", source, err)
	}
	return traceparent, nil
}

// StorePart counts a part of a source's first sync; rollout.ErrStale when the source has a
// head by now, or another number of parts before it. Until the head moves, the aggregates
// of the source's commits are no success: nobody knows yet what else they bring.
func (tx *Tx) StorePart(ctx context.Context, source string, before int) error {
	if err := tx.knownSource(ctx, source); err != nil {
		return err
	}
	n, err := tx.exec(ctx, `UPDATE sources SET parts = parts + 1 WHERE id = $1 AND head = '' AND parts = $2`, source, before)
	if err == nil && n == 0 {
		err = rollout.ErrStale
	}
	if err != nil {
		return fmt.Errorf("store part %d of source %s: %w", before+1, source, err)
	}
	return nil
}

// MoveHead sets the source's synced commit from one to another, and the folder that it was read in; rollout.ErrStale
// when another replica moved it first. A first sync is at its end with it.
func (tx *Tx) MoveHead(ctx context.Context, source, from, to, folder string) error {
	if err := tx.knownSource(ctx, source); err != nil {
		return err
	}
	n, err := tx.exec(ctx, `UPDATE sources SET head = $3, folder = $5, parts = 0, synced_at = $4, last_error = '', error_since = NULL
		WHERE id = $1 AND head = $2`, source, from, to, stamp(tx.now()), folder)
	if err == nil && n == 0 {
		err = rollout.ErrStale
	}
	if err == nil && from == "" {
		err = tx.completeCommits(ctx, source)
	}
	if err != nil {
		return fmt.Errorf("move source %s to %s: %w", source, to, err)
	}
	return nil
}

func (tx *Tx) knownSource(ctx context.Context, source string) error {
	if _, err := tx.exec(ctx, `INSERT INTO sources (id) VALUES ($1) ON CONFLICT (id) DO NOTHING`, source); err != nil {
		return fmt.Errorf("register source %s: %w", source, err)
	}
	return nil
}

// completeCommits lets the aggregates follow of all commits that a first sync brought
// parts of: one that died may have been at another commit.
func (tx *Tx) completeCommits(ctx context.Context, source string) error {
	commits, err := collect(ctx, tx.tx, scanName, `SELECT DISTINCT commit_sha FROM commit_statuses WHERE source_id = $1 AND context <> $2`,
		source, rollout.CheckContext)
	for _, sha := range commits {
		tx.complete = append(tx.complete, commitOf{source, sha})
	}
	return err
}

// RecordSourceFailure keeps why a sync failed; the empty reason clears it.
func (s *Store) RecordSourceFailure(ctx context.Context, source, reason string) error {
	var known string
	err := s.read.QueryRowContext(ctx, `SELECT last_error FROM sources WHERE id = $1`, source).Scan(&known)
	if err == nil && known == reason {
		return nil // a quiet pass writes nothing
	}
	return s.InTx(ctx, func(tx *Tx) error {
		var since stamp
		if reason != "" {
			since = stamp(tx.now())
		}
		if _, err := tx.exec(ctx, `INSERT INTO sources (id, last_error, error_since) VALUES ($1, $2, $3)
			ON CONFLICT (id) DO UPDATE SET last_error = excluded.last_error,
			 error_since = CASE WHEN excluded.last_error = '' THEN NULL ELSE COALESCE(sources.error_since, excluded.error_since) END`,
			source, reason, since); err != nil {
			return fmt.Errorf("record the failure of source %s: %w", source, err)
		}
		return nil
	})
}

// Problems reads the source's files that could not be read at its head.
func (s *Store) Problems(ctx context.Context, source string) ([]profile.SourceProblem, error) {
	problems, err := collect(ctx, s.read, func(row scanner) (p profile.SourceProblem, err error) {
		return p, row.Scan(&p.Source, &p.Path, &p.Profile, &p.Commit, &p.Message, at(&p.Since))
	}, `SELECT source_id, path, profile, commit_sha, message, since FROM source_problems WHERE source_id = $1 ORDER BY path`, source)
	if err != nil {
		return nil, fmt.Errorf("read the problems of source %s: %w", source, err)
	}
	return problems, nil
}

// ProblemCounts is how many files of each source cannot be used, as far as a scope
// has them: a file of no known profile is for whoever sees everything.
func (s *Store) ProblemCounts(ctx context.Context, scope profile.Scope) (map[string]int, error) {
	type count struct {
		source, profile string
		files           int
	}
	counts, err := collect(ctx, s.read, func(row scanner) (c count, err error) {
		return c, row.Scan(&c.source, &c.profile, &c.files)
	}, `SELECT source_id, profile, COUNT(*) FROM source_problems GROUP BY source_id, profile`)
	if err != nil {
		return nil, fmt.Errorf("count the problems of the sources: %w", err)
	}
	out := map[string]int{}
	for _, c := range counts {
		if scope.Everything() || c.profile != "" && scope.HasName(c.profile) {
			out[c.source] += c.files
		}
	}
	return out, nil
}

// PutProblem remembers a file that could not be read. The time it was first
// seen stays.
func (tx *Tx) PutProblem(ctx context.Context, p profile.SourceProblem) error {
	if p.Since.IsZero() {
		p.Since = tx.now()
	}
	if _, err := tx.exec(ctx, `INSERT INTO source_problems (source_id, path, profile, commit_sha, message, since)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (source_id, path) DO UPDATE SET profile = excluded.profile,
		 commit_sha = excluded.commit_sha, message = excluded.message`,
		p.Source, p.Path, p.Profile, p.Commit, p.Message, stamp(p.Since)); err != nil {
		return fmt.Errorf("remember the problem of %s in source %s: %w", p.Path, p.Source, err)
	}
	return nil
}

// ClearProblem forgets a file's problem.
func (tx *Tx) ClearProblem(ctx context.Context, source, path string) error {
	if _, err := tx.exec(ctx, `DELETE FROM source_problems WHERE source_id = $1 AND path = $2`, source, path); err != nil {
		return fmt.Errorf("forget the problem of %s in source %s: %w", path, source, err)
	}
	return nil
}
