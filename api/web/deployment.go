package web

import (
	"cmp"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/report"
)

// DeploymentView is what the page of a deployment shows.
type DeploymentView struct {
	wire.Report
	Orders         Orders
	CommitURL      string // at the forge, "" for none
	PullRequestURL string
	Fleet          FleetView
	Gate           Gate
}

// Orders are what may be asked of a deployment as it is, by somebody who may.
type Orders struct {
	Pause, Resume, Cancel, RollBack, Retry bool

	Promote    bool // ends the wait of one phase, or approves
	PromoteAll bool
	Phase      int // that Promote means
}

// Any says that something may be asked.
func (o Orders) Any() bool { return o != Orders{Phase: o.Phase} }

// Ended says that the deployment does not change any more.
func (v DeploymentView) Ended() bool { return Ended(v.Deployment) }

// Ended says that a deployment does not change any more.
func Ended(d wire.Deployment) bool { return d.FinishedAt != nil }

// waits are what a deployment can wait for, in words.
var waits = map[string]string{
	"Approval": "a person to approve it", "Window": "the deny window to close", "Freeze": "the freeze to end",
	"Promotion": "a person to promote it", "Acks": "instances to say that they run it", "Traffic": "the traffic hook to take the switch",
	"Evidence": "enough to judge it by",
}

// Waits says what the deployment waits for.
func (v DeploymentView) Waits() string {
	d := v.Deployment
	switch {
	case waits[d.Awaiting] != "":
		return waits[d.Awaiting]
	case d.Status == "Paused":
		return "a person to resume it"
	case d.Status == "RollingBack":
		return "instances to say that they are back"
	case d.PhaseEndsAt != nil:
		return "the phase to last as long as it should"
	}
	return "its next step"
}

// TakenBack says by whom and why the deployment was taken back, "" where it was
// not or its explanation says so.
func (v DeploymentView) TakenBack() string {
	d := v.Deployment
	switch {
	case d.RollbackReason == "" || strings.Contains(d.Explanation, d.RollbackReason):
		return ""
	case d.RollbackBy == "cancel": // the reason says who
		return upper(d.RollbackReason)
	case d.RollbackBy == "gate" || d.RollbackBy == "deadline":
		return "Taken back by the " + d.RollbackBy + ": " + d.RollbackReason
	}
	return "Taken back by " + d.RollbackBy + ": " + d.RollbackReason
}

// Asked says that the deployment waits for a person to promote it: then that is
// what the page is for.
func (v DeploymentView) Asked() bool {
	return v.Deployment.Awaiting == "Approval" || v.Deployment.Awaiting == "Promotion"
}

// Approves says that promoting is what approves it.
func (v DeploymentView) Approves() bool { return v.Deployment.Status == "Pending" }

// Gate is what the checks of a deployment measured.
type Gate struct {
	Verdict  *wire.Verdict // of the check that decided, nil before the first one
	Unjudged string        // why there is none
	Metrics  []GateMetric  // measured, or what decided
	Others   []string      // have no figure
}

// GateMetric is one metric: what the deciding check made of it, and how it went.
type GateMetric struct {
	wire.MetricCheck
	Decided bool          // for it the deployment was taken back, or would be
	Chart   template.HTML // "" where it has no figure
}

// NewGate puts the deciding check beside what was measured all along.
func NewGate(r wire.Report) Gate {
	g := Gate{Verdict: r.Verdict, Unjudged: unjudged(r.Deployment)}
	begins := ChartsBegin(r.Series, r.Deployment)
	for _, s := range r.Series {
		chart := Chart(s, begins, r.Deployment)
		if chart == "" && !s.Failed {
			g.Others = append(g.Others, report.Metric(s.Name))
			continue
		}
		g.Metrics = append(g.Metrics, GateMetric{MetricCheck: decidingCheck(r, s), Decided: s.Failed, Chart: chart})
	}
	return g
}

