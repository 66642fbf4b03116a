package forge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-github/v57/github"
)

const (
	// remarksCheck is the name of the check run that carries remarks.
	remarksCheck = "sluice remarks"
	// remarksBatch is how many annotations GitHub takes at once.
	remarksBatch = 50
	// maxRemark keeps one remark readable, in runes.
	maxRemark = 2000
)

// Annotate shows the remarks beside the lines of a pull request's head: by a
// check run when signed in as an app, which can point at any line, and otherwise
// by a review, which can point at what the diff shows. A commit that is no
// longer the head is left alone.
func (g *GitHub) Annotate(ctx context.Context, number int, commit string, remarks []Remark) error {
	if len(remarks) == 0 {
		return nil
	}
	if g.app != nil {
		return g.annotateByCheck(ctx, commit, remarks)
	}
	return g.annotateByReview(ctx, number, commit, remarks)
}

// annotateByCheck makes one check run, in batches. What the remarks are is in its
// external id, so that a second try finds it.
func (g *GitHub) annotateByCheck(ctx context.Context, commit string, remarks []Remark) error {
	what, id := "annotate "+commit, remarksID(remarks)
	done, err := g.checked(ctx, commit, id)
	if err != nil || done {
		return err
	}
	batches := slices.Collect(slices.Chunk(annotations(remarks), remarksBatch))
	run, _, err := g.client.Checks.CreateCheckRun(ctx, g.owner, g.name, github.CreateCheckRunOptions{
		Name: remarksCheck, HeadSHA: commit, ExternalID: &id, Status: new("in_progress"),
		Output: remarksOutput(len(remarks), batches[0]),
	})
	if err != nil {
		return g.failed(what, err)
	}
	for _, batch := range append(batches[1:], nil) {
		update := github.UpdateCheckRunOptions{Name: remarksCheck, Output: remarksOutput(len(remarks), batch)}
		if batch == nil { // it is complete only now
			update.Status, update.Conclusion = new("completed"), new("neutral")
			update.CompletedAt = &github.Timestamp{Time: g.app.now()}
		}
		if _, _, err := g.client.Checks.UpdateCheckRun(ctx, g.owner, g.name, run.GetID(), update); err != nil {
			return g.failed(what, err)
		}
	}
	return nil
}

// checked says whether a whole check run shows these remarks already.
func (g *GitHub) checked(ctx context.Context, commit, id string) (bool, error) {
	found, _, err := g.client.Checks.ListCheckRunsForRef(ctx, g.owner, g.name, commit, &github.ListCheckRunsOptions{
		CheckName: new(remarksCheck), AppID: &g.app.id, ListOptions: github.ListOptions{PerPage: 100},
	})
	if err != nil {
		return false, g.failed("list the check runs of "+commit, err)
	}
	return slices.ContainsFunc(found.CheckRuns, func(r *github.CheckRun) bool {
		return r.GetExternalID() == id && r.GetStatus() == "completed"
	}), nil
}

// remarksID is the same for the same remarks.
func remarksID(remarks []Remark) string {
	raw, _ := json.Marshal(remarks) // plain strings and numbers
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:16])
}

func remarksOutput(n int, some []*github.CheckRunAnnotation) *github.CheckRunOutput {
	return &github.CheckRunOutput{
		Title: new(counted(n)), Summary: new("What is said beside the lines is about this commit."), Annotations: some,
	}
}

func counted(n int) string {
	if n == 1 {
		return "1 remark"
	}
	return strconv.Itoa(n) + " remarks"
}

func annotations(remarks []Remark) []*github.CheckRunAnnotation {
	var all []*github.CheckRunAnnotation
	for _, r := range remarks {
		all = append(all, &github.CheckRunAnnotation{
			Path: &r.Path, StartLine: &r.Line, EndLine: &r.Line,
			AnnotationLevel: new("failure"), Message: new(cut(r.Text, maxRemark)),
		})
	}
	return all
}

// annotateByReview makes one review with a comment for each line that the diff shows.
func (g *GitHub) annotateByReview(ctx context.Context, number int, commit string, remarks []Remark) error {
	pr, err := g.pull(ctx, number)
	if err != nil || pr.GetHead().GetSHA() != commit {
		return err
	}
	done, err := g.reviewed(ctx, number, commit)
	if err != nil || done {
		return err
	}
	shown, err := g.shownLines(ctx, number)
	if err != nil {
		return err
	}
	var comments []*github.DraftReviewComment
	for _, r := range remarks {
		if !shown[r.Path][r.Line] || len(comments) == remarksBatch {
			continue
		}
		comments = append(comments, &github.DraftReviewComment{
			Path: &r.Path, Line: &r.Line, Side: new("RIGHT"), Body: new(cut(r.Text, maxRemark)),
		})
	}
	if len(comments) == 0 {
		return nil
	}
	_, _, err = g.client.PullRequests.CreateReview(ctx, g.owner, g.name, number, &github.PullRequestReviewRequest{
		CommitID: &commit, Event: new("COMMENT"), Comments: comments,
		Body: new(marked(remarksKey(commit), "Sluice has "+counted(len(comments))+" on `"+commit[:min(len(commit), 12)]+"`.")),
	})
	if err != nil {
		return g.failed(fmt.Sprintf("annotate pull request %d", number), err)
	}
	return nil
}

func remarksKey(commit string) string { return "remarks:" + commit }

// reviewed says whether Sluice's own review of the commit is there already.
func (g *GitHub) reviewed(ctx context.Context, number int, commit string) (bool, error) {
	me, err := g.login(ctx)
	if err != nil {
		return false, err
	}
	reviews, err := g.reviews(ctx, number)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(reviews, func(r *github.PullRequestReview) bool {
		return strings.EqualFold(r.GetUser().GetLogin(), me) && hasMarker(r.GetBody(), remarksKey(commit))
	}), nil
}

// shownLines are the lines of the new side that the diff of a pull request shows.
func (g *GitHub) shownLines(ctx context.Context, number int) (map[string]map[int]bool, error) {
	files, err := githubList(func(page github.ListOptions) ([]*github.CommitFile, *github.Response, error) {
		return g.client.PullRequests.ListFiles(ctx, g.owner, g.name, number, &page)
	})
	if err != nil {
		return nil, g.failed(fmt.Sprintf("list the files of pull request %d", number), err)
	}
	shown := map[string]map[int]bool{}
	for _, f := range files {
		shown[f.GetFilename()] = newLines(f.GetPatch())
	}
	return shown, nil
}

var hunkStart = regexp.MustCompile(`^@@ -\d+(?:,\d+)? \+(\d{1,9})`)

// newLines are the lines of the new side that a patch shows.
func newLines(patch string) map[int]bool {
	lines, at := map[int]bool{}, 0
	for line := range strings.SplitSeq(patch, "\n") {
		if m := hunkStart.FindStringSubmatch(line); m != nil {
			at, _ = strconv.Atoi(m[1]) // digits
			continue
		}
		if at > 0 && (strings.HasPrefix(line, "+") || strings.HasPrefix(line, " ")) {
			lines[at] = true
			at++
		}
	}
	return lines
}
