package measure

import (
	"testing"

	"github.com/sluicehq/sluice/internal/faultproxy"
)

func TestAConnectionThatLeadsNowhereIsGivenUp(t *testing.T) {
	t.Parallel()
	faultproxy.GivesUpStranded(t, newTransport())
}
