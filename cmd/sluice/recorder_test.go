package main

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
	instances "github.com/sluicehq/sluice/fleet" // fleet is what a test of get is called
)

// What a program's recorder sends is what the server reads: neither knows the other.
func TestServerReadsWhatTheRecorderSends(t *testing.T) {
	t.Parallel()
	r := client.NewRecorder()
	for ms := range 1000 {
		r.Observe(time.Duration(ms)*time.Millisecond, ms%100 == 0)
	}
	h, _ := r.Health(t.Context())
	text, err := json.Marshal(wire.HeartbeatRequest{Health: h})
	if err != nil {
		t.Fatal(err)
	}
	var got wire.HeartbeatRequest
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	read, err := instances.ParseSketch(got.Health.LatencySketch)
	if err != nil {
		t.Fatal(err)
	}
	p99, ok := read.Quantile(.99)
	if *got.Health.Requests != 1000 || *got.Health.Errors != 10 || read.Total() != 1000 || !ok || math.Abs(p99-990) > 20 {
		t.Errorf("%d requests, %d errors, %d latencies, p99 %v", *got.Health.Requests, *got.Health.Errors, read.Total(), p99)
	}
}
