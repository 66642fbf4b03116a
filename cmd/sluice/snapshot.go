package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/snapshot"
)

func newSnapshotCommand(sh *shell) *cobra.Command {
	cmd := parent(&cobra.Command{Use: "snapshot", Short: "Bootstrap snapshots: make keys, check files"})
	cmd.AddCommand(newSnapshotKeyCommand(sh), newSnapshotVerifyCommand(sh))
	return cmd
}

const snapshotKeyLong = `Make a key that signs bootstrap snapshots: the private one goes into FILE, which
only you can read, and is for signing_key_file of the daemon; the public one is
printed, and is for --bootstrap-key of the agents. With --public, print the public
one of a key that was made before.`

func newSnapshotKeyCommand(sh *shell) *cobra.Command {
	var id string
	public := false
	cmd := &cobra.Command{
		Use: "key FILE", Short: "Make a key that signs snapshots, and print its public one", Long: snapshotKeyLong, Args: cobra.ExactArgs(1),
		Example: "  sluice snapshot key --id 2026-11 snapshot.key > snapshot.pub",
		RunE: func(_ *cobra.Command, args []string) error {
			key, err := snapshotKey(args[0], id, public)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(sh.stdout, key.Public())
			return err
		},
	}
	cmd.Flags().StringVar(&id, "id", "k1", "its id: lower-case letters, digits and dashes; another one for each key")
	cmd.Flags().BoolVar(&public, "public", false, "make no key: print the public one of the key in FILE")
	return cmd
}

// snapshotKey reads the key of a file, or makes one and the file. It never writes over a key:
// what that signed would be lost to its readers.
func snapshotKey(file, id string, read bool) (snapshot.PrivateKey, error) {
	if read {
		text, err := os.ReadFile(file)
		if err != nil {
			return snapshot.PrivateKey{}, err
		}
		key, err := snapshot.ParsePrivateKey(string(text))
		if err != nil {
			return key, fmt.Errorf("%s: %w", file, err)
		}
		return key, nil
	}
	key, err := snapshot.NewKey(id)
	if err != nil {
		return key, err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return key, fmt.Errorf("%s is there already: name another file, or see its public key with --public", file)
	}
	if err != nil {
		return key, err
	}
	_, err = fmt.Fprintln(f, key.Reveal())
	return key, errors.Join(err, f.Sync(), f.Close())
}

const snapshotVerifyLong = `Check snapshots as an agent would, without a daemon: signature, name, content and
age. Of a directory, every snapshot in it is checked.

Exit code 1 says that one of them would be refused, or that there is none.`

func newSnapshotVerifyCommand(sh *shell) *cobra.Command {
	var keys []string
	maxAge := snapshot.DefaultMaxAge
	cmd := &cobra.Command{
		Use: "verify FILE|DIRECTORY", Short: "Check snapshots as an agent would", Long: snapshotVerifyLong, Args: cobra.ExactArgs(1),
		Example: `  sluice snapshot verify /srv/snapshots --key "$(cat snapshot.pub)"`,
		RunE: func(_ *cobra.Command, args []string) error {
			trusted, err := snapshot.ParsePublicKeys(keys)
			if err != nil {
				return fmt.Errorf("--key: %w", err)
			}
			if len(trusted) == 0 {
				return errors.New("--key is needed: the public key that sluice snapshot key printed")
			}
			files, err := snapshotFiles(args[0])
			if err != nil {
				return err
			}
			return verifySnapshots(sh, files, snapshot.Rules{Keys: trusted, Now: sh.now(), MaxAge: maxAge})
		},
	}
	cmd.Flags().StringSliceVar(&keys, "key", nil, "public `key` that is trusted; may be repeated")
	cmd.Flags().DurationVar(&maxAge, "max-age", maxAge, "`age` at which a snapshot is refused; 0 for never")
	return cmd
}

// snapshotFiles lists the snapshots in a directory, or the one file.
func snapshotFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if _, ok := snapshot.ProfileOf(e.Name()); ok {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	if len(files) == 0 {
		return nil, notSo(fmt.Errorf("%s holds no snapshots: their names are like %s", path, snapshot.FileName("cart.production")))
	}
	return files, nil
}

func verifySnapshots(sh *shell, files []string, rules snapshot.Rules) error {
	refused := 0
	for _, file := range files {
		s, err := verifySnapshot(file, rules)
		if err != nil {
			refused++
			fmt.Fprintf(sh.stdout, "refused  %s: %v\n", file, err)
			continue
		}
		note := ""
		if profile.HasSecrets(s.Data) {
			note = "; agents refuse it, because it needs secrets"
		}
		fmt.Fprintf(sh.stdout, "good     %s %s, written %s by key %s%s\n", s.Profile, s.Version, s.WrittenAt.Format(time.RFC3339), s.KeyID, note)
	}
	if refused > 0 {
		return notSo(fmt.Errorf("%s of %d refused", plural(refused, "snapshot"), len(files)))
	}
	return nil
}

func verifySnapshot(file string, rules snapshot.Rules) (snapshot.Snapshot, error) {
	name, ok := snapshot.ProfileOf(filepath.Base(file))
	if !ok {
		return snapshot.Snapshot{}, fmt.Errorf("the name of a snapshot is that of its profile: %s", snapshot.FileName("cart.production"))
	}
	f, err := os.Open(file)
	if err != nil {
		return snapshot.Snapshot{}, err
	}
	raw, err := io.ReadAll(io.LimitReader(f, snapshot.MaxSize+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return snapshot.Snapshot{}, err
	}
	rules.Profile = name
	return snapshot.Verify(raw, rules)
}
