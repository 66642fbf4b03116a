package reconciler

import (
	"strings"
	"unicode"

	"github.com/sluicehq/sluice/gitsource"
	"github.com/sluicehq/sluice/rollout"
)

// The types of the facts that the reconciler puts into the audit log.
const (
	FactVersionCreated    = "version.created"
	FactProfileCreated    = "profile.created"
	FactProfileDefined    = "profile.defined" // its definition changed
	FactProfileMoved      = "profile.moved"   // its file was renamed
	FactProfileInvalid    = "profile.invalid" // its file makes no version
	FactProfileRetired    = "profile.retired"
	FactProfileReturned   = "profile.returned"
	FactProfileTakenOver  = "profile.taken-over" // by this source, from one that gave it up
	FactDeploymentRefused = "deployment.refused" // a version was made but not deployed
	FactRetirementGuarded = "retirement.guarded" // too many profiles at once: a person is asked
	FactSourceSynced      = "source.synced"
	FactSourceRewritten   = "source.rewritten" // the branch was rewritten: trees were compared
	FactSourceSkipped     = "source.skipped"   // too many commits to walk: trees were compared
	FactSourceMoved       = "source.moved"     // its folder is another: trees were compared
)

// actor is who does what no commit asked for.
const actor = "sluice"

// maxDescription bounds a commit status, in runes.
const maxDescription = 140

// say sets a commit status. The latest of a context stands.
func (p *planner) say(commit, context string, state rollout.StatusState, text string) {
	s := rollout.Status{
		Source: p.st.Source, Commit: commit, Context: context, State: state, Description: clip(text, maxDescription),
	}
	p.spoken[commit] = true
	key := statusKey{commit, context}
	if i, ok := p.statuses[key]; ok {
		p.plan.Statuses[i] = s
		return
	}
	p.statuses[key] = len(p.plan.Statuses)
	p.plan.Statuses = append(p.plan.Statuses, s)
}

// record adds an audit fact.
func (p *planner) record(kind, entity, id, by string, details map[string]any) {
	p.plan.Facts = append(p.plan.Facts, rollout.Fact{
		Type: kind, EntityType: entity, EntityID: id, Actor: by, Details: details,
	})
}

// author names who wrote a commit, as "name <email>".
func author(c gitsource.Commit) string {
	name := printable(strings.TrimSpace(c.AuthorName))
	if c.AuthorEmail == "" {
		return name
	}
	return strings.TrimSpace(name + " <" + printable(c.AuthorEmail) + ">")
}

// firstLine is the subject of a commit message.
func firstLine(message string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(message), "\n")
	return clip(printable(strings.TrimSpace(line)), 255)
}

func short(sha string) string { return sha[:min(len(sha), 12)] }

// printable replaces what a commit, a path or a message could smuggle into a
// log line, a terminal or a web page.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case !unicode.IsPrint(r):
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// clip cuts a text to limit runes. A long path at its head gives way first, so
// that its end, the place and the message are still read.
func clip(text string, limit int) string {
	runes := []rune(text)
	if len(runes) <= limit {
		return text
	}
	const most = 60 // of a path
	if file, rest, ok := strings.Cut(text, ":"); ok && strings.Contains(file, "/") && !strings.Contains(file, " ") {
		if f := []rune(file); len(f) > most {
			runes = append([]rune("…"+string(f[len(f)-most+1:])), []rune(":"+rest)...)
		}
	}
	if len(runes) <= limit {
		return string(runes)
	}
	return string(runes[:limit-1]) + "…"
}
