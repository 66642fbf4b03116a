package rollout

// Basis is what a new deployment was decided on. Store.Create answers ErrStale
// when it is not so any more, so that of two people who decide the same at once
// one is told what the other did.
type Basis struct {
	Newest  string // ID of the profile's newest deployment, "" for none
	Current string // version that the profile runs
}

// MayRetry is nil when what a deployment brought may be tried again by another
// one, and a *StateError otherwise.
func MayRetry(d Deployment) error {
	switch d.Kind {
	case Rollback:
		return d.refuse(OrderRetry, "it is a rollback: roll its profile back again")
	case Retirement:
		return d.refuse(OrderRetry, "it retires its profile: its source decides that anew")
	}
	return allow(d, OrderRetry)
}

// RunsBeside says that a deployment has ended, and that what it brought went to some
// instances and is not what the profile runs: it failed and nothing was taken back,
// or it was for chosen instances.
func (d Deployment) RunsBeside() bool {
	return d.Kind == Forward && !d.StartedAt.IsZero() && (d.State == Failed || d.State == Completed && d.Chosen())
}

// MayTakeBack is nil when a deployment has ended so that what it brought may
// still run, and a *StateError otherwise.
func MayTakeBack(d Deployment) error {
	if d.Kind == Forward && (d.State == Completed || d.State == Failed) {
		return nil
	}
	return d.refuse(OrderRollback, "")
}
