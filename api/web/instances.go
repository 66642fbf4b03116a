package web

import (
	"maps"
	"slices"

	"github.com/sluicehq/sluice/api/wire"
)

// InstancesView is a page of the list of instances.
type InstancesView struct {
	Search, Service, Environment, Health, Version string // what the list is narrowed by
	Environments, Healths                         []string
	Items                                         []wire.Instance
	Pager                                         Pager
}

// Narrowed says that some instances may be left out.
func (v InstancesView) Narrowed() bool {
	return v.Search != "" || v.Service != "" || v.Environment != "" || v.Health != "" || v.Version != ""
}

// InstanceView is one instance.
type InstanceView struct {
	wire.Instance
	Assignments []wire.InstanceConfig
}

// Pair is a name and what is said under it.
type Pair struct{ Key, Value string }

// entries are the entries of a map by key.
func entries(m map[string]string) []Pair {
	out := make([]Pair, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		out = append(out, Pair{key, m[key]})
	}
	return out
}

// LabelPairs are the labels by key.
func (v InstanceView) LabelPairs() []Pair { return entries(v.Labels) }

// MetadataPairs are the metadata by key.
func (v InstanceView) MetadataPairs() []Pair { return entries(v.Metadata) }

// settled says that an assignment is applied as it is wanted.
func settled(c wire.InstanceConfig) bool {
	return c.Error == "" && c.AppliedVersion == c.DesiredVersion
}
