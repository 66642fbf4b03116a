package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// SourceCommit is one commit of a source and what it became.
type SourceCommit struct {
	Commit string
	At     time.Time // when Sluice read it
	// Versions that it made, failing and waiting Statuses first, and the newest
	// forward Deployments of it: at most PartsOfCommit of each.
	Versions     []profile.Version
	VersionCount int // all that it made
	Statuses     []CommitStatus
	Deployments  []rollout.Deployment
}

const (
	// PartsOfCommit is how much is read of each commit in a list of them: a first
	// sync makes thousands of versions at once.
	PartsOfCommit = 50
	// newestVersions is how far back commits are looked for.
	newestVersions = 10_000
)

// ofCommits is what a list of commits is narrowed by: the source as $1, and what
// the scope has.
type ofCommits struct {
	w                  where
	versions, statuses string
}

func (s *Store) ofCommits(source string, scope profile.Scope) ofCommits {
	o := ofCommits{w: where{args: []any{source}}}
	if scope.Everything() {
		return o
	}
	within := `(SELECT name FROM config_profiles WHERE ` + o.w.profileWithin(s.engine, scope) + `)`
	o.versions = ` AND config_name IN ` + within
	o.statuses = ` AND context IN (SELECT 'sluice/' || name FROM ` + within + ` AS seen)`
	return o
}

// arg adds an argument and says its number.
func (o *ofCommits) arg(value any) int {
	o.w.args = append(o.w.args, value)
	return len(o.w.args)
}

// SourceCommits lists the newest commits of a source that the store knows of,
// newest first. With a scope, only those about its profiles, and of each no more
// than that.
func (s *Store) SourceCommits(ctx context.Context, source string, scope profile.Scope, limit int) ([]SourceCommit, error) {
	commits, err := s.newestCommits(ctx, source, scope, limit)
	if err == nil && len(commits) > 0 {
		err = s.partsOf(ctx, source, scope, commits)
	}
	if err != nil {
		return nil, fmt.Errorf("list the commits of source %s: %w", source, err)
	}
	return commits, nil
}

// newestCommits takes those that made versions in the order of these, and among
// them those that made none: no profile changed, or none could be read. The check
// of a pull request is of no commit that was merged.
func (s *Store) newestCommits(ctx context.Context, source string, scope profile.Scope, limit int) ([]SourceCommit, error) {
	o := s.ofCommits(source, scope)
	check, n := o.arg(rollout.CheckContext), o.arg(limit)
	return collect(ctx, s.read, func(row scanner) (c SourceCommit, err error) {
		var seq int64
		return c, row.Scan(&c.Commit, at(&c.At), &seq)
	}, fmt.Sprintf(`WITH made AS (
			SELECT commit_sha, max(created_at) AS seen_at, max(seq) AS seq FROM (
				SELECT commit_sha, created_at, seq FROM config_versions WHERE source_id = $1 AND commit_sha <> ''%s ORDER BY seq DESC LIMIT %d) AS newest
			GROUP BY commit_sha),
		other AS (
			SELECT commit_sha, min(updated_at) AS seen_at FROM commit_statuses WHERE source_id = $1 AND context <> $%d%s
			   AND NOT EXISTS (SELECT 1 FROM config_versions v WHERE v.commit_sha = commit_statuses.commit_sha AND v.commit_sha <> '' AND v.source_id = $1)
			GROUP BY commit_sha)
		SELECT commit_sha, seen_at, seq FROM made UNION ALL SELECT commit_sha, seen_at, 0 FROM other
		ORDER BY 2 DESC, 3 DESC, 1 LIMIT $%d`, o.versions, newestVersions, check, o.statuses, n), o.w.args...)
}

