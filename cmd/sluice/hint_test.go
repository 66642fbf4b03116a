package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/sluicehq/sluice/api/wire"
)

// Only a server that did not answer is asked after.
func TestHintOfAServerThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, inUse := net.Listen("tcp", taken.Addr().String())
	_, refused := net.Dial("tcp", "127.0.0.1:1")
	for what, c := range map[string]struct {
		err  error
		asks bool
	}{
		"nobody listens":    {fmt.Errorf("GET /configs: %w", refused), true},
		"no answer in time": {fmt.Errorf("GET /configs: %w", context.DeadlineExceeded), true},
		"an address in use": {fmt.Errorf("listen: %w", inUse), false},
		"no terminal":       {fmt.Errorf("read the password: %w", syscall.ENOTTY), false},
		"something else":    {fmt.Errorf("needs --reason"), false},
	} {
		hint := newConsole(t, nil).hintFor(t.Context(), c.err, nil)
		if got := strings.Contains(hint, "Is the daemon running?"); c.err == nil || got != c.asks {
			t.Errorf("%s (%v): hint %q", what, c.err, hint)
		}
	}
}

// At three in the morning one knows the host.
func TestHintOfAHostInPlaceOfAnInstance(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	d.refuses("GET /instances/shop-1", 404, "NOT_FOUND", "not found")
	d.refuses("GET /instances/shop", 404, "NOT_FOUND", "not found")
	d.answers("GET /instances", page(
		wire.Instance{ID: "i-1", ServiceName: "shop", Hostname: "shop-1", Health: "Healthy"}, wire.Instance{ID: "i-11", ServiceName: "shop", Hostname: "shop-11", Health: "Healthy"}))
	c := newConsole(t, d)
	for line, want := range map[string]string{
		"describe instance shop-1": "An instance is named by its ID; on shop-1 it is i-1.\n",
		"deregister shop-1":        "An instance is named by its ID; on shop-1 it is i-1.\n",
		"describe instance shop":   "An instance is named by its ID: sluice get instances -o wide lists them.\n",
	} {
		c.wants(t, exitUnknown, strings.Fields(line)...)
		if !strings.Contains(c.err.String(), want) {
			t.Errorf("sluice %s says %q, want %q", line, c.err.String(), want)
		}
	}
}
