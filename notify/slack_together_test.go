package notify_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sluicehq/sluice/notify"
	"github.com/sluicehq/sluice/rollout"
)

// slackTogether is the one message that a Slack-compatible webhook got of many events.
func slackTogether(t *testing.T, all []rollout.Notification) slackMessage {
	t.Helper()
	r := newReceiver(t, nil)
	if err := notifier(notify.Slack, r.URL).SendTogether(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	if n := len(r.all()); n != 1 {
		t.Fatalf("%d messages, want one", n)
	}
	var m slackMessage
	if err := json.Unmarshal(r.all()[0].body, &m); err != nil {
		t.Fatal(err)
	}
	if len(all) > 1 && len(m.Blocks) != 1 || m.Blocks[0].Text == nil || m.Blocks[0].Text.Text != m.Text || utf8.RuneCountInString(m.Text) > 3000 {
		t.Errorf("%+v is past Slack's limits, or says two things", m)
	}
	return m
}

func TestSlackTogether(t *testing.T) {
	t.Parallel()
	n, _ := rolledBack()
	n.Channel = "#deployments"
	hold := n
	hold.Fact, hold.Reason = rollout.FactHoldBegun, ""
	m := slackTogether(t, []rollout.Notification{n, hold})
	want := `:rewind: <https://sluice.example.com/deployments/0195|payment-service.production 1.4.0 is being rolled back to 1.3.0>: errorRate 12.0 %, above 5.0 points
:lock: <https://sluice.example.com/deployments/0195|payment-service.production is on hold at 1.3.0: 1.4.0 is refused>`
	if m.Text != want || m.Channel != "#deployments" {
		t.Errorf("%+v, want\n%s", m, want)
	}
	if one := slackTogether(t, []rollout.Notification{n}); one.Text != slack(t, n).Text {
		t.Errorf("one event alone reads %q", one.Text)
	}
}

// Of very many the weightiest are shown, in the order in which they happened, and the
// others are counted.
func TestSlackOfVeryMany(t *testing.T) {
	t.Parallel()
	var all []rollout.Notification
	for i := range 300 {
		n, _ := rolledBack()
		n.Profile = fmt.Sprintf("service-%03d.production", i)
		switch {
		case i == 200:
			n.Fact = rollout.FactFailed
		case i%3 == 1:
			n.Fact = rollout.FactHoldBegun
		case i%3 == 2:
			n.Fact = rollout.FactCompleted
		}
		all = append(all, n)
	}
	lines := strings.Split(slackTogether(t, all).Text, "\n")
	if len(lines) != 12 || lines[0] != "*300 events:* 1 failed, 100 rollback, 100 hold, 99 completed" ||
		lines[11] != "<https://sluice.example.com/|and 290 more>" {
		t.Errorf("%d lines: %s ... %s", len(lines), lines[0], lines[len(lines)-1])
	}
	if !strings.Contains(lines[1], "service-000") || !strings.Contains(lines[10], "service-200.production 1.4.0 failed") {
		t.Errorf("from %s to %s, want rollbacks in their order and what failed", lines[1], lines[10])
	}
}

// No text makes the message longer than Slack takes, or is markup.
func TestSlackTogetherStandsForItself(t *testing.T) {
	t.Parallel()
	n, _ := rolledBack()
	n.Profile, n.Reason = strings.Repeat("<!here>", 40), strings.Repeat("<@U1>&", 900)
	var all []rollout.Notification
	for range 20 {
		all = append(all, n)
	}
	text := slackTogether(t, all).Text
	if strings.Contains(text, "<!here>") || strings.Contains(text, "<@U1>") || !strings.Contains(text, "20 events") {
		t.Errorf("%.300q", text)
	}
}
