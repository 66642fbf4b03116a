package api_test

import (
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

func TestAuditPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	viewer := w.tokens[api.Viewer]
	w.profile()
	w.must(w.store.Record(t.Context(), rollout.Fact{
		Type: "profile.looked-at", EntityType: "profile", EntityID: name, Actor: "ann " + hostile, TraceID: "feed0123",
		Details: map[string]any{"reason": hostile, "numbers": []any{1, 2}, "nothing": nil},
	}))
	w.must(w.store.Record(t.Context(), fact("source.sync-asked", "source", "configs")))

	all := w.opened(viewer, "/audit")
	w.has(all, "profile.looked-at", `href="/profiles/`+name+`"`, "&lt;script&gt;", "[1,2]", "feed0123", `href="/sources/configs"`, "sluice audit verify")
	one := w.opened(viewer, "/audit?search=FEED0123&entityType=&since=2020-01-31T12:00&until=")
	w.has(one, "profile.looked-at", `value="2020-01-31T12:00"`, `value="FEED0123"`)
	w.lacks(one, `href="/sources/configs"`)
	w.has(w.opened(viewer, "/audit?since=2999-01-31T12:00"), "No event is like that")
	w.has(w.opened(viewer, "/audit?limit=1"), "1–1 of ", `href="/audit?limit=1&amp;offset=1"`)
	w.has(w.opened(viewer, "/audit?search="+url.QueryEscape(hostile)), "profile.looked-at")
	if v := w.asBrowser(viewer, "GET", "/audit?since=yesterday", nil); v.status != 400 || !strings.Contains(v.text, "Since is a time such as") {
		t.Errorf("no time: %d\n%s", v.status, v.text)
	}

	// The links export what the page shows, as files.
	for format, start := range map[string]string{"csv": "id,createdAt,eventType", "ndjson": `{"id":`} {
		link := regexp.MustCompile(`href="(/api/v1/audit\?[^"]*format=` + format + `[^"]*)"`).FindStringSubmatch(one)
		if link == nil {
			t.Fatalf("no link to %s:\n%s", format, one)
		}
		v := w.asBrowser(viewer, "GET", html.UnescapeString(link[1]), nil)
		if v.status != 200 || !strings.HasPrefix(v.text, start) || !strings.Contains(v.text, "looked-at") || strings.Contains(v.text, "sync-asked") ||
			!strings.Contains(v.header.Get("Content-Disposition"), "sluice-audit."+format) {
			t.Errorf("%s: %d %v\n%s", format, v.status, v.header, v.text)
		}
	}
	w.want(w.call(viewer, "GET", "/audit?format=xml", nil), 400, "VALIDATION_ERROR")

	team := w.token(api.Viewer, store.Token{Scope: profile.Scope{Profiles: []string{"shipping-*"}}})
	w.lacks(w.opened(team, "/audit"), "looked-at", "sync-asked")
}
