package web

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/api/wire"
)

// The bounds of what is drawn of a deployment's instances.
const (
	named     = 24  // so many have their names in the grid
	roomy     = 200 // so many have a cell that a thumb hits
	walked    = 48  // so many are walked through by key: of more, the table is
	listed    = 50  // rows of the table
	maxReason = 200 // runes of an instance's error in its cell
)

// FleetView is a deployment's instances: a cell for each in a grid, and a table.
type FleetView struct {
	Cells  []Cell
	Legend []LegendEntry
	Size   string // of the cells: named, roomy or tiny
	ByKey  bool   // the cells are walked through by key
	Rows   []FleetRow
	More   int // instances that have no row
	All    bool

	Troubled bool // somebody needs a look
}

// Cell is one instance in the grid. Which version it has is a shape and a colour,
// how it does a sign in it.
type Cell struct {
	ID, Hostname, Class string
	Version, Word       string
	Title               string
}

// LegendEntry says what a shape stands for, and how many have it.
type LegendEntry struct {
	Class, Text string
	Count       int
}

// FleetRow is one instance in the table.
type FleetRow struct {
	wire.InstanceStatus
	State string // what is to be said of it beside its version, "" for nothing
}

// The kinds of cells, in the order of the legend.
const (
	hasNew      = "new"
	hasPrevious = "previous"
	hasOther    = "other"
	hasNone     = "none"
	isFailed    = "failed"
	isSilent    = "silent"
	isIll       = "ill"
	isMoving    = "moving"
)

// NewFleetView shows the instances as they come, which is by name: they stay where
// they are whatever becomes of them. The table has those first that need a look.
func NewFleetView(d wire.Deployment, all bool) FleetView {
	v := FleetView{Size: "named", ByKey: len(d.InstanceStatus) <= walked, All: all, Cells: make([]Cell, 0, len(d.InstanceStatus))}
	switch n := len(d.InstanceStatus); {
	case n > roomy:
		v.Size = "tiny"
	case n > named:
		v.Size = "roomy"
	}
	counts := map[string]int{}
	rows := make([]FleetRow, 0, len(d.InstanceStatus))
	for _, i := range d.InstanceStatus {
		c := cellOf(d, i)
		v.Cells = append(v.Cells, c)
		version, state := versionOf(d, i), stateOf(i)
		counts[legendOf(version, state)]++
		if state == isIll || state == isMoving {
			counts[state]++
		}
		rows = append(rows, FleetRow{InstanceStatus: i, State: state})
		v.Troubled = v.Troubled || urgency[state] < urgency[isMoving]
	}
	v.Legend = legend(d, counts)
	slices.SortStableFunc(rows, func(a, b FleetRow) int { return cmp.Compare(urgency[a.State], urgency[b.State]) })
	if !all && len(rows) > listed {
		v.More = len(rows) - listed
		rows = rows[:listed]
	}
	v.Rows = rows
	return v
}

// urgency is the order of the table: who failed, who is ill, who is not heard of,
// whom is waited for, the others.
var urgency = map[string]int{isFailed: 0, isIll: 1, isSilent: 2, isMoving: 3, "": 4}

// versionOf says which of a deployment's versions an instance has.
func versionOf(d wire.Deployment, i wire.InstanceStatus) string {
	switch i.AppliedVersion {
	case "":
		return hasNone
	case d.ConfigVersion:
		return hasNew
	case d.PreviousVersion:
		return hasPrevious
	}
	return hasOther
}

// stateOf is what is to be said of an instance beside its version, "" for nothing.
func stateOf(i wire.InstanceStatus) string {
	switch {
	case i.Error != "":
		return isFailed
	case i.Liveness != "Live":
		return isSilent
	case i.Health == "Unhealthy" || i.Health == "Degraded":
		return isIll
	case i.DesiredVersion != "" && i.DesiredVersion != i.AppliedVersion:
		return isMoving
	}
	return ""
}

// legendOf is the one entry that an instance is counted in.
func legendOf(version, state string) string {
	if state == isFailed || state == isSilent {
		return state
	}
	return version
}

func cellOf(d wire.Deployment, i wire.InstanceStatus) Cell {
	c := Cell{ID: i.InstanceID, Hostname: cmp.Or(i.Hostname, i.InstanceID), Class: versionOf(d, i), Version: cmp.Or(i.AppliedVersion, "none")}
	runs := "has nothing yet"
	if i.AppliedVersion != "" {
		runs = "runs " + i.AppliedVersion
	}
	c.Word = runs
	state := stateOf(i)
	if state != "" {
		c.Class += " " + state
	}
	switch state {
	case isFailed:
		c.Word = "could not apply " + i.DesiredVersion
	case isSilent:
		c.Word = "not heard of"
	case isIll:
		c.Word = runs + ", " + strings.ToLower(i.Health)
	case isMoving:
		c.Word = runs + ", is given " + i.DesiredVersion
	}
	c.Title = c.Hostname + ": " + c.Word
	if state != isIll && i.Health != "" {
		c.Title += ", " + i.Health
	}
	if i.ReloadMillis > 0 {
		c.Title += fmt.Sprintf(", reload %d ms", i.ReloadMillis)
	}
	if i.Error != "" {
		c.Title += ": " + clip(i.Error, maxReason)
	}
	return c
}

// legend has an entry for every shape that somebody has, and for the two versions
// that it is about.
func legend(d wire.Deployment, counts map[string]int) []LegendEntry {
	entries := []LegendEntry{{hasNew, "run " + d.ConfigVersion, counts[hasNew]}}
	if d.PreviousVersion != "" {
		entries = append(entries, LegendEntry{hasPrevious, "run " + d.PreviousVersion, counts[hasPrevious]})
	}
	if counts[hasOther] > 0 {
		entries = append(entries, LegendEntry{hasOther, "run another version", counts[hasOther]})
	}
	for _, one := range []struct{ name, class, text string }{
		{hasNone, hasNone, "have nothing yet"}, {isFailed, hasNone + " " + isFailed, "could not apply it"}, {isSilent, hasNone + " " + isSilent, "not heard of"},
		{isIll, hasNone + " " + isIll, "not healthy"}, {isMoving, hasNone + " " + isMoving, "being given another"},
	} {
		if n := counts[one.name]; n > 0 {
			entries = append(entries, LegendEntry{one.class, one.text, n})
		}
	}
	return entries
}

func clip(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}
