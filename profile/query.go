package profile

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Placeholders are what a PromQL query may name, as in {{version}}, to be
// filled in when it is sent.
var Placeholders = []string{
	"profile", "service", "environment", "version", "previous", "deployment", "interval",
	PlaceholderUpdated, PlaceholderControl,
}

// The placeholders that stand for a regular expression of hostnames.
const (
	PlaceholderUpdated = "updated" // instances that applied the version
	PlaceholderControl = "control" // instances without the change
)

var queryPlaceholder = regexp.MustCompile(`\{\{\s*([^{}]*?)\s*\}\}`)

// ExpandQuery puts values in the place of a query's placeholders.
func ExpandQuery(query string, value func(placeholder string) string) string {
	return queryPlaceholder.ReplaceAllStringFunc(query, func(found string) string {
		return value(queryPlaceholder.FindStringSubmatch(found)[1])
	})
}

// Names says whether the metric's query holds a placeholder.
func (m Metric) Names(placeholder string) bool {
	return slices.ContainsFunc(queryPlaceholder.FindAllStringSubmatch(m.Query, -1), func(found []string) bool {
		return found[1] == placeholder
	})
}

// checkPlaceholders says what is wrong with the placeholders of a query, "" for nothing.
func checkPlaceholders(query string) string {
	for _, found := range queryPlaceholder.FindAllStringSubmatch(query, -1) {
		if !slices.Contains(Placeholders, found[1]) {
			return fmt.Sprintf("names %s, which is no placeholder: there are %s", quote(found[0]), strings.Join(Placeholders, ", "))
		}
	}
	if strings.Contains(queryPlaceholder.ReplaceAllString(query, ""), "{{") {
		return "has a placeholder that is not closed by }}"
	}
	return ""
}
