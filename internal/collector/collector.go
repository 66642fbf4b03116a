// Package collector takes spans over OTLP, as a collector does, and draws them
// as the tree that they are: for the demo, and for tests of what is exported.
package collector

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Span is one span that was exported.
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

	server  *http.Server
	mu      sync.Mutex
	spans   map[[2]string]Span // by trace and id: what is told twice is one
	raw     [][]byte
	changed chan struct{}
}

// Start runs a collector on a port of its own until Close.
func Start() (*Collector, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for spans: %w", err)
	}
	c := &Collector{URL: "http://" + listener.Addr().String(), spans: map[[2]string]Span{}, changed: make(chan struct{})}
	c.server = &http.Server{Handler: http.HandlerFunc(c.take), ReadHeaderTimeout: 10 * time.Second}
	go c.server.Serve(listener) //nolint:errcheck // it ends by Close, and says so
	return c, nil
}

// Close ends the collector.
func (c *Collector) Close() error { return c.server.Close() }

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

// Wait returns the spans once they are as wanted, or with ctx's error those that
// came until it ended.
func (c *Collector) Wait(ctx context.Context, wanted func([]Span) bool) ([]Span, error) {
	for {
		c.mu.Lock()
		changed := c.changed
		c.mu.Unlock()
		spans := c.Spans()
		if wanted(spans) {
			return spans, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return spans, ctx.Err()
		}
	}
}
