package demo

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// repository is the Git repository of profiles that the demo commits to.
type repository struct {
	dir  string
	repo *git.Repository
}

// newRepository makes an empty repository with the branch main.
func newRepository(dir string) (*repository, error) {
	repo, err := git.PlainInitWithOptions(dir, &git.PlainInitOptions{
		InitOptions: git.InitOptions{DefaultBranch: plumbing.NewBranchReferenceName("main")},
	})
	if err != nil {
		return nil, fmt.Errorf("make repository %s: %w", dir, err)
	}
	return &repository{dir: dir, repo: repo}, nil
}

func (r *repository) url() string { return "file://" + filepath.ToSlash(r.dir) }

// commit writes the files, keyed by path, and commits them. It returns the SHA.
func (r *repository) commit(message string, files map[string]string) (string, error) {
	tree, err := r.repo.Worktree()
	if err != nil {
		return "", fmt.Errorf("open the work tree of %s: %w", r.dir, err)
	}
	for path, content := range files {
		file := filepath.Join(r.dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return "", fmt.Errorf("write %s: %w", path, err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			return "", fmt.Errorf("write %s: %w", path, err)
		}
		if _, err := tree.Add(path); err != nil {
			return "", fmt.Errorf("add %s: %w", path, err)
		}
	}
	who := object.Signature{Name: "Sluice Demo", Email: "demo@example.com", When: time.Now()}
	sha, err := tree.Commit(message, &git.CommitOptions{Author: &who, Committer: &who})
	if err != nil {
		return "", fmt.Errorf("commit %q: %w", message, err)
	}
	return sha.String(), nil
}

// readTree reads every file below root of files, keyed by its path below root.
func readTree(files fs.FS, root string) (map[string]string, error) {
	sub, err := fs.Sub(files, root)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", root, err)
	}
	tree := map[string]string{}
	err = fs.WalkDir(sub, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(sub, path)
		tree[path] = string(content)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", root, err)
	}
	return tree, nil
}
