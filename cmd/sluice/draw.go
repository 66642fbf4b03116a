package main

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sluicehq/sluice/api/wire"
)

// drawDeployment draws a deployment as a picture of several lines, none wider
// than the look: what it is, how far it is, its steps, its instances, what its
// gate says. It is a function of its arguments alone.
func drawDeployment(d wire.Deployment, l look) string {
	var b strings.Builder
	for _, part := range [][]string{
		l.heading(d), {""}, l.progress(d), l.steps(d), l.grid(d), l.gate(d.Verdict), l.closing(d),
	} {
		for _, line := range part {
			b.WriteString(strings.TrimRight(line, " "))
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// heading names the profile, the versions, the strategy, and where it came from.
func (l look) heading(d wire.Deployment) []string {
	g := l.glyphs()
	versions := dash(oneLine(d.ConfigVersion))
	if d.PreviousVersion != "" {
		versions = oneLine(d.PreviousVersion) + " " + g.arrow + " " + versions
	}
	state := oneLine(d.Status)
	kind := oneLine(d.Strategy)
	if d.Kind != "" && d.Kind != "Forward" {
		kind = oneLine(d.Kind)
	}
	right := kind + "  " + state
	room := l.Width - utf8.RuneCountInString(right) - 2
	name := l.cut(oneLine(d.ConfigName), room-utf8.RuneCountInString(versions)-2)
	left := name + "  " + versions
	lines := []string{
		l.paint(bold, name) + "  " + versions + strings.Repeat(" ", max(2, l.Width-utf8.RuneCountInString(left+right))) +
			kind + "  " + l.paint(statusColour(d.Status), state),
	}
	var from []string
	if d.Commit != "" {
		from = append(from, short(d.Commit))
	}
	if d.PullRequest > 0 {
		from = append(from, "#"+strconv.Itoa(d.PullRequest))
	}
	if d.InitiatedBy != "" {
		from = append(from, oneLine(d.InitiatedBy))
	}
	if d.Cause != "" {
		from = append(from, firstLine(d.Cause))
	}
	if len(from) > 0 {
		lines = append(lines, l.paint(dim, l.cut(strings.Join(from, " "+g.dot+" "), l.Width)))
	}
	return lines
}

// progress is the bar and its numbers.
func (l look) progress(d wire.Deployment) []string {
	p := d.Progress
	share := 0
	if p.Targets > 0 {
		share = 100 * p.Applied / p.Targets
	}
	text := fmt.Sprintf("%3d %%  %d of %d on %s", share, p.Applied, p.Targets, l.cut(dash(oneLine(d.ConfigVersion)), 16))
	if p.Failed > 0 {
		text += fmt.Sprintf(", %d failed", p.Failed)
	}
	width := max(10, min(60, l.Width-utf8.RuneCountInString(text)-4))
	return []string{"  " + l.bar(width, p.Applied, p.Assigned-p.Applied, p.Targets, statusColour(d.Status)) + " " + text}
}

// steps are the phases with the present one marked, and when the next may come.
func (l look) steps(d wire.Deployment) []string {
	if d.Phases < 2 || len(d.Steps) != d.Phases {
		return nil
	}
	g := l.glyphs()
	texts, colours := make([]string, len(d.Steps)), make([]colour, len(d.Steps))
	for i, percent := range d.Steps {
		mark := g.ahead
		colours[i] = dim
		switch {
		case i+1 < d.Phase || d.Status == "Completed":
			mark, colours[i] = g.done, green
		case i+1 == d.Phase:
			mark, colours[i] = g.now, statusColour(d.Status)
			if d.Status == "RollingBack" || d.Status == "RolledBack" || d.Status == "Failed" {
				mark = g.bad
			}
		}
		texts[i] = fmt.Sprintf("%s %d%%", mark, percent)
	}
	head := fmt.Sprintf("  phase %d of %d  ", d.Phase, d.Phases)
	if d.Phase == 0 {
		head = fmt.Sprintf("  %d phases  ", d.Phases)
	}
	if utf8.RuneCountInString(head+strings.Join(texts, "   ")) > l.Width {
		return []string{head} // many small steps: the number says enough
	}
	painted := make([]string, len(texts))
	for i := range texts {
		painted[i] = l.paint(colours[i], texts[i])
	}
	line, used := head+strings.Join(painted, "   "), utf8.RuneCountInString(head+strings.Join(texts, "   "))
	if next := l.next(d); next != "" && used+3+len(next) <= l.Width {
		line += "   " + l.paint(dim, next)
	}
	return []string{line}
}

// next says when the next phase may come, "" when nothing but time is not waited for.
func (l look) next(d wire.Deployment) string {
	if d.Status != "InProgress" || d.PhaseEndsAt == nil || !d.PhaseEndsAt.After(l.Now) {
		return ""
	}
	if d.Phase >= d.Phases {
		return "ends in " + span(d.PhaseEndsAt.Sub(l.Now))
	}
	return "next in " + span(d.PhaseEndsAt.Sub(l.Now))
}

// closing is the sentence that says why it stands where it stands.
func (l look) closing(d wire.Deployment) []string {
	var lines []string
	if d.Explanation != "" {
		lines = append(lines, "")
		for _, line := range l.wrap(oneLine(d.Explanation), l.Width-2) {
			lines = append(lines, "  "+line)
		}
	}
	if d.RollbackReason != "" {
		by := ""
		if d.RollbackBy != "" {
			by = " by " + oneLine(d.RollbackBy)
		}
		if len(lines) == 0 {
			lines = append(lines, "")
		}
		for _, line := range l.wrap("rolled back"+by+": "+oneLine(d.RollbackReason), l.Width-2) {
			lines = append(lines, "  "+l.paint(red, line))
		}
	}
	switch d.HealthRestored {
	case "Returned":
		lines = append(lines, "  "+l.paint(green, "health is back where it was"))
	case "NotReturned":
		lines = append(lines, "  "+l.paint(red, "health has not come back: look for another cause than this change"))
	case "NoData":
		lines = append(lines, "  "+l.paint(yellow, "nothing was measured since the rollback"))
	}
	return lines
}

// drawLine is a deployment in one line, for a pipe.
func drawLine(d wire.Deployment, l look) string {
	parts := []string{oneLine(d.ConfigName) + "@" + oneLine(d.ConfigVersion), oneLine(d.Status)}
	if d.Phases > 1 && d.Phase > 0 {
		parts = append(parts, fmt.Sprintf("phase %d/%d", d.Phase, d.Phases))
	}
	parts = append(parts, fmt.Sprintf("%d/%d applied", d.Progress.Applied, d.Progress.Targets))
	if d.Progress.Failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", d.Progress.Failed))
	}
	if v := d.Verdict; v != nil {
		parts = append(parts, "gate "+oneLine(v.Outcome))
	}
	line := strings.Join(parts, "  ")
	if d.Explanation != "" {
		line += "  " + oneLine(d.Explanation)
	}
	return l.Now.Format("15:04:05") + "  " + line
}
