package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	newFileMode fs.FileMode = 0o640
	// secretFileMode is that of a new file that holds opened secrets; one that is there loses what others may do with it.
	secretFileMode fs.FileMode = 0o600
	others         fs.FileMode = 0o007
)

// target is the file that the agent writes, links followed.
type target struct {
	path string
	mode fs.FileMode // wanted, 0 to keep
}

// newTarget follows a link, so that it stays one.
func newTarget(path string, mode fs.FileMode) (target, error) {
	real, err := filepath.EvalSymlinks(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return target{path: path, mode: mode}, nil
	case err != nil:
		return target{}, err
	}
	return target{path: real, mode: mode}, nil
}

// read returns the present content, and false when there is no file.
func (t target) read() ([]byte, bool, error) {
	raw, err := os.ReadFile(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	return raw, err == nil, err
}

func (t target) prefix() string { return ".sluice-" }

// stage writes content beside the file under a name of the same ending, with the mode and owner of
// the present file; what is secret is not for everybody on the machine. The caller commits or removes it.
func (t target) stage(content []byte, secret bool) (string, error) {
	tmp, err := os.CreateTemp(filepath.Dir(t.path), t.prefix()+"*-"+filepath.Base(t.path))
	if err != nil {
		return "", err
	}
	_, err = tmp.Write(content)
	if err == nil {
		err = t.dress(tmp, secret)
	}
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return "", errors.Join(err, os.Remove(tmp.Name()))
	}
	return tmp.Name(), nil
}

// dress gives the new file mode and owner.
func (t target) dress(tmp *os.File, secret bool) error {
	mode := newFileMode
	if secret {
		mode = secretFileMode
	}
	info, err := os.Stat(t.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil {
		mode = info.Mode().Perm()
		if secret {
			mode &^= others
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			if err := chown(tmp, int(st.Uid), int(st.Gid)); err != nil {
				return fmt.Errorf("keep the owner: %w", err)
			}
		}
	}
	if t.mode != 0 {
		mode = t.mode
	}
	return tmp.Chmod(mode)
}

func chown(f *os.File, uid, gid int) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) == uid && int(st.Gid) == gid {
		return nil
	}
	return f.Chown(uid, gid)
}

// commit puts a staged file into place: at any crash there is the old file or the new one.
func (t target) commit(tmp string) error {
	if err := os.Rename(tmp, t.path); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return syncDir(filepath.Dir(t.path))
}

// restore puts former content back, or removes the file when there was none.
func (t target) restore(former []byte, existed bool) error {
	if !existed {
		if err := os.Remove(t.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return syncDir(filepath.Dir(t.path))
	}
	tmp, err := t.stage(former, false) // the mode of the one that is there was narrowed if need be
	if err != nil {
		return err
	}
	return t.commit(tmp)
}

// sweep removes what a killed agent staged.
func (t target) sweep() error {
	dir := filepath.Dir(t.path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, t.prefix()) && strings.HasSuffix(name, "-"+filepath.Base(t.path)) && e.Type().IsRegular() {
			errs = append(errs, os.Remove(filepath.Join(dir, name)))
		}
	}
	return errors.Join(errs...)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
