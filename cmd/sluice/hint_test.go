package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
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
