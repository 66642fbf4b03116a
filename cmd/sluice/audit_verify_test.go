package main

import (
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api/wire"
)

func TestAuditIsVerifiedByTheDaemon(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	d.answers("GET /audit/verify", wire.AuditVerification{Holds: true, Verified: 7})
	c := newConsole(t, d)
	c.wants(t, exitDone, "audit", "verify", "--remote")
	if c.out.String() != "all 7 rows of the audit log hold\n" {
		t.Errorf("printed %q", c.out.String())
	}
	d = newDaemon(t)
	d.answers("GET /audit/verify", wire.AuditVerification{Verified: 2, Broken: &wire.AuditBreak{ID: 3, Reason: "the row is missing"}})
	c = newConsole(t, d)
	c.wants(t, exitProblems, "audit", "verify", "--remote")
	if !strings.Contains(c.err.String(), "broken at row 3: the row is missing; the 2 rows before it hold") {
		t.Errorf("said %q", c.err.String())
	}
}
