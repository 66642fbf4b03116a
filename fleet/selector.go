package fleet

import "slices"

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
