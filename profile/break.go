package profile

import (
	"slices"
	"strings"
)

// SchemaBreak is one way in which an edition of a schema parts with the one before it.
type SchemaBreak struct {
	Path    string `json:"path"` // place in the schema, such as $.properties.maxRetries.maximum
	Message string `json:"message"`
	// Direction is Backward when data that was valid may not be, Forward when data that is valid may not have been.
	Direction Compatibility `json:"direction"`
	// OpenName says that only data is concerned which used a property's name where the schema did not know it, and let
	// anything be. It breaks nothing by itself: whether there is such data, the profiles tell.
	OpenName bool `json:"openName,omitempty"`
}

// Against returns how s breaks one of the compatibilities with the edition before it, by place in the schema. What it
// says is sound: where it finds nothing Backward, data that is valid under previous is valid under s, and where it finds
// nothing Forward the other way round. A change that it cannot judge, such as another pattern, is found broken.
func (s *Schema) Against(previous *Schema, asked ...Compatibility) []SchemaBreak {
	var out []SchemaBreak
	wants := func(c Compatibility) bool {
		return slices.Contains(asked, c) || slices.Contains(asked, CompatibilityFull)
	}
	if wants(CompatibilityBackward) {
		out = append(out, narrowed(previous, s, CompatibilityBackward)...)
	}
	if wants(CompatibilityForward) {
		out = append(out, narrowed(s, previous, CompatibilityForward)...)
	}
	slices.SortStableFunc(out, func(a, b SchemaBreak) int { return strings.Compare(a.Path, b.Path) })
	return slices.Compact(out)
}

// Broken says that one of the breaks is more than an open name.
func Broken(breaks []SchemaBreak) bool {
	return slices.ContainsFunc(breaks, func(b SchemaBreak) bool { return !b.OpenName })
}

// Breaks returns how s breaks what previous promised about its next edition (previous.Compatibility), by place in the
// schema; none when it keeps the promise. A name that was open is no break: every profile is validated again when a
// schema changes.
func (s *Schema) Breaks(previous *Schema) []FieldError {
	var out []FieldError
	for _, b := range s.Against(previous, previous.compatibility) {
		e := FieldError{Path: b.Path, Message: b.Message}
		if !b.OpenName && !slices.ContainsFunc(out, func(o FieldError) bool { return o.Path == e.Path && o.Message == e.Message }) {
			out = append(out, e)
		}
	}
	return out
}
