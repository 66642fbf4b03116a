package profile

import "slices"

// SchemaBreak is one way in which an edition of a schema parts with the one before it.
type SchemaBreak struct {
	Path    string `json:"path"` // place in the schema, such as $.properties.maxRetries.maximum
	Message string `json:"message"`
	// Direction is Backward when data that was valid may not be, Forward when data that is valid may not have been.
	Direction Compatibility `json:"direction"`
	// OpenName says that only data is concerned which used a property's name where the schema did not know it, and let
	// any be. It breaks nothing by itself: whether there is such data, the profiles tell.
	OpenName bool `json:"openName,omitempty"`
}

// Against returns how s breaks the compatibilities with the edition before it.
func (s *Schema) Against(previous *Schema, asked ...Compatibility) []SchemaBreak {
	var out []SchemaBreak
	both := slices.Contains(asked, CompatibilityFull)
	for direction, swap := range map[Compatibility]bool{CompatibilityBackward: false, CompatibilityForward: true} {
		if !both && !slices.Contains(asked, direction) {
			continue
		}
		was, is := previous, s
		if swap {
			was, is = s, previous
		}
		var c compatChecker
		c.narrower("$", was.doc, is.doc)
		for _, f := range c.found {
			out = append(out, SchemaBreak{Path: f.Path, Message: f.Message, Direction: direction})
		}
	}
	return out
}

// Broken says that one of the breaks is more than an open name.
func Broken(breaks []SchemaBreak) bool {
	return slices.ContainsFunc(breaks, func(b SchemaBreak) bool { return !b.OpenName })
}
