package fleet

import (
	"maps"
	"slices"
)

// Matches says whether an instance is one of those that the selector names.
func (s Selector) Matches(i Instance) bool {
	if i.Service != s.Service || i.Environment != s.Environment {
		return false
	}
	for name, value := range s.Labels {
		if i.Labels[name] != value {
			return false
		}
	}
	return len(s.Instances) == 0 || slices.Contains(s.Instances, i.ID)
}

// Equal says that two selectors name the same instances.
func (s Selector) Equal(other Selector) bool {
	return s.Service == other.Service && s.Environment == other.Environment && maps.Equal(s.Labels, other.Labels) && slices.Equal(s.Instances, other.Instances)
}
