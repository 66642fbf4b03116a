package spans_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel"

	"github.com/sluicehq/sluice/internal/spans"
	"github.com/sluicehq/sluice/internal/telemetry"
	"github.com/sluicehq/sluice/internal/testenv"
)

// One provider for all tests here, as a process has one.
func export(t *testing.T, sampler string) (c *testenv.Collector, flush func(context.Context) error) {
	t.Helper()
	collector := testenv.StartCollector(t)
	env := map[string]string{}
	for _, kv := range collector.Env() {
		k, v, _ := strings.Cut(kv, "=")
		env[k] = v
	}
	env["OTEL_TRACES_SAMPLER"] = sampler
	for k, v := range env {
		t.Setenv(k, v)
	}
	provider, err := telemetry.NewTracerProvider(t.Context(), func(k string) string { return env[k] }, "test", "1")
	if err != nil {
		t.Fatal(err)
	}
	before := otel.GetTracerProvider()
	otel.SetTracerProvider(provider)
	t.Cleanup(func() {
		otel.SetTracerProvider(before)
		if err := provider.Shutdown(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return collector, provider.ForceFlush
}

func TestWhatEndsElsewhereIsOneSpan(t *testing.T) {
	collector, _ := export(t, "parentbased_always_on")
	ctx, root := spans.Start(t.Context(), "webhook")
	parent := spans.Format(ctx)
	id := spans.ID("deployment", "d1")
	deployment := spans.Child(parent, id)
	_, step := spans.Start(spans.With(t.Context(), deployment), "step") // on a replica that knows the row alone
	spans.End(step, nil)
	spans.End(root, nil)
	began := time.Now().Add(-time.Hour).Truncate(time.Microsecond)
	for range 2 { // told again after a crash
		told := spans.Tell(spans.Past{
			Parent: parent, ID: id, Name: "config.deploy", Start: began, End: began.Add(time.Minute), Failure: "https://u:hush@host/ refused",
		})
		if told != deployment {
			t.Errorf("told %s, promised %s", told, deployment)
		}
	}
	all := collector.Wait(t, "three spans", func(all []testenv.Span) bool { return len(all) == 3 })
	by := map[string]testenv.Span{}
	for _, s := range all {
		by[s.Name] = s
	}
	deploy := by["config.deploy"]
	if deploy.Parent != by["webhook"].ID || by["step"].Parent != deploy.ID || deploy.Trace != by["webhook"].Trace {
		t.Errorf("the tree is\n%s", testenv.Tree(all))
	}
	if deploy.ID != id.String() || !deploy.Start.Equal(began) || deploy.End.Sub(deploy.Start) != time.Minute {
		t.Errorf("the span is %+v", deploy)
	}
	if !strings.Contains(deploy.Error, "refused") || collector.Holds("hush") {
		t.Errorf("it failed with %q", deploy.Error)
	}
}

func TestWhatIsNotSampledIsNotTold(t *testing.T) {
	collector, flush := export(t, "always_off")
	ctx, root := spans.Start(t.Context(), "webhook")
	parent := spans.Format(ctx)
	spans.End(root, nil)
	if !strings.HasSuffix(parent, "-00") || spans.TraceID(ctx) == "" {
		t.Errorf("the parent is %q", parent)
	}
	told := spans.Tell(spans.Past{Parent: parent, ID: spans.ID("x"), Name: "config.deploy", Start: time.Now(), End: time.Now()})
	if told != spans.Child(parent, spans.ID("x")) {
		t.Errorf("told %q", told)
	}
	if err := flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := collector.Spans(); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

func TestNoTraceparent(t *testing.T) {
	for _, text := range []string{"", "nonsense", "00-" + strings.Repeat("0", 32) + "-" + strings.Repeat("0", 16) + "-01"} {
		if spans.Child(text, spans.ID("x")) != "" || spans.Tell(spans.Past{Parent: text, Name: "x"}) != "" || spans.Format(spans.With(t.Context(), text)) != "" {
			t.Errorf("%q is taken for a span", text)
		}
	}
	again := spans.ID("a")
	if spans.ID("a", "b") == spans.ID("ab") || spans.ID("a") != again || spans.TraceID(t.Context()) != "" {
		t.Error("ids do not follow from names")
	}
}
