package notify_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/notify"
	"github.com/sluicehq/sluice/rollout"
)

func TestRoutes(t *testing.T) {
	t.Parallel()
	r := notify.Router{
		Targets: []notify.Target{{Name: "ops", Type: notify.Slack}, {Name: "hook", Type: notify.Webhook}, {Name: "am", Type: notify.Alertmanager}},
		Routes: []notify.Route{
			{Targets: []string{"ops"}, Profiles: []string{"payment-*"}},
			{Targets: []string{"ops", "hook"}, Events: []notify.Event{notify.Rollback, notify.Paused}, Environments: []string{"Production"}},
			{Targets: []string{"am"}},
		},
	}
	type settings = map[string]any
	for _, c := range []struct {
		why, fact, profile, environment string
		kind                            rollout.Kind
		settings                        settings
		want                            string
	}{
		{"the usual events of a profile that a glob names", rollout.FactPhase, "payment-service", "Staging", "", nil, "ops"},
		{"not of others", rollout.FactPhase, "orders", "Staging", "", nil, ""},
		{"nobody twice, by two routes", rollout.FactRollback, "payment-service", "Production", "", nil, "ops hook am"},
		{"an environment narrows", rollout.FactRollback, "orders", "Staging", "", nil, "am"},
		{"an event that is named", rollout.FactPaused, "orders", "Production", "", nil, "ops hook"},
		{"and not where it is not", rollout.FactPaused, "payment-service", "Staging", "", nil, ""},
		{"a rollback of a profile is one, though a deployment starts", rollout.FactStarted, "orders", "Production", rollout.Rollback, nil, "ops hook am"},
		{"and has no phases", rollout.FactPhase, "payment-service", "Production", rollout.Rollback, nil, ""},
		{"an Alertmanager hears of what ends an alert", rollout.FactHoldEnded, "orders", "Staging", "", nil, "am"},
		{"nobody hears that one was made", rollout.FactCreated, "payment-service", "Production", "", nil, ""},
		{"a profile names a target", rollout.FactPhase, "orders", "Staging", "", settings{"notify": []any{"hook"}}, "hook"},
		{"or just one", rollout.FactPhase, "orders", "Staging", "", settings{"notify": "hook"}, "hook"},
		{"with a channel, for those who have channels", rollout.FactRollback, "orders", "Production", "", settings{"slackChannel": "#d"}, "ops#d hook am"},
		{"what is no channel is none", rollout.FactPhase, "payment-service", "Staging", "", settings{"slackChannel": "<!here>"}, "ops"},
		{"a channel of 80 characters", rollout.FactPhase, "payment-service", "Staging", "", settings{"slackChannel": "#" + strings.Repeat("ü", 80)}, "ops#" + strings.Repeat("ü", 80)},
		{"and of no more", rollout.FactPhase, "payment-service", "Staging", "", settings{"slackChannel": "#" + strings.Repeat("ü", 81)}, "ops"},
		{"a name that nobody has is told of", rollout.FactPhase, "orders", "Staging", "", settings{"notify": []any{"nobody"}}, "nobody"},
		{"and what is no name", rollout.FactPhase, "orders", "Staging", "", settings{"notify": 7.0}, "7"},
		{"a profile asks for the usual only", rollout.FactPaused, "orders", "Staging", "", settings{"notify": []any{"hook"}}, ""},
	} {
		told := r.Route(rollout.Notification{Fact: c.fact, Profile: c.profile, Environment: c.environment, Kind: c.kind}, c.settings)
		var got []string
		for _, n := range told {
			got = append(got, n.Target+n.Channel)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", c.why, got, c.want)
		}
		if len(told) > 0 && !slices.Contains(r.Facts(), c.fact) {
			t.Errorf("%s: %s is not among the facts that are asked for", c.why, c.fact)
		}
	}
}

// A first sync of ten thousand profiles is no ten thousand messages. What goes wrong is told, and what a route names.
func TestOfManyWhatGoesWellIsNotTold(t *testing.T) {
	t.Parallel()
	r := notify.Router{
		Targets: []notify.Target{{Name: "ops", Type: notify.Slack}, {Name: "hook", Type: notify.Webhook}, {Name: "am", Type: notify.Alertmanager}},
		Routes:  []notify.Route{{Targets: []string{"ops"}}, {Targets: []string{"hook"}, Events: []notify.Event{notify.Completed}}, {Targets: []string{"am"}}},
	}
	for fact, want := range map[string]string{
		rollout.FactStarted: "am", rollout.FactPhase: "", rollout.FactCompleted: "hook am", rollout.FactRollback: "ops am", rollout.FactFailed: "ops am",
		rollout.FactRolledBack: "am", rollout.FactHoldBegun: "am", rollout.FactHoldEnded: "am",
	} {
		var got []string
		for _, n := range r.Route(rollout.Notification{Fact: fact, Profile: "orders", Kind: rollout.Forward, OfMany: true}, map[string]any{"notify": "ops"}) {
			got = append(got, n.Target)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", fact, got, want)
		}
	}
}

// A profile comes from Git: it can ask for a few targets, not for thousands.
func TestAProfileAsksForAFewTargets(t *testing.T) {
	t.Parallel()
	var many []any
	for i := range 1000 {
		many = append(many, fmt.Sprintf("%d%s", i, strings.Repeat("x", 1000)))
	}
	told := notify.Router{}.Route(rollout.Notification{Fact: rollout.FactFailed}, map[string]any{"notify": many})
	if len(told) != 10 || len(told[0].Target) != 80 {
		t.Errorf("%d targets", len(told))
	}
}
