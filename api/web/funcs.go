package web

import (
	"bytes"
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/report"
)

// funcs are what templates may call.
var funcs = template.FuncMap{
	"when": when, "short": short, "badge": badge, "icon": icon, "count": count,
	"absolute": absolute, "selection": selection, "settled": settled, "firstLine": firstLine, "sourceState": sourceState, "details": details, "entityPath": entityPath, "otherLines": otherLines,
	"track": func(d wire.Deployment) template.HTML { return Track(d) }, "smalltrack": SmallTrack,
	"metric": report.Metric, "figure": report.Figure, "chance": report.Chance, "spoken": report.Spoken, "health": report.Health,
	"exposed": report.Exposed, "changes": report.Changed, "clock": clock, "upper": upper, "person": person, "said": said, "spaced": spaced, "fixed": fixed, "dated": dated,
	"ahead": Ahead, "value": valueText, "holdEnds": holdEnds, "pairs": pairs, "span": span, "sentence": Sentence,
}

// block is a template's text as a part of another one. It is filled in when it is
// called: the set of templates refers to the functions that it is made with.
func block(name string, value any) (template.HTML, error) {
	var b bytes.Buffer
	if err := execute(&b, name, value); err != nil {
		return "", err
	}
	return template.HTML(b.String()), nil //nolint:gosec // html/template escaped it
}

// when is a moment, absolute: the page's script makes it relative and keeps the
// absolute one beside it. It takes a time.Time or a *time.Time; nothing is said of nil.
func when(moment any) template.HTML {
	var t time.Time
	switch m := moment.(type) {
	case time.Time:
		t = m
	case *time.Time:
		if m != nil {
			t = *m
		}
	}
	if t.IsZero() {
		return `<span class="soft">never</span>`
	}
	t = t.UTC()
	return template.HTML(fmt.Sprintf(`<time datetime="%s">%s</time>`, t.Format(time.RFC3339Nano), t.Format("2006-01-02 15:04:05 UTC"))) //nolint:gosec // digits alone
}

// absolute is a moment that stays absolute: in a log its order and its date count.
func absolute(t time.Time) template.HTML {
	t = t.UTC()
	return template.HTML(fmt.Sprintf(`<time datetime="%s" data-absolute>%s</time>`, t.Format(time.RFC3339Nano), t.Format("2006-01-02 15:04:05"))) //nolint:gosec // digits alone
}

// fixed is a moment that stays absolute, with its zone: "until in 3 h" is no English.
func fixed(moment any) template.HTML {
	return template.HTML(strings.Replace(string(when(moment)), `">`, `" data-absolute>`, 1)) //nolint:gosec // of when
}

// Selection is a select of a filter: one of Values, or Any.
type Selection struct {
	Name, Any, Chosen string
	Values            []string
}

func selection(name, none, chosen string, values []string) Selection {
	return Selection{name, none, chosen, values}
}

// firstLine is a message's subject.
func firstLine(text string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(first)
}

// otherLines are what follows a message's subject.
func otherLines(text string) string {
	_, rest, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(rest)
}

// clock is a moment of a time line, which stays absolute: what matters is how far
// one is from the next.
func clock(t time.Time) template.HTML {
	t = t.UTC()
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s" data-absolute>%s</time>`, t.Format(time.RFC3339Nano), t.Format("2006-01-02 15:04:05.000 UTC"), t.Format("15:04:05.0"))) //nolint:gosec // digits alone
}

// shortCommit is how much of a commit's SHA is shown.
const shortCommit = 8

func short(commit string) string {
	if len(commit) > shortCommit {
		return commit[:shortCommit]
	}
	return commit
}

// count is a number of things: "1 instance", "2 instances".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// meanings are what a word of the API stands for, as a colour and a shape: nobody
// has to tell colours apart.
var meanings = map[string]string{
	"Completed": "good", "Pass": "good", "Healthy": "good", "Live": "good", "Approved": "good", "success": "good", "Returned": "good",
	"Applied": "good", "Synced": "good", "Failing": "bad", "Stale": "warn", "Unknown": "wait", "New": "wait",
	"Failed": "bad", "Fail": "bad", "RolledBack": "bad", "Unhealthy": "bad", "failure": "bad", "error": "bad", "NotReturned": "bad",
	"RollingBack": "warn", "Inconclusive": "warn", "Error": "warn", "Degraded": "warn", "Paused": "warn", "Hold": "warn",
	"PendingApproval": "warn", "Silent": "warn", "Deprecated": "warn", "Gone": "off",
	"InSync": "good", "Behind": "wait", "OnHold": "warn", "RollingOut": "busy", "Retired": "off", "NoVersion": "off", "Breaking": "bad",
	"InProgress": "busy", "pending": "busy", "Pending": "wait", "Draft": "wait", "Skipped": "off", "Superseded": "off", "Cancelled": "off",
}

// shapes are the signs of the meanings, in a square of 16.
var shapes = map[string]template.HTML{
	"good": `<circle cx="8" cy="8" r="7"/><path d="M4.8 8.2l2.3 2.3 4.2-4.6" class="mark"/>`,
	"bad":  `<path d="M5.1 1h5.8L15 5.1v5.8L10.9 15H5.1L1 10.9V5.1z"/><path d="M5.6 5.6l4.8 4.8M10.4 5.6l-4.8 4.8" class="mark"/>`,
	"warn": `<path d="M8 1.2l7.2 13H.8z"/><path d="M8 6v3.6M8 11.6v.6" class="mark"/>`,
	"busy": `<circle cx="8" cy="8" r="6.2" class="ring"/><path d="M8 1.8a6.2 6.2 0 0 1 6.2 6.2" class="arc"/>`,
	"wait": `<circle cx="8" cy="8" r="6.2" class="ring"/><path d="M8 4.6V8l2.4 1.6" class="arc"/>`,
	"off":  `<circle cx="8" cy="8" r="6.2" class="ring"/><path d="M5 8h6" class="arc"/>`,
}

// meaning is the class of a word, "off" for one that is not known.
func meaning(word string) string {
	if m, ok := meanings[word]; ok {
		return m
	}
	return "off"
}

// icon is the sign of a word's meaning, for those who see it.
func icon(word string) template.HTML {
	m := meaning(word)
	return `<svg class="icon ` + template.HTML(m) + `" width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">` + shapes[m] + `</svg>` //nolint:gosec // made of constants
}

// badge is a state with its sign.
func badge(word string) template.HTML {
	return template.HTML(`<span class="state `+meaning(word)+`">`) + icon(word) + template.HTML(template.HTMLEscapeString(spaced(word))+`</span>`) //nolint:gosec // escaped
}

// spaced turns RolledBack into "Rolled back".
func spaced(word string) string {
	var b strings.Builder
	for i, r := range word {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte(' ')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}
