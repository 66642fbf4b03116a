package notify_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/internal/testenv"
	"github.com/sluicehq/sluice/notify"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

const (
	secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	canary = "T0/B1/pathsecret" // in the path of every URL
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// received is one request that a target got.
type received struct {
	header http.Header
	path   string
	body   []byte
}

// receiver is a target that keeps what it got.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    []received
	answer http.HandlerFunc // nil takes everything
}

func newReceiver(t *testing.T, answer http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{answer: answer}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		r.got = append(r.got, received{req.Header, req.URL.Path, body})
		r.mu.Unlock()
		if r.answer != nil {
			r.answer(w, req)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) all() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]received(nil), r.got...)
}

// notifier has one target of the type, called "it".
func notifier(kind notify.Type, url string, change ...func(*notify.Options)) *notify.Notifier {
	opts := notify.Options{
		Router:      notify.Router{Targets: []notify.Target{{Name: "it", Type: kind, URL: url, Secret: secret}}},
		ExternalURL: "https://sluice.example.com/", Now: func() time.Time { return noon },
	}
	for _, c := range change {
		c(&opts)
	}
	return notify.New(opts)
}

// rolledBack is news of a deployment that the gate takes back.
func rolledBack() (rollout.Notification, rollout.Standing) {
	d := rollout.Deployment{
		ID: "0195", Profile: "payment-service.production", Kind: rollout.Forward, State: rollout.RollingBack,
		Selector: fleet.Selector{Service: "payment-service", Environment: profile.Production},
		Version:  "1.4.0", Previous: "1.3.0", Strategy: profile.Strategy{Type: profile.Canary}, Phase: 1,
		Progress:    rollout.Progress{Targets: 10, Applied: 3, Phases: 4, Percent: 30},
		Explanation: "going back to 1.3.0: errorRate 12.0 %", RollbackAt: noon.Add(-time.Second), Commit: "c0ffee0000000000000000000000000000000000",
	}
	f := rollout.Fact{Type: rollout.FactRollback, EntityType: "deployment", EntityID: d.ID, Actor: rollout.Daemon,
		Details: map[string]any{"reason": "errorRate 12.0 %, above 5.0 points"}}
	n := rollout.NewNotification("evt_1", f, d, noon)
	n.Target = "it"
	return n, rollout.Standing{At: noon, Newest: d, Held: true, Hold: rollout.Hold{
		Profile: d.Profile, PinnedVersion: "1.3.0", RefusedVersion: "1.4.0", Reason: "errorRate", CreatedAt: noon.Add(-time.Second),
	}}
}
