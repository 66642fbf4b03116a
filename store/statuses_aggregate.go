package store

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/sluicehq/sluice/rollout"
)

// aggregate is what a commit's aggregate status follows from. Its row keeps the tally of
// the commit's profiles, so that one of ten thousand need not read the others.
type aggregate struct {
	commitOf
	was    storedStatus
	due    bool           // something changed that it follows from
	partly bool           // the commit is stored in parts
	kept   bool           // the row has a tally; where none was kept, the profiles are counted
	tally  rollout.Tally  // of the profiles
	said   []saying       // that are set, of profiles
	first  rollout.Status // that it repeats, where the tally speaks
	parent string         // of the last word that it follows
}

// aggregates are those of the commits that were spoken of, in order.
func (tx *Tx) aggregates() []*aggregate {
	commits := map[commitOf]*aggregate{}
	of := func(key commitOf) *aggregate {
		if commits[key] == nil {
			commits[key] = &aggregate{commitOf: key}
		}
		return commits[key]
	}
	for _, of := range tx.complete {
		commits[of] = &aggregate{commitOf: of, due: true}
	}
	for _, status := range tx.statuses {
		switch status.Context {
		case rollout.CheckContext:
		case rollout.AggregateContext: // that of a commit without profiles is set by itself
			of(status.key().commitOf)
		default:
			a := of(status.key().commitOf)
			a.said = append(a.said, status)
		}
	}
	return slices.SortedFunc(maps.Values(commits), func(a, b *aggregate) int { return inOrder(a.commitOf, b.commitOf) })
}

func (a *aggregate) asking(text string, row func(scanner) error) question {
	return question{
		what: "look at the aggregate status of " + a.commit, text: text,
		args: []any{a.source, a.commit, rollout.AggregateContext, rollout.CheckContext}, row: row,
	}
}

// reading reads the aggregate's row.
func (a *aggregate) reading() question {
	q := a.asking(`SELECT coalesce(c.state, ''), coalesce(c.description, ''), coalesce(c.revision, 0), coalesce(c.tally, ''), coalesce(s.parts > 0, false)
		FROM (SELECT 1 AS one) AS a_row LEFT JOIN sources s ON s.id = $1
		LEFT JOIN commit_statuses c ON c.source_id = $1 AND c.commit_sha = $2 AND c.context = $3`,
		func(row scanner) error {
			var tally string
			err := row.Scan(&a.was.state, &a.was.description, &a.was.revision, &tally, &a.partly)
			a.kept = tally != "" && json.Unmarshal([]byte(tally), &a.tally) == nil
			return err
		})
	q.args = q.args[:3]
	return q
}

// lookAtProfiles looks at the statuses of profiles as they are once the writes are carried out,
// where the aggregates need that: it counts them, and finds the first that says what is wrong.
// It gives the writes that are left.
func (tx *Tx) lookAtProfiles(ctx context.Context, writes []question, aggregates []*aggregate) (left []question, err error) {
	for _, look := range []func(*aggregate) (question, bool){(*aggregate).counting, (*aggregate).findingFirst} {
		var looks []question
		for _, a := range aggregates {
			if q, needed := look(a); needed {
				looks = append(looks, q)
			}
		}
		if len(looks) == 0 {
			continue
		}
		if err := tx.tx.together(ctx, append(writes, looks...)...); err != nil {
			return nil, err
		}
		writes = nil
	}
	return writes, nil
}

// counting counts the profiles where no tally of them was kept.
func (a *aggregate) counting() (q question, needed bool) {
	if a.kept {
		return q, false
	}
	a.tally = rollout.Tally{}
	return a.asking(`SELECT state, count(*) FROM commit_statuses WHERE source_id = $1 AND commit_sha = $2 AND context <> $3 AND context <> $4 GROUP BY state`,
		func(row scanner) error {
			var state rollout.StatusState
			var n int
			err := row.Scan(&state, &n)
			a.tally.Add(state, n)
			return err
		}), true
}

// wrongStatuses is the condition of the index on the statuses that an aggregate
// repeats.
const wrongStatuses = ` AND state <> 'success' AND state <> 'pending'`

// findingFirst finds the first status that the aggregate repeats, by its context. That of
// the only profile may be the one that is set.
func (a *aggregate) findingFirst() (q question, needed bool) {
	worst := a.tally.Worst()
	if !a.tally.Speaks() {
		return q, false
	}
	if a.tally.Total() == 1 && len(a.said) == 1 && a.said[0].State == worst {
		a.first = a.said[0].Status
		return q, false
	}
	narrowed := ""
	if worst == rollout.StatusFailure || worst == rollout.StatusError {
		narrowed = wrongStatuses
	}
	q = a.asking(`SELECT state, description, deployment_id FROM commit_statuses
		WHERE source_id = $1 AND commit_sha = $2 AND state = $5 AND context <> $3 AND context <> $4`+narrowed+` ORDER BY context LIMIT 1`,
		func(row scanner) error { return row.Scan(&a.first.State, &a.first.Description, &a.first.DeploymentID) })
	q.args = append(q.args, worst)
	return q.there(), true
}

// next is the aggregate as it should be.
func (a *aggregate) next() rollout.Status {
	next := a.tally.Aggregate(a.first)
	if a.partly {
		next = next.Partly()
	}
	return next
}

// puttingAggregate keeps the aggregate, and the tally that it follows from. A revision is for
// what it says.
func (tx *Tx) puttingAggregate(a *aggregate, next rollout.Status) question {
	step := 1
	if a.was.says(next) {
		step = 0
	}
	return question{
		what: "set the aggregate status of " + a.commit,
		text: `INSERT INTO commit_statuses (source_id, commit_sha, context, state, description, deployment_id, tally, revision, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (source_id, commit_sha, context) DO UPDATE SET state = excluded.state, description = excluded.description,
		 deployment_id = excluded.deployment_id, tally = excluded.tally, revision = excluded.revision,
		 updated_at = CASE WHEN commit_statuses.revision = excluded.revision THEN commit_statuses.updated_at ELSE excluded.updated_at END`,
		args: []any{
			a.source, a.commit, rollout.AggregateContext, next.State, next.Description, next.DeploymentID, asJSON(a.tally),
			a.was.revision + int64(step), stamp(tx.now()),
		},
	}
}
