package reconciler

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/forge"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// Reverts opens the pull requests that make Git say again what runs, after a
// rollback.
type Reverts struct {
	Source string
	Branch string
	Host   forge.Host
	Git    RevertGit
	Store  RevertStore
}

// RevertGit is what Reverts need of the source's mirror.
type RevertGit interface {
	// Fetch brings the branch and returns its commit.
	Fetch(ctx context.Context) (head string, err error)
	// Undo gives the content that files have at the commit then, of those that
	// differ at now; nil for one that was not there.
	Undo(ctx context.Context, now, then string, paths []string) (map[string]*string, error)
}

// RevertStore is what Reverts need of the database.
type RevertStore interface {
	SourceHead(ctx context.Context, source string) (string, error)
	Profile(ctx context.Context, name string) (profile.Record, error)
	Version(ctx context.Context, name, number string) (profile.Version, error)
}

// Propose opens the pull request that reverts what a hold refuses, and returns
// its URL: "" when the versions are not of this source or the files say already
// what runs. Asked again, it finds the same pull request.
func (r *Reverts) Propose(ctx context.Context, h rollout.Hold) (string, error) {
	rec, err := r.Store.Profile(ctx, h.Profile)
	if err != nil {
		return "", err
	}
	pinned, err := r.Store.Version(ctx, h.Profile, h.PinnedVersion)
	if err != nil {
		return "", err
	}
	head, err := r.Store.SourceHead(ctx, r.Source)
	if err != nil {
		return "", err
	}
	if rec.Source != r.Source || pinned.Source != r.Source || pinned.Commit == "" || head == "" {
		return "", nil
	}
	files, err := fetched(ctx, r.Git, func() (map[string]*string, error) {
		return r.Git.Undo(ctx, head, pinned.Commit, append([]string{rec.Path}, rec.Dependencies...))
	})
	if err != nil || len(files) == 0 {
		return "", err
	}
	proposal := revertProposal(h, r.Branch, head, files)
	if _, own := files[rec.Path]; !own {
		refused, err := r.Store.Version(ctx, h.Profile, h.RefusedVersion)
		if err != nil {
			return "", err
		}
		proposal = sharedProposal(refused.Commit, r.Branch, head, files)
	}
	pr, err := r.Host.Propose(ctx, proposal)
	if err != nil {
		return "", fmt.Errorf("propose to revert %s of %s: %w", h.RefusedVersion, h.Profile, err)
	}
	return pr.URL, nil
}

// revertProposal is the pull request that brings the files back. Its branch is
// named after what is refused: the same refusal gets no second one.
func revertProposal(h rollout.Hold, base, head string, files map[string]*string) forge.Proposal {
	sum := sha256.Sum256([]byte(h.Profile + "\x00" + h.RefusedHash + "\x00" + h.CreatedAt.UTC().String()))
	title := fmt.Sprintf("Revert %s to %s", h.Profile, h.PinnedVersion)
	return forge.Proposal{
		Base: base, From: head, Branch: "sluice/revert-" + h.Profile + "-" + hex.EncodeToString(sum[:4]), Files: files,
		Message: title + "\n\nVersion " + h.RefusedVersion + " was rolled back: " + clip(printable(h.Reason), 300) + "\n",
		Title:   title,
		Body: fmt.Sprintf("Version %s of %s was rolled back to %s by %s:\n\n%s\n"+
			"The fleet runs %s, and this makes Git say so too. It gives these files the content that they had then, "+
			"so it also takes back what was changed in them since:\n\n%s\n\nMerging it ends the hold on the profile.\n",
			h.RefusedVersion, code(h.Profile), h.PinnedVersion, code(h.Actor), block("text", []string{clip(printable(h.Reason), maxCode)}), h.PinnedVersion,
			listed(files)),
	}
}

// listed is a Markdown list of files.
func listed(files map[string]*string) string {
	var list []string
	for path := range files {
		list = append(list, "- "+code(path))
	}
	slices.Sort(list)
	return strings.Join(list, "\n")
}

// sharedProposal is the pull request that brings files back which profiles extend. However many of them
// the refused commit made versions of, all are taken back by it: it is the same for each, and names none.
func sharedProposal(refused, base, head string, files map[string]*string) forge.Proposal {
	sum := sha256.New()
	paths := slices.Sorted(maps.Keys(files))
	fmt.Fprintf(sum, "%s\x00", refused)
	for _, path := range paths {
		content := "gone"
		if files[path] != nil {
			content = "\x00" + *files[path]
		}
		fmt.Fprintf(sum, "%s\x00%d\x00%s", path, len(content), content)
	}
	title := "Revert " + clip(printable(paths[0]), 100)
	if n := len(paths) - 1; n > 0 {
		title += " and " + counted(n, "more file")
	}
	return forge.Proposal{
		Base: base, From: head, Branch: "sluice/revert-" + hex.EncodeToString(sum.Sum(nil)[:8]), Files: files,
		Message: title + "\n\nWhat " + short(refused) + " changed in it was rolled back.\n",
		Title:   title,
		Body: fmt.Sprintf("Profiles that extend these files were rolled back from what commit %s made of them. The pull request that brought it is told which, and why.\n\n"+
			"The fleet runs what they said before, and this makes Git say so too. It gives these files the content that they had then, "+
			"so it also takes back what was changed in them since:\n\n%s\n\nMerging it ends the holds on these profiles.\n", short(refused), listed(files)),
	}
}
