package testenv

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Span is one span that was exported to a [Collector].
type Span struct {
	Trace, ID, Parent string // hexadecimal
	Name, Service     string
	Kind              tracepb.Span_SpanKind
	Start, End        time.Time
	Error             string // why it failed, "" when it did not
	Attributes        map[string]string
}

// Collector takes spans over OTLP/HTTP as any collector does.
type Collector struct {
	URL string

	mu      sync.Mutex
	spans   map[[2]string]Span // by trace and id: what is told twice is one
	raw     [][]byte
	changed chan struct{}
}

// StartCollector runs a collector until the test ends.
func StartCollector(tb testing.TB) *Collector {
	tb.Helper()
	c := &Collector{spans: map[[2]string]Span{}, changed: make(chan struct{})}
	server := httptest.NewServer(http.HandlerFunc(c.take))
	tb.Cleanup(server.Close)
	c.URL = server.URL
	return c
}

// Env makes a process export every span to this collector, and soon.
func (c *Collector) Env() []string {
	return []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.URL, "OTEL_TRACES_SAMPLER=parentbased_always_on", "OTEL_BSP_SCHEDULE_DELAY=100"}
}

func (c *Collector) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var req collector.ExportTraceServiceRequest
	if err != nil || proto.Unmarshal(body, &req) != nil {
		http.Error(w, "no spans in this", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw = append(c.raw, body)
	for _, resource := range req.GetResourceSpans() {
		service := attributes(resource.GetResource().GetAttributes())["service.name"]
		for _, scope := range resource.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				span := newSpan(service, s)
				c.spans[[2]string{span.Trace, span.ID}] = span
			}
		}
	}
	close(c.changed)
	c.changed = make(chan struct{})
}

func newSpan(service string, s *tracepb.Span) Span {
	span := Span{
		Trace: hex.EncodeToString(s.GetTraceId()), ID: hex.EncodeToString(s.GetSpanId()), Parent: hex.EncodeToString(s.GetParentSpanId()),
		Name: s.GetName(), Service: service, Kind: s.GetKind(), Attributes: attributes(s.GetAttributes()),
		Start: time.Unix(0, int64(s.GetStartTimeUnixNano())), End: time.Unix(0, int64(s.GetEndTimeUnixNano())), //nolint:gosec // of this century
	}
	if s.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR {
		span.Error = "failed: " + s.GetStatus().GetMessage()
	}
	return span
}

func attributes(list []*common.KeyValue) map[string]string {
	out := map[string]string{}
	for _, kv := range list {
		switch v := kv.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			out[kv.GetKey()] = v.StringValue
		case *common.AnyValue_IntValue:
			out[kv.GetKey()] = fmt.Sprint(v.IntValue)
		case *common.AnyValue_DoubleValue:
			out[kv.GetKey()] = fmt.Sprint(v.DoubleValue)
		case *common.AnyValue_BoolValue:
			out[kv.GetKey()] = fmt.Sprint(v.BoolValue)
		default:
			out[kv.GetKey()] = kv.GetValue().String()
		}
	}
	return out
}

// Spans are all that came so far, by their start.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []Span
	for _, s := range c.spans {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Span) int { return a.Start.Compare(b.Start) })
	return all
}

// Holds says whether a text is anywhere in what came.
func (c *Collector) Holds(text string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.raw, func(body []byte) bool { return strings.Contains(string(body), text) })
}

// collectPatience is how long spans may be on their way.
const collectPatience = 30 * time.Second

// Wait waits until the spans that came are as wanted, and returns them. What
// is printed when they never are is their tree.
func (c *Collector) Wait(tb testing.TB, what string, wanted func([]Span) bool) []Span {
	tb.Helper()
	deadline := time.After(collectPatience)
	for {
		c.mu.Lock()
		changed := c.changed
		c.mu.Unlock()
		spans := c.Spans()
		if wanted(spans) {
			return spans
		}
		select {
		case <-changed:
		case <-deadline:
			tb.Fatalf("no %s among the spans:\n%s", what, Tree(spans))
		}
	}
}

// Tree draws spans as people read a trace: children below their parent, with
// service, duration and outcome.
func Tree(spans []Span) string {
	known := map[string]bool{}
	children := map[string][]Span{}
	for _, s := range spans {
		known[s.Trace+s.ID] = true
	}
	for _, s := range spans {
		parent := s.Trace + s.Parent
		if !known[parent] {
			parent = ""
		}
		children[parent] = append(children[parent], s)
	}
	var out strings.Builder
	var draw func(s Span, indent string)
	draw = func(s Span, indent string) {
		fmt.Fprintf(&out, "%s%s  [%s, %s] %s\n", indent, s.Name, s.Service, s.End.Sub(s.Start).Round(time.Millisecond), s.Error)
		for _, child := range children[s.Trace+s.ID] {
			draw(child, indent+"  ")
		}
	}
	for _, root := range children[""] {
		draw(root, "")
	}
	return out.String()
}
