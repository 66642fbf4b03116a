package web

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"

	"github.com/sluicehq/sluice/api/wire"
)

// AuditView is a page of the audit log.
type AuditView struct {
	Search, EntityType, EntityID, User, EventType string // what the log is narrowed by
	Since, Until                                  string // as a field of the form takes them, UTC
	EntityTypes                                   []string
	Items                                         []wire.AuditEvent
	Pager                                         Pager
	CSV, NDJSON                                   string // links that export all that is let through
}

// Narrowed says that some events may be left out.
func (v AuditView) Narrowed() bool {
	return v.Search+v.EntityType+v.EntityID+v.User+v.EventType+v.Since+v.Until != ""
}

// maxDetail is how much of one detail is shown in the list.
const maxDetail = 500

// details are an event's details by key, each as one text; empty ones left out.
func details(e wire.AuditEvent) []Pair {
	out := make([]Pair, 0, len(e.Details))
	for _, key := range slices.Sorted(maps.Keys(e.Details)) {
		text := detail(e.Details[key])
		if text == "" {
			continue
		}
		if runes := []rune(text); len(runes) > maxDetail {
			text = string(runes[:maxDetail]) + "…"
		}
		out = append(out, Pair{key, text})
	}
	return out
}

func detail(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case nil:
		return "none"
	case map[string]any, []any:
		text, err := json.Marshal(v)
		if err == nil {
			return string(text)
		}
	}
	return fmt.Sprint(value)
}

// entityPath is the page of what an event is about, "" for what has none.
func entityPath(e wire.AuditEvent) string {
	section := map[string]string{"profile": "profiles", "deployment": "deployments", "instance": "instances", "source": "sources", "schema": "schemas"}[e.EntityType]
	if section == "" || e.EntityID == "" || e.EventType == "instance.removed" {
		return ""
	}
	return "/" + section + "/" + url.PathEscape(e.EntityID)
}