// unjudged is why no check of a deployment is there.
func unjudged(d wire.Deployment) string {
	switch {
	case d.Kind == "Rollback":
		return "No gate holds up what takes a change back."
	case d.Kind == "Retirement":
		return "It changes no instance: there is nothing to judge."
	case Ended(d):
		return "No check was made: nothing judged it."
	}
	return "No check yet: the gate looks at the first heartbeats of whoever runs the new version."
}

// decidingCheck is a metric in the check that decided; its last point where that
// check did not look at it.
func decidingCheck(r wire.Report, s wire.Series) wire.MetricCheck {
	if r.Verdict != nil {
		if i := slices.IndexFunc(r.Verdict.Metrics, func(m wire.MetricCheck) bool { return m.Name == s.Name }); i >= 0 {
			return r.Verdict.Metrics[i]
		}
	}
	last := s.Points[len(s.Points)-1]
	return wire.MetricCheck{Name: s.Name, Unit: s.Unit, Outcome: last.Outcome, Value: last.Value, Control: last.Control, Baseline: last.Baseline, Limit: last.Limit}
}

// DeploymentsView is the list of deployments.
type DeploymentsView struct {
	Deployments                         []wire.Deployment
	Status, Environment, Config, Commit string // what the list is narrowed to
	Statuses, Environments              []string
	Pager                               Pager
}

// Narrowed says that the list leaves something out.
func (v DeploymentsView) Narrowed() bool {
	return cmp.Or(v.Status, v.Environment, v.Config, v.Commit) != ""
}

// OrderView is a page that says what an order would do, and takes the reason.
type OrderView struct {
	Order      string // rollback, cancel or retry
	Deployment wire.Deployment
	Preview    *wire.RollbackPreview // nil where there is nothing to take back
	Impossible string                // why it cannot be done, "" when it can
	Reason     string                // given before, when the order was refused
}

// Title is what would be done, in a few words.
func (v OrderView) Title() string {
	switch v.Order {
	case "cancel":
		return "Cancel the deployment of " + v.Deployment.ConfigVersion
	case "retry":
		return "Try " + v.Deployment.ConfigVersion + " again"
	}
	if v.Preview != nil && v.Preview.ToVersion != "" {
		return "Roll back to " + v.Preview.ToVersion
	}
	return "Roll back"
}

// Button is what the button says: the same as what would be done.
func (v OrderView) Button() string {
	switch v.Order {
	case "cancel":
		return "Cancel the deployment"
	case "retry":
		return "Try it again"
	}
	return v.Title()
}

// Done says that the rollback was asked for already.
func (v OrderView) Done() bool { return v.Preview != nil && v.Preview.Kind == "UnderWay" }

// Explanation is what would happen, as a sentence.
func (v OrderView) Explanation() string {
	if v.Preview == nil {
		return ""
	}
	return upper(v.Preview.Explanation) + "."
}

// upper begins a text with a capital.
func upper(text string) string {
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// person is somebody's name, without the address that commits have beside it.
func person(author string) template.HTML {
	if name, _, ok := strings.Cut(author, " <"); ok && name != "" {
		return said(name)
	}
	return said(author)
}

// said is what a person wrote. Whatever script it is in, what stands beside it keeps its order.
func said(text string) template.HTML {
	return template.HTML("<bdi>" + template.HTMLEscapeString(text) + "</bdi>") //nolint:gosec // escaped
}

// DatedMoment is a moment of a time line. Day is that of the first one, and of each
// with which another day begins: one looks at a report long after, and at a soak of days.
type DatedMoment struct {
	wire.Moment
	Day string
}

func dated(moments []wire.Moment) []DatedMoment {
	out, last := make([]DatedMoment, len(moments)), ""
	for i, m := range moments {
		out[i].Moment = m
		if day := m.At.UTC().Format(time.DateOnly); day != last {
			out[i].Day, last = day, day
		}
	}
	return out
}
