package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/internal/settings"
	"github.com/sluicehq/sluice/store"
)

func newMigrateCommand(sh *shell) *cobra.Command {
	cmd := parent(&cobra.Command{Use: "migrate", Short: "Bring the database schema up to date"})
	cmd.AddCommand(
		databaseCommand(sh, "up", "Apply the migrations that are missing", false, func(ctx context.Context, db *store.Store) error {
			if err := db.Migrate(ctx); err != nil {
				return err
			}
			_, err := fmt.Fprintln(sh.stdout, "the database is up to date")
			return err
		}),
		databaseCommand(sh, "status", "List the migrations", false, func(ctx context.Context, db *store.Store) error {
			list, err := db.MigrationStatus(ctx)
			if err != nil {
				return err
			}
			for _, m := range list {
				state := "missing"
				if m.Applied {
					state = "applied"
				}
				if _, err := fmt.Fprintf(sh.stdout, "%04d  %-8s %s\n", m.Version, state, m.Name); err != nil {
					return err
				}
			}
			return nil
		}),
		newMigrateDownCommand(sh),
		&cobra.Command{
			Use: "sql", Short: "Print the whole schema for an empty PostgreSQL database, for psql", Args: nothing,
			RunE: func(*cobra.Command, []string) error {
				text, err := store.PostgresSQL()
				if err == nil {
					_, err = fmt.Fprint(sh.stdout, text)
				}
				return err
			},
		},
	)
	return cmd
}

func newMigrateDownCommand(sh *shell) *cobra.Command {
	var loseData bool
	cmd := databaseCommand(sh, "down", "Take the newest migration back", false, func(ctx context.Context, db *store.Store) error {
		if !loseData {
			return errors.New("taking a migration back drops tables and what is in them: make a backup, then say --lose-data")
		}
		m, err := db.MigrateDown(ctx)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(sh.stdout, "%04d was taken back: %s\n", m.Version, m.Name)
		return err
	})
	cmd.Flags().BoolVar(&loseData, "lose-data", false, "go on although what is in the dropped tables is lost")
	return cmd
}

const verifyLong = `Check that no row of the audit log was changed, added or removed, on the database
itself. With --remote the daemon is asked, which takes an Operator's token and no
way to the database: it is the daemon's word then, and a long log takes too long.`

func newAuditVerify(sh *shell, conn *connection) *cobra.Command {
	cmd := databaseCommand(sh, "verify", "Check that no row of the audit log was changed, added or removed", true,
		func(ctx context.Context, db *store.Store) error {
			n, broken, err := db.VerifyAudit(ctx)
			if err != nil {
				return err
			}
			v := wire.AuditVerification{Holds: broken == nil, Verified: n}
			if broken != nil {
				v.Broken = &wire.AuditBreak{ID: broken.ID, Reason: broken.Reason}
			}
			return sh.verified(v)
		})
	cmd.Long = verifyLong
	remotely := cmd.Flags().Bool("remote", false, "ask the daemon")
	onDatabase := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !*remotely {
			return onDatabase(cmd, args)
		}
		r, err := conn.open()
		if err != nil {
			return err
		}
		v, err := r.c.VerifyAudit(cmd.Context())
		if err != nil {
			return err
		}
		return sh.verified(v)
	}
	return cmd
}

// verified says what came of looking at the audit log.
func (sh *shell) verified(v wire.AuditVerification) error {
	if v.Broken != nil {
		return notSo(fmt.Errorf("the audit log is broken at row %d: %s; the %d rows before it hold", v.Broken.ID, oneLine(v.Broken.Reason), v.Verified))
	}
	_, err := fmt.Fprintf(sh.stdout, "all %d rows of the audit log hold\n", v.Verified)
	return err
}

// databaseCommand works on the database itself, with the daemon's settings. One
// that only reads may run beside the daemon.
func databaseCommand(sh *shell, use, short string, readOnly bool, run func(context.Context, *store.Store) error) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			conf, err := loadSettings(cmd.Flags(), sh.getenv)
			if err != nil {
				return err
			}
			return stopFirst(withDatabase(cmd.Context(), conf, readOnly, run))
		},
	}
	addSettings(cmd.Flags())
	return cmd
}

// stopFirst says what to do where the daemon has the database.
func stopFirst(err error) error {
	if errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("%w: stop the daemon first", err)
	}
	return err
}

func withDatabase(ctx context.Context, conf settings.Settings, readOnly bool, run func(context.Context, *store.Store) error) error {
	db, err := store.Open(ctx, store.Options{URL: conf.DatabaseURL.Reveal(), ReadOnly: readOnly})
	if err != nil {
		return err
	}
	if err := run(ctx, db); err != nil {
		db.Close() //nolint:errcheck // what went wrong before is what matters
		return err
	}
	return db.Close()
}
