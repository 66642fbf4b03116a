package notify

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sluicehq/sluice/rollout"
)

// Route sends events to targets. Empty lists do not narrow it; without events
// it is for the usual ones.
type Route struct {
	Targets      []string
	Events       []Event
	Profiles     []string // globs, as of path.Match
	Environments []string
}

// takes says whether the route is for a profile.
func (r Route) takes(n rollout.Notification) bool {
	named := func(glob string) bool {
		ok, err := path.Match(glob, n.Profile)
		return err == nil && ok
	}
	return (len(r.Profiles) == 0 || slices.ContainsFunc(r.Profiles, named)) &&
		(len(r.Environments) == 0 || slices.Contains(r.Environments, n.Environment))
}

// Router says who hears of what. It is a value: it does no I/O.
type Router struct {
	Targets []Target
	Routes  []Route
}

// Names lists the targets.
func (r Router) Names() []string {
	names := make([]string, len(r.Targets))
	for i, t := range r.Targets {
		names[i] = t.Name
	}
	return names
}

// Together lists the targets that people read as it comes: what waits for one of them goes into one
// message.
func (r Router) Together() []string {
	var names []string
	for _, t := range r.Targets {
		if t.Type == Slack {
			names = append(names, t.Name)
		}
	}
	return names
}

// Facts are the types of facts that Route may have an answer for. A profile's
// settings ask for the usual events, so that those are always among them.
func (r Router) Facts() []string {
	events := slices.Clone(usual)
	for _, route := range r.Routes {
		events = append(events, route.Events...)
	}
	if slices.ContainsFunc(r.Targets, func(t Target) bool { return t.Type == Alertmanager }) {
		events = append(events, changesAlerts...)
	}
	var facts []string
	for fact, event := range ofFact {
		if slices.Contains(events, event) || slices.Contains(events, ofRollback[event]) {
			facts = append(facts, fact)
		}
	}
	slices.Sort(facts)
	return facts
}

// Route gives the notification once for every target that is to hear of it: by
// the routes, and by the settings of the profile, which may name targets (notify)
// and a channel (slackChannel). A name that no target has is among them: that it
// leads nowhere is for the outbox to say.
func (r Router) Route(n rollout.Notification, settings map[string]any) []rollout.Notification {
	event := EventOf(n)
	if event == "" {
		return nil
	}
	var told []rollout.Notification
	tell := func(name string, events []Event) {
		t, known := r.target(name)
		again := slices.ContainsFunc(told, func(n rollout.Notification) bool { return n.Target == name })
		if again || !wants(t.Type, events, event, n.OfMany) {
			return
		}
		n.Target, n.Channel = name, ""
		if known && t.Type == Slack {
			n.Channel = channelOf(settings)
		}
		told = append(told, n)
	}
	for _, route := range r.Routes {
		if !route.takes(n) {
			continue
		}
		for _, name := range route.Targets {
			tell(name, route.Events)
		}
	}
	for _, name := range asked(settings) {
		tell(name, nil)
	}
	return told
}

func (r Router) target(name string) (Target, bool) {
	for _, t := range r.Targets {
		if t.Name == name {
			return t, true
		}
	}
	return Target{}, false
}

// changesAlerts are the events after which other alerts may stand than before.
var changesAlerts = []Event{Started, Completed, Failed, Rollback, RolledBack, Hold, Released, Cancelled}

// wants says whether a target hears of an event by a route that names these. By one that names
// none nobody hears of each of thousands that is well.
func wants(t Type, events []Event, e Event, isOfMany bool) bool {
	switch {
	case t == Alertmanager:
		return slices.Contains(changesAlerts, e)
	case len(events) == 0:
		return slices.Contains(usual, e) && (!isOfMany || slices.Contains(ofMany, e))
	}
	return slices.Contains(events, e)
}

// Bounds on what a profile may ask for: its settings come from Git.
const (
	maxAsked     = 10
	maxAskedName = 2 * MaxName
)

// asked are the targets that a profile's settings name: notify: [ops, audit].
// What is no name is among them, to be told of.
func asked(settings map[string]any) []string {
	var names []string
	add := func(v any) {
		name := fmt.Sprint(v)
		if text, ok := v.(string); ok {
			name = text
		}
		if len(name) > maxAskedName {
			name = name[:maxAskedName]
		}
		names = append(names, name)
	}
	switch v := settings["notify"].(type) {
	case nil:
	case []any:
		for _, one := range v[:min(len(v), maxAsked)] {
			add(one)
		}
	default:
		add(v)
	}
	return names
}

// channelName does not count: the tables of Unicode would be repeated eighty times, for each process.
var channelName = regexp.MustCompile(`^[#@]?[\p{L}\p{N}._-]+$`)

const longestChannel = 80 // characters, without its sign

// channelOf is the channel that a profile's settings name; "" for none, or for
// what is no channel.
func channelOf(settings map[string]any) string {
	channel, ok := settings["slackChannel"].(string)
	if !ok || !channelName.MatchString(channel) || utf8.RuneCountInString(strings.TrimLeft(channel, "#@")) > longestChannel {
		return ""
	}
	return channel
}
