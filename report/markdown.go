package report

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/sluicehq/sluice/api/wire"
)

// Markdown writes a report the way forges and chats show it. Whatever came from
// outside is text in it, and never markup.
func Markdown(r wire.Report) string {
	var b strings.Builder
	d := r.Deployment
	fmt.Fprintf(&b, "# %s %s: %s\n\n%s\n\n", cell(d.ConfigName), cell(d.ConfigVersion), d.Status, cell(r.Headline))
	facts(&b, r)
	changes(&b, r.Changes)
	verdict(&b, "What the gate saw", r.Verdict)
	verdict(&b, "Afterwards", d.Recovery)
	exposures(&b, d)
	if len(r.TimeLine) > 0 {
		b.WriteString("## Time line\n\n| time (UTC) | what | by |\n|---|---|---|\n")
		for _, m := range r.TimeLine {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", clock(m.At), cell(m.What), cell(m.By))
		}
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func facts(b *strings.Builder, r wire.Report) {
	d := r.Deployment
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(b, "| %s | %s |\n", name, value)
		}
	}
	b.WriteString("| | |\n|---|---|\n")
	row("deployment", cell(d.ID))
	row("environment", cell(d.Environment))
	row("strategy", cell(d.Strategy))
	row("commit", cell(commitOf(d)))
	row("by", cell(d.InitiatedBy))
	row("from merge to start", Spoken(r.Durations.MergeToStart))
	row("from start to detection", Spoken(r.Durations.StartToDetected))
	row("from detection to the last instance back", Spoken(r.Durations.DetectedToBack))
	row("from start to end", Spoken(r.Durations.Whole))
	row("health", Health(d.HealthRestored))
	b.WriteString("\n")
}

func commitOf(d wire.Deployment) string {
	if d.Commit == "" {
		return ""
	}
	text := short(d.Commit)
	if d.PullRequest > 0 {
		text += fmt.Sprintf(" (pull request #%d)", d.PullRequest)
	}
	return text
}

// Spoken turns PT1M30S into 1m30s.
func Spoken(iso string) string {
	return strings.ToLower(strings.TrimPrefix(strings.TrimPrefix(iso, "P"), "T"))
}

func clock(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05.0") }

func changes(b *strings.Builder, c *wire.DiffResponse) {
	if c == nil {
		return
	}
	b.WriteString("## What changed\n\n")
	rows := Changed(c.Diff)
	if len(rows) == 0 {
		b.WriteString("Nothing in the data.\n\n")
		return
	}
	b.WriteString("| field | before | after |\n|---|---|---|\n")
	for _, row := range rows {
		fmt.Fprintf(b, "| %s | %s | %s |\n", cell(row.Field), cell(row.Before), cell(row.After))
	}
	b.WriteString("\n")
}

// Change is one field's change in words.
type Change struct{ Field, Before, After string }

// maxShown bounds a value that is shown, in bytes, and how many changes are.
const (
	maxShown   = 300
	maxChanges = 200
)

// Changed lists a difference field by field, at most 200 of them.
func Changed(d wire.Diff) []Change {
	var rows []Change
	for _, c := range d.Removed {
		rows = append(rows, Change{c.Field, text(c.OldValue), ""})
	}
	for _, c := range d.Added {
		rows = append(rows, Change{c.Field, "", text(c.NewValue)})
	}
	for _, c := range d.Modified {
		rows = append(rows, Change{c.Field, text(c.OldValue), text(c.NewValue)})
	}
	if more := len(rows) - maxChanges; more > 0 {
		rows = append(rows[:maxChanges], Change{Field: fmt.Sprintf("… and %d more", more)})
	}
	return rows
}

func text(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if len(raw) > maxShown {
		return strings.ToValidUTF8(string(raw[:maxShown]), "") + "…"
	}
	return string(raw)
}

func verdict(b *strings.Builder, title string, v *wire.Verdict) {
	if v == nil {
		return
	}
	fmt.Fprintf(b, "## %s\n\n%s: %s\n\n", title, v.Outcome, cell(v.Reason))
	if len(v.Metrics) == 0 {
		return
	}
	b.WriteString("| metric | verdict | updated | control | baseline | limit | observations | p |\n|---|---|---:|---:|---:|---:|---:|---:|\n")
	for _, m := range v.Metrics {
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s | %d | %s |\n", cell(Metric(m.Name)), m.Outcome, Figure(m.Value, m.Unit),
			Figure(m.Control, m.Unit), Figure(m.Baseline, m.Unit), Figure(m.Limit, m.Unit), m.N, cell(Chance(m.P)))
	}
	b.WriteString("\n")
}

func exposures(b *strings.Builder, d wire.Deployment) {
	if d.Exposed == 0 {
		return
	}
	fmt.Fprintf(b, "## Who had it\n\n%s\n\n| instance | ran it from | until | requests | errors | |\n|---|---|---|---:|---:|---|\n", Exposed(d))
	for _, e := range d.Exposures {
		fmt.Fprintf(b, "| %s | %s | %s | %d | %d | %s |\n", cell(e.Hostname), maybeClock(e.AppliedAt), maybeClock(e.BackAt), e.Requests, e.Errors, cell(e.ApplyError))
	}
	b.WriteString("\n")
}

// Exposed says who had a version that was taken back.
func Exposed(d wire.Deployment) string {
	var requests, errors uint64
	for _, e := range d.Exposures {
		requests, errors = requests+e.Requests, errors+e.Errors
	}
	of := ""
	if d.Progress.Targets > 0 {
		of = fmt.Sprintf(" of %d", max(d.Progress.Targets, d.Exposed))
	}
	text := fmt.Sprintf("It was given to %s%s.", instances(fmt.Sprint(d.Exposed)), of)
	if requests > 0 {
		text += fmt.Sprintf(" %d requests were counted with it, %d of them errors.", requests, errors)
	}
	if more := d.Exposed - len(d.Exposures); more > 0 {
		text += fmt.Sprintf(" %d of them are listed.", len(d.Exposures))
	}
	return text
}

func maybeClock(at *time.Time) string {
	if at == nil {
		return "–"
	}
	return at.UTC().Format("15:04:05")
}
