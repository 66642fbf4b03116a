package report

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/sluicehq/sluice/api/wire"
)

// PullRequest is what the pull request behind a rollback is told.
type PullRequest struct {
	Report wire.Report
	// Refused is the version that was taken back, Pinned the one that runs instead.
	Profile, Refused, Pinned string
	Author                   string // login that is mentioned, "" for nobody
	Page                     string // URL of the deployment's page, "" for none
	RevertURL                string // of the pull request that reverts it, "" for none
	Released                 bool   // the hold is over
}

// maxComment keeps the comment well under the 65,536 bytes that forges take.
const maxComment = 60_000

// Comment writes it in Markdown: what happened, what to do, and the report.
func (p PullRequest) Comment() string {
	var b strings.Builder
	d := p.Report.Deployment
	verb := "was rolled back"
	if !final(d.Status) {
		verb = "is being rolled back"
	}
	if p.Author != "" {
		b.WriteString("@" + p.Author + " ")
	}
	fmt.Fprintf(&b, "**%s %s %s to %s.**\n\n%s\n\n", cell(p.Profile), cell(p.Refused), verb, cell(p.Pinned), cell(p.Report.Headline))
	switch {
	case p.Released:
		b.WriteString("The hold on the profile has ended since.\n\n")
	case p.RevertURL != "":
		fmt.Fprintf(&b, "The profile is on hold: Git still says %s. %s makes Git say what runs; merging it ends the hold, and so does a commit with other content.\n\n", cell(p.Refused), p.RevertURL)
	default:
		fmt.Fprintf(&b, "The profile is on hold: Git still says %s, and that content is not deployed again by itself. A commit with other content ends the hold.\n\n", cell(p.Refused))
	}
	if p.Page != "" {
		fmt.Fprintf(&b, "[The report with its charts](%s)\n\n", p.Page)
	}
	const open, end = "<details><summary>The report</summary>\n\n", "\n</details>\n"
	b.WriteString(open + clipped(Markdown(p.Report), maxComment-b.Len()-len(open)-len(end)) + end)
	return b.String()
}

func final(status string) bool {
	switch status {
	case "Completed", "Failed", "RolledBack", "Superseded", "Cancelled":
		return true
	}
	return false
}

// clipped cuts a text after a whole line.
func clipped(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	const rest = "\n… the rest is on the deployment's page.\n"
	text = text[:limit-len(rest)]
	for !utf8.ValidString(text) {
		text = text[:len(text)-1]
	}
	if i := strings.LastIndexByte(text, '\n'); i > 0 {
		text = text[:i]
	}
	return text + rest
}
