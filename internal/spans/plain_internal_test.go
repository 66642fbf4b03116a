package spans

import (
	"context"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"
)

// slowly is Child and Sampled as OpenTelemetry has them.
func slowly(traceparent string, id trace.SpanID) (child string, sampled bool) {
	sc := trace.SpanContextFromContext(With(context.Background(), traceparent))
	if !sc.IsValid() {
		return "", false
	}
	return Format(trace.ContextWithSpanContext(context.Background(), sc.WithSpanID(id))), sc.IsSampled()
}

func TestTraceparentsAreTakenApartAsOpenTelemetryDoes(t *testing.T) {
	t.Parallel()
	id := ID("i")
	const traceID, spanID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	good := "00-" + traceID + "-" + spanID + "-01"
	texts := []string{
		"", "nonsense", good, good + "-more", good + "0", good[:len(good)-1], "01" + good[2:], "01" + good[2:] + "-more", "ff" + good[2:], "0x" + good[2:], strings.ToUpper(good),
		"00-" + strings.Repeat("0", 32) + "-" + spanID + "-01", "00-" + traceID + "-" + strings.Repeat("0", 16) + "-01",
		"00-" + traceID[:31] + "g-" + spanID + "-01", "00-" + traceID + "_" + spanID + "-01", "00-" + traceID + "-" + spanID + "_01", "00-" + traceID + "-" + spanID + "-11",
	}
	for _, flags := range "0123456789af:/" {
		texts = append(texts, "00-"+traceID+"-"+spanID+"-0"+string(flags))
	}
	for _, text := range texts {
		child, sampled := slowly(text, id)
		if got := Child(text, id); got != child {
			t.Errorf("the child of %q is %q, want %q", text, got, child)
		}
		if got := Sampled(text); got != sampled {
			t.Errorf("%q is sampled: %t, want %t", text, got, sampled)
		}
	}
}

// It is done for each instance of a fleet, when it is told.
func TestChildrenTakeNoMemoryButTheirOwn(t *testing.T) {
	parent := "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
	n := testing.AllocsPerRun(100, func() {
		if Tell(Past{Parent: Child(parent, ID("instance", "deployment", "i-1", "7")), Name: "config.push"}) == "" {
			t.Error("nothing was told")
		}
	})
	if n > 2 {
		t.Errorf("%v allocations, want two traceparents", n)
	}
}
