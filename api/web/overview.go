package web

import "github.com/sluicehq/sluice/api/wire"

// OverviewView is what the first page shows.
type OverviewView struct {
	Active     []wire.Deployment
	MoreActive int           // under way beside those
	Held       []wire.Config // profiles on hold
}
