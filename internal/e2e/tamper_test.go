package e2e_test

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/testenv"
	"github.com/sluicehq/sluice/rollout"
)

// Somebody with the database edits a row of the audit log, or takes one out. The
// command that checks it names the first row that does not hold.
func TestATamperedAuditLogIsFound(t *testing.T) {
	t.Parallel()
	for what, tampering := range map[string]string{
		"an edited row":      `UPDATE config_audit_logs SET user_id = 'somebody else' WHERE id = 3`,
		"a row that is gone": `DELETE FROM config_audit_logs WHERE id = 3`,
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			onEachDatabase(t, testenv.Binary, func(t *testing.T, s *stage) {
				s.start()
				s.api = s.signIn()
				s.deployed(s.first)
				eventually(t, "some events", func() bool {
					page, err := s.api.Audit(t.Context(), client.AuditFilter{})
					return err == nil && page.Total > 3
				})
				s.stop()
				if out, err := s.verifyAudit(); err != nil {
					t.Fatalf("before it: %v: %s", err, out)
				}
				s.disarm("config_audit_logs", "config_audit_logs_immutable", "config_audit_logs_kept")
				s.statements(tampering)
				out, err := s.verifyAudit()
				if err == nil || !strings.Contains(out, "the audit log is broken at row ") ||
					!strings.Contains(out, "row 3:") && !strings.Contains(out, "row 4:") {
					t.Errorf("it says %v: %s", err, out)
				}
			})
		})
	}
}

func (s *stage) verifyAudit() (string, error) {
	s.t.Helper()
	out, err := exec.CommandContext(s.t.Context(), s.program, "audit", "verify", "--database-url", s.database).CombinedOutput()
	return string(out), err
}

// disarm takes the triggers of a table away.
func (s *stage) disarm(table string, triggers ...string) {
	s.t.Helper()
	if strings.HasPrefix(s.database, "postgres://") {
		s.statements(`ALTER TABLE ` + table + ` DISABLE TRIGGER USER`)
		return
	}
	for _, trigger := range triggers {
		s.statements(`DROP TRIGGER ` + trigger)
	}
}

// The row of a canary under way becomes nonsense while replicas run. It is set
// aside, another profile is rolled out, and the profile is still taken back.
func TestClusterCorruptDeployment(t *testing.T) {
	t.Parallel()
	for what, body := range map[string]string{
		"another shape":    `{"deployment": ["not", "what", "it", "was"]}`,
		"an unknown state": `{"State": "Levitating"}`,
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			c := performOn(t, testenv.Binary(t), 2)
			c.concludes(c.change(automatic, "servus"), "Completed")
			c.everywhere("1.0.1")
			commit := c.change(byHand, "moin")
			d := c.awaitsPromotion(commit, 1)
			c.sql(`UPDATE config_deployments SET body = $1, next_step_at = clock_timestamp() WHERE deployment_id = $2`, body, d.ID)

			c.repo.Write("cart/staging.yaml", named("cart.staging"))
			other := c.repo.Commit("Open the cart")
			c.repo.Push()
			cart := join(t, c.balancer.URL(), "cart", 1)
			eventually(t, "the other profile to be rolled out", func() bool { return cart.running("1.0.0") == 1 })
			c.status(other, "sluice/cart.staging")
			eventually(t, "the deployment to be set aside", func() bool {
				// No lease is waited for.
				c.sql(`UPDATE config_deployments SET lease_until = clock_timestamp() - interval '1 second'
					WHERE deployment_id = $1 AND owner <> ''`, d.ID)
				return c.count(fmt.Sprintf(`config_deployments WHERE deployment_id = '%s' AND quarantined LIKE 'set aside after 5 attempts%%'`, d.ID)) == 1
			})
			if _, err := c.api.RollbackDeployment(t.Context(), d.ID, "it is stuck"); err == nil {
				t.Error("a deployment that cannot be read was taken back by itself")
			} else if refused, ok := errors.AsType[*client.APIError](err); !ok || !strings.Contains(refused.Message, "roll its profile back") {
				t.Errorf("taking it back gave %v", err)
			}
			if _, err := c.api.RollbackConfig(t.Context(), shop, "", "it is stuck"); err != nil {
				t.Fatal(err)
			}
			c.everywhere("1.0.0")
			list := c.deployments(client.DeploymentFilter{Commit: commit})
			if len(list) != 1 || list[0].Status != string(rollout.Superseded) {
				t.Errorf("the corrupt one is %+v", list)
			}
			for _, r := range c.replicas {
				if !r.running() {
					t.Errorf("the replica at %s ended", r.addr)
				}
			}
			c.holds()
		})
	}
}
