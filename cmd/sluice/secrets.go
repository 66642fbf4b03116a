package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/secrets"
	"github.com/sluicehq/sluice/internal/settings"
	"github.com/sluicehq/sluice/store"
)

func newSecretsCommand(sh *shell) *cobra.Command {
	cmd := parent(&cobra.Command{Use: "secrets", Short: "Keys that seal secrets: make, look, rotate"})
	cmd.AddCommand(newSecretsKeyCommand(sh), newSecretsStatusCommand(sh), newSecretsRotateCommand(sh))
	return cmd
}

const secretsKeyLong = `Make a key for master_key and print it. Nothing else keeps it: whoever has it and
the database has the secrets, and without it nobody has.

To take a new key into use, put it behind the old one in master_key everywhere,
then before it, then run sluice secrets rotate.`

func newSecretsKeyCommand(sh *shell) *cobra.Command {
	var id string
	cmd := &cobra.Command{
		Use: "key", Short: "Make a key for master_key", Long: secretsKeyLong, Args: nothing,
		Example: "  sluice secrets key --id 2026-11 > master.key",
		RunE: func(*cobra.Command, []string) error {
			key, err := secrets.NewKey(id)
			if err == nil {
				_, err = fmt.Fprintln(sh.stdout, key)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&id, "id", "k1", "its id: lower-case letters, digits and dashes; another one for each key")
	return cmd
}

func newSecretsStatusCommand(sh *shell) *cobra.Command {
	return keysCommand(sh, &cobra.Command{
		Use: "status", Short: "Say how many values each key seals, and which keys may go",
		Long: "Say how many values each key seals, and which keys may go.\n\nExit code 1 says that values are sealed under a key that master_key does not have.",
	}, true, func(ctx context.Context, db *store.Store, keys secrets.Keys) error {
		under, err := db.SealedUnder(ctx)
		if err != nil {
			return err
		}
		return printKeys(sh, keys, under)
	})
}

// printKeys lists the keys with how many values each seals.
func printKeys(sh *shell, keys secrets.Keys, under map[string]int) error {
	if len(keys.IDs()) == 0 {
		fmt.Fprintln(sh.stdout, "master_key is empty: secrets cannot be given by API")
	}
	for i, id := range keys.IDs() {
		use := "may be taken out of master_key"
		switch {
		case i == 0:
			use = "seals"
		case under[id] > 0:
			use = "still opens: run sluice secrets rotate"
		}
		fmt.Fprintf(sh.stdout, "%-32s %13s  %s\n", id, plural(under[id], "value"), use)
		delete(under, id)
	}
	lost := 0
	for _, id := range slices.Sorted(maps.Keys(under)) {
		fmt.Fprintf(sh.stdout, "%-32s %13s  not in master_key: nothing opens them\n", id, plural(under[id], "value"))
		lost += under[id]
	}
	if lost > 0 {
		return notSo(fmt.Errorf("%s sealed under keys that master_key does not have: put them back, or give the secrets again", plural(lost, "value")))
	}
	return nil
}

const secretsRotateLong = `Seal every stored secret anew under the first key of master_key, in batches.

It may be stopped and run again at any time. No version changes, and nothing is
rolled out. With PostgreSQL it runs beside the daemons; a daemon with the embedded
database does it by itself when it starts.`

func newSecretsRotateCommand(sh *shell) *cobra.Command {
	dryRun := false
	cmd := &cobra.Command{
		Use: "rotate", Short: "Seal every stored secret under the newest key", Long: secretsRotateLong, Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withKeys(cmd, sh, dryRun, func(ctx context.Context, db *store.Store, keys secrets.Keys) error {
				if dryRun {
					return wouldRotate(ctx, sh, db, keys)
				}
				return rotate(ctx, sh, db, keys)
			})
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only say how many values would be sealed anew")
	addSettings(cmd.Flags())
	return cmd
}

func wouldRotate(ctx context.Context, sh *shell, db *store.Store, keys secrets.Keys) error {
	if keys.Sealing() == "" {
		return secrets.ErrNoKey
	}
	under, err := db.SealedUnder(ctx)
	if err != nil {
		return err
	}
	n := 0
	for id, values := range under {
		if id != keys.Sealing() {
			n += values
		}
	}
	fmt.Fprintf(sh.stdout, "%s to be sealed anew under %s\n", plural(n, "value"), keys.Sealing())
	return nil
}

func rotate(ctx context.Context, sh *shell, db *store.Store, keys secrets.Keys) error {
	r, err := secrets.Rotate(ctx, db, keys, "sluice secrets rotate", func(n int) {
		fmt.Fprintf(sh.stderr, "%s\n", plural(n, "value"))
	})
	if err != nil {
		return fmt.Errorf("%w (%s sealed anew; run it again to go on)", err, plural(r.Resealed, "value"))
	}
	fmt.Fprintf(sh.stdout, "%s sealed anew under %s\n", plural(r.Resealed, "value"), keys.Sealing())
	for _, why := range r.Stuck {
		fmt.Fprintf(sh.stderr, "not opened: %s\n", why)
	}
	under, err := db.SealedUnder(ctx)
	if err != nil {
		return err
	}
	return printKeys(sh, keys, under)
}

// keysCommand works on the database itself with the keys of the daemon's settings.
func keysCommand(sh *shell, cmd *cobra.Command, readOnly bool, run func(context.Context, *store.Store, secrets.Keys) error) *cobra.Command {
	cmd.Args = nothing
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return withKeys(cmd, sh, readOnly, run) }
	addSettings(cmd.Flags())
	return cmd
}

func withKeys(cmd *cobra.Command, sh *shell, readOnly bool, run func(context.Context, *store.Store, secrets.Keys) error) error {
	conf, err := loadSettings(cmd.Flags(), sh.getenv)
	if err != nil {
		return err
	}
	keys, err := masterKeys(conf)
	if err != nil {
		return err
	}
	err = withDatabase(cmd.Context(), conf, readOnly, func(ctx context.Context, db *store.Store) error { return run(ctx, db, keys) })
	if errors.Is(err, store.ErrLocked) {
		err = fmt.Errorf("%w: a daemon has the database, and seals anew by itself when it starts with another key; see sluice secrets status", err)
	}
	return err
}

// masterKeys reads the keys of the settings.
func masterKeys(conf settings.Settings) (secrets.Keys, error) {
	keys, err := secrets.ParseKeys(conf.MasterKey.Reveal())
	if err != nil {
		return keys, fmt.Errorf("master_key: %w", err)
	}
	return keys, nil
}
