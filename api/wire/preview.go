package wire

// RollbackPreview is what a rollback would do now.
type RollbackPreview struct {
	ConfigName string `json:"configName"`
	// Kind is TurnRound for an active deployment that goes back, Cancellation for
	// one that has not begun, NewDeployment for an earlier version by a deployment
	// of its own, and UnderWay when this rollback is on its way already, or done.
	Kind         string `json:"kind"`
	DeploymentID string `json:"deploymentId,omitempty"` // that would be turned round or cancelled, or is this rollback
	Supersedes   string `json:"supersedes,omitempty"`   // the active deployment that would end for it
	FromVersion  string `json:"fromVersion"`            // that would be refused
	ToVersion    string `json:"toVersion,omitempty"`    // that would run
	// DesiredVersion is what the profile's origin says and would go on saying.
	DesiredVersion string `json:"desiredVersion,omitempty"`
	Instances      int    `json:"instances"` // that would be given ToVersion, at once
	Hold           *Hold  `json:"hold,omitempty"`
	// Changes are from FromVersion to ToVersion, secrets masked.
	Changes     *DiffResponse `json:"changes,omitempty"`
	Explanation string        `json:"explanation"`
}
