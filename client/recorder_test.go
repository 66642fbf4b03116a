package client_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/pb/sketchpb"
	"google.golang.org/protobuf/proto"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
)

// carried reads the sketch of a heartbeat as the library's authors meant it.
func carried(t *testing.T, h wire.Health) *ddsketch.DDSketch {
	t.Helper()
	var pb sketchpb.DDSketch
	if err := proto.Unmarshal(h.LatencySketch, &pb); err != nil {
		t.Fatal(err)
	}
	s, err := ddsketch.FromProto(&pb)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What a heartbeat that failed carried is carried by the next one, and what was
// taken by none.
func TestRecorderLosesNothing(t *testing.T) {
	t.Parallel()
	r := client.NewRecorder()
	observe := func(n int, took time.Duration, failed bool) {
		for range n {
			r.Observe(took, failed)
		}
	}
	observe(10, 100*time.Millisecond, false)
	first, late := r.Health(t.Context())
	if first.Status != "Healthy" || *first.Requests != 10 || *first.Errors != 0 || carried(t, first).GetCount() != 10 {
		t.Errorf("%+v", first)
	}
	observe(5, time.Second, true) // while the heartbeat is under way, which fails
	second, _ := r.Fill(wire.Health{Status: "Degraded"})
	if second.Status != "Degraded" || *second.Requests != 15 || *second.Errors != 5 || carried(t, second).GetCount() != 15 {
		t.Errorf("%+v", second)
	}
	late() // of the first one, which a newer one has outrun
	second, sent := r.Health(t.Context())
	if *second.Requests != 15 || carried(t, second).GetCount() != 15 {
		t.Errorf("after the first one was taken late: %+v", second)
	}
	observe(1, 0, false)
	observe(1, 100*time.Hour, false)
	sent()
	third, sent := r.Health(t.Context())
	if *third.Requests != 2 || *third.Errors != 0 || carried(t, third).GetCount() != 2 {
		t.Errorf("%+v", third)
	}
	ends, err := carried(t, third).GetValuesAtQuantiles([]float64{0, 1})
	if err != nil || !slices.Equal([]bool{ends[0] > 0.00098 && ends[0] < 0.00102, ends[1] > 3.56e6 && ends[1] < 3.64e6}, []bool{true, true}) {
		t.Errorf("the shortest and longest are %v, %v", ends, err)
	}
	sent()
	if none, _ := r.Health(t.Context()); *none.Requests != 0 || none.LatencySketch != nil {
		t.Errorf("%+v", none)
	}
}

func TestRecorderIsForMany(t *testing.T) {
	t.Parallel()
	r := client.NewRecorder()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 1000 {
				r.Observe(time.Millisecond, false)
			}
		})
	}
	var requests uint64
	for range 50 {
		h, sent := r.Health(t.Context())
		requests += *h.Requests
		sent()
	}
	group.Wait()
	h, _ := r.Health(t.Context())
	if requests += *h.Requests; requests != 8000 {
		t.Errorf("%d requests arrived, want 8000", requests)
	}
}
