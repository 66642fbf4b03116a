package notify

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/sluicehq/sluice/rollout"
)

// slackBody is what a Slack-compatible webhook gets. Text is what Mattermost,
// Rocket.Chat and Slack's own notifications show; Slack's window shows the blocks.
type slackBody struct {
	Text    string       `json:"text"`
	Channel string       `json:"channel,omitempty"`
	Blocks  []slackBlock `json:"blocks"`
}

type slackBlock struct {
	Type     string      `json:"type"`
	Text     *slackText  `json:"text,omitempty"`
	Elements []slackText `json:"elements,omitempty"`
}

type slackText struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// marks are what a glance at the channel sees.
var marks = map[Event]string{
	Completed: ":white_check_mark:", Failed: ":x:", Rollback: ":rewind:", RolledBack: ":rewind:", Hold: ":lock:", Released: ":unlock:",
	Paused: ":double_vertical_bar:", Forced: ":warning:", Quarantined: ":warning:",
}

// slackJSON is the body for a Slack-compatible webhook.
func slackJSON(n rollout.Notification, externalURL string) ([]byte, error) {
	n = cleaned(n)
	line := mrkdwn(headline(n))
	if page := link(externalURL, n); page != "" {
		line = fmt.Sprintf("<%s|%s>", mrkdwn(page), line)
	}
	if mark := marks[EventOf(n)]; mark != "" {
		line = mark + " " + line
	}
	if why := because(n); why != "" {
		line += "\n" + mrkdwn(why)
	}
	var facts []string
	for _, fact := range []string{n.Environment, n.Strategy, actor(n), short(n.Commit)} {
		if fact != "" {
			facts = append(facts, mrkdwn(fact))
		}
	}
	body := slackBody{Text: line, Channel: n.Channel, Blocks: []slackBlock{{Type: "section", Text: &slackText{Type: "mrkdwn", Text: line}}}}
	if len(facts) > 0 {
		body.Blocks = append(body.Blocks, slackBlock{Type: "context", Elements: []slackText{{Type: "mrkdwn", Text: strings.Join(facts, " · ")}}})
	}
	return json.Marshal(body)
}

// noBreak stands behind an @, so that no text of a commit calls anybody.
const noBreak = "\u2060"

var escapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "@", "@"+noBreak)

// mrkdwn makes a text stand for itself in Slack's markup.
func mrkdwn(text string) string { return escapes.Replace(text) }

func actor(n rollout.Notification) string {
	if n.Actor == "" || n.Actor == rollout.Daemon {
		return ""
	}
	return "by " + n.Actor
}

func short(commit string) string { return commit[:min(len(commit), 10)] }
