package profile

import (
	"maps"
	"slices"
)

// Diff is what changed between two versions of a profile's effective data, by meaning and not by line. The three lists
// are ordered by field.
type Diff struct {
	Added    []Change `json:"added"`
	Removed  []Change `json:"removed"`
	Modified []Change `json:"modified"`
}

// Change is one field that was added, removed or modified. Field is its JSON path ("$.db.poolSize").
type Change struct {
	Field       string `json:"field"`
	Old         any    `json:"oldValue,omitempty"`
	New         any    `json:"newValue,omitempty"`
	TypeChanged bool   `json:"typeChanged,omitempty"`
}

// Compare returns the difference from old to new. Maps are compared key by key, lists of equal length item by item,
// other lists and all scalars as wholes; 1.0 equals 1.
func Compare(old, new Data) Diff {
	d := Diff{Added: []Change{}, Removed: []Change{}, Modified: []Change{}}
	d.maps("$", old, new)
	return d
}

func (d *Diff) maps(path string, old, new map[string]any) {
	keys := map[string]bool{}
	for k := range old {
		keys[k] = true
	}
	for k := range new {
		keys[k] = true
	}
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		was, had := old[k]
		is, has := new[k]
		at := joinKey(path, k)
		switch {
		case !had:
			d.Added = append(d.Added, Change{Field: at, New: is})
		case !has:
			d.Removed = append(d.Removed, Change{Field: at, Old: was})
		default:
			d.values(at, was, is)
		}
	}
}

func (d *Diff) values(path string, old, new any) {
	if !isSecret(old) && !isSecret(new) {
		was, isMap := asMap(old)
		if is, ok := asMap(new); ok && isMap {
			d.maps(path, was, is)
			return
		}
		before, isList := old.([]any)
		if after, ok := new.([]any); ok && isList && len(after) == len(before) {
			for i := range before {
				d.values(joinIndex(path, i), before[i], after[i])
			}
			return
		}
	}
	if equalValues(old, new) {
		return
	}
	d.Modified = append(d.Modified, Change{
		Field: path, Old: old, New: new, TypeChanged: typeName(old) != typeName(new),
	})
}

func equalValues(a, b any) bool {
	return slices.Equal(canonicalValue(a), canonicalValue(b))
}

// Empty reports whether nothing changed.
func (d Diff) Empty() bool { return len(d.Added)+len(d.Removed)+len(d.Modified) == 0 }

// Breaking reports whether a consumer of the old data may fail on the new: a key removed or a type changed.
func (d Diff) Breaking() bool { return d.Bump() == Major }

// Masked returns a copy of d whose secrets are "***".
func (d Diff) Masked() Diff {
	mask := func(list []Change) []Change {
		out := slices.Clone(list)
		for i, c := range out {
			key := lastKey(c.Field)
			out[i].Old, out[i].New = maskValue(key, c.Old), maskValue(key, c.New)
		}
		return out
	}
	return Diff{Added: mask(d.Added), Removed: mask(d.Removed), Modified: mask(d.Modified)}
}

// Bump says which part of the version a difference raises.
type Bump int

// The bumps, from none to the most breaking.
const (
	BumpNone Bump = iota // no difference
	Patch                // values changed
	Minor                // keys added
	Major                // keys removed or types changed
)

// String returns "none", "patch", "minor" or "major".
func (b Bump) String() string {
	return [...]string{BumpNone: "none", Patch: "patch", Minor: "minor", Major: "major"}[b]
}

// Bump returns what the difference asks of the next version.
func (d Diff) Bump() Bump {
	typeChanged := slices.ContainsFunc(d.Modified, func(c Change) bool { return c.TypeChanged })
	switch {
	case len(d.Removed) > 0 || typeChanged:
		return Major
	case len(d.Added) > 0:
		return Minor
	case len(d.Modified) > 0:
		return Patch
	}
	return BumpNone
}
