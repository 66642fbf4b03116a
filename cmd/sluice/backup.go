package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/settings"
	"github.com/sluicehq/sluice/store"
)

const backupLong = `Copy the embedded database to a new file, beside the daemon that uses it.

The copy is of one moment. It appears under its name when it is whole, on disk
and checked. When its audit log does not hold, it is made all the same, and the
exit code is 1.`

func newBackupCommand(sh *shell) *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use: "backup --to FILE", Short: "Copy the embedded database while the daemon runs", Long: backupLong, Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, err := loadSettings(cmd.Flags(), sh.getenv)
			if err != nil {
				return err
			}
			if to == "" {
				return errors.New("--to FILE is required: where the copy goes")
			}
			if err := embedded(conf, "back it up with pg_dump"); err != nil {
				return err
			}
			return withDatabase(cmd.Context(), conf, true, func(ctx context.Context, db *store.Store) error {
				contents, err := db.Backup(ctx, to)
				if errors.Is(err, store.ErrExists) {
					err = fmt.Errorf("%w: a backup never overwrites, give another name", err)
				}
				if err != nil {
					return err
				}
				fmt.Fprintf(sh.stdout, "wrote %s\n", to)
				printContents(sh, contents)
				if b := contents.Broken; b != nil {
					return notSo(fmt.Errorf("the copy is made, but the audit log in it is broken at row %d: %s", b.ID, b.Reason))
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "file to write; it must not exist")
	addSettings(cmd.Flags())
	return cmd
}

const restoreLong = `Put a backup in the place of the embedded database. The daemon must not run.

The backup is checked before anything is touched: its pages, its schema and its
audit log. With --force a database that is there is moved aside, not removed.

Instances refuse an assignment that is older than the last one they were told.
So the same step raises the generation of every profile: instances take what the
backup says, or confirm that they run it.

--raise-generations does only that, to a database that something else put back:
pg_restore, a snapshot of a disk, a copied file.`

type restoreFlags struct {
	from         string
	force, raise bool
}

func newRestoreCommand(sh *shell) *cobra.Command {
	var flags restoreFlags
	cmd := &cobra.Command{
		Use: "restore --from FILE", Short: "Put a backup in the place of the database", Long: restoreLong, Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, err := loadSettings(cmd.Flags(), sh.getenv)
			if err != nil {
				return err
			}
			switch {
			case flags.raise && (flags.from != "" || flags.force):
				return errors.New("--raise-generations works on the database as it is: give it alone")
			case flags.raise:
				return raiseGenerations(cmd.Context(), sh, conf)
			case flags.from == "":
				return errors.New("--from FILE is required: a file that sluice backup wrote")
			}
			return restore(cmd.Context(), sh, conf, flags)
		},
	}
	cmd.Flags().StringVar(&flags.from, "from", "", "file that sluice backup wrote")
	cmd.Flags().BoolVar(&flags.force, "force", false, "move a database that is there aside")
	cmd.Flags().BoolVar(&flags.raise, "raise-generations", false, "after a restore by other means: have instances take what the database says")
	addSettings(cmd.Flags())
	return cmd
}

func restore(ctx context.Context, sh *shell, conf settings.Settings, flags restoreFlags) error {
	if err := embedded(conf, "restore it with pg_restore, then run sluice restore --raise-generations"); err != nil {
		return err
	}
	r, err := store.Restore(ctx, store.RestoreOptions{From: flags.from, To: conf.DatabaseURL.Reveal(), Replace: flags.force})
	if errors.Is(err, store.ErrExists) {
		err = fmt.Errorf("%w: --force moves it aside", err)
	}
	if err := stopFirst(err); err != nil {
		return err
	}
	fmt.Fprintf(sh.stdout, "restored %s\n", r.Path)
	printContents(sh, r.Contents)
	if r.Aside != "" {
		fmt.Fprintf(sh.stdout, "the database before is %s\n", r.Aside)
	}
	printRaised(sh, r.Profiles)
	return nil
}

func raiseGenerations(ctx context.Context, sh *shell, conf settings.Settings) error {
	return stopFirst(withDatabase(ctx, conf, false, func(ctx context.Context, db *store.Store) error {
		n, err := db.RaiseGenerations(ctx, "restored by other means")
		if err != nil {
			return err
		}
		printRaised(sh, n)
		return nil
	}))
}

func printContents(sh *shell, c store.Contents) {
	fmt.Fprintf(sh.stdout, "  %.1f MiB, schema %d, %d rows of the audit log hold\n", float64(c.Bytes)/(1<<20), c.Schema, c.Audit)
	for _, table := range store.ContentTables {
		fmt.Fprintf(sh.stdout, "  %-20s %d rows\n", table, c.Rows[table])
	}
}

func printRaised(sh *shell, profiles int) {
	fmt.Fprintf(sh.stdout, "the generations of %d profiles were raised: instances will take what the database says\n", profiles)
}

// embedded refuses a database that is not a file of ours, and says what to do.
func embedded(conf settings.Settings, instead string) error {
	if store.IsPostgres(conf.DatabaseURL.Reveal()) {
		return fmt.Errorf("database_url is PostgreSQL: %s (see docs/backup.md)", instead)
	}
	return nil
}
