package compat

import (
	"strings"

	"github.com/sluicehq/sluice/profile"
)

// format is how a profile's data is written for a client that takes it as one text.
type format string

const (
	formatJSON       format = "json"
	formatYAML       format = "yaml"
	formatProperties format = "properties"
)

// cutFormat takes the ending off a name that says how it wants to be written. What says nothing, or
// something that data is not written as, stays whole.
func cutFormat(name string) (rest string, as format, ok bool) {
	for _, ending := range []struct {
		text string
		as   format
	}{{".json", formatJSON}, {".yaml", formatYAML}, {".yml", formatYAML}, {".properties", formatProperties}} {
		if len(name) > len(ending.text) && strings.EqualFold(name[len(name)-len(ending.text):], ending.text) {
			return name[:len(name)-len(ending.text)], ending.as, true
		}
	}
	return name, "", false
}

// contentType is the format's own.
func (f format) contentType() string {
	switch f {
	case formatYAML:
		return "application/yaml;charset=UTF-8"
	case formatProperties:
		return "text/plain;charset=UTF-8"
	}
	return "application/json;charset=UTF-8"
}

// write gives data in the format: the same data, the same bytes.
func (f format) write(data profile.Data) ([]byte, error) {
	switch f {
	case formatYAML:
		return asYAML(data)
	case formatProperties:
		return asProperties(data)
	}
	return profile.Canonical(data), nil
}
