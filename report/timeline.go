package report

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/sluicehq/sluice/api/wire"
)

// timeLine tells what happened, oldest first: from the commit to the last
// acknowledgement and what became of health.
func timeLine(d wire.Deployment, events []wire.AuditEvent) []wire.Moment {
	var line []wire.Moment
	if d.CommittedAt != nil {
		line = append(line, wire.Moment{At: *d.CommittedAt, What: "committed" + atCommit(d), By: d.InitiatedBy})
	}
	line = append(line, wire.Moment{At: d.CreatedAt, What: "seen by Sluice: the deployment was made"})
	if first := firstApplied(d); first != nil {
		line = append(line, *first)
	}
	if back := lastBack(d); back != nil {
		line = append(line, wire.Moment{At: *back, What: fmt.Sprintf("the last of %s was back on %s", instances(fmt.Sprint(d.Exposed)), backOn(d))})
	}
	events = slices.SortedFunc(slices.Values(events), func(a, b wire.AuditEvent) int { return cmp.Compare(a.ID, b.ID) })
	for _, e := range events {
		if what := told(e); what != "" {
			line = append(line, wire.Moment{At: e.CreatedAt, What: what, By: e.User})
		}
	}
	slices.SortStableFunc(line, func(a, b wire.Moment) int { return a.At.Compare(b.At) })
	return line
}

func atCommit(d wire.Deployment) string {
	text := " as " + short(d.Commit)
	if d.PullRequest > 0 {
		text += fmt.Sprintf(", pull request #%d", d.PullRequest)
	}
	return text
}

// short is a commit as people write it.
func short(commit string) string { return commit[:min(len(commit), 12)] }

// backOn is the version that instances went back to.
func backOn(d wire.Deployment) string {
	if d.Kind == "Rollback" {
		return d.ConfigVersion
	}
	return d.PreviousVersion
}

func firstApplied(d wire.Deployment) *wire.Moment {
	var first *wire.Moment
	for _, e := range d.Exposures {
		if e.AppliedAt != nil && (first == nil || e.AppliedAt.Before(first.At)) {
			first = &wire.Moment{At: *e.AppliedAt, What: e.Hostname + " was the first to run it"}
		}
	}
	return first
}

// told is an audit event in words, "" for one that the time line leaves out.
func told(e wire.AuditEvent) string {
	detail := func(name string) string {
		if v, ok := e.Details[name]; ok && v != "" {
			return fmt.Sprint(v)
		}
		return ""
	}
	switch e.EventType {
	case "deployment.started":
		return "started"
	case "deployment.phase":
		return fmt.Sprintf("phase %s settled: %s, %s%%", detail("phase"), instances(detail("instances")), detail("percent"))
	case "deployment.switched":
		return fmt.Sprintf("requests switched from %s to %s", detail("from"), detail("to"))
	case "deployment.paused", "deployment.resumed", "deployment.promoted", "deployment.cancelled", "deployment.forced":
		return because(e.EventType[len("deployment."):], detail("reason"))
	case "gate.failed":
		return because("the gate failed", detail("reason"))
	case "deployment.rollback":
		return fmt.Sprintf("rollback to %s began, for %s", detail("to"), instances(detail("instances")))
	case "deployment.rolledback":
		return because("rolled back", Health(detail("health")))
	case "deployment.completed":
		return "completed"
	case "deployment.failed":
		return because("failed", detail("reason"))
	case "deployment.superseded":
		return because("superseded", detail("reason"))
	}
	return ""
}

func instances(n string) string {
	if n == "1" {
		return "1 instance"
	}
	return n + " instances"
}

func because(what, reason string) string {
	if reason == "" {
		return what
	}
	return what + ": " + reason
}

// Health is what was seen of it after a rollback, in words.
func Health(restored string) string {
	switch restored {
	case "Returned":
		return "health returned to what it was before"
	case "NotReturned":
		return "health did not return: look further than this change"
	case "NoData":
		return "nothing was reported to judge health by"
	}
	return ""
}
