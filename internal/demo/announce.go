package demo

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/sluicehq/sluice/internal/signature"
)

// webhookSecret signs what the demo's repository tells the daemon.
const webhookSecret = "a-demo-on-loopback-only-webhook-secret"

// announce tells the daemon of a push, as the webhook of a forge does.
func (r *run) announce(ctx context.Context, sha string) error {
	body := []byte(`{"source": "configs"}`)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.server+"/webhooks/generic", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("tell of commit %s: %w", sha, err)
	}
	key, err := signature.Key(webhookSecret)
	if err != nil {
		return fmt.Errorf("tell of commit %s: %w", sha, err)
	}
	req.Header.Set("Content-Type", "application/json")
	signature.Sign(req.Header, key, sha, time.Now(), body)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("tell of commit %s: %w", sha, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		return fmt.Errorf("tell of commit %s: the daemon answered %s", sha, resp.Status)
	}
	return nil
}
