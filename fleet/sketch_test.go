package fleet_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/pb/sketchpb"
	"google.golang.org/protobuf/proto"

	"github.com/sluicehq/sluice/fleet"
)

func sketch(t testing.TB, values ...float64) []byte {
	t.Helper()
	s, err := ddsketch.NewDefaultDDSketch(fleet.SketchAccuracy)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		if err := s.Add(v); err != nil {
			t.Fatal(err)
		}
	}
	return marshal(t, s.ToProto())
}

func marshal(t testing.TB, pb *sketchpb.DDSketch) []byte {
	t.Helper()
	encoded, err := proto.Marshal(pb)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func parse(t testing.TB, encoded []byte) fleet.Histogram {
	t.Helper()
	h, err := fleet.ParseSketch(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// However sketches of heavy-tailed latencies are merged, and wherever they were
// stored meanwhile, every quantile is within 2 % of the exact one.
func TestQuantilesOfMergedSketches(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for name, draw := range map[string]func() float64{
		"log-normal": func() float64 { return 20 * math.Exp(1.5*random.NormFloat64()) },
		"Pareto":     func() float64 { return 5 / math.Pow(1-random.Float64(), 1/1.1) },
		"two humps":  func() float64 { return []float64{3, 2000}[random.IntN(2)] * (1 + 0.1*random.Float64()) },
	} {
		var exact []float64
		var merged fleet.Histogram
		for range 40 {
			var values []float64
			for range 1 + random.IntN(1000) {
				values = append(values, min(draw(), fleet.SketchMax))
			}
			exact = append(exact, values...)
			text, err := json.Marshal(parse(t, sketch(t, values...)))
			if err != nil {
				t.Fatal(err)
			}
			var stored fleet.Histogram
			if err := json.Unmarshal(text, &stored); err != nil {
				t.Fatal(err)
			}
			if len(text) > 8000 {
				t.Errorf("a sample of %d latencies takes %d bytes", len(values), len(text))
			}
			merged = merged.Merge(stored)
		}
		slices.Sort(exact)
		if merged.Total() != uint64(len(exact)) {
			t.Errorf("%s: %d observations, want %d", name, merged.Total(), len(exact))
		}
		for _, q := range []float64{.01, .1, .25, .75, .9, .95, .99, .999} {
			want := exact[int(math.Ceil(q*float64(len(exact))))-1]
			got, ok := merged.Quantile(q)
			if !ok || math.Abs(got-want) > .02*want {
				t.Errorf("%s: the quantile %v is %v, exactly %v", name, q, got, want)
			}
			above := float64(len(exact) - int(math.Ceil(q*float64(len(exact)))))
			if got := merged.Above(want); math.Abs(got-above) > .02*float64(len(exact)) {
				t.Errorf("%s: %v took longer than %v, exactly %v", name, got, want, above)
			}
		}
	}
}

// Merging is exact: in any order, and as if one sketch had seen everything.
func TestMergingSketchesLosesNothing(t *testing.T) {
	t.Parallel()
	parts := [][]float64{{0.5, 3, 3, 900}, {1e-5, 2}, {4e7, 1e5}, {0}, {70}}
	var all []float64
	var forwards, backwards fleet.Histogram
	for i, part := range parts {
		all = append(all, part...)
		forwards = forwards.Merge(parse(t, sketch(t, part...)))
		backwards = parse(t, sketch(t, parts[len(parts)-1-i]...)).Merge(backwards)
	}
	want := parse(t, sketch(t, all...))
	for what, got := range map[string]fleet.Histogram{"forwards": forwards, "backwards": backwards} {
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
	}
	if err := (fleet.Histogram{Bounds: []float64{1}, Counts: []uint64{1, 0}}).Merge(want).Validate(); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("with a histogram of other bounds: %v", err)
	}
}

// A histogram on the grid is read the same, however its JSON is written.
func TestAStoredSketchIsReadAsJSON(t *testing.T) {
	t.Parallel()
	read := func(text string) (h fleet.Histogram, failed bool) {
		failed = json.Unmarshal([]byte(text), &h) != nil
		return h, failed
	}
	for _, text := range []string{
		`{"grid":600,"counts":[1,0,25,0]}`, `{"grid":0,"counts":[1,2]}`, `{"grid":600,"counts":[7]}`, `{"grid":600,"counts":[]}`,
		`{"grid":600}`, `{"grid":-1,"counts":[1,2]}`, `{"grid":99999999,"counts":[1,2]}`, `{"grid":600,"counts":[1,-2]}`,
		`{"grid":600,"counts":[1,2.5]}`, `{"grid":600,"counts":[1,1e3]}`, `{"grid":600,"counts":[18446744073709551615,1]}`,
		`{"grid":600,"counts":[18446744073709551616,1]}`, `{"grid":600,"counts":null}`, `{"grid":600,"counts":[1,2],"bounds":[5]}`,
		`{"bounds":[5,10],"counts":[1,2,3]}`, `{}`, `null`,
	} {
		got, failed := read(text)
		want, wantFailed := read(strings.Replace(text, "{", "{ ", 1)) // so that it is read as any JSON is
		if failed != wantFailed || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %v (failed: %v), want %v (%v)", text, got, failed, want, wantFailed)
		}
	}
}

func BenchmarkReadSample(b *testing.B) {
	values := make([]float64, 400)
	for i := range values {
		values[i] = 20 + float64(i*i)/400
	}
	text, err := json.Marshal(fleet.Sample{Status: fleet.StatusHealthy, Counted: true, Requests: 400, Latency: parse(b, sketch(b, values...))})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		var s fleet.Sample
		if err := json.Unmarshal(text, &s); err != nil {
			b.Fatal(err)
		}
	}
}

