package api_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/notify"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// What has not begun ends by a cancellation, and whoever gave it is known.
func TestCancelWhatHasNotBegun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.slow()
	w.version("1.0.1", data("2"))
	w.want(w.operator("PUT", "/freeze", wire.FreezeRequest{Reason: "quarterly close"}), 200)
	d := w.deploy("1.0.1")
	w.want(w.operator("POST", "/deployments/"+d.ID+"/cancel", wire.ReasonRequest{Reason: "not today"}), 200)
	w.reaches(d.ID, "Cancelled")
	if facts := w.audited("deployment.cancelled"); len(facts) != 1 || facts[0].User != "operator" {
		t.Errorf("the audit log says %+v", facts)
	}
	w.want(w.operator("POST", "/deployments/"+d.ID+"/cancel", nil), 409, "CONFLICT")
}

func TestSampleNotification(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *api.Options) {
		o.TestNotification = func(_ context.Context, target string) (string, error) {
			switch target {
			case "ops":
				return "200 OK", nil
			case "away":
				return "", errors.New("it does not answer")
			}
			return "", notify.ErrUnknown
		}
	})
	var out wire.NotificationTest
	w.want(w.admin("POST", "/notifications/ops/test", nil), 200).into(t, &out)
	if !out.Taken || out.Answer != "200 OK" || out.Target != "ops" {
		t.Errorf("a target that answers: %+v", out)
	}
	w.want(w.admin("POST", "/notifications/away/test", nil), 200).into(t, &out)
	if out.Taken || out.Answer != "it does not answer" {
		t.Errorf("a target that does not answer: %+v", out)
	}
	w.want(w.admin("POST", "/notifications/nobody/test", nil), 404, "NOT_FOUND")
	if facts := w.audited("notification.tested"); len(facts) != 2 {
		t.Errorf("the audit log says %+v", facts)
	}
}

func TestStatusesOfACommit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, other := "abcdef0"+strings.Repeat("1", 33), "abcdef0"+strings.Repeat("2", 33)
	for _, sha := range []string{one, other} {
		w.must(w.store.InTx(t.Context(), func(tx *store.Tx) error {
			return tx.SetStatus(t.Context(), rollout.Status{Source: "configs", Commit: sha, Context: "sluice", State: rollout.StatusPending, Description: "canary 30%"})
		}))
	}
	var page wire.Page[wire.CommitStatus]
	w.want(w.admin("GET", "/statuses/"+strings.ToUpper(one[:8]), nil), 200).into(t, &page)
	if len(page.Items) != 1 || page.Items[0].Commit != one || page.Items[0].State != "pending" || page.Items[0].PostedAt != nil {
		t.Errorf("the statuses are %+v", page.Items)
	}
	w.want(w.admin("GET", "/statuses/abcdef0", nil), 400, "VALIDATION_ERROR") // both begin so
	w.want(w.admin("GET", "/statuses/abcdef", nil), 400, "VALIDATION_ERROR")
	w.want(w.admin("GET", "/statuses/0000000", nil), 404, "NOT_FOUND")
}

// A forge's webhook comes to the door for it, with the address that it has
// behind trusted proxies.
func TestWebhooksAreHandedOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *api.Options) {
		o.Webhooks = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.WriteHeader(http.StatusAccepted)
			_, _ = w.Write([]byte(r.URL.Path + " from " + r.RemoteAddr))
		})
	})
	got := w.want(w.call("", "POST", "//webhooks/github", `{"ref": "refs/heads/main"}`, "X-Forwarded-For", "192.0.2.9"), 202)
	if text := string(got.body); text != "/webhooks/github from 127.0.0.1" {
		t.Errorf("the door was told %s", text)
	}
	w.want(newWorld(t).call("", "POST", "//webhooks/github", `{}`), 404, "NOT_FOUND")
}
