package web

import (
	"fmt"
	"html/template"
	"strings"
)

// Share is the instances that run one version of a profile.
type Share struct {
	Version   string // "" for those that have not said to run any
	Role      string // current, arriving or other
	Instances int
	Silent    int // of them
	Failing   int // of them, that could not apply what they were given
}

// Spread is how many instances run which version.
type Spread []Share

// Total counts the instances.
func (s Spread) Total() (n int) {
	for _, share := range s {
		n += share.Instances
	}
	return n
}

// label is what a share is called.
func (s Share) label() string {
	if s.Version == "" {
		return "none yet"
	}
	return s.Version
}

const (
	barHeight = 28
	// barText is the least part of a bar, in percent, that has room for a version.
	barText = 12
)

// Bar draws the shares one beside the other.
func (s Spread) Bar() template.HTML {
	total := float64(s.Total())
	var texts []string
	var parts strings.Builder
	x := 0.0
	for _, share := range s {
		width := 100 * float64(share.Instances) / total
		fmt.Fprintf(&parts, `<rect class="%s" x="%.3f%%" width="%.3f%%" height="%d"/>`, share.Role, x, width, barHeight)
		if x > 0 {
			fmt.Fprintf(&parts, `<line x1="%.3f%%" x2="%.3f%%" y1="0" y2="%d"/>`, x, x, barHeight)
		}
		if width >= barText {
			fmt.Fprintf(&parts, `<text class="%s" x="%.3f%%" y="19">%s</text>`, share.Role, x+width/2, template.HTMLEscapeString(share.label()))
		}
		x += width
		texts = append(texts, fmt.Sprintf("%d run %s", share.Instances, share.label()))
	}
	return template.HTML(fmt.Sprintf(`<svg class="spread" width="100%%" height="%d" role="img" aria-label="%s">%s</svg>`, //nolint:gosec // numbers, and texts that are escaped
		barHeight, template.HTMLEscapeString(strings.Join(texts, ", ")), parts.String()))
}
