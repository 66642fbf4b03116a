package reconciler

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

const (
	maxDiffLines = 60
	maxDiffLine  = 200 // runes
	maxFields    = 5
	maxPhases    = 20
)

// section tells everything of one file, folded away when there are many.
func section(f forecast, p prospect) string {
	open := " open"
	if len(f.Profiles) > maxOpen && !p.fails() {
		open = ""
	}
	title := p.Name
	if title == "" {
		title = p.Path
	}
	var b strings.Builder
	fmt.Fprintf(&b, "<details%s><summary>%s: %s</summary>\n\n", open, htmlCode(title), headline(p))
	for _, part := range []string{
		problems(p), signs(warnings(f, p)), notes(f, p), reason(p), difference(f, p), phases(p),
	} {
		if part != "" {
			b.WriteString(part + "\n")
		}
	}
	b.WriteString("</details>\n")
	return b.String()
}

// headline holds words and numbers of ours alone.
func headline(p prospect) string {
	bump, _ := p.Bump()
	switch {
	case len(p.Problems) > 0:
		return "❌ makes no version, " + counted(len(p.Problems), "problem")
	case p.fails():
		return "❌ not deployed"
	case p.Leaves:
		return "its file leaves Git"
	case p.Next != "" && p.Was == "":
		return p.Next + ", its first version"
	case p.Next != "":
		return fmt.Sprintf("%s → %s (%s)", p.Was, p.Next, bump)
	}
	return "no new version"
}

func problems(p prospect) string {
	if len(p.Problems) == 0 {
		return ""
	}
	return list(p.Problems, func(problem profile.Problem) string { return "❌ " + code(problem.Error()) })
}

func signs(texts []string) string {
	return list(texts, func(text string) string { return "⚠️ **Warning:** " + text })
}

// warnings are what a person should know before the merge.
func warnings(f forecast, p prospect) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if bump, _ := p.Bump(); p.Next != "" && bump == profile.Major {
		add("this is a breaking change: a key is removed or changes its type, and who reads it may fail.")
	}
	switch {
	case p.Guard != "" && p.Leaves:
		add("too many profiles leave Git at once (%s): none of them is retired before a person promotes it.", code(p.Guard))
	case p.Guard != "" && p.deployment != nil && p.deployment.Approvals > 0:
		add("the deployment waits for %s of this pull request, or for a person to promote it: %s.",
			counted(p.deployment.Approvals, "review approval"), code(p.Guard))
	case p.Guard != "":
		add("the deployment waits for a person to promote it: %s.", code(p.Guard))
	}
	if p.BreaksOff != "" && p.Next == "" {
		add("%s. No data comes under it yet; the deployment of the next change waits for a person.", code(p.BreaksOff))
	}
	for _, problem := range p.Warnings {
		problem.Severity = "" // said already
		add("%s", code(problem.Error()))
	}
	out = append(out, held(p)...)
	if !f.Fork {
		out = append(out, obstacles(p)...)
	}
	return out
}

// held says what the profile's hold and the merge do to each other.
func held(p prospect) []string {
	if p.Hold == nil {
		return nil
	}
	on := fmt.Sprintf("the profile is on hold at %s since %s was refused: %s", p.Hold.PinnedVersion, p.Hold.RefusedVersion, code(p.Hold.Reason))
	switch {
	case p.EndsHold:
		return []string{on + "; this is other content, so that the merge ends the hold."}
	case p.Word.State != "" && p.Next != "":
		return []string{on + "; the version is made and not deployed."}
	}
	return []string{on + "."}
}

// obstacles are what stands in the way of the rollout now.
func obstacles(p prospect) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if p.Supersedes.ID != "" {
		add("a deployment of %s is %s: the merge supersedes it.", p.Supersedes.Version, p.Supersedes.State)
	}
	c := p.Course
	if c == nil {
		return out
	}
	if c.Live == 0 {
		add("no instance is there: the version becomes current, and nothing proves it.")
	}
	if c.Misfit != "" {
		add("%s.", code(c.Misfit))
	}
	if c.Freeze != "" {
		add("nothing starts while it is %s.", code(c.Freeze))
	}
	if c.Window != "" {
		add("the deny window %s is open: merged now, it starts at %s.", code(c.Window), c.Until.UTC().Format("2006-01-02 15:04 MST"))
	}
	return out
}

