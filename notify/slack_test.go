package notify_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sluicehq/sluice/notify"
	"github.com/sluicehq/sluice/rollout"
)

type slackMessage struct {
	Text, Channel string
	Blocks        []struct {
		Type     string
		Text     *slackText
		Elements []slackText
	}
}

type slackText struct{ Type, Text string }

// slack is what a Slack-compatible webhook got, within the limits that Slack
// documents for messages and blocks.
func slack(t *testing.T, n rollout.Notification) slackMessage {
	t.Helper()
	r := newReceiver(t, nil)
	if err := notifier(notify.Slack, r.URL).Send(t.Context(), n, rollout.Standing{}); err != nil {
		t.Fatal(err)
	}
	var m slackMessage
	if err := json.Unmarshal(r.all()[0].body, &m); err != nil {
		t.Fatal(err)
	}
	if m.Text == "" || utf8.RuneCountInString(m.Text) > 4000 || len(m.Blocks) == 0 || len(m.Blocks) > 50 {
		t.Errorf("%+v is past Slack's limits", m)
	}
	for _, b := range m.Blocks {
		texts := b.Elements
		if b.Text != nil {
			texts = append(texts, *b.Text)
		}
		if len(texts) == 0 || len(b.Elements) > 10 {
			t.Errorf("block %+v is empty or has too much in it", b)
		}
		for _, text := range texts {
			if text.Type != "mrkdwn" || text.Text == "" || utf8.RuneCountInString(text.Text) > 3000 {
				t.Errorf("text %+v", text)
			}
		}
	}
	return m
}

func TestSlack(t *testing.T) {
	t.Parallel()
	n, _ := rolledBack()
	n.Channel = "#deployments"
	m := slack(t, n)
	want := ":rewind: <https://sluice.example.com/deployments/0195|payment-service.production 1.4.0 is being rolled back to 1.3.0>\nerrorRate 12.0 %, above 5.0 points"
	if m.Text != want || m.Blocks[0].Text.Text != want || m.Channel != "#deployments" || m.Blocks[1].Elements[0].Text != "Production · Canary · c0ffee0000" {
		t.Errorf("%+v", m)
	}
}

// No text of a commit or an instance is markup, calls a channel, or makes the
// message longer than Slack takes.
func TestSlackTextsStandForThemselves(t *testing.T) {
	t.Parallel()
	n, _ := rolledBack()
	n.Reason = "<!channel> @here <https://evil.example|click> a & b\n\x00" + strings.Repeat("<", 5000)
	n.Actor = "<@U1>"
	m := slack(t, n)
	_, why, _ := strings.Cut(m.Text, "\n")
	if strings.ContainsAny(why, "<>\n\x00") || strings.Contains(why, "@here") || !strings.HasPrefix(why, "&lt;!channel&gt; ") || !strings.Contains(why, "a &amp; b") {
		t.Errorf("%.200q", why)
	}
	if by := m.Blocks[1].Elements[0].Text; strings.Contains(by, "<") {
		t.Errorf("%q", by)
	}
}

// Every event has its one short message.
func TestHeadlines(t *testing.T) {
	t.Parallel()
	for fact, want := range map[string]string{
		rollout.FactStarted:     "is being rolled out in place of 1.3.0",
		rollout.FactPhase:       "is at 30%, phase 2 of 4",
		rollout.FactSwitched:    "1.4.0 gets the requests",
		rollout.FactCompleted:   "1.4.0 is rolled out",
		rollout.FactFailed:      "1.4.0 failed",
		rollout.FactRollback:    "1.4.0 is being rolled back to 1.3.0",
		rollout.FactRolledBack:  "1.4.0 was rolled back to 1.3.0",
		rollout.FactHoldBegun:   "is on hold at 1.3.0: 1.4.0 is refused",
		rollout.FactHoldEnded:   "the hold of payment-service.production is over",
		rollout.FactPaused:      "1.4.0 was paused",
		rollout.FactResumed:     "1.4.0 was resumed",
		rollout.FactPromoted:    "1.4.0 was promoted",
		rollout.FactCancelled:   "1.4.0 was cancelled",
		rollout.FactSuperseded:  "1.4.0 was superseded",
		rollout.FactForced:      "1.4.0 is forced past its guards",
		rollout.FactQuarantined: "1.4.0 is set aside until a person acts on it",
	} {
		n, _ := rolledBack()
		n.Fact = fact
		if text := slack(t, n).Text; !strings.Contains(text, want) {
			t.Errorf("%s: %q, want %q", fact, text, want)
		}
	}
	n, _ := rolledBack()
	n.Kind, n.Fact, n.Version, n.Previous = rollout.Rollback, rollout.FactStarted, "1.3.0", "1.4.0"
	if text := slack(t, n).Text; !strings.Contains(text, "payment-service.production 1.4.0 is being rolled back to 1.3.0") {
		t.Errorf("a rollback of the profile: %q", text)
	}
}
