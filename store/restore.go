package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// RestoreOptions say what to restore, and where.
type RestoreOptions struct {
	From string // a file that Backup wrote
	To   string // the embedded database: a file path or sqlite:PATH
	// Replace moves a database that is there aside; without it, none is touched.
	Replace bool
	// Now replaces the machine's clock in tests.
	Now func() time.Time
}

// Restored is what a restore did.
type Restored struct {
	Contents
	Path     string // of the database
	Profiles int    // whose generations were raised
	Aside    string // where the database before is now; "" without one
}

// walSuffixes end the names of the files that the engine keeps beside a database.
var walSuffixes = []string{"-wal", "-shm"}

// Restore puts a backup in the place of the embedded database. Nothing is
// touched there before the copy was checked and is on disk; then it appears at
// once, and whole. It returns ErrLocked while a daemon has the database and
// ErrExists for one that Replace does not allow to be moved.
//
// Generations are raised (see RaiseGenerations) in the same step.
func Restore(ctx context.Context, opts RestoreOptions) (r Restored, err error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if r.Path, err = databasePath(opts.To); err != nil {
		return r, err
	}
	if err := os.MkdirAll(filepath.Dir(r.Path), 0o750); err != nil {
		return r, err
	}
	lock, err := lockFile(r.Path + ".lock")
	if err != nil {
		return r, fmt.Errorf("restore database %s: %w", r.Path, err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	there := absent(r.Path)
	if there != nil && (!opts.Replace || !errors.Is(there, ErrExists)) {
		return r, fmt.Errorf("restore database: %w", there)
	}
	staged := r.Path + ".restoring"
	defer func() { err = errors.Join(err, discard(staged)) }()
	if err := r.stage(ctx, opts, staged); err != nil {
		return r, err
	}
	if there != nil {
		r.Aside = r.Path + ".before-" + opts.Now().UTC().Format("20060102T150405.000Z")
	}
	if err := swap(staged, r.Path, r.Aside); err != nil {
		return r, fmt.Errorf("put the restored database in place: %w", err)
	}
	return r, nil
}

// stage makes the copy ready beside its place.
func (r *Restored) stage(ctx context.Context, opts RestoreOptions, staged string) (err error) {
	for _, suffix := range walSuffixes {
		if err := absent(opts.From + suffix); err != nil {
			return fmt.Errorf("%s is the file of a database in use, not a backup (there is %s): take one with sluice backup",
				opts.From, filepath.Base(opts.From)+suffix)
		}
	}
	if err := discard(staged); err != nil { // of a restore that was killed
		return err
	}
	if err := copyFile(opts.From, staged); err != nil {
		return fmt.Errorf("copy %s: %w", opts.From, err)
	}
	if r.Contents, err = check(ctx, staged); err != nil {
		return fmt.Errorf("restore %s: %w", opts.From, err)
	}
	if r.Broken != nil {
		return fmt.Errorf("restore %s: its audit log is broken at row %d: %s", opts.From, r.Broken.ID, r.Broken.Reason)
	}
	if r.Profiles, err = raiseIn(ctx, staged, opts); err != nil {
		return fmt.Errorf("restore %s: %w", opts.From, err)
	}
	return syncPath(staged)
}

// raiseIn raises the generations in the copy. Closing it folds the engine's
// journal into the one file.
func raiseIn(ctx context.Context, path string, opts RestoreOptions) (profiles int, err error) {
	s, err := Open(ctx, Options{URL: path, Now: opts.Now})
	if err != nil {
		return 0, err
	}
	profiles, err = s.RaiseGenerations(ctx, "restored from "+filepath.Base(opts.From))
	if err == nil {
		_, err = s.write.usual.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
	}
	if err = errors.Join(err, s.Close()); err != nil {
		return 0, err
	}
	for _, suffix := range walSuffixes {
		if err := absent(path + suffix); err != nil {
			return 0, fmt.Errorf("the copy was not closed: %w", err)
		}
	}
	return profiles, nil
}

// swap puts the staged file in the place of the database. The one before is
// given its second name first, so that at no moment there is none; its journal
// goes with it, for it must not be taken for the new one's.
func swap(staged, path, aside string) error {
	if aside != "" {
		if err := os.Link(path, aside); err != nil {
			if err := os.Rename(path, aside); err != nil { // a file system without links
				return err
			}
		}
	}
	for _, suffix := range walSuffixes {
		if err := setAside(path+suffix, aside, suffix); err != nil {
			return err
		}
	}
	if err := syncPath(filepath.Dir(path)); err != nil {
		return err
	}
	if err := os.Rename(staged, path); err != nil {
		return err
	}
	return syncPath(filepath.Dir(path))
}

// setAside moves a file of the database before to its new name, and removes one
// that was left without a database.
func setAside(path, aside, suffix string) error {
	if aside == "" {
		return remove(path)
	}
	if err := os.Rename(path, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// discard removes a staged copy with all that belongs to it.
func discard(staged string) error {
	return remove(staged, staged+"-wal", staged+"-shm", staged+"-journal", staged+".lock")
}

// copyFile writes a copy that only its owner may read.
func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}
