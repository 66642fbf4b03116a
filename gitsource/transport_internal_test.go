package gitsource

import (
	"testing"

	"github.com/sluicehq/sluice/internal/faultproxy"
)

func TestAConnectionThatLeadsNowhereIsGivenUp(t *testing.T) {
	t.Parallel()
	transport, err := newHTTPTransport(Options{})
	if err != nil {
		t.Fatal(err)
	}
	faultproxy.GivesUpStranded(t, transport)
}
