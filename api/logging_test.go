package api_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/internal/telemetry"
)

func TestLogging(t *testing.T) {
	t.Parallel()
	levels := telemetry.NewLevels(slog.LevelWarn)
	log := telemetry.NewLogger(t.Output(), "json", levels)
	for _, component := range []string{"engine", "api"} {
		log.With("component", component)
	}
	w := newWorld(t, func(o *api.Options) { o.LogLevels = levels })
	state := func() (l wire.Logging) {
		w.want(w.admin("GET", "/logging", nil), 200).into(t, &l)
		return l
	}
	if l := state(); l.Configured != "warn" || l.Level != "warn" || len(l.KnownComponents) != 2 || l.ExpiresAt != nil {
		t.Errorf("as configured: %+v", l)
	}
	w.says(w.want(w.admin("DELETE", "/logging", nil), 404, "NOT_FOUND"), "what is configured")
	for what, refused := range map[string]struct {
		body wire.LoggingRequest
		says string
	}{
		"nothing":              {wire.LoggingRequest{ExpiresIn: "1m"}, "name what is to be logged"},
		"an unknown level":     {wire.LoggingRequest{Level: "loud"}, "level is one of debug, info, warn, error"},
		"an unknown component": {wire.LoggingRequest{Components: map[string]string{"motor": "debug"}}, "what does: api, engine"},
		"a component's level":  {wire.LoggingRequest{Components: map[string]string{"api": "INFO"}}, "components.api is one of"},
		"no time":              {wire.LoggingRequest{Level: "debug", ExpiresIn: "0s"}, "at most a day"},
		"more than a day":      {wire.LoggingRequest{Level: "debug", ExpiresIn: "25h"}, "at most a day"},
		"no duration":          {wire.LoggingRequest{Level: "debug", ExpiresIn: "soon"}, "at most a day"},
	} {
		got := w.admin("PUT", "/logging", refused.body)
		if got.status != 400 {
			t.Errorf("%s: %d %s", what, got.status, got.body)
		}
		w.says(got, refused.says)
	}

	w.want(w.admin("PUT", "/logging", wire.LoggingRequest{Level: "error", ExpiresIn: "PT2H"}), 200)
	w.want(w.admin("PUT", "/logging", wire.LoggingRequest{Components: map[string]string{"engine": "debug"}}), 200)
	if l := state(); l.Level != "warn" || l.Components["engine"] != "debug" || l.Actor != "admin" || l.ExpiresAt.Sub(*l.BegunAt) != 15*time.Minute {
		t.Errorf("the last word is %+v", l)
	}
	w.want(w.admin("DELETE", "/logging", nil), 200)
	if l := state(); l.Level != "warn" || l.Components != nil || l.ExpiresAt != nil {
		t.Errorf("after the reset: %+v", l)
	}
	if changed, reset := w.audited("logging.changed"), w.audited("logging.reset"); len(changed) != 2 || len(reset) != 1 || reset[0].User != "admin" {
		t.Errorf("the audit log says %+v and %+v", changed, reset)
	}
}
