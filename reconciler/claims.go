package reconciler

import (
	"maps"
	"slices"
)

// claims is what the files of one commit say they are. A broken file can still
// say its name, but only sound ones compete for it.
type claims struct {
	files map[string]string          // path -> name
	names map[string]map[string]bool // name -> path -> whether the file is sound
}

func newClaims() claims {
	return claims{files: make(map[string]string), names: make(map[string]map[string]bool)}
}

// set replaces what the file says; the empty name withdraws it.
func (c claims) set(file, name string, sound bool) {
	if old, ok := c.files[file]; ok {
		delete(c.names[old], file)
		delete(c.files, file)
	}
	if name == "" {
		return
	}
	c.files[file] = name
	if c.names[name] == nil {
		c.names[name] = make(map[string]bool)
	}
	c.names[name][file] = sound
}

// of lists the files that say they are the profile, in order.
func (c claims) of(name string) []string {
	return slices.Sorted(maps.Keys(c.names[name]))
}

// sound lists those of them that are sound, in order.
func (c claims) sound(name string) []string {
	return slices.DeleteFunc(c.of(name), func(file string) bool { return !c.names[name][file] })
}
