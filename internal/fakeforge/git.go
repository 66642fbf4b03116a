package fakeforge

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// git runs git on the bare repository, as the forge itself would.
func (f *Forge) git(args ...string) (string, error) { return f.gitInput("", nil, args...) }

func (f *Forge) gitInput(stdin string, env []string, args ...string) (string, error) {
	cmd := exec.Command("git", append([]string{"--git-dir", f.Repo.Bare}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C",
		"GIT_COMMITTER_NAME=Forge", "GIT_COMMITTER_EMAIL=noreply@forge.example.com",
		"GIT_AUTHOR_NAME=Forge", "GIT_AUTHOR_EMAIL=noreply@forge.example.com")
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdin = strings.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, &stderr)
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}

// fixed is git, asked once for what cannot change: the arguments are hashes of
// commits that exist.
func (f *Forge) fixed(args ...string) (string, error) {
	key := strings.Join(args, "\x00")
	if out, ok := f.memory[key]; ok {
		return out, nil
	}
	out, err := f.git(args...)
	if err == nil {
		f.memory[key] = out
	}
	return out, err
}

// ancestor says whether a commit is another or comes before it.
func (f *Forge) ancestor(commit, of string) bool {
	_, err := f.fixed("merge-base", "--is-ancestor", commit, of)
	return err == nil
}

// resolve is the commit that a ref or an abbreviated hash names, "" for none.
func (f *Forge) resolve(rev string) string {
	if rev == "" || strings.HasPrefix(rev, "-") {
		return ""
	}
	if strings.HasPrefix(rev, "refs/heads/") {
		// A loose ref is read at once: every request asks for some.
		raw, err := os.ReadFile(filepath.Join(f.Repo.Bare, filepath.FromSlash(rev)))
		if sha := strings.TrimSpace(string(raw)); err == nil && len(sha) == 40 {
			return sha
		}
	}
	ask := f.git
	if len(rev) == 40 && !strings.Contains(rev, "/") {
		ask = f.fixed
	}
	out, err := ask("rev-parse", "--verify", "--quiet", rev+"^{commit}")
	if err != nil {
		return ""
	}
	return out
}

// author is the identity of a user in commits.
func author(login string) []string {
	return []string{"GIT_AUTHOR_NAME=" + login, "GIT_AUTHOR_EMAIL=" + login + "@example.com"}
}

// tree writes the tree of a commit ("" for none) with files changed; nil deletes.
func (f *Forge) tree(from string, files map[string]*string) (string, error) {
	dir, err := os.MkdirTemp("", "index")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // what is left of an index harms nobody
	env := []string{"GIT_INDEX_FILE=" + filepath.Join(dir, "index")}
	if from != "" {
		if _, err := f.gitInput("", env, "read-tree", from); err != nil {
			return "", err
		}
	}
	var lines strings.Builder
	for _, path := range sorted(files) {
		if files[path] == nil {
			fmt.Fprintf(&lines, "0 %s\t%s\n", strings.Repeat("0", 40), path)
			continue
		}
		blob, err := f.gitInput(*files[path], nil, "hash-object", "-w", "--stdin")
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&lines, "100644 %s\t%s\n", blob, path)
	}
	if _, err := f.gitInput(lines.String(), env, "update-index", "--index-info"); err != nil {
		return "", err
	}
	return f.gitInput("", env, "write-tree")
}

// commit makes a commit of files changed against its parent.
func (f *Forge) commit(parent, login, message string, files map[string]*string) (string, error) {
	tree, err := f.tree(parent, files)
	if err != nil {
		return "", err
	}
	return f.gitInput(message, author(login), "commit-tree", tree, "-p", parent)
}

// has says whether a commit has a file.
func (f *Forge) has(commit, path string) bool {
	_, err := f.git("cat-file", "-e", commit+":"+path)
	return err == nil
}

func sorted(files map[string]*string) []string {
	paths := make([]string, 0, len(files))
	for path := range files {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}

// Content is a file's content for the maps that this package takes.
//
//go:fix inline
func Content(s string) *string { return new(s) }