// notes are facts without a judgement.
func notes(f forecast, p prospect) string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if p.Word.State != "" && p.Word.State != rollout.StatusSuccess {
		add("The merge commit would say %s: %s", p.Word.State, code(p.Word.Description))
	}
	if p.Leaves && p.Guard == "" {
		add("The profile is retired: nothing that runs is stopped, and no data is deleted.")
	}
	if p.Returns {
		add("The profile was retired and comes back.")
	}
	if p.MovedFrom != "" {
		add("The file moves here from %s.", code(p.MovedFrom))
	}
	if p.Redefined {
		add("The definition changes; a deployment under way keeps what it started with.")
	}
	if !f.Fork && p.Next != "" && p.Running != "" && p.Running != p.Was {
		add("What runs is %s.", p.Running)
	}
	if p.Schema != "" && len(p.Problems) == 0 && !p.Leaves {
		add("The data satisfies the schema %s.", code(p.Schema))
	}
	return list(out, func(text string) string { return text })
}

// reason says why the version is what it is.
func reason(p prospect) string {
	if p.Next == "" {
		return ""
	}
	bump, fields := p.Bump()
	why := map[profile.Bump]string{
		profile.Major: "removed or of another type", profile.Minor: "new", profile.Patch: "changed in value",
	}[bump]
	var shown []string
	for _, field := range fields[:min(len(fields), maxFields)] {
		shown = append(shown, code(field))
	}
	switch {
	case p.Explicit:
		return fmt.Sprintf("%s is what the file says in `version`.\n", p.Next)
	case p.Was == "":
		return p.Next + " is the first version.\n"
	}
	return fmt.Sprintf("%s for what is %s: %s%s.\n", strings.ToUpper(bump.String()[:1])+bump.String()[1:], why, strings.Join(shown, ", "), more(len(fields)-maxFields))
}

// difference shows the masked data as it was and as it will be.
func difference(f forecast, p prospect) string {
	if f.Fork || p.Next == "" || p.Diff.Empty() {
		return ""
	}
	old, next := p.Was, p.Next
	if old == "" {
		old = "nothing"
	}
	lines := strings.Split(strings.TrimSuffix(p.Diff.Unified(old, next), "\n"), "\n")
	left := len(lines) - maxDiffLines
	lines = slices.Clone(lines[:min(len(lines), maxDiffLines)])
	for i, line := range lines {
		if runes := []rune(line); len(runes) > maxDiffLine {
			lines[i] = string(runes[:maxDiffLine-1]) + "…"
		}
	}
	text := block("diff", lines)
	if left > 0 {
		text += fmt.Sprintf("\nand %d lines more: %s in all.\n", left, p.Diff.Summary())
	}
	return text
}

// phases is the way through the instances that are there now.
func phases(p prospect) string {
	c := p.Course
	if c == nil || c.Live == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s through %s, at least %s once it starts", c.Strategy, counted(c.Live, "live instance"), span(c.AtLeast()))
	if c.Manual {
		b.WriteString(", and each phase waits for a person to promote the next")
	}
	b.WriteString(".\n\n| Phase | Share | Instances | Watched for |\n| --- | --- | --- | --- |\n")
	for i, phase := range c.Phases[:min(len(c.Phases), maxPhases)] {
		name := fmt.Sprint(i + 1)
		if phase.Name != "" {
			name += ", " + phase.Name
		}
		fmt.Fprintf(&b, "| %s | %d%% | %d of %d | %s |\n", name, phase.Percent, phase.Share, c.Live, span(phase.Bake))
	}
	if n := len(c.Phases) - maxPhases; n > 0 {
		fmt.Fprintf(&b, "\nand %s more.\n", counted(n, "phase"))
	}
	return b.String()
}

// span writes a duration as profiles do: 1h30m.
func span(d time.Duration) string {
	text := d.String()
	if trimmed, ok := strings.CutSuffix(text, "m0s"); ok {
		text = trimmed + "m"
	}
	if trimmed, ok := strings.CutSuffix(text, "h0m"); ok {
		text = trimmed + "h"
	}
	return text
}
