package api_test

import (
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/store"
)

// Who has no way to the database is told whether somebody changed the audit log there.
func TestAuditIsVerified(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	operator := w.tokens[api.Operator]
	w.must(w.store.Record(t.Context(), fact("profile.looked-at", "profile", name)))
	w.must(w.store.Record(t.Context(), fact("profile.looked-at", "profile", name)))
	var v wire.AuditVerification
	w.want(w.call(operator, "GET", "/audit/verify", nil), 200).into(t, &v)
	if !v.Holds || v.Verified < 2 || v.Broken != nil {
		t.Errorf("it says %+v", v)
	}
	release := api.Verifying(w.api)
	w.want(w.call(operator, "GET", "/audit/verify", nil), 503, "SERVICE_UNAVAILABLE")
	release()

	disarm := []string{`DROP TRIGGER config_audit_logs_immutable`}
	if store.IsPostgres(w.path) {
		disarm = []string{`ALTER TABLE config_audit_logs DISABLE TRIGGER USER`}
	}
	for _, statement := range append(disarm, `UPDATE config_audit_logs SET user_id = 'somebody else' WHERE id = 2`) {
		w.raw(statement)
	}
	v = wire.AuditVerification{}
	w.want(w.call(operator, "GET", "/audit/verify", nil), 200).into(t, &v)
	if v.Holds || v.Verified != 1 || v.Broken == nil || v.Broken.ID != 2 || !strings.Contains(v.Broken.Reason, "changed") {
		t.Errorf("after an edit it says %+v, %+v", v, v.Broken)
	}
}

// A log that takes too long says so, and not that the database is away.
func TestAuditThatTakesTooLong(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *api.Options) { o.VerifyWithin = 1 })
	got := w.want(w.call(w.tokens[api.Operator], "GET", "/audit/verify", nil), 503, "SERVICE_UNAVAILABLE")
	if !strings.Contains(string(got.body), "sluice audit verify on the database") {
		t.Errorf("it says %s", got.body)
	}
}
