package rollout

// The types of facts about deployments, holds and freezes.
const (
	FactCreated     = "deployment.created"
	FactStarted     = "deployment.started"
	FactPhase       = "deployment.phase"
	FactSwitched    = "deployment.switched"
	FactPaused      = "deployment.paused"
	FactResumed     = "deployment.resumed"
	FactPromoted    = "deployment.promoted"
	FactCancelled   = "deployment.cancelled"
	FactCompleted   = "deployment.completed"
	FactFailed      = "deployment.failed"
	FactRollback    = "deployment.rollback"
	FactRolledBack  = "deployment.rolledback"
	FactSuperseded  = "deployment.superseded"
	FactGateFailed  = "gate.failed"
	FactHoldBegun   = "hold.begun"
	FactHoldEnded   = "hold.ended"
	FactForced      = "deployment.forced"
	FactFreezeBegun = "freeze.begun"
	FactFreezeEnded = "freeze.ended"
	FactQuarantined = "deployment.quarantined"
)

// Daemon is the actor of what Sluice does by itself.
const Daemon = "sluice"

// fact is a fact about the deployment.
func (d Deployment) fact(kind, actor string, details map[string]any) Fact {
	if details == nil {
		details = map[string]any{}
	}
	details["profile"], details["version"] = d.Profile, d.Version
	return Fact{Type: kind, EntityType: "deployment", EntityID: d.ID, Actor: actor, TraceID: d.TraceID, Details: details}
}
