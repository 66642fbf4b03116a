package forge

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"code.gitea.io/sdk/gitea"
)

// Propose opens a pull request that changes files. It can be cut off between
// any two of its calls and goes on from there when it is asked again: branch,
// one commit for all files, pull request.
func (g *Gitea) Propose(ctx context.Context, p Proposal) (PullRequest, error) {
	pr, ok, err := g.proposed(ctx, p)
	if err != nil || ok {
		return pr, err
	}
	files, err := g.changes(ctx, p)
	if err != nil {
		return PullRequest{}, err
	}
	tip, err := g.branchOff(ctx, p)
	if err != nil {
		return PullRequest{}, err
	}
	// At the commit that it was made from, the branch has no change yet.
	if tip == p.From {
		// Another replica may have committed a moment ago: it committed the same.
		if err := g.commitFiles(ctx, p, files); err != nil {
			if statusOf(err) == 0 { // no answer says nothing
				return PullRequest{}, err
			}
			if tip, ok, look := g.tip(ctx, p.Branch); look != nil || !ok || tip == p.From {
				return PullRequest{}, err
			}
		}
	}
	return g.openPull(ctx, p)
}

// proposed finds the open pull request of the proposal's branch.
func (g *Gitea) proposed(ctx context.Context, p Proposal) (PullRequest, bool, error) {
	open, err := g.OpenPullRequests(ctx, p.Base)
	if err != nil {
		return PullRequest{}, false, err
	}
	for _, pr := range open {
		if pr.HeadBranch == p.Branch && !pr.Fork {
			return pr, true, nil
		}
	}
	return PullRequest{}, false, nil
}

// tip is the commit of a branch; ok is false when there is no such branch.
func (g *Gitea) tip(ctx context.Context, branch string) (commit string, ok bool, err error) {
	api, err := g.sdk(ctx)
	if err != nil {
		return "", false, err
	}
	found, _, err := api.GetRepoBranch(g.owner, g.name, branch)
	switch {
	case err == nil && found.Commit != nil:
		return found.Commit.ID, true, nil
	case err != nil && statusOf(err) != http.StatusNotFound:
		return "", false, g.failed("read branch "+branch, err)
	}
	return "", false, nil
}

// branchOff makes the branch unless it is there, and returns its tip.
func (g *Gitea) branchOff(ctx context.Context, p Proposal) (string, error) {
	tip, ok, err := g.tip(ctx, p.Branch)
	if err != nil || ok {
		return tip, err
	}
	made := g.call(ctx, http.MethodPost, "/branches", map[string]string{
		"new_branch_name": p.Branch, "old_ref_name": p.From,
	}, nil)
	if made == nil {
		return p.From, nil
	}
	if statusOf(made) != 0 { // another replica may have made it a moment ago
		if tip, ok, err := g.tip(ctx, p.Branch); err == nil && ok {
			return tip, nil
		}
	}
	return "", g.failed(fmt.Sprintf("make branch %s from %s", p.Branch, p.From), made)
}

// giteaFile is one file of a change, in Gitea's words.
type giteaFile struct {
	Operation string `json:"operation"` // create, update, delete
	Path      string `json:"path"`
	Content   string `json:"content,omitempty"` // base64
	SHA       string `json:"sha,omitempty"`     // of what is there now
}

// changes are the files of a proposal that differ from what is there.
func (g *Gitea) changes(ctx context.Context, p Proposal) ([]giteaFile, error) {
	var files []giteaFile
	for _, path := range slices.Sorted(maps.Keys(p.Files)) {
		sha, err := g.blob(ctx, p.From, path)
		if err != nil {
			return nil, err
		}
		file, content := giteaFile{Path: path, SHA: sha}, p.Files[path]
		switch {
		case isBlob(sha, content):
			continue
		case content == nil:
			file.Operation = "delete"
		case sha == "":
			file.Operation = "create"
		default:
			file.Operation = "update"
		}
		if content != nil {
			file.Content = base64.StdEncoding.EncodeToString([]byte(*content))
		}
		files = append(files, file)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("gitea: propose %s: %w: it changes nothing of %s", p.Branch, ErrTerminal, p.From)
	}
	return files, nil
}

// commitFiles makes one commit of all files on the proposal's branch.
func (g *Gitea) commitFiles(ctx context.Context, p Proposal, files []giteaFile) error {
	err := g.call(ctx, http.MethodPost, "/contents", map[string]any{
		"branch": p.Branch, "message": p.Message, "files": files,
	}, nil)
	if err != nil {
		return g.failed("commit to branch "+p.Branch, err)
	}
	return nil
}

// blob is the object of a file at a commit, "" for no such file.
func (g *Gitea) blob(ctx context.Context, commit, path string) (string, error) {
	api, err := g.sdk(ctx)
	if err != nil {
		return "", err
	}
	file, _, err := api.GetContents(g.owner, g.name, commit, path)
	if statusOf(err) == http.StatusNotFound {
		return "", nil
	}
	if err != nil {
		return "", g.failed(fmt.Sprintf("read %s at %s", path, commit), err)
	}
	return file.SHA, nil
}

func (g *Gitea) openPull(ctx context.Context, p Proposal) (PullRequest, error) {
	api, err := g.sdk(ctx)
	if err != nil {
		return PullRequest{}, err
	}
	made, _, err := api.CreatePullRequest(g.owner, g.name, gitea.CreatePullRequestOption{
		Head: p.Branch, Base: p.Base, Title: p.Title, Body: p.Body,
	})
	if err == nil {
		return giteaPull(made), nil
	}
	// Somebody else opened it a moment ago.
	if statusOf(err) == http.StatusConflict {
		if pr, ok, err := g.proposed(ctx, p); err != nil || ok {
			return pr, err
		}
	}
	return PullRequest{}, g.failed("open a pull request from "+p.Branch, err)
}
