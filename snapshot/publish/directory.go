package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluicehq/sluice/snapshot"
)

const (
	// What is in a snapshot is configuration: for its readers' group, and not for everybody.
	fileMode fs.FileMode = 0o640
	dirMode  fs.FileMode = 0o750

	temporary = ".tmp-"
	// leftover is the age at which a temporary file is nobody's any more.
	leftover = time.Hour
)

// Directory keeps snapshots in a folder, a network drive for example. The folder is made
// where it is missing.
type Directory struct{ path string }

// NewDirectory returns the folder of that path; it is not looked at yet.
func NewDirectory(path string) *Directory { return &Directory{path: path} }

// Files lists the snapshots in the folder.
func (d *Directory) Files(context.Context) (map[string]string, error) {
	if err := os.MkdirAll(d.path, dirMode); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // it went away meanwhile
		}
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(e.Name(), temporary) && time.Since(info.ModTime()) > leftover {
			if err := os.Remove(filepath.Join(d.path, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
		}
		if _, ok := snapshot.ProfileOf(e.Name()); ok {
			files[e.Name()] = mark(info)
		}
	}
	return files, nil
}

func mark(info fs.FileInfo) string {
	return fmt.Sprintf("%s %d %d", info.Mode(), info.Size(), info.ModTime().UnixNano())
}

// Read returns a file. What is no regular file is read as an empty one: it is to be replaced.
func (d *Directory) Read(_ context.Context, file string) ([]byte, error) {
	path := filepath.Join(d.path, file)
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(f, snapshot.MaxSize+1))
	return raw, errors.Join(err, f.Close())
}

// Write replaces a file: after a crash at any point there is the old or the new one.
func (d *Directory) Write(_ context.Context, file string, content []byte) (string, error) {
	tmp, err := os.CreateTemp(d.path, temporary+"*")
	if err != nil {
		return "", err
	}
	_, err = tmp.Write(content)
	var info fs.FileInfo
	if err == nil {
		err = tmp.Chmod(fileMode)
	}
	if err == nil {
		err = tmp.Sync()
	}
	if err == nil {
		info, err = tmp.Stat()
	}
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), filepath.Join(d.path, file))
	}
	if err != nil {
		return "", errors.Join(err, os.Remove(tmp.Name()))
	}
	return mark(info), syncDir(d.path)
}

// Remove takes a file away.
func (d *Directory) Remove(_ context.Context, file string) error {
	err := os.Remove(filepath.Join(d.path, file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, syncDir(d.path))
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
