package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// unanswered says who has not applied the version, and why where it said so.
func unanswered(c crowd) string {
	var parts []string
	if len(c.failed) > 0 {
		first := c.failed[0]
		parts = append(parts, fmt.Sprintf("%d of %d instances could not apply it: %s: %s", len(c.failed), len(c.updated), name(first), line(first.Assignment.ApplyError)))
	}
	quiet := slices.DeleteFunc(slices.Clone(c.updated), func(t *Target) bool {
		return t.Assignment.Acknowledged() || t.Assignment.ApplyError != ""
	})
	if len(quiet) > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d instances did not acknowledge: %s", len(quiet), len(c.updated), names(quiet)))
	}
	return strings.Join(parts, "; ")
}

// name is what people call an instance.
func name(t *Target) string { return cmp.Or(t.Instance.Hostname, t.Instance.ID) }

// names lists a few instances for a sentence.
func names(targets []*Target) string {
	const few = 3
	var words []string
	for _, t := range targets[:min(few, len(targets))] {
		words = append(words, name(t))
	}
	if more := len(targets) - few; more > 0 {
		words = append(words, fmt.Sprintf("%d more", more))
	}
	return strings.Join(words, ", ")
}

// byHost sorts targets that come in no order, for people.
func byHost(targets []*Target) []*Target {
	return slices.SortedFunc(slices.Values(targets), func(a, b *Target) int {
		return cmp.Or(cmp.Compare(a.Instance.Hostname, b.Instance.Hostname), cmp.Compare(a.Instance.ID, b.Instance.ID))
	})
}

// spell writes a duration the way people do: 30m, not 30m0s.
func spell(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
