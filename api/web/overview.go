package web

import "github.com/sluicehq/sluice/api/wire"

// OverviewView is what the first page shows.
type OverviewView struct {
	Active     []wire.Deployment
	MoreActive int               // under way beside those
	Waiting    []wire.Deployment // of those under way, that wait for a person
	MoreWaits  int
	Held       []wire.Config // profiles on hold
	Failing    []SourceItem  // whose last sync or pull requests failed, or that have files that cannot be used
	Unwell     []ServiceState
	Ended      []wire.Deployment // in the last day, newest first
	Outcomes   []Outcome         // of all that ended in the last day
	First      *FirstSteps       // while there is nothing to show yet
}

// MoreEnded is how many ended beside those shown.
func (v OverviewView) MoreEnded() int {
	n := -len(v.Ended)
	for _, o := range v.Outcomes {
		n += o.Count
	}
	return n
}

// ServiceState counts the instances of a service that are not well.
type ServiceState struct {
	Service, Environment                   string
	Instances, Unhealthy, Degraded, Silent int
}

// Outcome is how many deployments ended so.
type Outcome struct {
	Status string
	Count  int
}

// FirstSteps is what is done and what is left to do before anything can be rolled out.
type FirstSteps struct {
	Sources   []SourceItem
	Profiles  int
	Instances int
	Server    string // what Sluice is reached by
}
