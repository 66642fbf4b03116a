package testenv

import (
	"context"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/collector"
)

// Span is one span that was exported.
type Span = collector.Span

// Collector takes the spans of the processes of a test.
type Collector struct{ *collector.Collector }

// StartCollector runs a collector until the test ends.
func StartCollector(tb testing.TB) *Collector {
	tb.Helper()
	c, err := collector.Start()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := c.Close(); err != nil {
			tb.Error(err)
		}
	})
	return &Collector{c}
}

// collectPatience is how long spans may be on their way.
const collectPatience = 30 * time.Second

// Wait waits until the spans that came are as wanted, and returns them. What
// is printed when they never are is their tree.
func (c *Collector) Wait(tb testing.TB, what string, wanted func([]Span) bool) []Span {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), collectPatience)
	defer cancel()
	spans, err := c.Collector.Wait(ctx, wanted)
	if err != nil {
		tb.Fatalf("no %s among the spans:\n%s", what, collector.Tree(spans, 0))
	}
	return spans
}

// Tree draws spans as people read a trace.
func Tree(spans []Span) string { return collector.Tree(spans, 0) }
