package agent

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api/wire"
)

const counters = `# TYPE http_requests_total counter
http_requests_total{code="200",path="/"} %A
http_requests_total{code="500",path="/"} %B
`

func page(text string, values ...string) string {
	return strings.NewReplacer(values...).Replace(text)
}

// histogramPage has series a and b with the cumulative counts given.
func histogramPage(a, b [3]string) string {
	var s strings.Builder
	s.WriteString("# TYPE http_request_duration_seconds histogram\n")
	for i, counts := range [][3]string{a, b} {
		l := `code="` + []string{"200", "502"}[i] + `"`
		s.WriteString("http_request_duration_seconds_bucket{" + l + `,le="0.1"} ` + counts[0] + "\n")
		s.WriteString("http_request_duration_seconds_bucket{" + l + `,le="0.5"} ` + counts[1] + "\n")
		s.WriteString("http_request_duration_seconds_bucket{" + l + `,le="+Inf"} ` + counts[2] + "\n")
		s.WriteString("http_request_duration_seconds_sum{" + l + "} 1\n")
		s.WriteString("http_request_duration_seconds_count{" + l + "} " + counts[2] + "\n")
	}
	return s.String()
}

func TestMetricsSince(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		probe        Probe
		before, then string
		want         string // the health's JSON
	}{
		"counters grow":                      {Probe{}, page(counters, "%A", "10", "%B", "1"), page(counters, "%A", "25", "%B", "4"), `{"requests":18,"errors":3}`},
		"a counter that is lower began anew": {Probe{}, page(counters, "%A", "1000", "%B", "4"), page(counters, "%A", "25", "%B", "5"), `{"requests":26,"errors":1}`},
		"a series that is new began at zero": {Probe{}, "http_requests_total{code=\"200\"} 5\n", "http_requests_total{code=\"200\"} 6\nhttp_requests_total{code=\"503\"} 2\n", `{"requests":3,"errors":2}`},
		"nothing happened":                   {Probe{}, page(counters, "%A", "1", "%B", "1"), page(counters, "%A", "1", "%B", "1"), `{"requests":0,"errors":0}`},
		"no such metrics":                    {Probe{}, "up 1\n", "up 1\n", `{}`},
		"not a number":                       {Probe{}, "", "http_requests_total{code=\"200\"} NaN\nhttp_requests_total{code=\"500\"} +Inf\nhttp_requests_total{code=\"501\"} -4\nhttp_requests_total{code=\"201\"} 2\n", `{"requests":2,"errors":0}`},
		"other names": {Probe{RequestsMetric: "calls", ErrorsLabel: "grpc"}, "", "calls{grpc=\"5x\",code=\"200\"} 3\ncalls{grpc=\"0\",code=\"500\"} 4\n",
			`{"requests":7,"errors":3}`},
		"status label": {Probe{}, "", "http_requests_total{status=\"500\"} 3\n", `{"requests":3,"errors":3}`},
		"errors of their own": {Probe{ErrorsMetric: "failures_total"}, "", "http_requests_total{code=\"500\"} 9\nfailures_total{why=\"x\"} 2\nfailures_total{why=\"y\"} 1\n",
			`{"requests":9,"errors":3}`},
		"never more errors than requests": {Probe{ErrorsMetric: "failures_total"}, "", "http_requests_total 1\nfailures_total 5\n", `{"requests":1,"errors":1}`},
		"a histogram counts too": {Probe{}, histogramPage([3]string{"1", "2", "3"}, [3]string{"0", "0", "0"}), histogramPage([3]string{"5", "8", "10"}, [3]string{"0", "1", "2"}),
			`{"requests":9,"errors":2,"latency":{"bounds":[100,500],"counts":[4,3,2]}}`},
		"a histogram that began anew": {Probe{}, histogramPage([3]string{"100", "200", "300"}, [3]string{"1", "1", "1"}), histogramPage([3]string{"5", "8", "10"}, [3]string{"1", "1", "1"}),
			`{"requests":10,"errors":0,"latency":{"bounds":[100,500],"counts":[5,3,2]}}`},
		"a histogram without news": {Probe{}, histogramPage([3]string{"1", "2", "3"}, [3]string{"0", "0", "0"}), histogramPage([3]string{"1", "2", "3"}, [3]string{"0", "0", "0"}),
			`{"requests":0,"errors":0}`},
		"milliseconds by name": {Probe{LatencyMetric: "took_ms"}, "", "# TYPE took_ms histogram\ntook_ms_bucket{le=\"50\"} 1\ntook_ms_bucket{le=\"+Inf\"} 2\ntook_ms_count 2\ntook_ms_sum 1\n",
			`{"requests":2,"errors":0,"latency":{"bounds":[50],"counts":[1,1]}}`},
		"milliseconds by option": {Probe{LatencyMetric: "took", LatencyUnit: "ms"}, "", "# TYPE took histogram\ntook_bucket{le=\"50\"} 1\ntook_bucket{le=\"+Inf\"} 2\ntook_count 2\ntook_sum 1\n",
			`{"requests":2,"errors":0,"latency":{"bounds":[50],"counts":[1,1]}}`},
		"series of other bounds are left out": {Probe{}, "", `# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{p="a",le="1"} 1
http_request_duration_seconds_bucket{p="a",le="+Inf"} 1
http_request_duration_seconds_count{p="a"} 1
http_request_duration_seconds_sum{p="a"} 1
http_request_duration_seconds_bucket{p="b",le="2"} 1
http_request_duration_seconds_bucket{p="b",le="+Inf"} 1
http_request_duration_seconds_count{p="b"} 1
http_request_duration_seconds_sum{p="b"} 1
`, `{"requests":2,"errors":0,"latency":{"bounds":[1000],"counts":[1,0]}}`},
		"bounds that are none": {Probe{}, "", `# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le="-1"} 1
http_request_duration_seconds_bucket{le="+Inf"} 1
http_request_duration_seconds_count 1
http_request_duration_seconds_sum 1
`, `{}`},
	}
	for name, tc := range cases {
		probe, err := tc.probe.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		before, err := parseMetrics(strings.NewReader(tc.before), probe)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		then, err := parseMetrics(strings.NewReader(tc.then), probe)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var h wire.Health
		then.since(before).fill(&h)
		got, err := json.Marshal(h)
		if err != nil || string(got) != tc.want {
			t.Errorf("%s: got %s, %v, want %s", name, got, err, tc.want)
		}
	}
}

// FuzzMetrics: whatever a program says, what is reported of it is sane.
func FuzzMetrics(f *testing.F) {
	f.Add(page(counters, "%A", "10", "%B", "1"), page(counters, "%A", "25", "%B", "4"))
	f.Add("", histogramPage([3]string{"5", "4", "10"}, [3]string{"0", "1", "2"}))
	f.Add(histogramPage([3]string{"9", "8", "10"}, [3]string{"3", "1", "2"}), histogramPage([3]string{"5", "4", "12"}, [3]string{"0", "1", "2"}))
	probe, err := Probe{}.withDefaults()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		before, err := parseMetrics(strings.NewReader(a), probe)
		if err != nil {
			return
		}
		now, err := parseMetrics(strings.NewReader(b), probe)
		if err != nil {
			return
		}
		d := now.since(before)
		if d.errors > d.requests {
			t.Fatalf("%d errors of %d requests", d.errors, d.requests)
		}
		if l := d.latency; l != nil {
			if len(l.Counts) != len(l.Bounds)+1 {
				t.Fatalf("%d counts for %d bounds", len(l.Counts), len(l.Bounds))
			}
			if _, err := json.Marshal(l); err != nil {
				t.Fatal(err)
			}
		}
	})
}
