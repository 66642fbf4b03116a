package reconciler

import (
	"fmt"
	"strings"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// summary says in one line what comes of the check. What it quotes of the pull
// request is as it was found.
func (f forecast) summary() string {
	switch {
	case f.Trouble != "":
		return "cannot be checked: " + f.Trouble
	case len(f.Conflicts) > 0:
		return "cannot be merged: " + f.Conflicts[0] + " was changed on both sides" + more(len(f.Conflicts)-1)
	}
	for _, p := range f.Profiles {
		if p.fails() {
			return p.failure()
		}
	}
	return f.gist()
}

// failure is the first thing that is wrong with the file.
func (p prospect) failure() string {
	if len(p.Problems) > 0 {
		return p.Problems[0].Error()
	}
	return p.Name + ": " + strings.TrimPrefix(p.Word.Description, p.Path+": ")
}

// gist lists what a sound pull request would do.
func (f forecast) gist() string {
	var does []string
	for _, p := range f.Profiles {
		if what := p.gist(); what != "" {
			does = append(does, what)
		}
	}
	if len(does) == 0 {
		return "no profile changes"
	}
	return counted(len(does), "profile") + ": " + strings.Join(does, ", ")
}

// gist says what becomes of a sound profile, "" when nothing does.
func (p prospect) gist() string {
	switch {
	case p.Leaves && p.Guard != "":
		return p.Name + " waits for approval to be retired"
	case p.Leaves:
		return p.Name + " is retired"
	case p.Next != "" && p.Was == "":
		return p.Name + " " + p.Next + " (new)"
	case p.Next != "":
		bump, _ := p.Bump()
		return fmt.Sprintf("%s %s → %s (%s)", p.Name, p.Was, p.Next, bump)
	case p.deployment != nil:
		return p.Name + " " + p.deployment.Version + " is deployed"
	case p.Returns:
		return p.Name + " is back"
	case p.MovedFrom != "":
		return p.Name + " moves"
	case p.Redefined:
		return p.Name + " is defined anew"
	}
	return ""
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// more counts what a line has no room for, "" for none.
func more(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}

// maxRemarks is what every forge takes at once.
const maxRemarks = 50

// remarks are what is to be said beside the lines.
func (f forecast) remarks() []rollout.Remark {
	var out []rollout.Remark
	add := func(problems profile.Problems, sign string) {
		for _, p := range problems {
			if p.Line > 0 && len(out) < maxRemarks {
				text := p.Message
				if p.Field != "" && !strings.Contains(text, p.Field) {
					text += " (" + p.Field + ")"
				}
				out = append(out, rollout.Remark{Path: p.Path, Line: p.Line, Text: clip(sign+printable(text), 500)})
			}
		}
	}
	for _, p := range f.Profiles {
		add(p.Problems, "")
	}
	for _, p := range f.Profiles {
		add(p.Warnings, "Warning: ")
	}
	return out
}
