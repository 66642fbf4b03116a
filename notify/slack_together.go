package notify

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sluicehq/sluice/rollout"
)

// Bounds of one message of many events. Slack takes 3,000 runes in a block.
const (
	maxLines   = 10
	maxMessage = 2800 // runes
	maxLine    = 120  // runes of a headline, and of a reason
)

// weighty are the events that a message shows first which cannot show all.
var weighty = []Event{Quarantined, Failed, Forced, Rollback, Hold, RolledBack, Cancelled, Paused}

func weight(n rollout.Notification) int {
	if i := slices.Index(weighty, EventOf(n)); i >= 0 {
		return i
	}
	return len(weighty)
}

// slackTogetherJSON is the body for one message of many events of one channel, in the
// order in which they happened: a line for each, or the weightiest and the numbers.
func slackTogetherJSON(all []rollout.Notification, externalURL string) ([]byte, error) {
	if len(all) == 1 {
		return slackJSON(all[0], externalURL)
	}
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(weight(all[a]), weight(all[b])) })
	left, lines := maxMessage, map[int]string{}
	for _, i := range order {
		line := slackLine(cleaned(all[i]), externalURL)
		if left -= utf8.RuneCountInString(line); left < 0 || len(lines) == maxLines {
			break
		}
		lines[i] = line
	}
	var shown []string
	more := len(all) - len(lines)
	if more > 0 {
		shown = append(shown, fmt.Sprintf("*%d events:* %s", len(all), tallied(all)))
	}
	for i := range all {
		if line, ok := lines[i]; ok {
			shown = append(shown, line)
		}
	}
	if more > 0 {
		rest := fmt.Sprintf("and %d more", more)
		if externalURL != "" {
			rest = fmt.Sprintf("<%s|%s>", mrkdwn(strings.TrimSuffix(externalURL, "/")+"/"), rest)
		}
		shown = append(shown, rest)
	}
	text := strings.Join(shown, "\n")
	return json.Marshal(slackBody{
		Text: text, Channel: all[0].Channel, Blocks: []slackBlock{{Type: "section", Text: &slackText{Type: "mrkdwn", Text: text}}},
	})
}

// slackLine is one event of many. Its texts are cleaned already.
func slackLine(n rollout.Notification, externalURL string) string {
	line := mrkdwn(clipped(headline(n)))
	if page := link(externalURL, n); page != "" {
		line = fmt.Sprintf("<%s|%s>", mrkdwn(page), line)
	}
	if mark := marks[EventOf(n)]; mark != "" {
		line = mark + " " + line
	}
	if why := because(n); why != "" {
		line += ": " + mrkdwn(clipped(why))
	}
	return line
}

func clipped(text string) string {
	runes := []rune(text)
	if len(runes) > maxLine {
		return string(runes[:maxLine-1]) + "…"
	}
	return text
}

// tallied says how many there are of each event, the weightiest first.
func tallied(all []rollout.Notification) string {
	counts := map[Event]int{}
	var events []rollout.Notification // one of each
	for _, n := range all {
		if counts[EventOf(n)]++; counts[EventOf(n)] == 1 {
			events = append(events, n)
		}
	}
	slices.SortStableFunc(events, func(a, b rollout.Notification) int { return cmp.Compare(weight(a), weight(b)) })
	parts := make([]string, len(events))
	for i, n := range events {
		parts[i] = fmt.Sprintf("%d %s", counts[EventOf(n)], EventOf(n))
	}
	return strings.Join(parts, ", ")
}
