package demo

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // to look at the claims
)

// replicas is how many daemons there are on a shared database.
const replicas = 2

// database is a schema of the demo's own in a PostgreSQL database: nothing else
// in that is looked at.
type database struct {
	url    string // with the schema
	schema string
	db     *sql.DB
}

func newDatabase(ctx context.Context, given string) (*database, error) {
	random := make([]byte, 6)
	rand.Read(random)
	d := &database{schema: "sluice_demo_" + hex.EncodeToString(random)}
	u, err := url.Parse(given)
	if err != nil {
		return nil, errors.New("the database URL cannot be read: write postgres://USER:PASSWORD@HOST/DATABASE")
	}
	query := u.Query()
	query.Set("search_path", d.schema)
	u.RawQuery = query.Encode()
	d.url = u.String()
	if d.db, err = sql.Open("pgx", d.url); err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if _, err := d.db.ExecContext(ctx, `CREATE SCHEMA `+d.schema); err != nil {
		return nil, errors.Join(fmt.Errorf("make a schema for the demo: %w", err), d.db.Close())
	}
	return d, nil
}

// drop removes the schema with everything in it.
func (d *database) drop(ctx context.Context) error {
	_, err := d.db.ExecContext(ctx, `DROP SCHEMA `+d.schema+` CASCADE`)
	return errors.Join(err, d.db.Close())
}

// claim is who steps a deployment at this moment.
type claim struct {
	owner string
	epoch int64
}

func (d *database) claim(ctx context.Context, deployment string) (c claim, err error) {
	err = d.db.QueryRowContext(ctx, `SELECT owner, epoch FROM config_deployments WHERE deployment_id = $1`, deployment).Scan(&c.owner, &c.epoch)
	return c, err
}

// killInStep ends the replica that holds the claim on a deployment, in the
// middle of a step, and answers which one it was and which claim it held. The
// step is caught by a lock on the row that it writes to.
func (r *run) killInStep(ctx context.Context, profile, deployment string) (victim *daemon, held claim, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tx, err := r.database.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, held, fmt.Errorf("lock the profile: %w", err)
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()
	if _, err := tx.ExecContext(ctx, `SELECT name FROM config_profiles WHERE name = $1 FOR UPDATE`, profile); err != nil {
		return nil, held, fmt.Errorf("lock the profile: %w", err)
	}
	err = until(ctx, "a replica to claim the deployment", func(ctx context.Context) (bool, error) {
		held, err = r.database.claim(ctx, deployment)
		return held.owner != "", err
	})
	if err != nil {
		return nil, held, err
	}
	for _, d := range r.daemons {
		id, err := d.replica()
		if err != nil {
			return nil, held, err
		}
		if id == held.owner {
			return d, held, d.kill()
		}
	}
	return nil, held, fmt.Errorf("nobody here is replica %s, which holds the claim", held.owner)
}

// takenOver waits until another replica claims the deployment, and answers how
// long that took.
func (r *run) takenOver(ctx context.Context, deployment string, held claim) (time.Duration, error) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err := until(ctx, "the other replica to take over", func(ctx context.Context) (bool, error) {
		now, err := r.database.claim(ctx, deployment)
		return now.epoch > held.epoch, err
	})
	return time.Since(start), err
}

// replica is the daemon's own name for itself, which its claims carry.
func (d *daemon) replica() (id string, err error) {
	raw, err := os.ReadFile(d.logs.Name())
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(raw)) {
		var entry struct{ Msg, Replica string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "ready" {
			id = entry.Replica
		}
	}
	if id == "" {
		return "", fmt.Errorf("%s does not say which replica it is", d.logs.Name())
	}
	return id, nil
}
