package rollout

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/profile"
)

// The probes of health.endpoint, as a metric of the gate.
const (
	ProbeMetric   = "probes"
	ProbeProvider = "probe"
)

const (
	maxProbed = 100 // instances a check
	maxNamed  = 50  // hostnames in a query
)

// Measurer asks the providers outside. It answers every ask, in their order,
// and returns soon after ctx has ended.
type Measurer interface {
	Measure(ctx context.Context, asks []Ask) []Measurement
}

// Ask is one question of a gate check to a provider outside.
type Ask struct {
	Name     string // of the metric; ProbeMetric for the probes
	Provider string // profile.ProviderPrometheus, profile.ProviderWebhook or ProbeProvider
	Query    string // PromQL as it is sent, the gate's name, or the path to probe
	Probed   []Probed
	Question Question
}

// Probed is an instance to probe.
type Probed struct {
	InstanceID string
	Hostname   string
	Port       int // 0: it registered without one
	Updated    bool
}

// Question is what a webhook gate is told.
type Question struct {
	ID         string // the same when the same check is asked again after a crash
	Deployment string
	Profile    string
	Version    string
	Previous   string
	Commit     string
	Phase      int // from 1
	Percent    int
	Instances  []string // hostnames of those that applied the version, at most 100
}

// Measurement is the answer to an Ask.
type Measurement struct {
	Ask
	Value  *float64 // of Prometheus; nil where it has none
	N      uint64   // series behind Value
	Result Outcome  // of a webhook: Pass, Fail, or Inconclusive while it waits
	Reason string   // what the webhook said, or what Prometheus warned of
	Probes []Probe  // of the instances that there was time for
	Err    string   // why there is no answer, without secrets; "" where there is one
}

// Probe is what became of probing one instance.
type Probe struct {
	Probed
	Failure string // why every attempt failed, "" when one went well
	Err     string // why it could not be probed at all, "" when it could
}

// Asks are the questions that a decision is waiting for: none unless it holds a
// gate check, and none when that has failed already. The deployment and the
// snapshot are those that it was decided by.
func Asks(d Deployment, snap Snapshot, dec Decision, now time.Time) []Ask {
	if len(dec.Checks) == 0 || dec.Checks[len(dec.Checks)-1].Verdict.Outcome == Fail || !d.Health.Enabled {
		return nil
	}
	s := newStep(d, snap, now)
	c := s.sortTargets()
	var asks []Ask
	if d.Health.Endpoint != "" {
		asks = append(asks, Ask{Name: ProbeMetric, Provider: ProbeProvider, Query: d.Health.Endpoint, Probed: s.probed(c)})
	}
	for _, m := range d.Health.Metrics {
		ask := Ask{Name: m.Name, Provider: m.Provider, Query: m.Query}
		switch {
		case m.Provider == profile.ProviderPrometheus && !alone(m, c):
			ask.Query = s.expand(m.Query, c)
		case m.Provider == profile.ProviderWebhook:
			ask.Question = s.question(c)
		default:
			continue
		}
		asks = append(asks, ask)
	}
	return asks
}

// alone says that a metric compares with a control that there is not.
func alone(m profile.Metric, c crowd) bool {
	return m.Names(profile.PlaceholderControl) && len(c.control) == 0
}

// applied are the updated instances that run the version.
func (c crowd) applied() []*Target {
	return slices.DeleteFunc(slices.Clone(c.updated), func(t *Target) bool { return !t.Assignment.Acknowledged() })
}

// probed draws whom to probe. Updated ones and the control alternate, so that
// both are reached when time runs out.
func (s *step) probed(c crowd) []Probed {
	control := s.draw(c.control, min(len(c.updated), maxProbed/2))
	updated := s.draw(c.applied(), maxProbed-len(control))
	control = control[:min(len(control), len(updated))]
	probed := make([]Probed, 0, len(updated)+len(control))
	add := func(t *Target, isUpdated bool) {
		probed = append(probed, Probed{InstanceID: t.Instance.ID, Hostname: t.Instance.Hostname, Port: t.Instance.Port, Updated: isUpdated})
	}
	for i, t := range updated {
		add(t, true)
		if i < len(control) {
			add(control[i], false)
		}
	}
	return probed
}

// draw takes up to n targets: where there are more, others at each check.
func (s *step) draw(targets []*Target, n int) []*Target {
	if len(targets) <= n {
		return targets
	}
	seed := s.next.ID + s.next.CheckedAt.UTC().Format(time.RFC3339Nano)
	targets = slices.SortedFunc(slices.Values(targets), func(a, b *Target) int {
		return cmp.Compare(order(seed, a.Instance.ID), order(seed, b.Instance.ID))
	})
	return targets[:n]
}

// question is what a webhook gate is told. Its ID is of the check before, which
// stays until this one is stored.
func (s *step) question(c crowd) Question {
	d := s.next
	q := Question{
		ID:         fmt.Sprintf("%s/%d/%d", d.ID, d.Phase+1, d.CheckedAt.UnixMilli()),
		Deployment: d.ID, Profile: d.Profile, Version: d.Version, Previous: d.Previous, Commit: d.Commit,
		Phase: d.Phase + 1, Percent: s.phase(c).Percent, Instances: []string{},
	}
	for _, t := range s.draw(c.applied(), maxProbed) {
		q.Instances = append(q.Instances, name(t))
	}
	return q
}

// expand fills in a query's placeholders.
func (s *step) expand(query string, c crowd) string {
	d := s.next
	return profile.ExpandQuery(query, func(placeholder string) string {
		switch placeholder {
		case "profile":
			return literal(d.Profile)
		case "service":
			return literal(d.Selector.Service)
		case "environment":
			return literal(string(d.Selector.Environment))
		case "version":
			return literal(d.Version)
		case "previous":
			return literal(d.Previous)
		case "deployment":
			return literal(d.ID)
		case "interval":
			return fmt.Sprintf("%ds", int(s.interval(c).Seconds()))
		case profile.PlaceholderUpdated:
			return anyOf(s.draw(c.applied(), maxNamed))
		case profile.PlaceholderControl:
			return anyOf(s.draw(c.control, maxNamed))
		}
		return ""
	})
}

// interval is how far a query looks back: as far as a check does, but not to
// before the first instance applied the version. Whole seconds, at least one.
func (s *step) interval(c crowd) time.Duration {
	var whole time.Duration
	for _, t := range c.applied() {
		whole = max(whole, s.now.Sub(t.Assignment.AppliedAt))
	}
	return max(time.Second, min(whole, s.sliding()))
}

// literal drops what would end a text in PromQL. No name or version holds any
// of it.
func literal(text string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("\"'`\\\n{}", r) {
			return -1
		}
		return r
	}, text)
}

// anyOf is a regular expression of hostnames. It needs no escapes, so that it
// is the same in each of PromQL's three kinds of quotes: a dot stands in a class,
// and whatever no hostname holds is matched by any character.
func anyOf(targets []*Target) string {
	if len(targets) == 0 {
		return "(?:.^)" // matches nothing
	}
	hosts := make([]string, 0, len(targets))
	for _, t := range targets {
		var b strings.Builder
		for _, r := range name(t) {
			switch {
			case r == '.':
				b.WriteString("[.]")
			case r == '-', r == '_', r == ':', r >= '0' && r <= '9', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z':
				b.WriteRune(r)
			default:
				b.WriteByte('.')
			}
		}
		hosts = append(hosts, b.String())
	}
	return "(?:" + strings.Join(hosts, "|") + ")"
}
