package report

import (
	"fmt"
	"strings"
)

// Others are the rollbacks behind one commit that have no comment of their own: a file that hundreds of
// profiles extend would have its author told hundreds of times.
type Others struct {
	First  []RolledBack
	Total  int    // how many there are
	Author string // login that is mentioned, "" for nobody
}

// RolledBack is one of them.
type RolledBack struct {
	// Refused is the version that was taken back, Pinned the one that runs instead.
	Profile, Refused, Pinned string
	Reason                   string
	Page                     string // URL of the deployment's page, "" for none
	RevertURL                string // of the pull request that reverts it, "" for none
	Released                 bool   // the hold is over
}

// MaxOthers is how many are listed.
const MaxOthers = 100

// maxReason keeps a hundred rows within a comment.
const maxReason = 300

// Comment writes it in Markdown.
func (o Others) Comment() string {
	var b strings.Builder
	if o.Author != "" {
		b.WriteString("@" + o.Author + " ")
	}
	noun := "profiles"
	if o.Total == 1 {
		noun = "profile"
	}
	fmt.Fprintf(&b, "**%d more %s rolled back.**\n\nEach is on hold until a commit brings other content, or what runs again.\n\n", o.Total, noun)
	b.WriteString("| profile | refused | runs | why | |\n|---|---|---|---|---|\n")
	listed := 0
	for _, r := range o.First {
		row := fmt.Sprintf("| %s | %s | %s | %s | %s |\n", cell(r.Profile), cell(r.Refused), cell(r.Pinned), cell(shortened(r.Reason)), r.links())
		if b.Len()+len(row) > maxComment {
			break
		}
		b.WriteString(row)
		listed++
	}
	if n := o.Total - listed; n > 0 {
		fmt.Fprintf(&b, "\nand %d more: `sluice get profiles` shows which are on hold.\n", n)
	}
	return b.String()
}

func (r RolledBack) links() string {
	var links []string
	if r.Page != "" {
		links = append(links, fmt.Sprintf("[report](%s)", r.Page))
	}
	switch {
	case r.Released:
		links = append(links, "the hold has ended")
	case r.RevertURL != "":
		links = append(links, fmt.Sprintf("[revert](%s)", r.RevertURL))
	}
	return strings.Join(links, ", ")
}

func shortened(reason string) string {
	if runes := []rune(reason); len(runes) > maxReason {
		return string(runes[:maxReason-1]) + "…"
	}
	return reason
}
