package settings

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/notify"
	"github.com/sluicehq/sluice/profile"
)

// Notifications say who outside is told of deployments and holds.
type Notifications struct {
	Targets []NotificationTarget `key:"targets" help:"places that can be told"`
	Routes  []NotificationRoute  `key:"routes" help:"which of them are told of what"`
}

// NotificationTarget is one place that can be told. Its URL is a secret: that
// of a Slack webhook is all that it takes to write to a channel.
type NotificationTarget struct {
	Name   string `key:"name" help:"short name; unique; routes and the settings of profiles name it"`
	Type   string `key:"type" help:"webhook, slack or alertmanager"`
	URL    Secret `key:"url" help:"where to post to; of an Alertmanager the part before /api/v2"`
	Secret Secret `key:"secret" help:"key of a webhook's signature, 32 bytes or more: whsec_ and base64, or any text"`
}

// NotificationRoute sends events to targets.
type NotificationRoute struct {
	Targets      []string `key:"targets" help:"names of targets"`
	Events       []string `key:"events" help:"what they are told of; empty is started, phase, completed, failed, rollback, rolledback, hold, released, forced and quarantined"`
	Profiles     []string `key:"profiles" help:"globs of profile names; empty is all"`
	Environments []string `key:"environments" help:"Development, Staging, Production; empty is all"`
}

// maxNotificationTargets bounds the queues that the outbox looks through.
const maxNotificationTargets = 50

// check checks the notifications; it never repeats a URL or a secret.
func (n Notifications) check(insecure bool, check checker) {
	check(len(n.Targets) <= maxNotificationTargets, "targets", "%d are given, at most %d are told", len(n.Targets), maxNotificationTargets)
	types := map[string]string{}
	for i, target := range n.Targets {
		_, twice := types[target.Name]
		types[target.Name] = target.Type
		at := within(fmt.Sprintf("targets[%d].", i), check)
		at(!twice, "name", "%q is used twice", target.Name)
		target.check(insecure, at)
	}
	for i, route := range n.Routes {
		route.check(types, within(fmt.Sprintf("routes[%d].", i), check))
	}
}

func within(prefix string, check checker) checker {
	return func(ok bool, field, format string, args ...any) { check(ok, prefix+field, format, args...) }
}

func (t NotificationTarget) check(insecure bool, check checker) {
	if err := notify.CheckName(t.Name); err != nil {
		check(false, "name", "%s", err)
	}
	check(slices.Contains(notify.Types(), notify.Type(t.Type)), "type", "%q is not one of webhook, slack, alertmanager%s", t.Type, meant(t.Type, notify.Types()))
	checkHookURL(t.URL, insecure || t.Type == string(notify.Alertmanager), check)
	if t.Type != string(notify.Webhook) {
		check(t.Secret == "", "secret", "is only for webhooks: nothing else signs")
		return
	}
	checkHookSecret(t.Secret, check)
}

func (r NotificationRoute) check(types map[string]string, check checker) {
	check(len(r.Targets) > 0, "targets", "names no target")
	for _, name := range r.Targets {
		kind, known := types[name]
		check(known, "targets", "there is no target %q%s", name, meant(name, names(types)))
		check(kind != string(notify.Alertmanager) || len(r.Events) == 0, "events",
			"target %s is an Alertmanager, which is told where a profile stands and no single events: give it a route without events", name)
	}
	for _, event := range r.Events {
		check(slices.Contains(notify.Events(), notify.Event(event)), "events", "there is no event %q%s", event, meant(event, notify.Events()))
	}
	for _, glob := range r.Profiles {
		_, err := path.Match(glob, "")
		check(err == nil && glob != "", "profiles", "%q is no glob, write payment-*", glob)
	}
	for _, environment := range r.Environments {
		check(slices.Contains(profile.Environments(), profile.Environment(environment)), "environments", "%q is not one of Development, Staging, Production%s",
			environment, meant(environment, profile.Environments()))
	}
}

func names(types map[string]string) []string {
	var all []string
	for name := range types {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// meant names the word that was likely meant.
func meant[T ~string](given string, words []T) string {
	best, distance := "", 3
	for _, word := range words {
		if d := editDistance(strings.ToLower(string(word)), strings.ToLower(given)); d < distance {
			best, distance = string(word), d
		}
	}
	if best == "" {
		return ""
	}
	return ", did you mean " + best + "?"
}

// Router is who hears of what.
func (n Notifications) Router() notify.Router {
	var r notify.Router
	for _, t := range n.Targets {
		r.Targets = append(r.Targets, notify.Target{Name: t.Name, Type: notify.Type(t.Type), URL: t.URL.Reveal(), Secret: t.Secret.Reveal()})
	}
	for _, route := range n.Routes {
		events := make([]notify.Event, len(route.Events))
		for i, event := range route.Events {
			events[i] = notify.Event(event)
		}
		r.Routes = append(r.Routes, notify.Route{
			Targets: route.Targets, Events: events, Profiles: route.Profiles, Environments: route.Environments,
		})
	}
	return r
}