// partsOf reads what became of commits.
func (s *Store) partsOf(ctx context.Context, source string, scope profile.Scope, commits []SourceCommit) error {
	of, shas := map[string]*SourceCommit{}, make([]string, len(commits))
	for i := range commits {
		of[commits[i].Commit], shas[i] = &commits[i], commits[i].Commit
	}
	if err := s.versionsOf(ctx, source, scope, shas, of); err != nil {
		return err
	}
	if err := s.statusesOf(ctx, source, scope, shas, of); err != nil {
		return err
	}
	return s.deploymentsOfCommits(ctx, shas, of)
}

func (s *Store) versionsOf(ctx context.Context, source string, scope profile.Scope, shas []string, of map[string]*SourceCommit) error {
	o := s.ofCommits(source, scope)
	among := s.engine.in("commit_sha", o.arg(asJSON(shas)))
	_, err := collect(ctx, s.read, func(row scanner) (v profile.Version, err error) {
		var count int
		if err := row.Scan(append(versionDest(&v), &count)...); err != nil {
			return v, err
		}
		c := of[v.Commit]
		c.Versions, c.VersionCount = append(c.Versions, v), count
		return v, nil
	}, fmt.Sprintf(`SELECT %s, whole FROM (
			SELECT %s, row_number() OVER (PARTITION BY commit_sha ORDER BY config_name, seq) AS place, count(*) OVER (PARTITION BY commit_sha) AS whole
			  FROM config_versions WHERE source_id = $1%s AND %s) AS numbered
		WHERE place <= %d ORDER BY commit_sha, place`, versionColumns, versionColumns, o.versions, among, PartsOfCommit), o.w.args...)
	return err
}

func (s *Store) statusesOf(ctx context.Context, source string, scope profile.Scope, shas []string, of map[string]*SourceCommit) error {
	o := s.ofCommits(source, scope)
	among, check := s.engine.in("commit_sha", o.arg(asJSON(shas))), o.arg(rollout.CheckContext)
	_, err := collect(ctx, s.read, func(row scanner) (CommitStatus, error) {
		c, err := scanStatus(row)
		if err == nil {
			of[c.Commit].Statuses = append(of[c.Commit].Statuses, c)
		}
		return c, err
	}, fmt.Sprintf(`SELECT %s FROM (
			SELECT %s, row_number() OVER (PARTITION BY commit_sha ORDER BY CASE WHEN context = '%s' THEN 0 WHEN state IN ('failure', 'error') THEN 1
				WHEN state = 'pending' THEN 2 ELSE 3 END, context) AS place
			  FROM commit_statuses WHERE source_id = $1%s AND %s AND context <> $%d) AS numbered
		WHERE place <= %d ORDER BY commit_sha, place`,
		statusColumns, statusColumns, rollout.AggregateContext, o.statuses, among, check, PartsOfCommit), o.w.args...)
	return err
}

// deploymentsOfCommits reads those of the profiles that are told of.
func (s *Store) deploymentsOfCommits(ctx context.Context, shas []string, of map[string]*SourceCommit) error {
	names := []string{}
	for _, c := range of {
		for _, v := range c.Versions {
			names = append(names, v.Profile)
		}
	}
	slices.Sort(names)
	_, err := collect(ctx, s.read, func(row scanner) (d rollout.Deployment, err error) {
		if err := row.Scan(&d.ID, &d.Profile, &d.Version, &d.State, &d.Commit); err != nil {
			return d, err
		}
		of[d.Commit].Deployments = append(of[d.Commit].Deployments, d)
		return d, nil
	}, `SELECT deployment_id, config_name, config_version, status, commit_sha FROM config_deployments
		WHERE kind = 'Forward' AND `+s.engine.in("commit_sha", 1)+` AND `+s.engine.in("config_name", 2)+` ORDER BY seq DESC`,
		asJSON(shas), asJSON(slices.Compact(names)))
	return err
}

// Source reads one source; ErrNotFound when there is none.
func (s *Store) Source(ctx context.Context, id string) (Source, error) {
	src, err := scanSource(s.read.QueryRowContext(ctx, `SELECT `+sourceColumns+` FROM sources WHERE id = $1`, id))
	return src, notFound(err, ErrNotFound, "source", id)
}