func TestSketchesRefused(t *testing.T) {
	t.Parallel()
	m, err := mapping.NewLogarithmicMapping(fleet.SketchAccuracy)
	if err != nil {
		t.Fatal(err)
	}
	good := m.ToProto()
	store := func(index int32, counts ...float64) *sketchpb.Store {
		return &sketchpb.Store{ContiguousBinCounts: counts, ContiguousBinIndexOffset: index}
	}
	coarse, err := ddsketch.NewDefaultDDSketch(.05)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		sketch *sketchpb.DDSketch
		want   string
	}{
		"another accuracy":       {coarse.ToProto(), "mapping"},
		"no mapping":             {&sketchpb.DDSketch{}, "mapping"},
		"a gamma that is NaN":    {&sketchpb.DDSketch{Mapping: &sketchpb.IndexMapping{Gamma: math.NaN()}}, "mapping"},
		"another offset":         {&sketchpb.DDSketch{Mapping: &sketchpb.IndexMapping{Gamma: good.Gamma, IndexOffset: 1}}, "mapping"},
		"another interpolation":  {&sketchpb.DDSketch{Mapping: &sketchpb.IndexMapping{Gamma: good.Gamma, Interpolation: sketchpb.IndexMapping_CUBIC}}, "mapping"},
		"negative latencies":     {&sketchpb.DDSketch{Mapping: good, NegativeValues: store(1, 3)}, "negative latencies"},
		"an index of no latency": {&sketchpb.DDSketch{Mapping: good, PositiveValues: store(math.MaxInt32, 0, 1)}, "that of no latency"},
		"and one below":          {&sketchpb.DDSketch{Mapping: good, PositiveValues: &sketchpb.Store{BinCounts: map[int32]float64{math.MinInt32: 1}}}, "that of no latency"},
		"a count that is NaN":    {&sketchpb.DDSketch{Mapping: good, PositiveValues: store(1, math.NaN())}, "no number of observations"},
		"an infinite count":      {&sketchpb.DDSketch{Mapping: good, ZeroCount: math.Inf(1)}, "no number of observations"},
		"a negative count":       {&sketchpb.DDSketch{Mapping: good, PositiveValues: store(1, -1)}, "no number of observations"},
		"half an observation":    {&sketchpb.DDSketch{Mapping: good, PositiveValues: store(1, .5)}, "no number of observations"},
		"too many":               {&sketchpb.DDSketch{Mapping: good, PositiveValues: store(1, 1<<53, 1)}, "more observations"},
	} {
		if h, err := fleet.ParseSketch(marshal(t, c.sketch)); !errors.Is(err, fleet.ErrHistogram) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %+v", what, err, h)
		}
	}
	for what, text := range map[string]string{"large": strings.Repeat("\x00", fleet.MaxSketchBytes+1), "no protobuf": "\xff\xff\xff"} {
		if _, err := fleet.ParseSketch([]byte(text)); !errors.Is(err, fleet.ErrHistogram) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if h := parse(t, sketch(t)); !h.Empty() {
		t.Errorf("nothing observed is %+v", h)
	}
	for what, text := range map[string]string{"before": `{"grid":-1,"counts":[1,2]}`, "behind": `{"grid":1102,"counts":[1,2]}`, "nowhere": `{"grid":3,"counts":[1]}`} {
		var h fleet.Histogram
		if err := json.Unmarshal([]byte(text), &h); !errors.Is(err, fleet.ErrHistogram) {
			t.Errorf("%s: %v, %+v", what, err, h)
		}
	}
}

func FuzzParseSketch(f *testing.F) {
	f.Add(sketch(f, 0, .5, 3, 900, 4e7))
	f.Add(sketch(f))
	f.Add([]byte("\x0a\x09\x09\x00"))
	other := parse(f, sketch(f, .001, 7, 1e6))
	f.Fuzz(func(t *testing.T, encoded []byte) {
		h, err := fleet.ParseSketch(encoded)
		if err != nil {
			if !errors.Is(err, fleet.ErrHistogram) {
				t.Fatal(err)
			}
			return
		}
		if len(h.Bounds) > 1200 || len(h.Bounds) > 0 && len(h.Counts) != len(h.Bounds)+1 {
			t.Fatalf("%d bounds, %d counts", len(h.Bounds), len(h.Counts))
		}
		if got := h.Merge(other).Total(); got != h.Total()+other.Total() {
			t.Fatalf("%d observations after the merge", got)
		}
		text, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		var again fleet.Histogram
		if err := json.Unmarshal(text, &again); err != nil || again.Total() != h.Total() {
			t.Fatalf("%v: %s", err, text)
		}
	})
}

// Two samples of sketches merge without a search.
func BenchmarkMergeSketches(b *testing.B) {
	values := make([]float64, 1000)
	for i := range values {
		values[i] = 1 + float64(i)
	}
	h := parse(b, sketch(b, values...))
	b.ReportAllocs()
	for b.Loop() {
		h.Merge(h)
	}
}
