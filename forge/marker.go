package forge

import "strings"

// marker tells Sluice's comments apart; Markdown does not show it.
func marker(key string) string { return "<!-- sluice:" + key + " -->" }

// marked is a body that bears a key.
func marked(key, body string) string { return marker(key) + "\n" + body }

// hasMarker says whether a body bears the key: where Sluice puts it, at the start.
func hasMarker(body, key string) bool {
	return strings.HasPrefix(strings.TrimSpace(body), marker(key))
}
