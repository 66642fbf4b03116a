package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sluicehq/sluice/profile"
)

// diskTree reads a directory as the daemon reads a commit: no symbolic links, nothing outside, no file past the limit.
type diskTree struct {
	dir  string
	root *os.Root
}

func openTree(dir string) (*diskTree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	return &diskTree{dir: dir, root: root}, nil
}

// Close releases the directory.
func (t *diskTree) Close() error { return t.root.Close() }

// ReadFile implements profile.Files.
func (t *diskTree) ReadFile(name string) ([]byte, error) {
	if !fs.ValidPath(name) {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	for i, c := range name + "/" {
		if c != '/' {
			continue
		}
		info, err := t.root.Lstat(filepath.FromSlash(name[:i]))
		if err != nil {
			return nil, missing(err)
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return nil, fmt.Errorf("%w: %s is a symbolic link", profile.ErrRefused, name[:i])
		}
		if i == len(name) && !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%w: %s is no regular file", profile.ErrRefused, name)
		}
		if limit := int64(profile.DefaultLimits().MaxBytes); i == len(name) && info.Size() > limit {
			return nil, fmt.Errorf("%w: %s has %d bytes, at most %d are read", profile.ErrRefused, name, info.Size(), limit)
		}
	}
	return t.root.ReadFile(filepath.FromSlash(name))
}

// missing makes "a file where a directory should be" a missing file, as it is in a Git tree.
func missing(err error) error {
	if strings.HasSuffix(err.Error(), "not a directory") {
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return err
}

// files lists the files that can be Sluice's, below sub ("." is all), in order. Hidden directories are passed over.
func (t *diskTree) files(sub string) ([]string, error) {
	var out []string
	err := fs.WalkDir(t.root.FS(), sub, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != sub && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.IsDir():
			return nil
		case profile.YAMLFile(name), profile.SchemaFile(name):
			out = append(out, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", t.dir, err)
	}
	return out, nil
}

// shown is a file's name as the person who called the command would write it.
func (t *diskTree) shown(name string) string {
	file := filepath.Join(t.dir, filepath.FromSlash(name))
	if filepath.IsAbs(file) {
		return file
	}
	// A root above the working directory gives ../here/file: leave out the way up and down again.
	here, err := filepath.Abs(".")
	if err != nil {
		return file
	}
	if short, err := filepath.Rel(here, filepath.Join(here, file)); err == nil {
		return short
	}
	return file
}

// locate returns the root and the name below it for a path: an explicit root, or the directory itself, or for a file the
// nearest ancestor that is a Git work tree, or else the file's directory.
func locate(root, file string) (dir, name string, err error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", "", fmt.Errorf("read %s: %w", file, errors.Unwrap(err))
	}
	if root == "" {
		root = file
		if !info.IsDir() {
			root = workTree(filepath.Dir(file))
		}
	}
	absRoot, err := filepath.Abs(root)
	if err != nil {
		return "", "", err
	}
	absFile, err := filepath.Abs(file)
	if err != nil {
		return "", "", err
	}
	rel, err := filepath.Rel(absRoot, absFile)
	if err != nil || !filepath.IsLocal(rel) {
		return "", "", fmt.Errorf("%s is outside of %s", file, root)
	}
	return root, filepath.ToSlash(rel), nil
}

// workTree returns the nearest directory at or above dir that holds .git, or dir.
func workTree(dir string) string {
	for up := dir; ; up = filepath.Join(up, "..") {
		if _, err := os.Lstat(filepath.Join(up, ".git")); err == nil {
			return up
		}
		abs, err := filepath.Abs(up)
		if err != nil || filepath.Dir(abs) == abs {
			return dir
		}
	}
}
