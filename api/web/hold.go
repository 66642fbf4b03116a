package web

import (
	"fmt"
	"maps"
	"slices"

	"github.com/sluicehq/sluice/api/wire"
)

// holdEnds says who can end the hold of a profile, to whoever looks.
func holdEnds(v Viewer, c wire.Config) string {
	who := "An Operator can release it."
	if v.Operates {
		who = "You can release it."
	}
	if c.Origin == "Git" {
		who += " A merge with other content ends it too, unless its source says release-only."
	}
	return who
}

// pairs are the entries of a map as key=value, by key.
func pairs(of map[string]string) []string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(of)) {
		out = append(out, fmt.Sprintf("%s=%s", key, of[key]))
	}
	return out
}
