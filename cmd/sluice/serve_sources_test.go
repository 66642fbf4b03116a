package main

import (
	"context"
	"testing"

	"github.com/sluicehq/sluice/forge"
	"github.com/sluicehq/sluice/rollout"
)

// listener is a forge that keeps the last status.
type listener struct{ last forge.Status }

func (l *listener) PostStatus(_ context.Context, s forge.Status) error {
	l.last = s
	return nil
}

// A status leads to the page of its deployment, and to none where nobody knows
// the server's address.
func TestStatusesLinkToTheReport(t *testing.T) {
	t.Parallel()
	for external, want := range map[string]string{
		"https://sluice.example.com":  "https://sluice.example.com/deployments/d-1",
		"https://example.com/sluice/": "https://example.com/sluice/deployments/d-1",
		"":                            "",
	} {
		l := &listener{}
		p := poster{forges: map[string]forge.Forge{"configs": l}, externalURL: external}
		if err := p.post(t.Context(), rollout.Status{Source: "configs", Commit: "c", DeploymentID: "d-1"}); err != nil {
			t.Fatal(err)
		}
		if l.last.TargetURL != want {
			t.Errorf("%s leads to %s", external, l.last.TargetURL)
		}
	}
}
