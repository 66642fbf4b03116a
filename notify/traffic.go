package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/sluicehq/sluice/internal/signature"
	"github.com/sluicehq/sluice/rollout"
)

// Hook is a load balancer, or a script before one, that is told which group of
// a BlueGreen profile requests go to.
type Hook struct {
	Name   string // as strategies name it: trafficHook
	URL    string // a secret
	Secret string // key of its signature
}

// Hooks tells traffic hooks.
type Hooks struct {
	hooks  map[string]Hook
	client *http.Client
	now    func() time.Time
}

// NewHooks knows some hooks. It connects to nobody yet.
func NewHooks(hooks ...Hook) *Hooks {
	h := &Hooks{hooks: map[string]Hook{}, client: newClient(sendTimeout), now: time.Now}
	for _, hook := range hooks {
		h.hooks[hook.Name] = hook
	}
	return h
}

// switchBody is what a hook gets. Revision only rises: a hook that keeps the last
// one it took can tell a late word from a new one.
type switchBody struct {
	Type      string     `json:"type"`
	Timestamp time.Time  `json:"timestamp"`
	Data      switchData `json:"data"`
}

type switchData struct {
	ConfigName    string `json:"configName"`
	ActiveGroup   string `json:"activeGroup"`
	PreviousGroup string `json:"previousGroup"`
	DeploymentID  string `json:"deploymentId"`
	Revision      int64  `json:"revision"`
}

// Tell tells a hook of a switch. It is taken when the hook answers 2xx. No error
// holds the hook's URL.
func (h *Hooks) Tell(ctx context.Context, s rollout.Switch) error {
	hook, ok := h.hooks[s.Hook]
	if !ok {
		return fmt.Errorf("no traffic hook is called %q in the settings, under traffic_hooks", s.Hook)
	}
	key, err := signature.Key(hook.Secret)
	if err != nil {
		return fmt.Errorf("traffic hook %s: its secret %w", s.Hook, err)
	}
	body, err := json.Marshal(switchBody{Type: "traffic.switch", Timestamp: s.At.UTC(), Data: switchData{
		ConfigName: s.Profile, ActiveGroup: s.Group, PreviousGroup: s.Before, DeploymentID: s.Deployment, Revision: s.Revision,
	}})
	if err != nil {
		return fmt.Errorf("traffic hook %s: %w", s.Hook, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, hook.URL, bytes.NewReader(body))
	if err != nil {
		return errors.New("traffic hook " + s.Hook + ": its URL is not valid")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "sluice")
	signature.Sign(req.Header, key, fmt.Sprintf("switch/%s/%d", s.Profile, s.Revision), h.now(), body)
	res, err := h.client.Do(req)
	if err != nil {
		return fmt.Errorf("traffic hook %s: %w", s.Hook, withoutURL(err))
	}
	defer res.Body.Close()
	io.CopyN(io.Discard, res.Body, maxAnswer) //nolint:errcheck // the status is the answer
	if err := judge(res, h.now()); err != nil {
		return fmt.Errorf("traffic hook %s: %w", s.Hook, err)
	}
	return nil
}
