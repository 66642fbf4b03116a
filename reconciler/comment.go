package reconciler

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/rollout"
)

// The bounds of a comment. GitHub takes 65,536 characters, the others more.
const (
	maxComment = 60_000 // bytes
	maxRows    = 100    // of the table of profiles
	maxListed  = 20     // of any other list
	maxOpen    = 3      // sections that are not folded away
	roomForEnd = 1_000
)

// comment is what a pull request is told of its check, in Markdown. The same
// forecast always gives the same text.
func comment(f forecast) string {
	var b strings.Builder
	b.WriteString(verdict(f))
	if rows := table(f); rows != "" {
		b.WriteString("\n" + rows)
	}
	left := 0
	for _, p := range f.Profiles {
		text := "\n" + section(f, p)
		if b.Len()+len(text) > maxComment-roomForEnd {
			left++
			continue
		}
		b.WriteString(text)
	}
	if left > 0 {
		fmt.Fprintf(&b, "\n%s told of no further here: a comment has no room for more.\n", are(left, "profile"))
	}
	b.WriteString(end(f))
	return b.String()
}

func are(n int, noun string) string {
	if n == 1 {
		return "1 " + noun + " is"
	}
	return fmt.Sprintf("%d %ss are", n, noun)
}

// verdict is the first line, and why the pull request does not pass.
func verdict(f forecast) string {
	switch {
	case f.Trouble != "":
		return "⚠️ **Sluice could not check this:** " + f.Trouble + ".\n"
	case len(f.Conflicts) > 0:
		return fmt.Sprintf("❌ **Sluice check failed:** this cannot be merged into %s.\n\n%s", code(f.Branch),
			list(f.Conflicts, func(file string) string { return code(file) + " was changed on both sides" }))
	case !f.Passed():
		failing := slices.DeleteFunc(slices.Clone(f.Profiles), func(p prospect) bool { return !p.fails() })
		return fmt.Sprintf("❌ **Sluice check failed** for %d of %s: %s\n", len(failing), counted(len(f.Profiles), "file"), code(failing[0].failure()))
	}
	changed := 0
	for _, p := range f.Profiles {
		if p.gist() != "" {
			changed++
		}
	}
	if changed == 0 {
		return "✅ **Sluice check passed:** no profile changes.\n"
	}
	return fmt.Sprintf("✅ **Sluice check passed:** merging this changes %s%s.\n", counted(changed, "profile"), caution(f))
}

// caution counts what a person should read before the merge.
func caution(f forecast) string {
	n := 0
	for _, p := range f.Profiles {
		n += len(warnings(f, p))
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", with %s", counted(n, "warning"))
}

// list is a list of at most maxListed items that says how many it leaves out.
func list[T any](items []T, line func(T) string) string {
	var b strings.Builder
	for _, item := range items[:min(len(items), maxListed)] {
		b.WriteString("- " + line(item) + "\n")
	}
	if n := len(items) - maxListed; n > 0 {
		fmt.Fprintf(&b, "- and %d more\n", n)
	}
	return b.String()
}

// table has a row for each profile.
func table(f forecast) string {
	if len(f.Profiles) == 0 {
		return ""
	}
	head := []string{"Profile", "File", "Version", "Change"}
	if !f.Fork {
		head = append(head, "Strategy", "Instances")
	}
	var b strings.Builder
	row := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	row(head)
	row(slices.Repeat([]string{"---"}, len(head)))
	for _, p := range f.Profiles[:min(len(f.Profiles), maxRows)] {
		cells := []string{nameCell(p), cell(p.Path), versionCell(p), changeCell(p)}
		if !f.Fork {
			cells = append(cells, strategyCell(p), instancesCell(p))
		}
		row(cells)
	}
	if n := len(f.Profiles) - maxRows; n > 0 {
		fmt.Fprintf(&b, "\nand %d more.\n", n)
	}
	return b.String()
}

func nameCell(p prospect) string {
	if p.Name == "" {
		return "(not known)"
	}
	return cell(p.Name)
}

func versionCell(p prospect) string {
	switch {
	case p.Next != "" && p.Was != "":
		return p.Was + " → **" + p.Next + "**"
	case p.Next != "":
		return "**" + p.Next + "**"
	case p.Was != "":
		return p.Was
	}
	return "–"
}

func changeCell(p prospect) string {
	bump, _ := p.Bump()
	switch {
	case p.fails() && len(p.Problems) > 0:
		return "❌ " + counted(len(p.Problems), "problem")
	case p.fails():
		return "❌ not deployed"
	case p.Leaves && p.Guard != "":
		return "⚠️ retired, once approved"
	case p.Leaves:
		return "retired"
	case p.Next != "" && !p.Known:
		return "new"
	case p.Next != "":
		return bump.String()
	case p.Redefined:
		return "definition only"
	case p.MovedFrom != "":
		return "moved"
	}
	return "no new version"
}

func strategyCell(p prospect) string {
	if p.deployment == nil {
		return "–"
	}
	return string(p.deployment.Strategy.Type)
}

func instancesCell(p prospect) string {
	switch {
	case p.deployment == nil:
		return "–"
	case p.Course == nil:
		return "not counted"
	}
	return fmt.Sprint(p.Course.Live)
}

// end says what was looked at and how to ask again.
func end(f forecast) string {
	var b strings.Builder
	if n := len(f.Unrelated); n > 0 {
		fmt.Fprintf(&b, "\n%s no profile.\n", map[bool]string{true: "1 changed file touches", false: fmt.Sprintf("%d changed files touch", n)}[n == 1])
	}
	if f.BrokenToo > 0 {
		fmt.Fprintf(&b, "\n%s broken already and not touched by this.\n", are(f.BrokenToo, "file"))
	}
	if f.Fork {
		b.WriteString("\nThis comes from a fork: its files are validated, and nothing else is told.\n")
	}
	fmt.Fprintf(&b, "\n---\nChecked: commit `%s` merged into %s at `%s`. A comment that says `/sluice check` checks it again.\n",
		short(f.Head), code(f.Branch), short(f.Base))
	return b.String()
}

// said is the comment of a check.
func (f forecast) said(source string, number int) rollout.Comment {
	return rollout.Comment{
		Source: source, PullRequest: number, Key: rollout.CheckComment, Body: comment(f), Commit: f.Head, Remarks: f.remarks(),
	}
}
